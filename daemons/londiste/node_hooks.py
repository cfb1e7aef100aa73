# SPDX-License-Identifier: ISC
"""What Londiste adds to the administration of a cascade: tables and sequences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from skytools.core.db import Database, sql
from skytools.core.errors import DatabaseError
from skytools.daemons.londiste import api, names
from skytools.daemons.londiste.config import LondisteConfig
from skytools.daemons.londiste.states import Stage, State
from skytools.daemons.londiste.upstream import NO_DATA, handler_name
from skytools.pgq.admin.hooks import Hooks, NodeView
from skytools.pgq.node import check
from skytools.pgq.types import Event

MOST_NAMES = 5
_OPERATIONS = {"I": "insert", "U": "update", "D": "delete", "R": "truncate"}
_LAST = "select pg_sequence_last_value(%s::regclass)"
# Sequences that columns of a table own, identity columns' too, and those columns.
_OWNED = """
select n.nspname || '.' || s.relname, a.attname
  from pg_catalog.pg_depend d
  join pg_catalog.pg_class s on s.oid = d.objid and s.relkind = 'S'
  join pg_catalog.pg_namespace n on n.oid = s.relnamespace
  join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
 where d.classid = 'pg_catalog.pg_class'::regclass
   and d.refclassid = 'pg_catalog.pg_class'::regclass
   and d.refobjid = pg_catalog.to_regclass(%s) and d.deptype in ('a', 'i')"""
_KNOWS_VALUES = "select to_regprocedure('londiste.get_seq_values(text)') is not null"
_VALUES = """select seq_name, case when is_called then last_value end
    from londiste.get_seq_values(%s)"""
_SET_VALUES = "select * from londiste.set_seq_values(%s, %s::text[], %s::int8[])"
# Upward only, in the direction in which the sequence counts.
_RAISE = """
select pg_catalog.setval(%(seq)s::regclass, %(value)s)
  from pg_catalog.pg_sequence s
 where s.seqrelid = %(seq)s::regclass and s.seqincrement > 0
   and %(value)s between s.seqmin and s.seqmax
   and %(value)s > coalesce(pg_catalog.pg_sequence_last_value(s.seqrelid), s.seqmin - 1)"""


class LondisteHooks(Hooks):
    """Hooks of the nodes of a set of tables."""

    extensions: ClassVar[tuple[str, ...]] = ("pgq", "pgq_node", "londiste")

    def __init__(self, cfg: LondisteConfig) -> None:
        self._cfg = cfg

    # creation and names

    def on_create(self, new: NodeView, provider: NodeView | None) -> None:
        """Tell a new node the names of tables and sequences of the set; it subscribes to none."""
        if provider is None:
            return
        cfg = self._cfg
        for table in api.tables(provider.db, provider.queue):
            if _registers(table.name, cfg.register_only_tables, cfg.register_skip_tables):
                api.global_add_table(new.db, new.queue, table.name)
        for seq in api.sequences(provider.db, provider.queue):
            if _registers(seq.name, cfg.register_only_seqs, cfg.register_skip_seqs):
                api.global_update_seq(new.db, new.queue, seq.name, seq.last_value)

    def on_rename(self, node: NodeView, old_name: str, new_name: str) -> None:
        """Rename the node in the attributes of tables that are copied from it."""
        for table in api.tables(node.db, node.queue):
            if table.local and table.attrs.get("copy_node") == old_name:
                attrs = {**table.attrs, "copy_node": new_name}
                api.set_table_attrs(node.db, node.queue, table.name, attrs)

    # other providers, takeover

    def move_objections(self, node: NodeView, provider: NodeView) -> list[str]:
        """Refuse while a table waits for transactions of the provider that it has now."""
        waiting = [
            one.name
            for one in api.tables(node.db, node.queue)
            if one.local and one.snapshot is not None and State.parse(one.state).stage is Stage.OK
        ]
        if not waiting:
            return []
        return [
            f"node {node.name}: {_list(waiting)} has not come to a tick since it was copied from"
            " its provider; try again in a moment"
        ]

    def takeover_objections(self, old: NodeView | None, new: NodeView) -> list[str]:
        """Refuse when the new root would lack tables or sequences, or has them half."""
        ours = {one.name: one for one in api.tables(new.db, new.queue)}
        wanted = list(ours)
        seqs = {one.name: one for one in api.sequences(new.db, new.queue)}
        wanted_seqs = list(seqs)
        if old is not None:
            wanted = [one.name for one in api.tables(old.db, old.queue) if one.local]
            wanted_seqs = [one.name for one in api.sequences(old.db, old.queue) if one.local]
        missing = [name for name in wanted if name not in ours or not ours[name].local]
        half = [
            name
            for name in wanted
            if name in ours and ours[name].local
            and State.parse(ours[name].state).stage is not Stage.OK
        ]  # fmt: skip
        missing_seqs = [name for name in wanted_seqs if name not in seqs or not seqs[name].local]
        found = []
        if missing:
            found.append(
                f"node {new.name} does not have {_list(missing)}: writes to it would be lost;"
                " add it there (londiste add-table), or remove it on the root"
            )
        if half:
            found.append(
                f"node {new.name}: {_list(half)} is not in sync; wait for it (londiste wait-sync)"
            )
        if missing_seqs:
            found.append(
                f"node {new.name} does not have sequence {_list(missing_seqs)}: values would be"
                " used twice; add it there (londiste add-seq), or remove it on the root"
            )
        return found

    def before_promote(self, old: NodeView | None, new: NodeView) -> None:
        """Raise sequences above all values that may have been used."""
        local = [one for one in api.sequences(new.db, new.queue) if one.local]
        # The published value is ahead of the real one; the old root knows better, if it lives.
        used = {} if old is None else _used(old)
        registered = {one.name: used.get(one.name, one.last_value) for one in local}
        if new.db.value(_KNOWS_VALUES):
            args = (new.queue, list(registered), list(registered.values()))
            check(new.db.query_one(_SET_VALUES, args))
        else:
            for name, value in registered.items():
                _raise_to(new.db, name, value)
        for table in api.tables(new.db, new.queue):
            if table.local and handler_name(table) not in NO_DATA:
                self._owned(old, new, table.dest, registered)

    @staticmethod
    def _owned(
        old: NodeView | None, new: NodeView, table: str, registered: Mapping[str, int]
    ) -> None:
        """Raise the sequences of a table's columns that are no part of the set."""
        for name, column in new.db.query(_OWNED, (names.quote(table),)):
            if name in registered:
                continue
            used = _last_value(old.db, name) if old is not None else None
            if used is None:
                query = sql.SQL("select max({})::int8 from {}").format(
                    sql.Identifier(column), names.ident(table)
                )
                used = new.db.value(query)
            _raise_to(new.db, name, used)

    # status

    def status(self, node: NodeView) -> Mapping[str, str]:
        """Count the tables: in sync, on the way, not here."""
        good = half = ignored = 0
        for table in api.tables(node.db, node.queue):
            if not table.local:
                ignored += 1
            elif State.parse(table.state).stage is Stage.OK:
                good += 1
            else:
                half += 1
        return {"Tables": f"{good}/{half}/{ignored}"}

    def lost_event(self, event: Event) -> str:
        """Return table and operation."""
        kind = event.type or ""
        if kind.startswith("{"):
            kind = kind.partition('"op":')[2].strip(' "')[:1]
        return f"{event.extra1 or '-'} {_OPERATIONS.get(kind[:1], kind)}"


