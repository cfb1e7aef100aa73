# SPDX-License-Identifier: ISC
"""Handlers that give events to a function of the database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import urlencode

from skytools.core.errors import UsageError
from skytools.daemons.londiste import names
from skytools.daemons.londiste.apply import Applier
from skytools.daemons.londiste.handlers.base import Handler
from skytools.pgq import Batch, Event


class ApplyFn(Handler):
    """Each event is given to a function.

    `select f(conf, tick, ev_id, ev_time, ev_txid, ev_retry, ev_type, ev_data, ev_extra1 .. 4)`,
    as text; what it returns is ignored.
    """

    name = "applyfn"
    args: ClassVar[Mapping[str, str]] = {
        "func_name": "name of the function",
        "func_conf": "text for its first argument",
    }

    def check(self) -> None:
        """Look at the arguments."""
        self.function = self.required("func_name")
        self.conf = self.given.get("func_conf", "")

    def process(self, event: Event, batch: Batch, out: Applier) -> None:
        """Call the function, in the order of the events."""
        given = [self.conf, batch.tick.id, event.id, event.time_text, event.txid, event.retry]
        given += [event.type, event.data, self.table.dest, *event[7:]]
        values = ", ".join(names.literal(None if one is None else str(one)) for one in given)
        out.call(f"select {self._function()}({values})", event.id)

    def _function(self) -> str:
        schema, dot, name = self.function.partition(".")
        if not dot:
            return names.quote_ident(schema)
        return f"{names.quote_ident(schema)}.{names.quote_ident(name)}"


class Multimaster(ApplyFn):
    """Several nodes write the same rows; the newest wins, by a column with the time.

    Needs the extension pgq_merge. Copy the table from one of the masters, and add it to the
    others with --expect-sync.
    """

    name = "multimaster"
    args: ClassVar[Mapping[str, str]] = {
        "timefield": "column with the time of the change",
        "altpk": "columns of another unique key, by commas; rows that have it are replaced",
        "fkey_ref_table": "table of parents: rows without parent are ignored",
        "fkey_cols": "columns that refer to it",
        "fkey_ref_cols": "columns there",
    }

    def check(self) -> None:
        """Look at the arguments."""
        self.required("timefield")
        keys = [
            key for key in ("fkey_ref_table", "fkey_cols", "fkey_ref_cols") if key in self.given
        ]
        if keys and len(keys) < 3:
            raise UsageError(f"handler multimaster: {keys[0]} needs the other fkey_ arguments")
        self.function = "public.merge_on_time"
        self.conf = urlencode(self.given)

    def trigger_args(self, args: list[str]) -> list[str]:
        """Return the arguments for a table that is not merged by copying."""
        return [*args, "no_merge"]
