# SPDX-License-Identifier: ISC
"""Compares tables of this node with their sources, each at a common tick."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from skytools.core.db import Database
from skytools.core.errors import UsageError
from skytools.daemons.londiste import names
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.verify.scan import Sum
from skytools.daemons.londiste.verify.session import Pair, Session

log = logging.getLogger("londiste")

FORMAT = "%(cnt)d rows, checksum=%(chksum)s"
COUNT_FORMAT = "%(cnt)d rows"
# The shell keeps eight bits of an exit status: 256 differing tables would look like none.
MOST_EXIT = 250


@dataclass(frozen=True, slots=True)
class Comparison:
    """The outcome of one table; `src` and `dst` as they are shown. `seconds` of reading."""

    table: str
    tick: int
    src: str
    dst: str
    equal: bool
    rows: int
    seconds: float


def compare(
    session: Session,
    tables: Iterable[TableInfo],
    *,
    count_only: bool = False,
    where: str = "",
) -> list[Comparison]:
    """Compare tables one after the other, and say of each what was found. `where`: such rows."""
    found = []
    for table in tables:
        pair = session.pair(table, where)
        log.info("Comparing %s with %s at tick %d", table.name, pair.source.name, pair.tick)
        one = compare_pair(session, pair, count_only=count_only)
        found.append(one)
        session.progress.clear()
        log.info("srcdb: %s", one.src)
        log.info("dstdb: %s", one.dst)
        if not one.equal:
            log.warning("%s: Results do not match!", table.name)
            _tell_of_merge(session, table, where)
    return found


def _tell_of_merge(session: Session, table: TableInfo, where: str) -> None:
    others = session.upstream.merged_with(table)
    if others and not where and not session.cfg.compare_sql:
        log.warning(
            "%s: has rows of queue %s too; say by --where which are those of queue %s",
            table.name,
            ", ".join(others),
            session.cfg.queue_name,
        )


def compare_pair(session: Session, pair: Pair, *, count_only: bool) -> Comparison:
    """Compare one table that has been opened."""
    started = time.monotonic()
    cfg = session.cfg
    session.progress.begin(f"compare {pair.table.name}", pair.scan.bytes)
    if cfg.compare_sql and not count_only:
        src, dst = _by_own_query(pair, cfg.compare_sql)
        equal, rows = src == dst, 0
        text = cfg.compare_fmt or FORMAT
        shown = _formatted(text, src), _formatted(text, dst)
    else:
        src_sum, dst_sum = pair.scan.totals(count_only=count_only)
        equal, rows = src_sum == dst_sum, src_sum.rows
        text = COUNT_FORMAT if count_only else cfg.compare_fmt or FORMAT
        shown = _formatted(text, _as_row(src_sum)), _formatted(text, _as_row(dst_sum))
    seconds = time.monotonic() - started
    return Comparison(pair.table.name, pair.tick, *shown, equal, rows, seconds)


def exit_code(found: Iterable[Comparison]) -> int:
    """Return the number of tables that differ, as far as an exit status can tell it."""
    return min(sum(not one.equal for one in found), MOST_EXIT)


def _as_row(one: Sum) -> dict[str, Any]:
    return {"cnt": one.rows, "chksum": one.checksum}


def _formatted(text: str, row: dict[str, Any]) -> str:
    try:
        return text % row
    except (KeyError, TypeError, ValueError) as exc:
        known = ", ".join(row)
        raise UsageError(
            f"compare_fmt {text!r} does not fit the columns {known} of compare_sql ({exc})"
        ) from exc


def _by_own_query(pair: Pair, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run the query of the ini on both sides."""
    columns = ", ".join(names.quote_ident(name) for name in pair.scan.shape.columns)
    where = pair.handling.source_where

    def task(table: str, condition: str) -> Callable[[Database], dict[str, Any]]:
        query = text.replace("_TABLE_", names.quote(table)).replace("_COLS_", columns)
        if condition:
            query += f" where {condition}"

        def run(db: Database) -> dict[str, Any]:
            with db.execute(query) as cursor:
                row = cursor.fetchone()
                keys = [column.name for column in cursor.description or ()]
            return dict(zip(keys, row or (), strict=False))

        return run

    src, dst = pair.scan.readers.both([task(pair.source_name, where)], [task(pair.table.dest, "")])
    return src[0], dst[0]
