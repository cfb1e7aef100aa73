# SPDX-License-Identifier: ISC
"""Loading tables: every kind of column and of table, whole or in pieces, and what goes wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from skytools.core.db import Database
from skytools.core.errors import DatabaseError, SkytoolsError, TransientError
from skytools.daemons.londiste.copy import ranges, session
from skytools.daemons.londiste.copy.columns import both_binary, match, read_relation
from skytools.daemons.londiste.copy.connections import Connections
from skytools.daemons.londiste.copy.load import Work, load_here, load_parallel, order_for
from skytools.daemons.londiste.copy.progress import Progress
from tests.fixtures.database import MakeDb
from tests.fixtures.pgtypes import SAMPLES, type_sql

SETUP = "create extension if not exists londiste"


class Pair:
    """A source and a destination, with connections as the copy has them."""

    def __init__(self, make_db: MakeDb) -> None:
        self.at = make_db()
        self.to = make_db()
        self.to.execute(SETUP)
        self.source = Database("source", self.at.conninfo)
        self.dest = Database("db", self.to.conninfo)
        self.source.on_connect(session.for_reading)
        self.dest.on_connect(session.for_loading)

    def both(self, statement: str) -> None:
        self.at.execute(statement)
        self.to.execute(statement)

    def copy(
        self,
        name: str,
        *,
        connections: int = 1,
        condition: str | None = None,
        binary: bool = True,
        progress: Progress | None = None,
    ) -> Work:
        source, dest = self.source, self.dest
        session.open_source(source)
        snapshot = source.value("select pg_export_snapshot()")
        session.use_encoding(source, dest, session.server_encoding(source))
        theirs, ours = read_relation(source, name), read_relation(dest, name)
        mapping = match(theirs, ours, binary=binary and both_binary(source, dest))
        work = Work(ranges.pieces(source, theirs, connections), mapping, name, condition)
        progress = progress or Progress(name)
        if connections > 1:
            dest.commit()
            order = order_for(source, dest, work, snapshot, "test")
            load_parallel(source, order, work, progress, connections=connections, look=lambda: None)
        else:
            load_here(source, dest, work, progress)
        dest.commit()
        source.rollback()
        return work

    def same(self, name: str, columns: str = "*") -> None:
        query = f"select {columns} from {name} t order by t::text"
        assert self.to.query(query) == self.at.query(query)


@pytest.fixture
def pair(make_db: MakeDb) -> Iterator[Pair]:
    made = Pair(make_db)
    yield made
    made.source.close()
    made.dest.close()


@pytest.mark.parametrize("binary", [True, False])
def test_every_type_arrives_as_it_was(pair: Pair, binary: bool) -> None:
    columns = [(f"c{n}", kind, text) for n, (kind, text) in enumerate(values())]
    types = ", ".join(f"{name} {kind}" for name, kind, _ in columns)
    pair.both(f"create table t (id int primary key, {types})")
    for key, place in enumerate(columns):
        pair.at.execute(f"insert into t (id, {place[0]}) values (%s, %s)", (key, place[2]))
    pair.at.execute("insert into t (id) values (-1)")
    pair.copy("public.t", binary=binary)
    pair.same("t", "t::text")


def values() -> Iterator[tuple[str, str]]:
    for kind, texts in SAMPLES.items():
        for text in texts:
            yield type_sql(kind), text
    yield "text[]", '{a,NULL,"b,c"}'
    yield "int4[]", "{{1,2},{3,4}}"
    yield "bit(5)", "10101"


def test_binary_is_used_for_the_servers_own_types_only(pair: Pair) -> None:
    pair.both("create type mood as enum ('sad', 'glad')")
    pair.both("create domain small as int check (value < 10)")
    pair.both("create table plain (id int primary key, t text, a int8[], j jsonb)")
    pair.both("create table own (id int primary key, m mood)")
    pair.both("create table dom (id int primary key, d small)")
    pair.both("create table oids (id int primary key, r regclass)")
    pair.at.execute("create table other (id int primary key)")
    pair.to.execute("create table other (id int8 primary key)")
    for name in ("plain", "own", "dom", "oids", "other"):
        pair.at.execute(f"insert into {name} (id) values (1), (2)")
        assert pair.copy(f"public.{name}").mapping.binary is (name == "plain")
        pair.same(name)


def test_columns_that_one_side_lacks_or_computes_are_left_out(pair: Pair) -> None:
    pair.at.execute(
        """create table t (id int primary key generated always as identity,
             a text, double int generated always as (id * 2) stored, gone text, "Ünï x" int)"""
    )
    pair.to.execute(
        """create table t ("Ünï x" int, id int primary key generated always as identity,
             double int generated always as (id * 2) stored, a text, more int default 7)"""
    )
    pair.at.execute("""insert into t (a, gone, "Ünï x") select 'x', 'y', n
        from generate_series(1, 5) n""")
    work = pair.copy("public.t")
    assert work.mapping.only_source == ("gone",)
    assert work.mapping.only_dest == ("more",)
    assert pair.to.query('select id, double, a, more, "Ünï x" from t order by id') == [
        (n, 2 * n, "x", 7, n) for n in range(1, 6)
    ]


def test_partitions_on_either_side(pair: Pair) -> None:
    for db in (pair.at, pair.to):
        db.execute(
            "create table halves (id int, day int, primary key (id, day)) partition by list (day)"
        )
        for day in range(3):
            db.execute(f"create table halves_{day} partition of halves for values in ({day})")
    pair.at.execute("create table parted (id int primary key) partition by hash (id)")
    for n in range(2):
        pair.at.execute(
            f"create table part_{n} partition of parted for values with (modulus 2, remainder {n})"
        )
    pair.to.execute("create table parted (id int primary key)")
    pair.at.execute("insert into halves select n, n % 3 from generate_series(1, 100) n")
    pair.at.execute("insert into parted select generate_series(1, 100)")
    for name in ("halves", "parted"):
        pair.copy(f"public.{name}")
        pair.same(name)


def test_children_by_inheritance_are_tables_of_their_own(pair: Pair) -> None:
    pair.both("create table t (id int primary key)")
    pair.at.execute("create table child () inherits (t); insert into child values (2)")
    pair.at.execute("insert into t values (1)")
    pair.copy("public.t")
    assert pair.to.query("select id from t") == [(1,)]


def test_pieces_hold_each_row_once(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some pages empty, rows appended while it goes on, a condition with a percent sign."""
    monkeypatch.setattr(ranges, "PARALLEL_BYTES", 1 << 16)
    pair.both("create table t (id int primary key, x text)")
    pair.at.execute("insert into t select n, repeat('x', 50) || n from generate_series(1, 20000) n")
    pair.at.execute("delete from t where id between 5000 and 9000")
    pair.at.execute("analyze t")
    progress = Progress("t", source_bytes=1)
    work = pair.copy("public.t", connections=3, condition="id % 7 <> 0 and x like 'x%'",
                     progress=progress)  # fmt: skip
    assert len(work.pieces) > 3
    expected = pair.at.query("select id from t where id % 7 <> 0 order by id")
    assert pair.to.query("select id from t order by id") == expected
    assert progress.rows == len(expected)
    assert progress.bytes > 50 * len(expected)


