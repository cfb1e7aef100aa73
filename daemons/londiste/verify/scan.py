# SPDX-License-Identifier: ISC
"""Reads both sides of a table at the same time, each in several ranges of blocks.

The two sides need not be cut alike: sums do not depend on the order in which rows are read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from skytools.core.db import Database, Row, sql
from skytools.daemons.londiste.progress import Progress
from skytools.daemons.londiste.relation import BLOCK, Part, Relation
from skytools.daemons.londiste.verify.checksum import Shape
from skytools.daemons.londiste.verify.point import Frozen, Point

RANGE = 8192  # blocks that one statement reads at most: 64 MiB
GROUPED_RANGE = 65536  # the same where each statement returns a row for each bucket
FEW_RANGES = 500  # of the key, for which its index is better than a pass over the table
SMALL = 4096  # blocks below which a table is not cut
TID_RANGES = 140000  # server version from which a range of blocks is read without the rest


# Of each level, one after the other, the buckets that a row may be in.
Path = tuple[Sequence[int], ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """Number of rows and the sum of their checksums."""

    rows: int = 0
    checksum: int = 0

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.rows + other.rows, self.checksum + other.checksum)


@dataclass(frozen=True, slots=True)
class Side:
    """A table on one side, and which of its rows count. `only`: without those that inherit."""

    relation: Relation
    where: str = ""
    only: bool = True


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of each range of `blocks` at most; `count` tells how many rows it was.

    Without `cut` the whole is asked, as an index leads to the rows.
    """

    what: sql.Composable
    blocks: int
    count: Callable[[list[Row]], int]
    where: sql.Composable | None = None
    tail: str = ""
    cut: bool = True


class Readers:
    """Connections of both sides in the snapshots of a point; they serve table after table."""

    def __init__(self, point: Point, jobs: int) -> None:
        self.point = point
        self.jobs = jobs
        self._lock = threading.Lock()
        self._open: list[Database] = []
        self._pools: list[ThreadPoolExecutor] = []
        self._src = self._pool(point.src)
        self._dst = self._pool(point.dst)

    def _pool(self, frozen: Frozen) -> Callable[[Callable[[Database], Any]], Future[Any]]:
        pool = ThreadPoolExecutor(self.jobs, thread_name_prefix=frozen.place.label)
        self._pools.append(pool)
        local = threading.local()

        def work(task: Callable[[Database], Any]) -> Any:
            db: Database | None = getattr(local, "db", None)
            if db is None:
                db = local.db = frozen.open()
                with self._lock:
                    self._open.append(db)
            return task(db)

        return lambda task: pool.submit(work, task)

    def both(
        self,
        src: Iterable[Callable[[Database], Any]],
        dst: Iterable[Callable[[Database], Any]],
    ) -> tuple[list[Any], list[Any]]:
        """Do tasks on the source and on the destination; returns their results in order."""
        futures = [[run(task) for task in tasks] for run, tasks in
                   ((self._src, src), (self._dst, dst))]  # fmt: skip
        try:
            results = [[future.result() for future in side] for side in futures]
        except BaseException:
            for side in futures:
                for future in side:
                    future.cancel()
            self.cancel()
            raise
        return results[0], results[1]

    def cancel(self) -> None:
        """End the statements that run now."""
        with self._lock:
            for db in self._open:
                db.cancel()

    def close(self) -> None:
        """Wait for the threads and drop the connections; those of the point stay."""
        for pool in self._pools:
            pool.shutdown(cancel_futures=True)
        for db in self._open:
            db.close()


