# SPDX-License-Identifier: ISC
"""Handlers of tables that are registered here without being here."""

from __future__ import annotations

from typing import ClassVar

from skytools.daemons.londiste.apply import Applier
from skytools.daemons.londiste.handlers.base import Handler
from skytools.pgq import Batch, Event


class Vtable(Handler):
    """The table counts as local, so that others can copy or merge it; its events are ignored."""

    name = "vtable"
    needs_table: ClassVar[bool] = False

    def trigger_args(self, args: list[str]) -> list[str]:
        """Return the arguments for no trigger and no copy."""
        return [*args, "virtual_table"]

    def process(self, event: Event, batch: Batch, out: Applier) -> None:
        """Leave the event."""

    def truncate(self, event: Event, batch: Batch, out: Applier) -> None:
        """Leave the event."""


class FakeLocal(Vtable):
    """The same as vtable, by its older name."""

    name = "fake_local"
