# SPDX-License-Identifier: ISC
"""Tables of this node beside their sources, at common ticks that serve several tables."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from skytools.core.errors import SkytoolsError, UsageError
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.config import LondisteConfig
from skytools.daemons.londiste.progress import Progress
from skytools.daemons.londiste.relation import Relation, describe
from skytools.daemons.londiste.upstream import Above, Upstream
from skytools.daemons.londiste.verify import checksum
from skytools.daemons.londiste.verify.handling import Handling, handling
from skytools.daemons.londiste.verify.point import Frozen, Meeting, Place, Point
from skytools.daemons.londiste.verify.scan import Readers, Scan, Side

log = logging.getLogger("londiste")

# A snapshot keeps the server from cleaning up: a new common tick is taken after this long, in s.
POINT_AGE = 60.0
DEFAULT_JOBS = 2


@dataclass(slots=True)
class _Open:
    """A common tick in use; `tables`: those it holds for, None: all."""

    point: Point
    readers: Readers
    taken: float
    tables: frozenset[str] | None

    def close(self) -> None:
        self.readers.close()
        self.point.close()


@dataclass(frozen=True, slots=True)
class Pair:
    """A table here and at its source, ready to be read as of `tick`."""

    table: TableInfo
    source: Above
    source_name: str  # physical name there
    tick: int
    scan: Scan
    handling: Handling


class Session:
    """Opens tables for reading on both sides. `wait` is in seconds, None: for ever."""

    def __init__(
        self,
        cfg: LondisteConfig,
        upstream: Upstream,
        *,
        progress: Progress,
        wait: float | None,
        jobs: int = DEFAULT_JOBS,
    ) -> None:
        if upstream.is_root:
            raise UsageError(
                f"node {upstream.local.node_name} is the root: its tables are what others are"
                " compared with; run this on another node"
            )
        self.cfg = cfg
        self.upstream = upstream
        self.progress = progress
        self.wait = wait
        self.jobs = jobs
        self._open: dict[str, _Open] = {}

    def meeting(self, source: Above) -> Meeting:
        """Return what brings the source and this node to a common tick."""
        return Meeting(
            self.cfg.queue_name,
            Place("srcdb", source.location),
            Place("dstdb", self.cfg.db),
            wait=self.wait,
            extra_connstr=self.cfg.remote_extra_connstr,
        )

    def pair(self, table: TableInfo, where: str = "") -> Pair:
        """Return a table of both sides at a common tick; `where`: only such rows of both."""
        source = self.upstream.source_of(table.name)
        theirs = source.tables(self.cfg.queue_name)[table.name]
        opened = self._at(source, theirs.dest)
        point = opened.point
        src = _described(point.src, theirs.dest, children=False)
        how = handling(self.cfg, table, point.dst.db, [column.name for column in src.columns])
        dst = _described(point.dst, table.dest, children=how.spreads)
        same = checksum.encoding(point.src.db) == checksum.encoding(point.dst.db)
        # What did not come by the copy may have come by events: such rows are left alone.
        where = _both(where, table.attrs.get("copy_condition", ""))
        shape, notes = checksum.shape(src, dst, same_encoding=same, left_out=how.left_out)
        for note in notes:
            log.warning("%s: %s", table.name, note)
        scan = Scan(
            opened.readers,
            Side(src, _both(how.source_where, where)),
            Side(dst, where, only=not how.spreads),
            shape,
            self.progress,
        )
        return Pair(table, source, theirs.dest, point.tick, scan, how)

    def _at(self, source: Above, physical: str) -> _Open:
        opened = self._open.get(source.location)
        if opened is not None:
            covers = opened.tables is None or physical in opened.tables
            if covers and time.monotonic() - opened.taken < POINT_AGE:
                return opened
            self._open.pop(source.location).close()
        meeting = self.meeting(source)
        point = meeting.meet([physical])
        tables = frozenset([physical]) if meeting.used_lock else None
        opened = _Open(point, Readers(point, self.jobs), time.monotonic(), tables)
        self._open[source.location] = opened
        return opened

    def cancel(self) -> None:
        """End what is being read, from another thread."""
        for opened in list(self._open.values()):
            opened.readers.cancel()

    def close(self) -> None:
        """Let all snapshots go."""
        for opened in self._open.values():
            opened.close()
        self._open.clear()


def _both(*conditions: str) -> str:
    return " and ".join(f"({one})" for one in conditions if one)


def _described(frozen: Frozen, name: str, *, children: bool) -> Relation:
    found = describe(frozen.db, name, children=children)
    if found is None:
        raise SkytoolsError(f"{frozen.place.label}: table {name} does not exist")
    return found
