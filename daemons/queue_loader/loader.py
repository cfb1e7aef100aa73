# SPDX-License-Identifier: ISC
"""The program: routes each change to its table."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from skytools.core.config import DaemonConfig
from skytools.core.db import Database
from skytools.core.errors import SkytoolsError
from skytools.core.service import Context
from skytools.daemons.queue_loader import writers
from skytools.daemons.queue_loader.config import (
    LoaderConfig,
    TableConfig,
    load_tables,
    parse_pairs,
)
from skytools.daemons.queue_loader.parts import Parts
from skytools.daemons.queue_loader.writers import Bulk, Change
from skytools.pgq import Batch, CascadedWorker, ConsumerConfig
from skytools.pgq.rows import RowChange, is_row_change, row_change
from skytools.pgq.types import Event

Write = Callable[[Database, str, Change], None]
WRITERS: dict[str, Write] = {
    "plain": writers.plain,
    "keep_latest": writers.keep_latest,
    "keep_all": writers.keep_all,
}


class QueueLoader(CascadedWorker):
    """The worker of a node that loads changes of rows into the node's tables, exactly once."""

    Config: ClassVar[type[DaemonConfig]] = LoaderConfig
    service_name = "queue_loader"
    description = "Load the changes of rows into tables: as they are, in bulk, or parted by time."
    cfg: LoaderConfig

    def __init__(self, ctx: Context, cfg: LoaderConfig) -> None:
        super().__init__(ctx, cfg)
        self._read_tables(cfg)

    def _read_tables(self, cfg: LoaderConfig) -> None:
        self._tables = load_tables(cfg.config_file)
        self._renamed = parse_pairs(cfg.rename_tables)
        self._bulks: dict[str, Bulk] = {}
        self._held = 0

    def reload(self, cfg: ConsumerConfig) -> None:
        """Take a new configuration, with its tables."""
        assert isinstance(cfg, LoaderConfig)
        self._read_tables(cfg)
        super().reload(cfg)

    def process_batch(self, batch: Batch, target: Database) -> None:
        """Write the changes of a batch; what is not a change of a row fails it."""
        self._parts = Parts(target)
        self._bulks.clear()
        self._held = 0
        for event in batch:
            if not is_row_change(event):
                raise SkytoolsError(f"event {event.id}: {event.type} is no change of a row")
            row = row_change(event)
            cfg = self._tables.get(row.table, self._tables[""])
            if cfg.table_mode == "ignore":
                continue
            change, dest = _chosen(row, cfg), self._dest(row.table, cfg)
            if cfg.table_mode != "direct":
                dest = self._route(dest, cfg, change, _moment(row, cfg, event, batch))
            self._load(dest, cfg, change, target)
        self._flush(target)

    def _dest(self, table: str, cfg: TableConfig) -> str:
        return cfg.dest_table or self._renamed.get(table, table)

    def _route(self, dest: str, cfg: TableConfig, change: Change, moment: str) -> str:
        """Return the table that a change is written to; its partition is there then."""
        if cfg.table_mode == "split":
            return self._parts.part(dest, cfg, moment, change.key)
        column = self._parts.column(dest)
        if not cfg.date_field:
            change.values[column] = moment
        self._parts.part(dest, cfg, moment, change.key)
        return dest

    def _load(self, dest: str, cfg: TableConfig, change: Change, target: Database) -> None:
        write = WRITERS.get(cfg.row_mode)
        if write is not None:
            write(target, dest, change)
            return
        if dest not in self._bulks:
            self._bulks[dest] = Bulk(dest, cfg.bulk_mode)
        self._bulks[dest].add(change)
        self._held += 1
        if self._held >= self.cfg.flush_rows:
            self._flush(target)

    def _flush(self, target: Database) -> None:
        for bulk in self._bulks.values():
            bulk.flush(target)
        self._held = 0


def _moment(change: RowChange, cfg: TableConfig, event: Event, batch: Batch) -> str:
    """Return the time that counts as text: YYYY-MM-DD HH:MM:SS..."""
    if cfg.date_field:
        value = change.values.get(cfg.date_field)
        if value is None:
            raise SkytoolsError(
                f"event {event.id}: column {cfg.date_field} of table {change.table} has no value"
            )
        return value if len(value) > 10 else f"{value} 00:00:00"
    if cfg.split_mode == "by-event-time":
        return event.time_text
    return str(batch.tick.time)


def _chosen(change: RowChange, cfg: TableConfig) -> Change:
    """Return the change with the columns that are loaded, under their names here."""
    columns = cfg.columns()
    if columns is None:
        return Change(change.operation, change.key, change.values)
    values = {new: change.values[old] for old, new in columns.items() if old in change.values}
    return Change(change.operation, tuple(columns.get(k, k) for k in change.key), values)
