# SPDX-License-Identifier: ISC
"""Makes tables of this node equal to their sources.

What differs is found at one common tick. It is then either written to a script, or fixed at once:
slice by slice, each at a new common tick after which nothing comes to the table, with the table
locked against its worker and after another look at the rows. So what replay does meanwhile is
never undone, and what it has put right itself is left alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from skytools.core.db import Database, sql
from skytools.core.errors import DatabaseError, SkytoolsError, TransientError
from skytools.daemons.londiste import api
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.verify.checksum import SETTINGS
from skytools.daemons.londiste.verify.diff import Key, Traffic, differences, fetch, overview
from skytools.daemons.londiste.verify.fixes import Counts, Fix, Writer, fixes
from skytools.daemons.londiste.verify.handling import restore, whole_rows
from skytools.daemons.londiste.verify.point import Point
from skytools.daemons.londiste.verify.session import Pair, Session
from skytools.pgq import node

log = logging.getLogger("londiste")

# Rows that are fixed while the cascade stands at a tick: so many, and so many bytes.
SLICE = 5000
SLICE_BYTES = 16 << 20
TRIES = 20
UNIQUE_VIOLATION = "23505"
# Values are compared as text, and neither triggers nor foreign keys are to see the fixes.
HEADER = f"{SETTINGS};\nset session_replication_role to replica;\n"


@dataclass(slots=True)
class Repair:
    """The outcome of one table. `script` is None when it was repaired at once.

    `refused` says why nothing was done.
    """

    table: str
    tick: int
    src_rows: int = 0
    dst_rows: int = 0
    counts: Counts = field(default_factory=Counts)
    traffic: Traffic = field(default_factory=Traffic)
    script: Path | None = None
    refused: str = ""

    def __str__(self) -> str:
        return (
            f"finished {self.table}: src: {self.src_rows} rows, dst: {self.dst_rows} rows,"
            f" missed: {self.counts}"
        )


class NotRepairableError(SkytoolsError):
    """Rows of the table cannot be compared one by one; other tables can."""


def repair(
    session: Session,
    tables: Iterable[TableInfo],
    *,
    apply: bool,
    folder: Path,
    where: str = "",
) -> list[Repair]:
    """Repair tables one after the other; scripts go to `folder`. `where`: only such rows."""
    found = []
    for table in tables:
        pair = session.pair(table, where)
        try:
            if not where:
                _require_sole_source(session, table)
            _require_key(pair)
        except NotRepairableError as exc:
            found.append(Repair(table.name, pair.tick, refused=str(exc)))
            continue
        one = Repair(table.name, pair.tick)
        session.progress.begin(f"repair {table.name}", pair.scan.bytes)
        keys = _differing_keys(pair, one)
        if apply:
            _apply(session, pair, list(keys), one)
        else:
            _write(pair, keys, one, folder)
        session.progress.clear()
        log.info("%s", one)
        found.append(one)
    return found


def _require_sole_source(session: Session, table: TableInfo) -> None:
    others = session.upstream.merged_with(table)
    if others:
        raise NotRepairableError(
            f"{table.name}: has rows of queue {', '.join(others)} too, which would be deleted; say"
            f" which rows are those of queue {session.cfg.queue_name} by --repair-where"
        )


def _require_key(pair: Pair) -> None:
    src, dst = pair.scan.src.relation, pair.scan.dst.relation
    name = pair.table.name
    if set(src.key) != set(dst.key):
        raise NotRepairableError(
            f"{name}: primary keys differ: source ({', '.join(src.key)}),"
            f" destination ({', '.join(dst.key)}); make them alike first"
        )
    if not src.key or not set(src.key) <= set(pair.scan.shape.columns):
        raise NotRepairableError(
            f"{name}: has no primary key, so rows cannot be told apart; use resync"
        )


def _differing_keys(pair: Pair, one: Repair) -> Iterator[Key]:
    seen = overview(pair.scan)
    one.src_rows, one.dst_rows = seen.src.rows, seen.dst.rows
    for difference in differences(pair.scan, seen, one.traffic):
        yield difference.key


def _slices(pair: Pair, one: Repair, keys: Iterable[Key]) -> Iterator[list[Key]]:
    each = pair.scan.src.relation.bytes // (one.src_rows or 1) + 1
    size = max(1, min(SLICE, SLICE_BYTES // each))
    left = iter(keys)
    while part := list(islice(left, size)):
        yield part


def _look(
    pair: Pair, point: Point, dst: Database, keys: Sequence[Key], one: Repair
) -> tuple[list[Fix], list[Fix]]:
    """Return what has to be fixed among the keys, as of a point; `dst` reads the destination.

    The second are rows that are missing here and only the table's handler can write.
    """
    scan = pair.scan
    theirs = fetch(point.src.db, scan.src, scan.shape, keys)
    ours = fetch(dst, scan.dst, scan.shape, keys)
    one.traffic.add_rows([*theirs.values(), *ours.values()])
    found = list(fixes(keys, theirs, ours))
    if not (pair.handling.spreads or pair.handling.left_out):
        return found, []
    kept = [fix for fix in found if fix.dst is not None]
    return kept, [fix for fix in found if fix.dst is None]


def _writer(pair: Pair) -> Writer:
    return Writer(pair.scan.dst.relation, pair.scan.shape, only=pair.scan.dst.only)


# a script


def _write(pair: Pair, keys: Iterable[Key], one: Repair, folder: Path) -> None:
    one.script = folder / f"fix.{pair.table.name.replace('/', '_')}.sql"
    point, writer = pair.scan.readers.point, _writer(pair)
    left_out = 0
    try:
        with one.script.open("w", encoding="utf-8") as file:
            file.write(HEADER)
            for part in _slices(pair, one, keys):
                found, lost = _look(pair, point, point.dst.db, part, one)
                for fix in found:
                    one.counts.count(fix)
                    file.write(writer.text(fix, point.dst.db))
                left_out += len(lost)
    except OSError as exc:
        raise SkytoolsError(f"{one.script}: {exc.strerror or exc}") from exc
    if left_out:
        log.warning(
            "%s: %d rows that are missing here are not in the script, as its handler has to write"
            " them: use --apply", pair.table.name, left_out,
        )  # fmt: skip


# at once


def _apply(session: Session, pair: Pair, keys: list[Key], one: Repair) -> None:
    if not keys:
        return
    for part in _slices(pair, one, keys):
        try:
            _fix(session, pair, part, one)
        except DatabaseError as exc:
            if exc.sqlstate != UNIQUE_VIOLATION or len(keys) == len(part):
                raise
            # A unique value is still with a row of another slice: all rows in one go.
            _fix(session, pair, keys, one)
            return


def _fix(session: Session, pair: Pair, keys: Sequence[Key], one: Repair) -> None:
    """Fix some rows while nothing comes to the table. Commits."""
    meeting = session.meeting(pair.source)
    for _ in range(TRIES):
        with meeting.held([pair.source_name]) as point:
            fixer = point.dst.place.connect()
            try:
                if not _lock_at(session, pair, point, fixer, used_lock=meeting.used_lock):
                    continue
                writer, counts = _writer(pair), Counts()
                found, lost = _look(pair, point, fixer, keys, one)
                for statement in writer.together(found):
                    fixer.execute(statement).close()
                if lost:
                    rows = whole_rows(point.src.db, pair.scan, [fix.key for fix in lost])
                    restore(session.cfg, pair.table, fixer, pair.scan.shape.key, rows)
                for fix in (*found, *lost):
                    counts.count(fix)
                fixer.commit()
            except TransientError as exc:
                log.info("%s: %s; trying again", pair.table.name, exc)
                continue
            finally:
                fixer.close()
        one.counts.add(counts)
        return
    raise SkytoolsError(
        f"{pair.table.name}: the table could not be locked beside its worker in {TRIES} tries;"
        " what was fixed so far stays, repeat the command"
    )


def _lock_at(
    session: Session, pair: Pair, point: Point, fixer: Database, *, used_lock: bool
) -> bool:
    """Lock the table against the worker; false when that has gone past the tick already."""
    fixer.execute("set local lock_timeout to '2s'").close()
    table = pair.scan.dst.relation.ident
    fixer.execute(sql.SQL("lock table {} in share row exclusive mode").format(table)).close()
    api.set_replication_role(fixer, "replica", local=True)
    state = node.worker_state(fixer, session.cfg.queue_name)
    return state.completed_tick == point.tick or (used_lock and state.completed_tick > point.tick)
