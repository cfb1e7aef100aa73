# SPDX-License-Identifier: ISC
"""The end of the demo: wait until the queue is empty, then compare the ledger with the source."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from examples.demo import setup
from examples.demo.figures import latencies, percentile
from skytools.core.db import Database, sql
from skytools.core.errors import TransientError

CHUNK = 50_000
EXAMPLES = 5  # differences that are told in full

# Drained: the consumer has finished the last tick, and that tick has seen every event. Counting new
# events is not enough: a tick may be older than the commit of an event that was numbered before it.
DRAINED = """
    select c.last_tick = q.last_tick_id and c.current_batch is null and not exists (
        select from pgq.event_template e, pgq.tick t
        where t.tick_queue = i.queue_id and t.tick_id = q.last_tick_id
            and not txid_visible_in_snapshot(e.ev_txid, t.tick_snapshot))
    from pgq.get_queue_info(%(queue)s) q
    join pgq.queue i using (queue_name)
    join pgq.get_consumer_info(%(queue)s, %(consumer)s) c using (queue_name)
"""
EVENTS = """
    select distinct on (ev_id) ev_id, ev_type, ev_extra1, ev_data, ev_time
    from pgq.event_template where ev_id > %s and ev_id <= %s order by ev_id
"""
LEDGER = """
    select ev_id, ev_type, ev_table, ev_data, ev_time, ev_txid, applied_at
    from ledger where ev_id > %s and ev_id <= %s
"""
LAST_UPDATES = """
    select distinct on (key) ev_data
    from ledger, substring(ev_data from %s) as key
    where ev_table = %s and ev_type like 'U:%%' order by key, ev_id desc
"""


@dataclass
class Verdict:
    """What the comparison found. Latencies are seconds from commit to handler."""

    produced: int = 0
    applied: int = 0
    lost: int = 0
    doubled: int = 0
    altered: int = 0
    unknown: int = 0
    history_rows: int = 0
    history_wrong: int = 0
    balances: int = 0
    balances_wrong: int = 0
    p50: float | None = None
    p99: float | None = None
    worst: float | None = None
    examples: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether every event arrived exactly once and unchanged; an empty run proves nothing."""
        faults = self.lost + self.doubled + self.altered + self.unknown
        return self.produced > 0 and not faults + self.history_wrong + self.balances_wrong

    def note(self, text: str) -> None:
        """Keep a difference for the report, up to a handful."""
        if len(self.examples) < EXAMPLES:
            self.examples.append(text)


def wait_drained(source: Database, timeout: float) -> bool:
    """Wait until the consumer has finished everything; False when that took too long."""
    deadline = time.monotonic() + timeout
    while not source.value(DRAINED, {"queue": setup.QUEUE, "consumer": setup.CONSUMER}):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def compare(source: Database, target: Database) -> Verdict:
    """Compare every event, every row of the history and every balance."""
    verdict = Verdict()
    seconds: list[float] = []
    history: dict[int, dict[str, str | None]] = {}
    for events, rows in _chunks(source, target):
        _compare_events(verdict, events, rows)
        seconds += latencies(source, [(row[5], row[6]) for row in rows])
        for _, ev_type, table, data, *_ in rows:
            if table == "public.pgbench_history" and ev_type.startswith("I:"):
                row = decode(data)
                history[int(row["hid"] or 0)] = row
    _compare_history(verdict, source, history)
    _compare_balances(verdict, source, target)
    verdict.p50 = percentile(seconds, 0.50)
    verdict.p99 = percentile(seconds, 0.99)
    verdict.worst = max(seconds, default=None)
    return verdict


def _chunks(
    source: Database, target: Database
) -> Iterator[tuple[dict[int, tuple[Any, ...]], list[tuple[Any, ...]]]]:
    """Yield the events of the queue by id, and the rows of the ledger, of one range of ids each."""
    last = max(
        source.value("select max(ev_id) from pgq.event_template") or 0,
        target.value("select max(ev_id) from ledger") or 0,
    )
    for start in range(0, last, CHUNK):
        bounds = [start, start + CHUNK]
        events = {row[0]: row[1:] for row in source.query(EVENTS, bounds)}
        yield events, target.query(LEDGER, bounds)


