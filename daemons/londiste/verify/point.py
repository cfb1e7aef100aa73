# SPDX-License-Identifier: ISC
"""A common tick: a snapshot of the source and one of the destination that hold the same events.

Nobody who writes is locked out, and no worker is paused:

- A root of pgq 4 makes a tick with the very snapshot that the source is read in
  (pgq.tick_snapshot). The root's ticker is kept from making another one until the destination
  has finished that tick, which takes as long as the destination lags; the hold is given up
  after a second, then two, and so on, so that other consumers are never kept waiting for long.
- A root of pgq 3 has no such function: writers of the tables wait, as in Londiste 3, for a SHARE
  lock until the destination has come to a tick that was made under it.
- A branch and the destination are looked at until both have finished the same tick; when they
  do not meet by themselves, the ticker of the root is held as above.

What a node has finished is read in the snapshot itself, so nothing is left to chance.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from skytools.core.db import Database, sql
from skytools.core.errors import SkytoolsError, TransientError
from skytools.daemons.londiste import names
from skytools.daemons.londiste.verify.checksum import SETTINGS
from skytools.pgq import api, node
from skytools.pgq.node import NodeState, NodeType

POLL = 0.005  # s
FIRST_HOLD = 1.0  # s
MEET = 1.0  # s that a branch and the destination are given to meet by themselves

_HOLD = """select pg_advisory_lock('pgq.queue'::regclass::integer, queue_id)
             from pgq.queue where queue_name = %s"""
_RELEASE = "select pg_advisory_unlock_all()"
_CAN_TICK = "select to_regprocedure('pgq.tick_snapshot(text)') is not null"
_EXPORT = "select pg_export_snapshot()"
_FREEZE = "set transaction isolation level repeatable read"


class LaggingError(TransientError):
    """The destination did not come to the tick in time."""


@dataclass(frozen=True, slots=True)
class Place:
    """One side: what it is called in messages, and where it is."""

    label: str
    conninfo: str

    def connect(self, *, autocommit: bool = False) -> Database:
        """Return a new connection on which values have the same text everywhere."""
        db = Database(self.label, self.conninfo, autocommit=autocommit,
                      application_name="londiste")  # fmt: skip
        db.on_connect(_settle)
        return db


def _settle(db: Database) -> None:
    db.execute(SETTINGS).close()
    if not db.autocommit:
        db.commit()


class Frozen:
    """A snapshot that is kept open, and connections that read in it."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.db = place.connect()
        self.snapshot = ""

    def freeze(self) -> None:
        """Take a snapshot now."""
        self.db.execute(_FREEZE).close()
        self.snapshot = self.db.value(_EXPORT)

    def open(self) -> Database:
        """Return one more connection that reads in this snapshot."""
        db = self.place.connect()
        db.execute(_FREEZE).close()
        db.execute("set transaction snapshot %s", (self.snapshot,)).close()
        return db

    def close(self) -> None:
        """Let the snapshot go."""
        self.db.close()


@dataclass(frozen=True, slots=True)
class Point:
    """Both sides as of one tick."""

    tick: int
    src: Frozen
    dst: Frozen

    def close(self) -> None:
        """Let the snapshots go."""
        self.src.close()
        self.dst.close()


