# SPDX-License-Identifier: ISC
"""The handler of tables of which each node has the rows with some hashes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from skytools.core.db import Database, Row
from skytools.core.errors import SkytoolsError, UsageError
from skytools.daemons.londiste import names
from skytools.daemons.londiste.apply import Applier
from skytools.daemons.londiste.config import SHARD_INFO_SQL
from skytools.daemons.londiste.handlers.base import Process
from skytools.daemons.londiste.handlers.plain import Plain
from skytools.pgq import Batch, Event

PREFIX = "hash="
# As Skytools 3.2 has it.
OLD_INFO_SQL = "select part_nr, max_part, max_part + 1 from partconf.conf"
_OLD_COLUMNS = """select true from pg_attribute
    where attrelid = to_regclass('partconf.conf') and attname = 'part_nr' and not attisdropped"""


class Shard(Plain):
    """A row is here if `hash & mask` is the number of this node.

    The trigger on the root writes the hash into ev_extra3; which number and mask this node has,
    the query shard_info_sql says. When the key of a row changes so that it belongs to another
    node, the row stays on the old one: do not change the key.
    """

    name = "shard"
    args: ClassVar[Mapping[str, str]] = {
        **Plain.args,
        "key": "column that decides where a row is",
        "hash_key": "the same, by another name",
        "hashfunc": "function of the column; default: shard_hash_func of the ini",
        "hashexpr": "instead of both: an expression",
        "disable_replay": "1: events are only passed on",
    }

    def check(self) -> None:
        """Look at the arguments."""
        super().check()
        self.key = self.given.get("hash_key") or self.given.get("key") or ""
        if not self.key and not self.given.get("hashexpr"):
            raise UsageError(f"handler {self.name}: argument key is needed")
        self.replays = not self.flag("disable_replay")
        self._number = self._mask = 0
        self._known = False

    @property
    def expression(self) -> str:
        """SQL of the hash of a row."""
        if self.given.get("hashexpr"):
            return self.given["hashexpr"]
        function = self.given.get("hashfunc") or self.cfg.shard_hash_func
        return f"{function}({names.quote_ident(self.key)})"

    def trigger_args(self, args: list[str]) -> list[str]:
        """Return the arguments for a trigger that writes the hash."""
        return [*args, f"ev_extra3='{PREFIX}'||{self.expression}"]

    def copy_condition(self, db: Database) -> str:
        """Return the condition of this node's rows."""
        self.look(db)
        return f"({self.expression} & {self._mask}) = {self._number}"

    def look(self, db: Database) -> None:
        """Ask which number this node has."""
        row = self._info(db)
        if row is None or len(row) < 2 or None in row[:2]:
            raise SkytoolsError(f"handler {self.name}: shard_info_sql says nothing")
        self._number, self._mask = int(row[0]), int(row[1])
        count = int(row[2]) if len(row) > 2 and row[2] is not None else self._mask + 1
        if count != self._mask + 1 or count & self._mask or not 0 <= self._number < count:
            raise SkytoolsError(
                f"handler {self.name}: shard {self._number} of {count}, mask {self._mask}: the"
                " count must be a power of two and one more than the mask"
            )
        self._known = True

    def _info(self, db: Database) -> Row | None:
        query = self.cfg.shard_info_sql
        if query == SHARD_INFO_SQL and db.value(_OLD_COLUMNS):
            query = OLD_INFO_SQL
        return db.query_one(query)

    def prepare(self, batch: Batch, out: Applier) -> None:
        """Look anew in each batch: the node may have been given another number."""
        out.settle()
        self.look(out.db)

    def is_ours(self, event: Event) -> bool:
        """Tell whether the row of an event belongs to this node."""
        text = event.extra3 or ""
        if not text.startswith(PREFIX):
            raise SkytoolsError(
                f"event {event.id}: table {self.table.name}: no hash in ev_extra3; make the"
                " trigger anew: londiste change-handler on the root"
            )
        return int(text.removeprefix(PREFIX)) & self._mask == self._number

    def bind(self, batch: Batch, out: Applier) -> Process:
        """Let the events of this node through."""
        if not self.replays:
            return _leave
        apply, is_ours = super().bind(batch, out), self.is_ours

        def process(event: Event) -> None:
            if is_ours(event):
                apply(event)

        return process

    def truncate(self, event: Event, batch: Batch, out: Applier) -> None:
        """Apply a TRUNCATE; it is for all nodes."""
        if self.replays:
            super().truncate(event, batch, out)

    def forward(self, event: Event) -> Event | None:
        """Pass on what belongs to this node, as those below have a part of it."""
        if (event.type or "")[:1] not in ("I", "U", "D", "{") or not self._known:
            return event
        return event if self.is_ours(event) else None


def _leave(event: Event) -> None:
    """Do nothing with an event."""


class Part(Shard):
    """The same as shard, by its older name."""

    name = "part"
