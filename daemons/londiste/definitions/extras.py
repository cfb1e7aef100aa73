# SPDX-License-Identifier: ISC
"""What hangs on a table: constraints, indexes, triggers, rules, grants, comments."""

from __future__ import annotations

from collections.abc import Iterator

from skytools.core.db import Database
from skytools.daemons.londiste.api import ForeignKey
from skytools.daemons.londiste.definitions.grants import grants, owner
from skytools.daemons.londiste.definitions.statement import Statement, bare
from skytools.daemons.londiste.names import literal, quote, quote_ident

# Not what comes from the parent by itself.
_CONSTRAINTS = """
select conname, pg_get_constraintdef(oid)
  from pg_constraint
 where conrelid = %s and contype in ('c', 'u', 'x') and conparentid = 0 and conislocal
 order by contype <> 'c', conname"""
_FOREIGN_KEYS = """
select k.conname, pg_get_constraintdef(k.oid), n.nspname || '.' || c.relname
  from pg_constraint k
  join pg_class c on c.oid = k.confrelid
  join pg_namespace n on n.oid = c.relnamespace
 where k.conrelid = %s and k.contype = 'f' and k.conparentid = 0
 order by k.conname"""
_INDEXES = """
select c.relname, pg_get_indexdef(i.indexrelid), i.indisreplident, i.indisclustered
  from pg_index i join pg_class c on c.oid = i.indexrelid
 where i.indrelid = %s
   and not exists (select from pg_constraint k where k.conindid = i.indexrelid
                      and k.contype in ('p', 'u', 'x') and k.conrelid = i.indrelid)
   and not exists (select from pg_inherits h where h.inhrelid = i.indexrelid)
   and i.indislive
 order by c.relname"""
# Not those of queues: every node makes its own.
_TRIGGERS = """
select t.tgname, pg_get_triggerdef(t.oid), t.tgenabled::text
  from pg_trigger t
  join pg_proc p on p.oid = t.tgfoid
  join pg_namespace n on n.oid = p.pronamespace
 where t.tgrelid = %s and not t.tgisinternal
   and coalesce((to_jsonb(t) ->> 'tgparentid')::int8, 0) = 0
   and not (n.nspname = 'pgq' and p.proname in ('sqltriga', 'logutriga', 'jsontriga', 'logtriga'))
 order by t.tgname"""
_RULES = """
select rulename, pg_get_ruledef(oid), ev_enabled::text from pg_rewrite
 where ev_class = %s and rulename <> '_RETURN' order by rulename"""
_COMMENTS = """
select a.attname, d.description from pg_description d
  left join pg_attribute a on a.attrelid = d.objoid and a.attnum = d.objsubid and d.objsubid > 0
 where d.objoid = %s and d.classoid = 'pg_class'::regclass order by d.objsubid"""
_QUOTED = "select format('%%I.%%I', n.nspname, c.relname) from pg_class c join pg_namespace n"
_QUOTED += " on n.oid = c.relnamespace where c.oid = %s"
_ENABLED = {"D": "disable", "R": "enable replica", "A": "enable always"}


def extras(db: Database, oid: int, dest: str) -> Iterator[Statement]:
    """Give what `full` adds to a table that has been made under the name `dest`."""
    there = str(db.value(_QUOTED, (oid,)))
    table = quote(dest)
    yield from _constraints(db, oid, table)
    yield from _indexes(db, oid, there, table)
    yield from _triggers(db, oid, there, table)
    for rule, text, enabled in bare(db, _RULES, (oid,)):
        moved = text.rstrip(";").replace(f" TO {there} ", f" TO {table} ", 1)
        yield Statement(moved, f"rule {rule} on {dest}", optional=True)
        if enabled in _ENABLED:
            yield Statement(f"alter table {table} {_ENABLED[enabled]} rule {quote_ident(rule)}",
                            f"mode of rule {rule}", optional=True)  # fmt: skip
    for column, text in bare(db, _COMMENTS, (oid,)):
        on = f"column {table}.{quote_ident(column)}" if column else f"table {table}"
        yield Statement(f"comment on {on} is {literal(text)}")
    yield from grants(db, oid, f"table {table}")
    yield from owner(db, oid, f"table {table}")


def _constraints(db: Database, oid: int, table: str) -> Iterator[Statement]:
    for name, text in bare(db, _CONSTRAINTS, (oid,)):
        yield Statement(f"alter table {table} add constraint {quote_ident(name)} {text}", name)


def foreign_keys(db: Database, oid: int, dest: str) -> list[ForeignKey]:
    """Return the foreign keys of a table, as those of a table named `dest`."""
    return [
        ForeignKey(dest, to_table, name, _foreign_key(dest, name, text))
        for name, text, to_table in bare(db, _FOREIGN_KEYS, (oid,))
    ]


def _foreign_key(dest: str, name: str, text: str) -> str:
    return f"alter table only {quote(dest)} add constraint {quote_ident(name)} {text}"


def _indexes(db: Database, oid: int, there: str, table: str) -> Iterator[Statement]:
    for name, text, identity, clustered in bare(db, _INDEXES, (oid,)):
        moved = text
        for before, after in (
            (f" ON {there} ", f" ON {table} "),
            (f" ON ONLY {there} ", f" ON {table} "),
        ):
            moved = moved.replace(before, after, 1)
        yield Statement(moved, name)
        quoted = quote_ident(name)
        if identity:
            yield Statement(f"alter table {table} replica identity using index {quoted}")
        if clustered:
            yield Statement(f"alter table {table} cluster on {quoted}")


def _triggers(db: Database, oid: int, there: str, table: str) -> Iterator[Statement]:
    for name, text, enabled in bare(db, _TRIGGERS, (oid,)):
        moved = text.replace(f" ON {there} ", f" ON {table} ", 1)
        yield Statement(moved, f"trigger {name}", optional=True)
        if enabled in _ENABLED:
            yield Statement(f"alter table {table} {_ENABLED[enabled]} trigger {quote_ident(name)}",
                            f"mode of trigger {name}", optional=True)  # fmt: skip
