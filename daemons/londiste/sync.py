# SPDX-License-Identifier: ISC
"""Which events of tables that are not in sync are applied (none, as yet)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from skytools.daemons.londiste.api import TableInfo
from skytools.pgq import Batch, Event


class Sync:
    """Stands in until copies are written: tables in sync are applied, others left alone."""

    def __init__(self, worker: Any) -> None:
        self.active = False

    def refresh(self, tables: Iterable[TableInfo]) -> None:
        """Take the tables of the set."""
        self.active = any(one.local and one.state != "ok" for one in tables)

    def before_batch(self, batch: Batch) -> None:
        """Decide what becomes of the tables in this batch, in its transaction."""

    def wants(self, table: TableInfo, event: Event) -> bool:
        """Tell whether an event of a local table that is not in sync is to be applied now."""
        return False

    def after_commit(self, batch: Batch) -> None:
        """Go on after a batch is committed."""

    def idle(self) -> None:
        """Go on when there is no batch."""

    def close(self) -> None:
        """End the copies."""