class Scan:
    """One table on both sides."""

    def __init__(
        self, readers: Readers, src: Side, dst: Side, shape: Shape, progress: Progress
    ) -> None:
        self.readers = readers
        self.src = src
        self.dst = dst
        self.shape = shape
        self.progress = progress

    @property
    def bytes(self) -> int:
        """How much one pass reads, on both sides."""
        return self.src.relation.bytes + self.dst.relation.bytes

    def totals(self, *, count_only: bool = False) -> tuple[Sum, Sum]:
        """Return number and checksum of the rows of each side."""
        what: sql.Composable = sql.SQL("count(*), 0")
        if not count_only:
            text = "count(*), coalesce(sum({}), 0)"
            what = sql.SQL(text).format(self.shape.row_hash())
        src, dst = self._read(Question(what, RANGE, lambda rows: int(rows[0][0])))
        return _total(src), _total(dst)

    def buckets(self, path: Path) -> tuple[dict[int, Sum], dict[int, Sum]]:
        """Return a sum for each bucket of each side, of the rows that are on the path."""
        if not path and self.shape.counts and self.src.relation.key:
            self._by_ranges()
        text = "{}, count(*), sum({})"
        what = sql.SQL(text).format(self.shape.bucket(len(path)), self.shape.row_hash())
        question = Question(what, GROUPED_RANGE, _second_column, self.among(path), " group by 1")
        src, dst = self._read(question)
        return _merge(src), _merge(dst)

    def keyed(self, path: Path) -> tuple[list[Row], list[Row]]:
        """Return (key as text ..., checksum) of the rows of each side that are on the path."""
        key = [self.shape.text(name) for name in self.shape.key]
        what = sql.SQL(", ").join([*key, self.shape.row_hash()])
        cut = self.shape.ranges is None or len(path[0]) > FEW_RANGES
        src, dst = self._read(Question(what, RANGE, len, self.among(path), cut=cut))
        return [row for rows in src for row in rows], [row for rows in dst for row in rows]

    def among(self, path: Path) -> sql.Composable | None:
        """Return the condition that a row is on the path."""
        conditions = [self.shape.among(buckets, level) for level, buckets in enumerate(path)]
        return sql.SQL(" and ").join(conditions) if conditions else None

    def _by_ranges(self) -> None:
        """Make ranges of the key the first buckets: what is in them is found by its index."""
        key = sql.Identifier(self.shape.key[0])

        def task(side: Side) -> Callable[[Database], Row]:
            query = sql.SQL("select min({0}), max({0}) from {1}").format(key, source(side))
            return lambda db: db.query(query)[0]

        found = self.readers.both([task(self.src)], [task(self.dst)])
        ends = [end for (row,) in found for end in row if end is not None]
        if ends:
            self.shape = self.shape.between(min(ends), max(ends))

    def _read(self, question: Question) -> tuple[list[list[Row]], list[list[Row]]]:
        tasks = []
        point, jobs = self.readers.point, self.readers.jobs
        for side, frozen in ((self.src, point.src), (self.dst, point.dst)):
            can_cut = question.cut and frozen.db.server_version >= TID_RANGES
            pieces = _pieces(side, question.blocks, jobs, can_cut=can_cut)
            tasks.append([self._task(side, piece, question) for piece in pieces])
        return self.readers.both(*tasks)

    def _task(
        self, side: Side, piece: Piece, question: Question
    ) -> Callable[[Database], list[Row]]:
        conditions = [one for one in (piece.tids, question.where) if one is not None]
        if side.where:
            conditions.append(_condition(side.where))
        query: sql.Composable = sql.SQL("select {} from {}").format(question.what, piece.source)
        if conditions:
            query += sql.SQL(" where ") + sql.SQL(" and ").join(conditions)
        query += sql.SQL(question.tail)

        def task(db: Database) -> list[Row]:
            rows = db.query(query)
            self.progress.advance(piece.blocks * BLOCK, question.count(rows))
            return rows

        return task


@dataclass(frozen=True, slots=True)
class Piece:
    """A range of blocks of a part, or the whole of it when `tids` is None."""

    source: sql.Composable
    tids: sql.Composable | None
    blocks: int


def _second_column(rows: list[Row]) -> int:
    return sum(row[1] for row in rows)


def _condition(text: str) -> sql.Composable:
    return sql.SQL("({})").format(sql.SQL(text))


def source(side: Side) -> sql.Composable:
    """Return what stands after FROM for the whole table."""
    only = side.only and side.relation.kind == "r"
    return sql.SQL("only {}" if only else "{}").format(side.relation.ident)


def _pieces(side: Side, most: int, jobs: int, *, can_cut: bool) -> Iterator[Piece]:
    """Give what makes up the whole, in no order."""
    if side.relation.kind in ("v", "f"):
        yield Piece(source(side), None, 0)
        return
    for part in side.relation.parts:
        step = max(min(most, -(-part.blocks // jobs)), SMALL)
        table = sql.SQL("only {}").format(part.ident)
        if not can_cut or part.blocks <= step:
            yield Piece(table, None, part.blocks)
        else:
            yield from _cut(part, table, step)


def _cut(part: Part, table: sql.Composable, step: int) -> Iterator[Piece]:
    for start in range(0, part.blocks, step):
        end = start + step
        low = sql.SQL("ctid >= {}::tid").format(sql.Literal(f"({start},0)"))
        if end >= part.blocks:  # it may have grown since it was measured
            yield Piece(table, low, part.blocks - start)
        else:
            high = sql.SQL("ctid < {}::tid").format(sql.Literal(f"({end},0)"))
            yield Piece(table, sql.SQL("{} and {}").format(low, high), step)


def _total(results: list[list[Row]]) -> Sum:
    return sum((Sum(rows[0][0], int(rows[0][1])) for rows in results), Sum())


def _merge(results: list[list[Row]]) -> dict[int, Sum]:
    found: dict[int, Sum] = {}
    for rows in results:
        for bucket, count, checksum in rows:
            one = Sum(count, int(checksum))
            found[bucket] = found[bucket] + one if bucket in found else one
    return found