def test_an_error_of_the_source_is_told_and_nothing_is_loaded(pair: Pair) -> None:
    pair.both("create table t (id int primary key, x int)")
    pair.at.execute("insert into t select n, 5000 - n from generate_series(1, 20000) n")
    with pytest.raises(DatabaseError, match="source: division by zero"):
        pair.copy("public.t", condition="1 / x < 2")
    pair.dest.rollback()
    assert pair.to.value("select count(*) from t") == 0


@pytest.mark.parametrize("connections", [1, 2])
def test_an_error_of_the_load_is_told_and_ends_the_reading(
    pair: Pair, connections: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "PARALLEL_BYTES", 1 << 16)
    pair.at.execute("create table t (id int, x text)")
    pair.to.execute("create table t (id int primary key, x text)")
    pair.at.execute(
        "insert into t select n % 50000, repeat('y', 200) from generate_series(1, 60000) n"
    )
    with pytest.raises(SkytoolsError, match="db: duplicate key value"):
        pair.copy("public.t", connections=connections)


def test_encodings_differ(pair: Pair, make_db: MakeDb) -> None:
    pair.at.execute("create database latin1 encoding 'LATIN1' template template0 locale 'C'")
    latin = Database("latin", pair.at.conninfo.rsplit("dbname=", 1)[0] + "dbname=latin1",
                     autocommit=True)  # fmt: skip
    try:
        latin.execute("create table t (id int primary key, x text)")
        latin.execute("insert into t values (1, 'äöü')")
        pair.to.execute("create table t (id int primary key, x text)")
        pair.source = Database("source", latin.conninfo)
        pair.copy("public.t")
        assert pair.to.query("select * from t") == [(1, "äöü")]
    finally:
        pair.source.close()
        latin.close()
        pair.at.execute("drop database latin1")


def test_a_connection_beside_others_does_not_wait_behind_who_waits_for_them(pair, wait_until):
    """ALTER TABLE waits for the copy, and the copy behind it: nobody else would end that."""
    pair.both("create table t (id int primary key)")
    pair.at.execute("insert into t select generate_series(1, 100)")
    session.open_source(pair.source)
    snapshot = pair.source.value("select pg_export_snapshot()")
    pair.source.query("select count(*) from t")
    theirs, ours = read_relation(pair.source, "t"), read_relation(pair.dest, "t")
    work = Work(ranges.pieces(pair.source, theirs, 2), match(theirs, ours, binary=True), "t")
    order = order_for(pair.source, pair.dest, work, snapshot, "test")
    pair.dest.commit()
    other = Database("other", pair.at.conninfo, autocommit=True)
    altering = threading.Thread(target=other.execute, args=("alter table t add n int",))
    altering.start()
    waiting = "select count(*) from pg_locks where not granted and relation = 't'::regclass"
    wait_until(lambda: pair.at.value(waiting) == 1)
    with pytest.raises(TransientError, match="lock timeout"):
        load_parallel(pair.source, order, work, Progress("t"), connections=2, look=lambda: None)
    pair.source.rollback()
    altering.join(120)
    assert not altering.is_alive()
    other.close()


def test_connections_are_kept_from_one_table_to_the_next(make_db: MakeDb, wait_until) -> None:
    """Also with settings, under a new name; one that the server has dropped is made anew."""
    db, made = make_db(), Connections()
    name = "select current_setting('application_name'), pg_backend_pid(), current_setting('jit')"

    def get(table: str) -> tuple[object, ...] | None:
        one = made.get("rows", "db", db.conninfo, table, setup=no_jit)
        row = one.query_one(name)
        one.rollback()
        return row

    def no_jit(one: Database) -> None:
        one.execute("set jit to off").close()
        one.commit()

    first = get("a")
    second = get("b")
    assert first == ("londiste copy a", first[1], "off")
    assert second == ("londiste copy b", first[1], "off")
    db.query("select pg_terminate_backend(%s)", (first[1],))
    gone = "select not exists (select from pg_stat_activity where pid = %s)"
    wait_until(lambda: db.value(gone, (first[1],)))
    third = get("c")
    assert third == ("londiste copy c", third[1], "off")
    assert third[1] != first[1]
    made.close()