def _used(node: NodeView) -> dict[str, int]:
    """Return the last values that were used on a node, as far as it knows them."""
    if node.db.value(_KNOWS_VALUES):
        rows = node.db.query(_VALUES, (node.queue,))
        return {name: value for name, value in rows if value is not None}
    found = {}
    for seq in api.sequences(node.db, node.queue):
        value = _last_value(node.db, seq.name) if seq.local else None
        if value is not None:
            found[seq.name] = value
    return found


def _registers(name: str, only: tuple[str, ...], skip: tuple[str, ...]) -> bool:
    return (not only or name in only) and name not in skip


def _list(listed: list[str]) -> str:
    text = ", ".join(listed[:MOST_NAMES])
    more = len(listed) - MOST_NAMES
    return f"{text} and {more} more" if more > 0 else text


def _last_value(db: Database, name: str) -> int | None:
    """Return the last value that was used there; None when it is not known."""
    db.execute("savepoint londiste_seq").close()
    try:
        value: int | None = db.value(_LAST, (names.quote(name),))
    except DatabaseError:
        db.execute("rollback to savepoint londiste_seq").close()
        return None
    return value


def _raise_to(db: Database, name: str, value: int | None) -> None:
    if value is None:
        return
    db.execute("savepoint londiste_seq").close()
    try:
        db.query(_RAISE, {"seq": names.quote(name), "value": value})
    except DatabaseError as exc:
        db.execute("rollback to savepoint londiste_seq").close()
        if exc.sqlstate != "42P01":
            raise
