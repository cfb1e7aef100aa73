# SPDX-License-Identifier: ISC
"""The handler of most tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from skytools.daemons.londiste.apply import Applier, Change, decode
from skytools.daemons.londiste.handlers.base import Handler, Process
from skytools.pgq import Batch, Event


class Plain(Handler):
    """Rows are kept as they are at the provider.

    With encoding=utf8 bytes that are no UTF-8 become U+FFFD; without it they are an error.
    """

    name = "londiste"
    args: ClassVar[Mapping[str, str]] = {
        "ignore_truncate": "1: TRUNCATE is not applied",
        "encoding": "utf8: what is no UTF-8 is replaced",
    }

    def check(self) -> None:
        """Look at the arguments."""
        self.flag("ignore_truncate")
        self._errors = self.utf8_errors()

    def bind(self, batch: Batch, out: Applier) -> Process:
        """Hand events to the table's sink, without a step between."""
        if self._errors != "strict":
            return super().bind(batch, out)
        return out.sink(self.table.dest).add

    def process(self, event: Event, batch: Batch, out: Applier) -> None:
        """Apply a change whose bytes have been made good."""
        change = decode(event, self._errors)
        sink = out.sink(self.table.dest)
        if isinstance(change, Change):
            sink.put(change, event.id)
        else:
            sink.add(event)

    def truncate(self, event: Event, batch: Batch, out: Applier) -> None:
        """Apply a TRUNCATE, unless it is to be ignored."""
        if not self.flag("ignore_truncate"):
            super().truncate(event, batch, out)
