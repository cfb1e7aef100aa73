# SPDX-License-Identifier: ISC
"""Events that a former root had and no other node has got: written to a file, then deleted."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from skytools.core.db import Database, sql
from skytools.pgq import api
from skytools.pgq.api import call
from skytools.pgq.types import Event

BLOCK = 2000
_NEXT_BATCH = call("pgq.next_batch", "i_queue_name", "i_consumer_name")
_BATCH_INFO = call("pgq.get_batch_info", "x_batch_id")
_TABLES = """select queue_data_pfx, queue_ntables from pgq.queue where queue_name = %s"""
_LAST_TICK = """select tick_id from pgq.tick join pgq.queue on queue_id = tick_queue
    where queue_name = %s order by tick_id desc limit 1"""
# By to_jsonb: PgQ 3.5 has no ticks that cut a batch, and not their columns.
_TICK = """select tick_snapshot::text, to_jsonb(t) ->> 'tick_part_snapshot',
        (to_jsonb(t) ->> 'tick_part_end')::bigint
    from pgq.tick t join pgq.queue on queue_id = tick_queue
    where queue_name = %s and tick_id = %s"""
# What a tick sees: where it cuts a batch, of what its second snapshot sees the events up to an id.
_SEEN = """(txid_visible_in_snapshot(ev_txid, %({0})s::txid_snapshot)
    or coalesce(ev_id <= %({0}_end)s::bigint
        and txid_visible_in_snapshot(ev_txid, %({0}_part)s::txid_snapshot), false))"""
_AFTER = f"""ev_txid >= txid_snapshot_xmin(%(first)s::txid_snapshot)
    and not {_SEEN.format("first")}"""
# What the batches from one tick to another have.
_BETWEEN = f"{_AFTER} and {_SEEN.format('last')}"
_DELETE_TICKS = """delete from pgq.tick using pgq.queue
    where queue_id = tick_queue and queue_name = %s and tick_id > %s"""


def any_tick_after(db: Database, queue: str, tick: int) -> bool:
    """Tell whether the queue goes on after a tick: then its events are still there."""
    last = db.value(_LAST_TICK, (queue,))
    db.rollback()
    return last is not None and last > tick


def dump(db: Database, queue: str, name: str, tick: int, path: Path) -> Iterator[Event]:
    """Write all events after a tick to a file, and yield them.

    The file is complete on disk or not there. Nothing is changed in the database: the consumer
    that reads is registered in a transaction that is rolled back.
    """
    beside = path.with_name(f"{path.name}.new")
    try:
        with beside.open("w", encoding="utf-8") as file:
            yield from _write(file, _events(db, queue, f"{name}.dumper", tick))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        db.rollback()
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()


def _write(file: TextIO, events: Iterator[tuple[Event, int, int]]) -> Iterator[Event]:
    file.write("[")
    between = "\n"
    for event, tick, before in events:
        file.write(between)
        json.dump(_record(event, tick, before), file, ensure_ascii=False)
        between = ",\n"
        yield event
    file.write("\n]\n")


def _record(event: Event, tick: int, before: int) -> dict[str, object]:
    return {
        "ev_id": event.id,
        "ev_type": event.type,
        "ev_data": event.data,
        "ev_extra1": event.extra1,
        "ev_extra2": event.extra2,
        "ev_extra3": event.extra3,
        "ev_extra4": event.extra4,
        "ev_time": event.time.isoformat(),
        "ev_txid": event.txid,
        "ev_retry": event.retry,
        "tick_id": tick,
        "prev_tick_id": before,
    }


def _events(db: Database, queue: str, consumer: str, tick: int) -> Iterator[tuple[Event, int, int]]:
    api.register_consumer_at(db, queue, consumer, tick)
    while (batch := db.value(_NEXT_BATCH, (queue, consumer))) is not None:
        info = db.query_one(_BATCH_INFO, (batch,))
        assert info is not None
        before, current = info[4], info[5]
        cursor = f"lost_{int(batch)}"
        rows = api.open_cursor(db, batch, cursor, BLOCK, None)
        while rows:
            for row in rows:
                yield Event(*row), current, before
            rows = api.fetch(db, cursor, BLOCK)
        api.finish_batch(db, batch)


def delete(db: Database, queue: str, tick: int) -> int:
    """Delete the events after a tick and the ticks; return how many events. Does not commit."""
    last = db.value(_LAST_TICK, (queue,))
    if last is None or last <= tick:
        return 0
    ticks = {**_tick(db, queue, tick, "first"), **_tick(db, queue, last, "last")}
    count = 0
    for table in _tables(db, queue):
        statement = sql.SQL("delete from {} where ").format(table) + sql.SQL(_BETWEEN)
        with db.execute(statement, ticks) as cursor:
            count += cursor.rowcount
    db.execute(_DELETE_TICKS, (queue, tick)).close()
    for info in api.consumer_info(db, queue):
        if info.last_tick is not None and info.last_tick > tick:
            api.register_consumer_at(db, queue, info.name, tick)
    return count


def _tick(db: Database, queue: str, tick: int, name: str) -> dict[str, object]:
    """Return what _SEEN has to know of a tick."""
    row = db.query_one(_TICK, (queue, tick)) or (None, None, None)
    return dict(zip((name, f"{name}_part", f"{name}_end"), row, strict=True))


def may_delete(db: Database, queue: str) -> bool:
    """Tell whether the user may delete events: members of pgq_admin alone may not."""
    allowed = db.value(
        """select bool_and(has_table_privilege(i.inhrelid, 'delete'))
             from pgq.queue q
             join pg_catalog.pg_inherits i on i.inhparent = q.queue_data_pfx::regclass
            where q.queue_name = %s""",
        (queue,),
    )
    db.rollback()
    return allowed is True


def _tables(db: Database, queue: str) -> list[sql.Composable]:
    row = db.query_one(_TABLES, (queue,))
    assert row is not None
    prefix, count = row
    parts = prefix.split(".")
    return [
        sql.SQL(".").join(sql.Identifier(part) for part in (*parts[:-1], f"{parts[-1]}_{number}"))
        for number in range(count)
    ]


def marked(path: Path, db: Database, queue: str, tick: int) -> bool:
    """Tell whether a file has events of this queue after a tick, and none that are not there.

    Such a file was left by a run that was interrupted. After the events were deleted, only the
    ticks tell.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        pairs = {(int(one["ev_id"]), int(one["ev_txid"])) for one in told}
        ticks = [int(one["prev_tick_id"]) for one in told]
    except (OSError, ValueError, TypeError, KeyError):
        return False
    if any(one < tick for one in ticks):
        return False
    if not any_tick_after(db, queue, tick):
        return True
    query = sql.SQL("select ev_id, ev_txid from {} where ")
    first = _tick(db, queue, tick, "first")
    there: set[tuple[int, int]] = set()
    for table in _tables(db, queue):
        there.update(
            (row[0], row[1]) for row in db.query(query.format(table) + sql.SQL(_AFTER), first)
        )
    db.rollback()
    return pairs <= there
