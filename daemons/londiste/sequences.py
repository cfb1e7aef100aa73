# SPDX-License-Identifier: ISC
"""Sequences at a takeover: the new root begins above all that the old one has given out.

Writers wait meanwhile, so each step is one statement, however many sequences there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from skytools.core.db import Database, sql
from skytools.daemons.londiste import api, names
from skytools.pgq.node import check

# Columns whose highest value is looked for by one statement.
_AT_ONCE = 200
_KNOWS_VALUES = "select to_regprocedure('londiste.get_seq_values(text)') is not null"
_VALUES = """select seq_name, case when is_called then last_value end
    from londiste.get_seq_values(%s)"""
_SET_VALUES = "select * from londiste.set_seq_values(%s, %s::text[], %s::int8[])"
# Sequences that columns of tables own, identity columns' too, and those columns.
_OWNED = """
select n.nspname || '.' || s.relname, t.name, a.attname,
       a.atttypid = any ('{int2,int4,int8,numeric}'::regtype[])
  from unnest(%s::text[], %s::text[]) with ordinality as t (name, quoted, nr)
  join pg_catalog.pg_depend d on d.refobjid = pg_catalog.to_regclass(t.quoted)
  join pg_catalog.pg_class s on s.oid = d.objid and s.relkind = 'S'
  join pg_catalog.pg_namespace n on n.oid = s.relnamespace
  join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
 where d.classid = 'pg_catalog.pg_class'::regclass
   and d.refclassid = 'pg_catalog.pg_class'::regclass and d.deptype in ('a', 'i')
 order by t.nr, 1"""
# Those that we may look at; NULL: never used.
_LAST = """
select w.name, pg_catalog.pg_sequence_last_value(c.oid)
  from unnest(%s::text[], %s::text[]) as w (name, quoted)
  join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(w.quoted) and c.relkind = 'S'
 where case when c.relkind = 'S'
            then pg_catalog.has_sequence_privilege(c.oid, 'usage, select') end"""
# Upward only, in the direction in which the sequence counts.
_RAISE = """
select pg_catalog.setval(s.seqrelid, w.value)
  from unnest(%s::text[], %s::int8[]) as w (quoted, value)
  join pg_catalog.pg_sequence s on s.seqrelid = pg_catalog.to_regclass(w.quoted)
 where s.seqincrement > 0 and w.value between s.seqmin and s.seqmax
   and w.value > coalesce(pg_catalog.pg_sequence_last_value(s.seqrelid), s.seqmin - 1)"""


@dataclass(frozen=True, slots=True)
class Owned:
    """A sequence that gives a column its values."""

    name: str
    table: str
    column: str
    is_number: bool


def raise_registered(old: Database | None, new: Database, queue: str) -> set[str]:
    """Raise the local sequences of the set; return their names. Does not commit."""
    local = [one for one in api.sequences(new, queue) if one.local]
    # The published value is ahead of the real one; the old root knows better, if it lives.
    used = {} if old is None else _used(old, queue)
    values = {one.name: used.get(one.name, one.last_value) for one in local}
    if new.value(_KNOWS_VALUES):
        check(new.query_one(_SET_VALUES, (queue, list(values), list(values.values()))))
    else:
        _raise(new, values)
    return set(values)


def raise_owned(
    old: Database | None, new: Database, tables: Sequence[str], besides: Collection[str]
) -> None:
    """Raise the sequences of columns of tables, those named in `besides` left out. No commit.

    Where the old root does not tell, the column's highest value counts.
    """
    found = [
        Owned(*row)
        for row in new.query(_OWNED, (list(tables), [names.quote(one) for one in tables]))
        if row[0] not in besides
    ]
    known = {} if old is None else _last_values(old, [one.name for one in found])
    values = dict(known)
    values.update(_highest(new, [one for one in found if one.is_number and one.name not in known]))
    _raise(new, values)


def _used(db: Database, queue: str) -> dict[str, int]:
    """Return the last values that were used on a node, as far as it knows them."""
    if db.value(_KNOWS_VALUES):
        rows = dict(db.query(_VALUES, (queue,)))
    else:
        rows = _last_values(db, [one.name for one in api.sequences(db, queue) if one.local])
    return {name: value for name, value in rows.items() if value is not None}


def _last_values(db: Database, wanted: Sequence[str]) -> dict[str, int | None]:
    """Return the last used values, None: never used, of those that are there and readable."""
    return dict(db.query(_LAST, (list(wanted), [names.quote(one) for one in wanted])))


def _highest(db: Database, owned: Sequence[Owned]) -> Iterator[tuple[str, int | None]]:
    one_of_them = sql.SQL("select {}::text, max({})::int8 from {}")
    for start in range(0, len(owned), _AT_ONCE):
        parts = [
            one_of_them.format(
                sql.Literal(one.name), sql.Identifier(one.column), names.ident(one.table)
            )
            for one in owned[start : start + _AT_ONCE]
        ]
        yield from db.query(sql.SQL(" union all ").join(parts))


def _raise(db: Database, values: Mapping[str, int | None]) -> None:
    there = {names.quote(name): value for name, value in values.items() if value is not None}
    db.query(_RAISE, (list(there), list(there.values())))
