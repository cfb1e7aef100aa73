# SPDX-License-Identifier: ISC
"""Definitions of sequences."""

from __future__ import annotations

from collections.abc import Sequence

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError
from skytools.daemons.londiste import names
from skytools.daemons.londiste.definitions.grants import grants, owner
from skytools.daemons.londiste.definitions.statement import Statement, bare

_ALL = """
select n.nspname || '.' || c.relname
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind = 'S' and n.nspname !~ '^pg_'
   and n.nspname not in ('information_schema', 'pgq', 'pgq_node', 'pgq_ext', 'pgq_coop', 'londiste')
 order by 1"""
_ONE = """
select c.oid, format_type(s.seqtypid, null), s.seqstart, s.seqincrement, s.seqmin, s.seqmax,
       s.seqcache, s.seqcycle, pg_sequence_last_value(c.oid)
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join pg_sequence s on s.seqrelid = c.oid
 where n.nspname = %s and c.relname = %s"""
_EXISTS = """
select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where n.nspname = %s and c.relname = %s and c.relkind = 'S'"""


def sequences(db: Database) -> list[str]:
    """Return the names of the sequences of a database, without those of our own schemas."""
    return [row[0] for row in db.query(_ALL)]


def sequence_exists(db: Database, name: str) -> bool:
    """Tell whether there is such a sequence."""
    return db.query_one(_EXISTS, names.split(name)) is not None


def options(row: Sequence[object]) -> str:
    """Return the options of a sequence that goes on from where it is there.

    `row`: seqstart, seqincrement, seqmin, seqmax, seqcache, seqcycle, the last value or None.
    """
    start, step, low, high, cache, cycle, last = row
    begin = start if last is None else last
    return (
        f"start with {begin} increment by {step} minvalue {low} maxvalue {high} cache {cache}"
        f" {'cycle' if cycle else 'no cycle'}"
    )


def sequence(db: Database, name: str, *, full: bool) -> list[Statement]:
    """Return what makes a sequence; `full`: with owner and grants."""
    rows = bare(db, _ONE, names.split(name))
    if not rows:
        raise SkytoolsError(f"{db.name}: sequence {name} does not exist")
    oid, kind, *rest = rows[0]
    quoted = names.quote(name)
    text = f"create sequence {quoted} as {kind} {options(rest)}"
    out = [Statement(text, name)]
    if full:
        out += owner(db, oid, f"sequence {quoted}")
        out += grants(db, oid, f"sequence {quoted}")
    return out
