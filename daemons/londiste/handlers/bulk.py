# SPDX-License-Identifier: ISC
"""The handler for big batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from skytools.core.errors import UsageError
from skytools.daemons.londiste.apply import Applier
from skytools.daemons.londiste.apply.sink import DELETES, MERGES, UPDATES
from skytools.daemons.londiste.handlers.base import Handler, Process
from skytools.pgq import Batch, Event

METHODS = {
    **dict.fromkeys(("0", "correct"), UPDATES),
    **dict.fromkeys(("1", "delete"), DELETES),
    **dict.fromkeys(("2", "merged"), MERGES),
}


class Bulk(Handler):
    """The net effect of a batch is applied by a few statements.

    So does the default handler; here UPDATE may be done in other ways.
    """

    name = "bulk"
    args: ClassVar[Mapping[str, str]] = {
        "method": "0: UPDATE; 1: UPDATE as DELETE and INSERT; 2: INSERT, too, replaces rows"
    }

    def check(self) -> None:
        """Look at the arguments."""
        given = self.given.get("method", "0")
        if given not in METHODS:
            raise UsageError(f"handler bulk: method={given}: 0, 1 or 2 expected")
        self.method = METHODS[given]

    def bind(self, batch: Batch, out: Applier) -> Process:
        """Hand events to the table's sink."""
        return out.sink(self.table.dest, self.method).add

    def process(self, event: Event, batch: Batch, out: Applier) -> None:
        """Apply a change of a row."""
        out.sink(self.table.dest, self.method).add(event)
