# SPDX-License-Identifier: ISC
"""Indexes and constraints that are away during a load come back as they were."""

from __future__ import annotations

import pytest

from skytools.core.db import Database
from skytools.daemons.londiste.copy import structure
from skytools.daemons.londiste.copy.columns import read_relation
from tests.fixtures.database import MakeDb

TABLE = """
create extension btree_gist;
create schema "odd schema";
create table "odd schema"."my.Table" (id int, "Name" text, tag text not null, span int4range,
    day date, n int, check (n > 0));
set search_path to "odd schema";
alter table "my.Table" add constraint "the pk" primary key (id) include (n);
alter table "my.Table" add constraint once unique ("Name", tag) deferrable initially deferred;
alter table "my.Table" add constraint no_overlap exclude using gist (n with =, span with &&);
create unique index "plain; unique" on "my.Table" (tag);
create index part on "my.Table" (lower("Name") desc nulls last) with (fillfactor = 70)
    where "Name" <> E'\\n--/ londiste /--x\\n;' and n % 2 = 0;
create index day_brin on "my.Table" using brin (day);
comment on index part is 'it''s; "partial"';
comment on constraint "the pk" on "my.Table" is 'a key';
alter index part alter column 1 set statistics 500;
alter table "my.Table" replica identity using index "plain; unique";
alter table "my.Table" cluster on once;
reset search_path;
"""
NAME = "odd schema.my.Table"

FACTS = """
select ic.relname, pg_get_indexdef(i.indexrelid), i.indisprimary, i.indisreplident,
       i.indisclustered, i.indimmediate, i.indisvalid, con.conname,
       pg_get_constraintdef(con.oid), con.condeferred, ts.spcname,
       obj_description(i.indexrelid, 'pg_class'), obj_description(con.oid, 'pg_constraint'),
       array(select a.attname || (to_jsonb(a) ->> 'attstattarget') from pg_attribute a
              where a.attrelid = i.indexrelid)
  from pg_index i join pg_class ic on ic.oid = i.indexrelid
  left join pg_constraint con on con.conindid = i.indexrelid and con.contype <> 'f'
  left join pg_tablespace ts on ts.oid = ic.reltablespace
 where i.indrelid = %s::oid order by 1"""


@pytest.fixture
def dest(make_db: MakeDb) -> Database:
    return make_db(autocommit=False)


def test_what_was_dropped_comes_back_as_it_was(dest: Database) -> None:
    dest.execute(TABLE)
    dest.execute(
        """insert into "odd schema"."my.Table"
           select n, 'x' || n, n::text, int4range(n, n + 1), '2024-01-01', n
             from generate_series(1, 100) n"""
    )
    relation = read_relation(dest, NAME)
    before = dest.query(FACTS, (relation.oid,))
    assert len(before) == 6
    text = structure.drop(dest, relation)
    assert dest.query(FACTS, (relation.oid,)) == []
    assert dest.value("select count(*) from pg_constraint where conrelid = %s", (relation.oid,)) > 0
    dest.commit()

    left = text
    for statement in structure.statements(text):
        dest.execute(statement).close()
        left = structure.without(left, statement)
        dest.commit()
    assert left is None
    assert dest.query(FACTS, (relation.oid,)) == before


def test_the_text_is_a_script_that_one_statement_can_run(dest: Database) -> None:
    dest.execute(TABLE)
    relation = read_relation(dest, NAME)
    before = dest.query(FACTS, (relation.oid,))
    text = structure.drop(dest, relation)
    dest.execute(
        "create function run(t text) returns void language plpgsql as 'begin execute t; end'"
    )
    dest.execute("select run(%s)", (text,))
    assert dest.query(FACTS, (relation.oid,)) == before


def test_what_other_objects_need_stays(dest: Database) -> None:
    dest.execute("create table t (id int primary key, a text, b int)")
    dest.execute("create index on t (b)")
    dest.execute("create view v as select id, a from t group by id")
    text = structure.drop(dest, read_relation(dest, "public.t"))
    assert text == "CREATE INDEX t_b_idx ON public.t USING btree (b);"
    assert dest.query("select relname from pg_class where relname ~ '^t_'") == [("t_pkey",)]


def test_indexes_of_partitions_stay(dest: Database) -> None:
    dest.execute("create table p (id int primary key) partition by range (id)")
    dest.execute("create table p1 partition of p for values from (1) to (9)")
    dest.execute("create index own on p1 (id)")
    assert structure.drop(dest, read_relation(dest, "public.p")) is None
    text = structure.drop(dest, read_relation(dest, "public.p1"))
    assert text == "CREATE INDEX own ON public.p1 USING btree (id);"


def test_a_text_of_3_x_is_one_statement() -> None:
    text = "create index a on t (x);\ncreate index b on t (y);"
    assert structure.statements(text) == [text]
    assert structure.without(text, text) is None
    assert structure.statements(None) == []


def test_what_is_gone_already_changes_nothing() -> None:
    text = structure.SEPARATOR.join(["a;", "b;"])
    assert structure.without(text, "c;") == text
    assert structure.without(text, "b;") == "a;"
