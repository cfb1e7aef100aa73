# SPDX-License-Identifier: ISC
"""Partitions by time: their names, and making those that are missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from skytools.core.db import Database
from skytools.core.errors import DatabaseError, SkytoolsError, UsageError
from skytools.daemons.londiste import api, names
from skytools.daemons.londiste.apply import Applier
from skytools.pgq import Batch, Event

PERIODS = ("day", "month", "year", "hour")
TIMES = ("batch_time", "event_time", "date_field", "current_time")
_SUFFIX = {"year": "%Y", "month": "%Y_%m", "day": "%Y_%m_%d", "hour": "%Y_%m_%d_%H"}
OVERLAPS = "42P17"


@dataclass(frozen=True, slots=True)
class Plan:
    """How a table is divided; the fields are arguments of the handler dispatch."""

    parent: str
    part_mode: str
    part_field: str
    period: str
    part_name: str
    part_template: str
    part_func: str
    pre_part: str
    post_part: str
    retention_period: str
    ignore_old_events: bool

    def moment(self, event: Event, batch: Batch, values: Mapping[str, str | None]) -> datetime:
        """Return the time that decides on the partition, as a clock on the wall shows it."""
        if self.part_mode == "batch_time":
            return batch.tick.time.replace(tzinfo=None)
        if self.part_mode == "event_time":
            return event.time.replace(tzinfo=None)
        if self.part_mode == "current_time":
            return datetime.now()  # the wall clock is wanted
        return self.moment_of(values, f"event {event.id}")

    def moment_of(self, values: Mapping[str, str | None], what: str) -> datetime:
        """Return the time in part_field. `what` is named when there is none."""
        text = values.get(self.part_field)
        if text is None:
            raise SkytoolsError(
                f"{what}: table {self.parent}: part_field {self.part_field} has no value"
            )
        try:
            return datetime.fromisoformat(text[:19])
        except ValueError as exc:
            raise SkytoolsError(
                f"{what}: table {self.parent}: {self.part_field}={text!r} is no time"
            ) from exc

    def name(self, moment: datetime) -> str:
        """Return the name of the partition of that time."""
        if not self.part_name:
            return f"{self.parent}_{moment.strftime(_SUFFIX[self.period])}"
        found = self.part_name % _fields(self.parent, moment)
        return found if "." in found else f"{names.split(self.parent)[0]}.{found}"

    def fault(self) -> str | None:
        """Return what is wrong with the templates."""
        try:
            self.name(datetime(2000, 1, 1))  # any time will do
        except (KeyError, ValueError, TypeError) as exc:
            return f"part_name={self.part_name}: {exc}"
        return None


def _fields(parent: str, moment: datetime) -> dict[str, str]:
    return {
        "parent": parent,
        "table_name": parent,
        "year": moment.strftime("%Y"),
        "month": moment.strftime("%m"),
        "day": moment.strftime("%d"),
        "hour": moment.strftime("%H"),
    }


class Partitions:
    """The partitions of a table in one database, made when they are needed."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._known: dict[str, str | None] = {}  # partition -> where its rows are written
        self._native: bool | None = None

    def forget(self) -> None:
        """Look again which there are."""
        self._known.clear()

    def find(self, moment: datetime, key: tuple[str, ...], out: Applier) -> str | None:
        """Return the table for rows of that time; None: they are too old."""
        name = self.plan.name(moment)
        if name not in self._known:
            out.flush()
            self._known[name] = self._get(out.db, name, moment, key)
        return self._known[name]

    def _get(self, db: Database, name: str, moment: datetime, key: tuple[str, ...]) -> str | None:
        plan = self.plan
        keep = plan.retention_period if plan.ignore_old_events else ""
        if keep and api.is_obsolete_partition(db, name, keep, plan.period):
            return None
        native = self.is_native(db)
        if not db.value("select to_regclass(%s) is not null", (names.quote(name),)):
            self._make(db, name, moment, key, native=native)
            if plan.retention_period:
                api.drop_obsolete_partitions(db, plan.parent, plan.retention_period, plan.period)
        return plan.parent if native else name  # the server knows its own partitions

    def is_native(self, db: Database) -> bool:
        """Tell whether the table is partitioned by the server."""
        if self._native is None:
            query = "select relkind = 'p' from pg_class where oid = to_regclass(%s)"
            self._native = bool(db.value(query, (names.quote(self.plan.parent),)))
        return self._native

    def _make(
        self, db: Database, name: str, moment: datetime, key: tuple[str, ...], *, native: bool
    ) -> None:
        plan = self.plan
        fields = {
            **_fields(plan.parent, moment),
            "part": names.quote(name),
            "dest": names.quote(name),
            "parent": names.quote(plan.parent),
            "pkey": ", ".join(names.quote_ident(one) for one in key),
            "part_field": plan.part_field,
            "part_time": moment.isoformat(" "),
            "period": plan.period,
        }
        _run(db, plan.pre_part, fields)
        if plan.part_template:
            _run(db, plan.part_template, fields)
        elif plan.part_func:
            given = (plan.parent, name, ",".join(key), plan.part_field, moment, plan.period)
            function = names.quote(plan.part_func)
            db.execute(
                f"select {function}(%s::text, %s::text, %s::text, %s::text, %s::timestamptz,"
                " %s::text)", given,
            ).close()  # fmt: skip
        else:
            self._by_default(db, name, moment, key, native=native)
        _run(db, plan.post_part, fields)

    def _by_default(
        self, db: Database, name: str, moment: datetime, key: tuple[str, ...], *, native: bool
    ) -> None:
        plan = self.plan
        db.execute("savepoint skytools_part").close()
        try:
            api.create_partition(
                db,
                plan.parent,
                name,
                keys=",".join(key),
                part_field=plan.part_field if plan.part_mode == "date_field" else "",
                part_time=moment.isoformat(" "),
                period=plan.period,
            )
        except DatabaseError as exc:
            if not native or exc.sqlstate != OVERLAPS:
                raise
            # A partition of another name has those rows.
            db.execute("rollback to savepoint skytools_part").close()
        db.execute("release savepoint skytools_part").close()


def _run(db: Database, template: str, fields: Mapping[str, str]) -> None:
    if not template:
        return
    text = template
    for old, new in (
        ("_DEST_TABLE", "dest"), ("_PARENT", "parent"), ("_PKEY", "pkey"),
    ):  # fmt: skip
        text = text.replace(old, fields[new])
    try:
        db.execute(text % fields if "%(" in text else text).close()
    except (KeyError, ValueError, TypeError) as exc:
        raise UsageError(f"handler dispatch: {template!r}: {exc}") from exc