class Meeting:
    """Brings source and destination to a common tick. `wait` is in seconds, None: for ever.

    `used_lock` tells afterwards that the tick holds only for the tables that were named.
    """

    def __init__(
        self, queue: str, src: Place, dst: Place, *, wait: float | None, extra_connstr: str = ""
    ) -> None:
        self.queue = queue
        self.src = src
        self.dst = dst
        self.wait = wait
        self.extra = extra_connstr
        self.used_lock = False
        self._state: NodeState | None = None

    @contextlib.contextmanager
    def held(self, tables: Sequence[str]) -> Iterator[Point]:
        """Give a common tick after which nothing comes to the tables until the block ends.

        Only for a moment's work. `tables`: physical names in the source, for a root of pgq 3.
        """
        with self._meeting(tables, hold=True) as point:
            try:
                yield point
            finally:
                point.close()

    def meet(self, tables: Sequence[str]) -> Point:
        """Return a common tick; close it after use."""
        with self._meeting(tables) as point:
            return point

    @contextlib.contextmanager
    def _meeting(self, tables: Sequence[str], *, hold: bool = False) -> Iterator[Point]:
        with contextlib.closing(self.src.connect(autocommit=True)) as control:
            state = node.worker_state(control, self.queue)
            if state.node_type is not NodeType.ROOT:
                way = self._by_branch(state, hold=hold)
            elif control.value(_CAN_TICK):
                way = self._by_snapshot(control)
            else:
                way = self._by_lock(control, tables)
            with way as point:
                yield point

    # a root of pgq 4

    @contextlib.contextmanager
    def _by_snapshot(self, control: Database) -> Iterator[Point]:
        """Tick with a snapshot, wait for the destination under the ticker's lock."""
        for limit in self._holds():
            with self._ticker_held(control):
                point = self._tick_and_wait(control, limit)
                if point is not None:
                    yield point
                    return

    @contextlib.contextmanager
    def _ticker_held(self, db: Database) -> Iterator[None]:
        db.query(_HOLD, (self.queue,))
        try:
            yield
        finally:
            if db.connected:
                db.query(_RELEASE)

    def _tick_and_wait(self, control: Database, limit: float) -> Point | None:
        src = Frozen(self.src)
        src.freeze()
        tick = self._tick_with(control, src.snapshot)
        if tick is None:
            # The last tick was not committed, and left a gap in the numbers: make another one.
            src.close()
            api.force_tick(control, self.queue)
            api.ticker(control, self.queue)
            return None
        dst = self._wait_for(tick, limit)
        if dst is None:
            src.close()
            return None
        return Point(tick, src, dst)

    def _tick_with(self, control: Database, snapshot: str) -> int | None:
        control.execute("begin isolation level repeatable read").close()
        try:
            control.execute("set transaction snapshot %s", (snapshot,)).close()
            made = api.tick_snapshot(control, self.queue)
            control.execute("commit").close()
        except SkytoolsError:
            control.close()  # the lock goes with it
            raise
        return made

    def _holds(self) -> Iterator[float]:
        """Give the length of each hold in turn. Raises LaggingError when all time is used up."""
        end = None if self.wait is None else time.monotonic() + self.wait
        limit = FIRST_HOLD
        while True:
            left = limit if end is None else end - time.monotonic()
            if left <= 0:
                raise self.lagging()
            yield min(limit, left)
            # Let everybody else work for as long as they were kept waiting.
            self._until(lambda: False, min(limit, max(left - limit, 0)))
            limit *= 2

    def _wait_for(self, tick: int, limit: float) -> Frozen | None:
        """Return a snapshot of the destination that has finished the tick and nothing after it."""
        dst = Frozen(self.dst)
        end = time.monotonic() + limit
        while True:
            dst.freeze()
            state = self._state = node.worker_state(dst.db, self.queue)
            if state.completed_tick == tick:
                return dst
            dst.db.rollback()
            if state.completed_tick > tick or time.monotonic() > end:
                dst.close()
                return None
            time.sleep(POLL)

    # a root of pgq 3

    @contextlib.contextmanager
    def _by_lock(self, control: Database, tables: Sequence[str]) -> Iterator[Point]:
        """Keep writers of the tables out until the destination has all that they wrote."""
        self.used_lock = True
        src, dst = Frozen(self.src), Frozen(self.dst)
        wait = 3600.0 if self.wait is None else self.wait
        with contextlib.closing(self.src.connect()) as locker:
            try:
                self._lock(locker, tables, wait)
                first = api.force_tick(control, self.queue) or 0
                if not self._until(lambda: self._last_tick(control) > first, wait):
                    raise LaggingError(
                        f"{self.src.label}: no tick within {wait:g} s; is the ticker running?"
                    )
                tick = self._last_tick(control)
                src.freeze()
                if not self._until(lambda: self._reached(dst, tick), wait):
                    raise self.lagging()
                yield Point(tick, src, dst)
            except BaseException:
                src.close()
                dst.close()
                raise

    @staticmethod
    def _lock(locker: Database, tables: Sequence[str], wait: float) -> None:
        locker.execute("set local lock_timeout to %s", (f"{max(wait, 0.1):.3f}s",)).close()
        for name in sorted(tables):
            statement = sql.SQL("lock table {} in share mode").format(names.ident(name))
            locker.execute(statement).close()

    def _last_tick(self, control: Database) -> int:
        return api.queue_info(control, self.queue)[0].last_tick_id or 0

    def _reached(self, dst: Frozen, tick: int) -> bool:
        dst.freeze()
        state = self._state = node.worker_state(dst.db, self.queue)
        if state.completed_tick >= tick:
            return True
        dst.db.rollback()
        return False

    # a branch

    @contextlib.contextmanager
    def _by_branch(self, state: NodeState, *, hold: bool) -> Iterator[Point]:
        """Look until both have finished the same tick; then with the root's ticker held."""
        limit = MEET if self.wait is None else min(MEET, self.wait)
        point = None if hold else self._same_tick(limit)
        if point is not None:
            yield point
            return
        with contextlib.closing(self._root(state)) as root:
            for limit in self._holds():
                with self._ticker_held(root):
                    point = self._same_tick(limit)
                    if point is not None:
                        yield point
                        return

    def _same_tick(self, limit: float) -> Point | None:
        src, dst = Frozen(self.src), Frozen(self.dst)
        end = time.monotonic() + limit
        point: Point | None = None
        try:
            while point is None:
                src.freeze()
                above = node.worker_state(src.db, self.queue).completed_tick
                left = end - time.monotonic()
                if self._until(lambda tick=above: self._reached(dst, tick), left):  # type: ignore[misc]
                    assert self._state is not None
                    if self._state.completed_tick == above:
                        point = Point(above, src, dst)
                        break
                    dst.db.rollback()
                src.db.rollback()
                if time.monotonic() > end:
                    break
            return point
        finally:
            if point is None:
                src.close()
                dst.close()

    def _root(self, state: NodeState) -> Database:
        """Connect to the root, walking upstream."""
        for _ in range(100):
            if state.provider_location is None:
                break
            place = Place("root", f"{state.provider_location} {self.extra}".strip())
            db = place.connect(autocommit=True)
            try:
                state = node.worker_state(db, self.queue)
            except SkytoolsError:
                db.close()
                raise
            if state.node_type is NodeType.ROOT:
                return db
            db.close()
        raise SkytoolsError(f"queue {self.queue}: the root of the cascade is not known here")

    # waiting

    @staticmethod
    def _until(condition: Callable[[], bool], seconds: float) -> bool:
        end = time.monotonic() + seconds
        while True:
            if condition():
                return True
            if time.monotonic() >= end:
                return False
            time.sleep(POLL)

    def lagging(self) -> LaggingError:
        """Return the error of a destination that is too far behind, with what it says itself."""
        text = f"{self.dst.label}: Consumer lagging too much"
        state = self._state
        if state is not None:
            text += f": the local worker is at tick {state.completed_tick}"
            if state.paused:
                text += " and paused; resume it"
            elif state.error:
                text += f" and says: {state.error}"
            else:
                text += "; is it running? --force waits for as long as it takes"
        return LaggingError(text)
