# SPDX-License-Identifier: ISC
"""The events of a batch, each to where it belongs: the handler of its table, or the registry."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Protocol

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError
from skytools.daemons.londiste import api, scripts
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.apply import Applier, ApplyOptions
from skytools.daemons.londiste.apply.changes import TRUNCATE, ApplyError, operation_of
from skytools.daemons.londiste.apply.writer import Outcome
from skytools.daemons.londiste.config import LondisteConfig
from skytools.daemons.londiste.handlers import Handler, make
from skytools.daemons.londiste.handlers.base import Process
from skytools.pgq import Batch, Event
from skytools.pgq.cascade_worker import CASCADE

log = logging.getLogger("skytools")

OF_SET = "londiste."  # what events begin with that tell of the set of tables
EXECUTE = "EXECUTE"


class Decides(Protocol):
    """Who knows which events of a table are to be applied; see sync.py."""

    def wants(self, table: TableInfo, event: Event) -> bool:
        """Tell whether an event of a local table that is not in sync is to be applied now."""

    def before_execute(self, event: Event) -> None:
        """See that no copy is in the way of a script."""

    def after_execute(self, event: Event) -> None:
        """See what the script has touched."""


class Replay:
    """Applies the events of a node's tables through one connection, without committing."""

    def __init__(self, db: Database, cfg: LondisteConfig, sync: Decides) -> None:
        self.db = db
        self.cfg = cfg
        self.sync = sync
        self.out = Applier(db, apply_options(cfg))
        self._tables: dict[str, TableInfo] = {}
        self._handlers: dict[str, Handler] = {}
        self._prepared: set[str] = set()
        self._routes: dict[str | None, Process] = {}
        self._row_kinds: set[str | None] = set()
        self._batch: Batch | None = None
        self.executed = 0

    # tables

    def use(self, tables: Iterable[TableInfo]) -> None:
        """Take the tables of the set; handlers of those that have changed are made anew."""
        fresh = {one.name: one for one in tables}
        for name, table in fresh.items():
            known = self._tables.get(name)
            if known is None or (known.attrs, known.dest) != (table.attrs, table.dest):
                self._handlers.pop(name, None)
                self.out.forget(table.dest)
        self._tables = fresh
        self._routes.clear()

    @property
    def tables(self) -> Mapping[str, TableInfo]:
        """The tables of the set by name, as they were looked at last."""
        return self._tables

    def handler(self, name: str) -> Handler:
        """Return the handler of a local table, ready for this batch."""
        found = self._handlers.get(name)
        if found is None:
            found = self._handlers[name] = make(self._tables[name], self.cfg)
        if name not in self._prepared and self._batch is not None:
            self._prepared.add(name)
            found.prepare(self._batch, self.out)
        return found

    def forward(self, event: Event) -> Event | None:
        """Return what subscribers of this node shall get of an event."""
        table = self._tables.get(event.extra1 or "")
        if table is None or not table.local or not table.attrs.get("handler"):
            return event
        if not operation_of(event.type or "")[0]:
            return event
        handler = self.handler(table.name)
        return handler.forward(event) if handler.wants_forward() else event

    # a batch

    def begin(self, batch: Batch) -> None:
        """Get ready for a batch."""
        self._batch = batch
        self._prepared.clear()
        self._routes.clear()

    def run(self, events: Iterable[Event], in_band: Process | None = None) -> None:
        """Apply events; finish() writes what is collected.

        `in_band` gets the events of the cascade itself, when nothing is in flight.
        """
        routes, row_kinds, took = self._routes, self._row_kinds, self.out.took
        for event in events:
            if event[3] is not None:
                raise SkytoolsError(f"event {event.id} was retried: a cascade knows no such thing")
            if event[4] in row_kinds:
                process = routes.get(event[6])
                if process is None:
                    process = self._route(event)
                process(event)
                data = event[5]
                took(len(data) if data else 0)
            elif in_band is not None and (event[4] or "").startswith(CASCADE):
                self.out.settle()
                in_band(event)
            else:
                self._other(event)

    def finish(self) -> Outcome:
        """Write all; returns what was done since the batch began."""
        assert self._batch is not None
        self._flush_handlers()
        outcome = self.out.batch_ends()
        outcome.applied["E"] += self.executed
        self.executed = 0
        self._batch = None
        return outcome

    def abandon(self) -> None:
        """Forget everything; the caller rolls back."""
        self.out.abandon()
        self._tables.clear()
        self._handlers.clear()
        self._routes.clear()
        self._batch = None
        self.executed = 0

    def _flush_handlers(self) -> None:
        assert self._batch is not None
        for name in list(self._prepared):
            handler = self._handlers.get(name)
            if handler is not None:
                handler.flush(self._batch, self.out)

    # where events go

    def _route(self, event: Event) -> Process:
        """Return what is done with changes of the rows of a table in this batch."""
        table = self._tables.get(event.extra1 or "")
        assert self._batch is not None
        if table is None or not table.local:
            process: Process = _leave
        else:
            process = self.handler(table.name).bind(self._batch, self.out)
            if not table.settled:
                process = partial(self._if_wanted, table, process)
        self._routes[event.extra1] = process
        return process

    def _if_wanted(self, table: TableInfo, process: Process, event: Event) -> None:
        if self.sync.wants(table, event):
            process(event)

    def _other(self, event: Event) -> None:
        kind = event.type or ""
        operation, _ = operation_of(kind)
        if operation == TRUNCATE:
            self._truncate(event)
        elif operation:
            self._row_kinds.add(event.type)
            self.run((event,))
        elif kind == EXECUTE:
            self._execute(event)
        elif kind.startswith(OF_SET):
            self.registry(event)
        else:
            raise ApplyError(f"event {event.id}: type {kind!r} is unknown to londiste")

    def _truncate(self, event: Event) -> None:
        table = self._tables.get(event.extra1 or "")
        if table is None or not table.local:
            return
        if not table.settled and not self.sync.wants(table, event):
            return
        assert self._batch is not None
        handler = self.handler(table.name)
        handler.flush(self._batch, self.out)
        handler.truncate(event, self._batch, self.out)

    def _execute(self, event: Event) -> None:
        self._flush_handlers()
        self.out.forget()
        script = scripts.Script(event.extra1 or "", event.data or "", event.extra2)
        self.sync.before_execute(event)
        ran = scripts.run(self.db, self.cfg.queue_name, script, root=False)
        self.sync.after_execute(event)
        log.info("script %s: %s", script.name, "executed" if ran else "not for this node, or done")
        self.executed += ran
        self.reload()

    def reload(self) -> None:
        """Look at the tables again; within a batch."""
        self._flush_handlers()
        self.out.forget()
        self._handlers.clear()
        self._prepared.clear()
        self.use(api.tables(self.db, self.cfg.queue_name))

    def registry(self, event: Event) -> None:
        """Do what an event says of the set of tables and sequences."""
        change = _REGISTRY.get(event.type or "")
        if change is None:
            raise SkytoolsError(f"event {event.id}: {event.type} is unknown to this version")
        self.out.settle()
        change(self, event)

    def _add_table(self, event: Event) -> None:
        name = event.data or ""
        if self.cfg.registers_table(name):
            api.global_add_table(self.db, self.cfg.queue_name, name)
            self._tables.setdefault(name, TableInfo(name, local=False))

    def _remove_table(self, event: Event) -> None:
        if event.data in self._tables:
            self._flush_handlers()  # its changes are written before it goes
            self.out.forget()
            api.global_remove_table(self.db, self.cfg.queue_name, event.data)
            self._handlers.pop(event.data, None)
            self._prepared.discard(event.data)
            self.use([one for one in self._tables.values() if one.name != event.data])

    def _update_seq(self, event: Event) -> None:
        name = event.extra1 or ""
        if self.cfg.registers_seq(name):
            api.global_update_seq(self.db, self.cfg.queue_name, name, int(event.data or 0))

    def _remove_seq(self, event: Event) -> None:
        queue = self.cfg.queue_name
        name = event.data or ""
        if api.knows_seq(self.db, queue, name):
            api.global_remove_seq(self.db, queue, name)


_REGISTRY: dict[str, Callable[[Replay, Event], None]] = {
    "londiste.add-table": Replay._add_table,
    "londiste.remove-table": Replay._remove_table,
    "londiste.update-seq": Replay._update_seq,
    "londiste.remove-seq": Replay._remove_seq,
}


def _leave(event: Event) -> None:
    """Do nothing with an event of a table that is not here."""


def apply_options(cfg: LondisteConfig) -> ApplyOptions:
    """Return how changes are applied, as the configuration says."""
    return ApplyOptions(
        on_missing=cfg.on_missing_row,
        by_row=cfg.apply_method == "row",
        slice_rows=cfg.apply_slice_rows,
        slice_bytes=cfg.apply_slice_bytes,
    )