def _compare_events(
    verdict: Verdict, events: dict[int, tuple[Any, ...]], rows: list[tuple[Any, ...]]
) -> None:
    seen: set[int] = set()
    for row in rows:
        ev_id, event = row[0], events.get(row[0])
        if ev_id in seen:
            verdict.doubled += 1
            verdict.note(f"event {ev_id} is in the ledger more than once")
        elif event is None:
            verdict.unknown += 1
            verdict.note(f"event {ev_id} is in the ledger but not in the queue")
        elif event != row[1:5]:
            verdict.altered += 1
            verdict.note(f"event {ev_id} differs: {event} is {row[1:5]} in the ledger")
        seen.add(ev_id)
    missing = sorted(events.keys() - seen)
    verdict.produced += len(events)
    verdict.applied += len(events.keys() & seen)
    verdict.lost += len(missing)
    for ev_id in missing[:EXAMPLES]:
        verdict.note(f"event {ev_id} is not in the ledger: {events[ev_id]}")


def _compare_history(
    verdict: Verdict, source: Database, ledger: dict[int, dict[str, str | None]]
) -> None:
    """Each row of the history is one insert event of the same content, and the reverse."""
    columns = ["hid", "tid", "bid", "aid", "delta", "mtime"]
    texts = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(c)) for c in columns)
    query = sql.SQL("select {} from pgbench_history where hid > %s and hid <= %s").format(texts)
    last = source.value("select max(hid) from pgbench_history") or 0
    for start in range(0, last, CHUNK):
        for row in source.query(query, [start, start + CHUNK]):
            verdict.history_rows += 1
            want = dict(zip(columns, row, strict=True))
            got = ledger.pop(int(row[0]), None)
            if got is None or any(got.get(key) != value for key, value in want.items()):
                verdict.history_wrong += 1
                verdict.note(f"history row {want} is {got} in the ledger")
    verdict.history_wrong += len(ledger)
    for hid in list(ledger)[:EXAMPLES]:
        verdict.note(f"history row {hid} is in the ledger but not in the source")


def _compare_balances(verdict: Verdict, source: Database, target: Database) -> None:
    """Compare each balance with the last update in the ledger; a row without one has 0."""
    for table, key in setup.TABLES.items():
        if table == "pgbench_history":
            continue
        balance, key_of = f"{key[0]}balance", rf"(?:^|&){key}=([^&]*)"
        rows = [decode(data) for (data,) in target.query(LAST_UPDATES, [key_of, f"public.{table}"])]
        ledger = {row[key]: row[balance] for row in rows}
        query = sql.SQL(
            "select {key}::text, {balance}::text from {table}"
            " where {balance} <> 0 or {key} = any(%s::int[])"
        ).format(
            key=sql.Identifier(key), balance=sql.Identifier(balance), table=sql.Identifier(table)
        )
        keys = [int(text) for text in ledger if text]
        current: dict[str | None, str] = dict(source.query(query, [keys]))
        for row_key in current.keys() | ledger.keys():
            verdict.balances += 1
            if current.get(row_key) != ledger.get(row_key):
                verdict.balances_wrong += 1
                verdict.note(
                    f"{table} {key}={row_key}: balance {current.get(row_key)} in the source,"
                    f" {ledger.get(row_key)} in the ledger"
                )


def decode(data: str) -> dict[str, str | None]:
    """Return the row of an event's data: name=value joined by &, a name alone is NULL."""
    row: dict[str, str | None] = {}
    for part in data.split("&"):
        name, equals, value = part.partition("=")
        row[unquote_plus(name)] = unquote_plus(value) if equals else None
    return row


def final_check(source: Database, target: Database, timeout: float) -> tuple[Verdict, bool]:
    """Wait for the consumer, compare; the flag says whether it had caught up in time."""
    try:
        drained = wait_drained(source, timeout)
    except TransientError:
        drained = wait_drained(source, timeout)
    return compare(source, target), drained
