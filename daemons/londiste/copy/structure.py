# SPDX-License-Identifier: ISC
"""Indexes and constraints of a table that are away while it is loaded.

What is dropped is kept as statements in table_info.dropped_ddl, in the very transaction that
drops it; each statement leaves the list in the transaction that runs it. So at any moment all of
it is either in the table or in the list. The text as a whole is a script, too: that is how
local_remove_table and Londiste 3 run it.
"""

from __future__ import annotations

from dataclasses import dataclass

from skytools.core.db import Database, sql
from skytools.core.errors import DatabaseError
from skytools.daemons.londiste.copy.columns import Relation
from skytools.daemons.londiste.names import ident, literal, quote, quote_ident, split

# Between two statements. Comments in the script, and nothing that a definition would contain.
SEPARATOR = "\n--/ londiste /--\n"
DEPENDENT_OBJECTS = "2BP01"

# Not what a partition has from its parent: it cannot be dropped by itself.
_INDEXES = """
select ic.relname, pg_get_indexdef(i.indexrelid), con.conname, con.contype::text,
       pg_get_constraintdef(con.oid), coalesce(con.condeferrable, false),
       coalesce(con.condeferred, false),
       coalesce((to_jsonb(con) ->> 'conperiod')::bool, false),
       i.indisreplident, i.indisclustered, ts.spcname,
       obj_description(i.indexrelid, 'pg_class'), obj_description(con.oid, 'pg_constraint'),
       array(select format('%%s:%%s', a.attnum, to_jsonb(a) ->> 'attstattarget')
               from pg_attribute a
              where a.attrelid = i.indexrelid
                and coalesce((to_jsonb(a) ->> 'attstattarget')::int4, -1) >= 0
              order by a.attnum)
  from pg_index i
  join pg_class ic on ic.oid = i.indexrelid
  left join pg_tablespace ts on ts.oid = ic.reltablespace
  left join pg_constraint con on con.conindid = i.indexrelid and con.conrelid = i.indrelid
        and con.contype in ('p', 'u', 'x')
 where i.indrelid = %s and not exists (
       select from pg_inherits h where h.inhrelid = i.indexrelid)
 order by con.contype is distinct from 'p', i.indexrelid"""


@dataclass(frozen=True, slots=True)
class Index:
    """An index, with the constraint that it carries and what hangs on it."""

    name: str
    definition: str
    constraint: str | None
    constraint_type: str | None
    constraint_definition: str | None
    deferrable: bool
    deferred: bool
    period: bool
    replica_identity: bool
    clustered: bool
    tablespace: str | None
    comment: str | None
    constraint_comment: str | None
    statistics: list[str]

    @property
    def whole_constraint(self) -> bool:
        """Whether the constraint cannot be made of an index that is there."""
        return self.constraint_type == "x" or self.period

    def drop(self, table: str) -> sql.Composable:
        """Return the statement that drops it."""
        if self.constraint is not None:
            return sql.SQL("alter table {} drop constraint {}").format(
                ident(table), sql.Identifier(self.constraint)
            )
        schema, _ = split(table)
        return sql.SQL("drop index {}").format(sql.Identifier(schema, self.name))


def read_indexes(db: Database, relation: Relation) -> list[Index]:
    """Return the indexes that could be dropped. Names in definitions have their schema."""
    db.execute("set local search_path to pg_catalog").close()
    rows = db.query(_INDEXES, (relation.oid,))
    db.execute("set local search_path to default").close()
    return [Index(*row) for row in rows]


def builds(index: Index) -> list[str]:
    """Return the statement that makes the index; none when its constraint does."""
    if index.whole_constraint:
        return []
    text = f"{index.definition};"
    if index.tablespace:
        place = quote_ident(index.tablespace)
        text = f"set default_tablespace to {place}; {text} reset default_tablespace;"
    return [text]


def finishes(index: Index, table: str) -> list[str]:
    """Return the statements that follow when the index is there."""
    name, owner = quote_ident(index.name), quote(table)
    schema_name = f"{quote_ident(split(table)[0])}.{name}"
    out = []
    if index.constraint is not None:
        constraint = quote_ident(index.constraint)
        out.append(f"alter table {owner} add constraint {constraint} {_constraint(index)};")
        if index.constraint_comment is not None:
            text = literal(index.constraint_comment)
            out.append(f"comment on constraint {constraint} on {owner} is {text};")
    if index.replica_identity:
        out.append(f"alter table {owner} replica identity using index {name};")
    if index.clustered:
        out.append(f"alter table {owner} cluster on {name};")
    if index.comment is not None:
        out.append(f"comment on index {schema_name} is {literal(index.comment)};")
    for entry in index.statistics:
        number, target = entry.split(":")
        out.append(f"alter index {schema_name} alter column {number} set statistics {target};")
    return out


def _constraint(index: Index) -> str:
    if index.whole_constraint:
        return str(index.constraint_definition)
    kind = "primary key" if index.constraint_type == "p" else "unique"
    text = f"{kind} using index {quote_ident(index.name)}"
    if index.deferrable:
        text += " deferrable" + (" initially deferred" if index.deferred else "")
    return text


def drop(db: Database, relation: Relation) -> str | None:
    """Drop indexes and their constraints; return what brings them back, None: nothing was dropped.

    In the open transaction, with the table locked. What other objects need stays.
    """
    if relation.partitioned:
        return None
    made, after = [], []
    for index in read_indexes(db, relation):
        # Read before: comments go with the index.
        build, finish = builds(index), finishes(index, relation.name)
        if _dropped(db, index, relation.name):
            made += build
            after += finish
    return SEPARATOR.join([*made, *after]) or None


def _dropped(db: Database, index: Index, table: str) -> bool:
    db.execute("savepoint skytools_index").close()
    try:
        db.execute(index.drop(table)).close()
    except DatabaseError as exc:
        if exc.sqlstate != DEPENDENT_OBJECTS:
            raise
        db.execute("rollback to savepoint skytools_index").close()
        return False
    db.execute("release savepoint skytools_index").close()
    return True


def statements(text: str | None) -> list[str]:
    """Return the statements of dropped_ddl; a text that 3.x has written is one."""
    return text.split(SEPARATOR) if text else []


def without(text: str | None, statement: str) -> str | None:
    """Return dropped_ddl after a statement of it was run."""
    left = statements(text)
    if statement in left:
        left.remove(statement)
    return SEPARATOR.join(left) or None


def is_build(statement: str) -> bool:
    """Tell whether a statement makes an index; several of them can run side by side."""
    text = statement.lstrip().lower()
    return text.startswith(("create index", "create unique index", "set default_tablespace"))
