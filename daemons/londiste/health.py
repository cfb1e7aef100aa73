# SPDX-License-Identifier: ISC
"""What is wrong with a node, each finding with what to do about it. Changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError
from skytools.daemons.londiste import api, copies, fkeys, names
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.definitions import sequence_exists
from skytools.daemons.londiste.relation import Relation, describe
from skytools.daemons.londiste.states import Stage, State
from skytools.daemons.londiste.upstream import Upstream, keeps_rows
from skytools.pgq import api as pgq
from skytools.pgq.node import NodeState, NodeType

SILENT = 60.0  # s after which a worker that reads nothing is told of
_OLDEST = (4, 0)
_EXTENSIONS = """select extname, extversion from pg_catalog.pg_extension
    where extname in ('pgq', 'pgq_node', 'londiste') order by extname"""
_TRIGGERS = """
select t.tgname, t.tgenabled::text, (t.tgtype & 1) = 1 as for_row, (t.tgtype & 66) = 0 as is_after,
       n.nspname = 'pgq' and p.proname in ('sqltriga', 'logutriga', 'jsontriga')
       and pg_catalog.encode(pg_catalog.substr(t.tgargs, 1, pg_catalog.strpos(
           pg_catalog.encode(t.tgargs, 'escape'), '\\000') - 1), 'escape') = %s as ours
  from pg_catalog.pg_trigger t
  join pg_catalog.pg_proc p on p.oid = t.tgfoid
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
 where t.tgrelid = pg_catalog.to_regclass(%s) and not t.tgisinternal
 order by t.tgname"""


class Level(IntEnum):
    """How bad it is; the exit code of a check by the convention of Nagios plug-ins."""

    OK = 0
    WARNING = 1
    CRITICAL = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong."""

    level: Level
    about: str
    text: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger of a table; `ours`: it writes into the queue."""

    name: str
    enabled: str
    for_row: bool
    is_after: bool
    ours: bool


class Examination:
    """Looks at one node."""

    def __init__(self, db: Database, queue: str, consumer: str, upstream: Upstream) -> None:
        self.db = db
        self.queue = queue
        self.consumer = consumer
        self.upstream = upstream
        self.state: NodeState = upstream.local
        self._errors: dict[str, str] = {}  # of copies

    @property
    def is_root(self) -> bool:
        """Whether the node is the root."""
        return self.state.node_type is NodeType.ROOT

    def run(self) -> Iterator[Finding]:
        """Give all findings, the node's own first."""
        yield from self._extensions()
        yield from self._worker()
        tables = [one for one in api.tables(self.db, self.queue) if one.local]
        self._errors = copies.errors(self.db, self.queue)
        theirs = {} if self.is_root else self._provider_tables()
        for table in tables:
            if keeps_rows(table):
                yield from self._table(table, theirs.get(table.name))
        for seq in api.sequences(self.db, self.queue):
            if seq.local and not sequence_exists(self.db, seq.name):
                yield Finding(
                    Level.CRITICAL,
                    seq.name,
                    "the sequence does not exist here",
                    f"create it, or: londiste remove-seq {seq.name}",
                )
        for one in fkeys.pending(self.db):
            reason = fkeys.why_pending(self.db, one)
            yield Finding(
                Level.WARNING,
                one.from_table,
                f"foreign key {one.name} to {one.to_table} was dropped for a copy and"
                f" is not back: {reason.text}",
                reason.remedy,
            )

    # the node

    def _extensions(self) -> Iterator[Finding]:
        for name, version in self.db.query(_EXTENSIONS):
            numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
            if numbers < _OLDEST:
                yield Finding(
                    Level.WARNING,
                    name,
                    f"version {version} is old",
                    f"alter extension {name} update",
                )

    def _worker(self) -> Iterator[Finding]:
        state, about = self.state, f"node {self.state.node_name}"
        if state.worker != self.consumer:
            yield Finding(
                Level.CRITICAL,
                about,
                f"its worker is {state.worker}, not {self.consumer}",
                f"set consumer_name = {state.worker} in the ini",
            )
        if state.paused:
            yield Finding(Level.WARNING, about, "the worker is paused", "londiste resume")
        if state.error:
            yield Finding(
                Level.CRITICAL,
                about,
                f"the worker says: {state.error}",
                "see its log; it goes on by itself when the cause is gone",
            )
        if not self.is_root:
            yield from self._position()

    def _position(self) -> Iterator[Finding]:
        about = f"node {self.state.node_name}"
        try:
            provider = self.upstream.provider()
            found = pgq.consumer_info(provider.db, self.queue, self.consumer)
        except SkytoolsError as exc:
            yield Finding(
                Level.CRITICAL,
                about,
                f"its provider does not answer: {exc}",
                "see that it runs, or change the provider: londiste change-provider",
            )
            return
        if not found:
            yield Finding(
                Level.CRITICAL,
                about,
                f"provider {provider.name} does not know consumer {self.consumer}",
                "londiste worker --rewind",
            )
            return
        seen = found[0].last_seen.total_seconds()
        if seen > SILENT and not self.state.paused:
            yield Finding(
                Level.WARNING,
                about,
                f"the worker was last seen {seen:.0f} s ago",
                "see that it runs: scriptmgr status, or its log",
            )

    def _provider_tables(self) -> dict[str, TableInfo]:
        try:
            return self.upstream.provider().tables(self.queue)
        except SkytoolsError:
            return {}  # told by _position

    # a table

    def _table(self, table: TableInfo, theirs: TableInfo | None) -> Iterator[Finding]:
        here = describe(self.db, table.dest)
        if here is None:
            yield Finding(
                Level.CRITICAL,
                table.name,
                f"table {table.dest} does not exist here",
                f"create it and londiste resync {table.name}, or: londiste remove-table"
                f" {table.name}",
            )
            return
        state = State.parse(table.state)
        if table.name in self._errors:
            yield Finding(
                Level.CRITICAL,
                table.name,
                f"its copy fails: {self._errors[table.name]}",
                "it is tried again, at most a minute later; at once after londiste resync"
                f" {table.name}",
            )
        elif state.stage is not Stage.OK:
            yield Finding(
                Level.WARNING,
                table.name,
                f"is not in sync: {state.text or 'not begun'}",
                "wait: londiste wait-sync; if it does not move, see the worker's log",
            )
        if not here.key:
            yield Finding(
                Level.WARNING,
                table.name,
                "has no key: only inserts are replicated",
                "add a primary key on all nodes",
            )
        yield from self._triggers(table)
        if theirs is not None and theirs.local:
            there = describe(self.upstream.provider().db, theirs.dest)
            if there is not None:
                yield from _columns(table, here, there)

    def _triggers(self, table: TableInfo) -> Iterator[Finding]:
        rows = self.db.query(_TRIGGERS, (self.queue, names.quote(table.dest)))
        found = [Trigger(*row) for row in rows]
        ours = [one for one in found if one.ours]
        again = f"londiste change-handler {table.name}, with its trigger options"
        if not any(one.for_row for one in ours):
            if self.is_root:
                yield Finding(
                    Level.CRITICAL,
                    table.name,
                    "has no trigger: changes are not replicated",
                    f"londiste remove-table {table.name}, add-table again, resync below"
                    " (all right with --no-triggers)",
                )
            elif self.state.node_type is NodeType.BRANCH:
                yield Finding(
                    Level.WARNING,
                    table.name,
                    "has no trigger: after a takeover changes would be lost",
                    again,
                )
            return
        for one in ours:
            if one.enabled in ("D", "R"):
                yield Finding(
                    Level.CRITICAL if self.is_root else Level.WARNING,
                    table.name,
                    f"trigger {one.name} is off for users' changes",
                    f"alter table {table.dest} enable trigger {one.name}",
                )
        yield from _order(table, found, ours)


