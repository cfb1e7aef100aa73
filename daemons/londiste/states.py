# SPDX-License-Identifier: ISC
"""States of a table's copy, and what snapshots of transactions say. Pure.

| merge_state | meaning | who moves it on |
|---|---|---|
| NULL | subscribed, not copied | worker: starts a copy -> in-copy |
| in-copy | data are being loaded | copy -> catching-up |
| catching-up | indexes, then the events since | copy -> wanna-sync:T, once it is near |
| wanna-sync:T | the table is as at tick T, and stays so | worker: at T -> ok; past T -> do-sync:M |
| do-sync:M | the worker waits at M for the copy | copy -> wanna-sync:M |
| ok | the worker replays the table | |

Source: names as Londiste 3 has them. There T and M are ends of batches not yet applied; as nobody
but the copy and the worker of one node reads them, what a 3.x process left is begun anew from
catching-up.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from skytools.core.errors import SkytoolsError


class Stage(StrEnum):
    """The states without their ticks."""

    MISSING = ""
    IN_COPY = "in-copy"
    CATCHING_UP = "catching-up"
    WANNA_SYNC = "wanna-sync"
    DO_SYNC = "do-sync"
    OK = "ok"


_WITH_TICK = (Stage.WANNA_SYNC, Stage.DO_SYNC)


@dataclass(frozen=True, slots=True)
class State:
    """How far the copy of a table is; `tick` is set for wanna-sync and do-sync only."""

    stage: Stage
    tick: int | None = None

    def __post_init__(self) -> None:
        if (self.tick is not None) != (self.stage in _WITH_TICK):
            raise SkytoolsError(f"merge_state {self.stage} does not go with tick {self.tick}")

    @classmethod
    def parse(cls, text: str | None) -> State:
        """Read merge_state. Raises SkytoolsError for what no version has ever written."""
        if text is None:
            return MISSING
        if text == "?":
            return OK
        name, colon, tick = text.partition(":")
        try:
            stage = Stage(name)
            if not name or (stage in _WITH_TICK) != bool(colon):
                raise ValueError(text)
            return cls(stage, _tick(tick) if colon else None)
        except ValueError:
            raise SkytoolsError(
                f"merge_state {text!r} is unknown to this version; begin the copy anew: resync"
            ) from None

    @property
    def text(self) -> str | None:
        """The state as it is stored."""
        if self.stage is Stage.MISSING:
            return None
        return self.stage.value if self.tick is None else f"{self.stage}:{self.tick}"

    @property
    def copying(self) -> bool:
        """Whether a copy process is wanted."""
        return self.stage not in (Stage.MISSING, Stage.OK)

    def seen_from(self, done: int) -> State:
        """Return what a worker that has done all up to tick `done` makes of the state."""
        if self.stage is not Stage.WANNA_SYNC:
            return self
        assert self.tick is not None
        if self.tick == done:
            return OK
        return do_sync(done) if self.tick < done else self


def _tick(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or str(int(text)) != text:
        raise ValueError(text)
    return int(text)


MISSING = State(Stage.MISSING)
IN_COPY = State(Stage.IN_COPY)
CATCHING_UP = State(Stage.CATCHING_UP)
OK = State(Stage.OK)


def in_sync(merge_state: str | None) -> bool:
    """Tell whether a table with that state, as stored, is the worker's. Raises SkytoolsError."""
    return State.parse(merge_state) == OK


def wanna_sync(tick: int) -> State:
    """Return the state of a table that is as at `tick`."""
    return State(Stage.WANNA_SYNC, tick)


def do_sync(tick: int) -> State:
    """Return the state in which the worker waits at `tick`."""
    return State(Stage.DO_SYNC, tick)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Which transactions of one server had ended: all below `xmin`, below `xmax` but not `open`.

    Means nothing for transactions of another server.
    """

    xmin: int
    xmax: int
    open: frozenset[int]

    @classmethod
    def parse(cls, text: str) -> Snapshot:
        """Read the text form of txid_snapshot. Raises SkytoolsError."""
        try:
            xmin, xmax, running = text.split(":")
            return cls(int(xmin), int(xmax), frozenset(map(int, running.split(",")))
                       if running else frozenset())  # fmt: skip
        except ValueError:
            raise SkytoolsError(f"{text!r} is no snapshot of transactions") from None

    @property
    def text(self) -> str:
        """The text form of txid_snapshot."""
        return f"{self.xmin}:{self.xmax}:{','.join(map(str, sorted(self.open)))}"

    def sees(self, txid: int) -> bool:
        """Tell whether the transaction had ended."""
        return txid < self.xmin or (txid < self.xmax and txid not in self.open)

    def covers(self, other: Snapshot) -> bool:
        """Tell whether all that `other` sees is seen by this one, too."""
        if other.xmax > self.xmax:
            return False
        return all(txid >= other.xmax or not other.sees(txid) for txid in self.open)
