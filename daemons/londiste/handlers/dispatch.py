# SPDX-License-Identifier: ISC
"""The handler that divides a table by time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError, UsageError
from skytools.daemons.londiste.apply import Applier, Change, decode
from skytools.daemons.londiste.apply.sink import DELETES, MERGES, UPDATES
from skytools.daemons.londiste.handlers.base import Handler, Values
from skytools.daemons.londiste.handlers.partitions import PERIODS, TIMES, Partitions, Plan
from skytools.daemons.londiste.handlers.shard import Shard
from skytools.pgq import Batch, Event

# argument -> (values, the first is the default)
CHOICES: dict[str, tuple[str, ...]] = {
    "table_mode": ("part", "direct", "ignore"),
    "part_mode": TIMES,
    "period": PERIODS,
    "row_mode": ("plain", "keep_all", "keep_latest"),
    "load_mode": ("direct", "bulk"),
    "method": ("0", "1", "2", "3"),
    "ignore_old_events": ("0", "1"),
    "analyze": ("0", "1"),
    "ignore_truncate": ("0", "1"),
    "disable_replay": ("0", "1"),
}
SHARDING = ("key", "hash_key", "hashfunc", "hashexpr", "disable_replay")


class Dispatch(Handler):
    """Rows go into partitions by time, which are made when they are needed.

    A partition inherits from the table, or is one of its own where the table is partitioned.
    The initial copy goes to the table itself.
    """

    name = "dispatch"
    defaults: ClassVar[Mapping[str, str]] = {}
    args: ClassVar[Mapping[str, str]] = {
        **{name: " | ".join(values) for name, values in CHOICES.items()},
        **{name: f"as of handler shard: {Shard.args[name]}" for name in SHARDING},
        "load_mode": "direct | bulk: has no effect, changes are applied by sets anyway",
        "analyze": "0 | 1: has no effect, there is no table of its own to analyze",
        "part_field": "column with the time, for part_mode=date_field",
        "part_name": "template: %(parent)s_%(year)s_%(month)s_%(day)s_%(hour)s",
        "part_template": "SQL that makes a partition: %(part)s %(parent)s %(pkey)s %(part_time)s",
        "part_func": "function that makes a partition; default: londiste.create_partition",
        "pre_part": "SQL to run before a partition is made",
        "post_part": "SQL to run after it is made",
        "retention_period": "drop partitions that are older, when one is made",
        "event_types": "which events: I,U,D; default: all",
        "fields": "columns: a,b:c (b becomes c); default: all",
        "skip_fields": "columns to leave out",
        "table": "name of the table here, instead of --dest-table",
        "encoding": "utf8: what is no UTF-8 is replaced",
    }

    def check(self) -> None:
        """Look at the arguments."""
        for name, values in CHOICES.items():
            if self._get(name) not in values:
                raise UsageError(
                    f"handler {self.name}: {name}={self._get(name)}: one of"
                    f" {', '.join(values)} expected"
                )
        self.parent = self._get("table") or self.table.dest
        self._plan = self._make_plan()
        self._partitions = Partitions(self._plan)
        self._fields = _renames(self._get("fields"))
        self._skipped = set(_words(self._get("skip_fields")))
        self.maps_rows = bool(self._fields or self._skipped)
        self._errors = self.utf8_errors()
        kinds = self._get("event_types")
        self._kinds = set("IUD") if kinds in ("", "*") else set(_words(kinds))
        given = {name: self.given[name] for name in SHARDING if name in self.given}
        self._shard = Shard(self.table, given, self.cfg) if given else None

    def _get(self, name: str) -> str:
        fallback = CHOICES[name][0] if name in CHOICES else ""
        return self.given.get(name) or self.defaults.get(name) or fallback

    def _make_plan(self) -> Plan:
        plan = Plan(
            parent=self.parent,
            part_mode=self._get("part_mode"),
            part_field=self._get("part_field"),
            period=self._get("period"),
            part_name=self._get("part_name"),
            part_template=self._get("part_template"),
            part_func=self._get("part_func"),
            pre_part=self._get("pre_part"),
            post_part=self._get("post_part"),
            retention_period=self._get("retention_period"),
            ignore_old_events=self._get("ignore_old_events") == "1",
        )
        if self._get("table_mode") == "part":
            if plan.part_mode == "date_field" and not plan.part_field:
                raise UsageError(f"handler {self.name}: argument part_field is needed")
            fault = plan.fault()
            if fault:
                raise UsageError(f"handler {self.name}: {fault}")
        return plan

    @property
    def method(self) -> int:
        """How rows are written; see sink.py."""
        if self._get("row_mode") == "keep_latest":
            return MERGES
        return {"1": DELETES, "2": MERGES}.get(self._get("method"), UPDATES)

    @property
    def keeps_all(self) -> bool:
        """Whether rows are only ever inserted."""
        return self._get("row_mode") == "keep_all" or self._get("method") == "3"

    def trigger_args(self, args: list[str]) -> list[str]:
        """Return the arguments for the trigger: with the hash, when the table is sharded."""
        return self._shard.trigger_args(args) if self._shard else args

    def copy_condition(self, db: Database) -> str | None:
        """Return the condition of this node's rows, when the table is sharded."""
        return self._shard.copy_condition(db) if self._shard else None

    def copy_event(self, values: Values) -> Values:
        """Return the columns that are wanted, under their names here."""
        return {
            self._name(name): value
            for name, value in values.items()
            if name not in self._skipped and (not self._fields or name in self._fields)
        }

    def _name(self, name: str) -> str:
        return self._fields.get(name, name)

    def prepare(self, batch: Batch, out: Applier) -> None:
        """Look anew which partitions there are: people drop them."""
        self._partitions.forget()
        if self._shard:
            self._shard.prepare(batch, out)

    def process(self, event: Event, batch: Batch, out: Applier) -> None:
        """Write a change into the partition of its time."""
        if self._get("table_mode") == "ignore" or not self._is_wanted(event):
            return
        change = decode(event, self._errors)
        if not isinstance(change, Change):
            raise SkytoolsError(
                f"event {event.id}: table {self.table.name}: dispatch cannot read what sqltriga"
                " writes; make the trigger anew without Q in tgflags"
            )
        if change.operation not in self._kinds:
            return
        dest: str | None = self.parent
        if self._get("table_mode") == "part":
            moment = self._plan.moment(event, batch, change.values)
            key = tuple(map(self._name, change.key))
            dest = self._partitions.find(moment, key, out)
        if dest is not None:
            sink = out.sink(dest, self.method)
            for one in self._changes(change):
                sink.put(one, event.id)

    def restore(self, change: Change, out: Applier) -> None:
        """Write a row into the partition of its time, where a column of it tells that."""
        mode = self._get("table_mode")
        by_column = mode == "direct" or self._plan.part_mode == "date_field"
        if mode == "ignore" or not by_column or self.keeps_all:
            raise SkytoolsError(
                f"{self.table.name}: rows are missing here, and where its handler {self.name} puts"
                " a row only the row's event would tell: use resync"
            )
        dest: str | None = self.parent
        if mode == "part":
            moment = self._plan.moment_of(change.values, "repair")
            dest = self._partitions.find(moment, tuple(map(self._name, change.key)), out)
        if dest is not None:
            for one in self._changes(change):
                out.sink(dest, self.method).put(one, 0)

    def _is_wanted(self, event: Event) -> bool:
        if self._shard is None:
            return True
        return self._shard.replays and self._shard.is_ours(event)

    def _changes(self, change: Change) -> Iterator[Change]:
        values = self.copy_event(change.values)
        key = tuple(map(self._name, change.key))
        if self.keeps_all:
            if change.operation != "D":
                yield Change("I", (), values)
            return
        hidden = [name for name in key if name not in values]
        if hidden:
            raise SkytoolsError(f"table {self.table.name}: key column {hidden[0]} is left out")
        yield Change(change.operation, key, values, change.old_key)

    def truncate(self, event: Event, batch: Batch, out: Applier) -> None:
        """Apply a TRUNCATE to the table with its partitions."""
        if self._get("ignore_truncate") == "0" and self._get("table_mode") != "ignore":
            out.truncate(self.parent, event)

    def forward(self, event: Event) -> Event | None:
        """Pass on what belongs to this node, when the table is sharded."""
        return self._shard.forward(event) if self._shard else event

    def wants_forward(self) -> bool:
        """Tell whether forward() does anything."""
        return self._shard is not None


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _renames(text: str) -> dict[str, str]:
    pairs = (word.partition(":") for word in _words(text) if word != "*")
    return {old.strip(): (new or old).strip() for old, _, new in pairs}


def _family() -> Iterator[type[Dispatch]]:
    """Make the handlers whose names say what dispatch is to do."""
    periods = {"hourly": "hour", "daily": "day", "monthly": "month", "yearly": "year"}
    modes = dict(zip(("batch", "event", "field", "time"), TIMES, strict=True))
    for load in ("direct", "bulk"):
        prefix = "bulk_" if load == "bulk" else ""
        for word, period in periods.items():
            for kind, mode in modes.items():
                yield _named(
                    f"{prefix}{word}_{kind}",
                    {"table_mode": "part", "row_mode": "keep_latest", "load_mode": load,
                     "period": period, "part_mode": mode},
                )  # fmt: skip
        yield _named(f"{prefix}direct", {"table_mode": "direct", "load_mode": load})


def _named(name: str, defaults: dict[str, str]) -> type[Dispatch]:
    told = ", ".join(f"{key}={value}" for key, value in defaults.items())
    body = {"name": name, "defaults": defaults, "__doc__": f"dispatch with {told}.",
            "__module__": __name__}  # fmt: skip
    return type(f"Dispatch_{name}", (Dispatch,), body)


FAMILY: tuple[type[Handler], ...] = (Dispatch, *_family())