def _order(table: TableInfo, found: list[Trigger], ours: list[Trigger]) -> Iterator[Finding]:
    first = min((one.name for one in ours if one.for_row and one.is_after), default="")
    for one in found:
        if not one.ours and one.for_row and one.is_after and one.name < first:
            yield Finding(
                Level.WARNING,
                table.name,
                f"trigger {one.name} fires before {first}: what it changes in replicated tables"
                " comes before the change that caused it",
                f"rename it so that it sorts after {first}, unless it changes nothing",
            )


def _columns(table: TableInfo, here: Relation, there: Relation) -> Iterator[Finding]:
    ddl = "let londiste execute change all nodes"
    for column in there.columns:
        ours = here.column(column.name)
        if ours is None:
            yield Finding(
                Level.CRITICAL,
                table.name,
                f"column {column.name} of the provider is missing here",
                ddl,
            )
        elif ours.type != column.type:
            yield Finding(
                Level.WARNING,
                table.name,
                f"column {column.name} is {ours.type} here, {column.type} at the provider",
                ddl,
            )
    for column in here.columns:
        if there.column(column.name) is None:
            yield Finding(
                Level.CRITICAL if column.not_null else Level.WARNING,
                table.name,
                f"column {column.name} is missing at the provider",
                "add it there, or give it a default here",
            )
    if set(here.key) != set(there.key):
        yield Finding(
            Level.WARNING,
            table.name,
            f"its key is ({', '.join(here.key)}) here, ({', '.join(there.key)}) at the provider",
            "make them alike",
        )
