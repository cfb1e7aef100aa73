# SPDX-License-Identifier: ISC
"""Copies of tables of every kind: merged, renamed, partitioned, mapped, appended to."""

from __future__ import annotations

import pytest

from skytools.daemons.londiste import api
from tests.fixtures.copying import BIG, Copying

SHARDS = ("s1", "s2", "s3")


@pytest.fixture(params=[pytest.param("small", marks=pytest.mark.chaos), "big"])
def size(request, monkeypatch):
    if request.param == "big":
        monkeypatch.setenv("SKYTOOLS_PARALLEL_COPY_BYTES", BIG)


@pytest.fixture
def big(monkeypatch):
    monkeypatch.setenv("SKYTOOLS_PARALLEL_COPY_BYTES", BIG)


def make_shards(copying: Copying, rows: int = 400) -> None:
    """Make three roots with rows of one table, and one database that has them all."""
    tree = copying.tree
    full = tree.database()
    full.execute("create table t (id int primary key, a text, n int default 0)")
    full.execute("create index on t (n)")
    for number, name in enumerate(SHARDS):
        db = tree.database()
        tree.root(name, name, db)
        db.execute("create table t (id int primary key, a text, n int default 0)")
        tree[name].add_table("public.t")
        db.execute(
            f"""insert into t (id, a) select {number} * 1000000 + n, repeat('x', 100)
                from generate_series(1, {rows}) n"""
        )
        tree.node("leaf", f"full_{name}", name, full)
        copying.ticking(db)
        copying.worker(f"full_{name}", copy_threads=2)


def nodes() -> list[str]:
    return [f"full_{name}" for name in SHARDS]


def test_shards_are_merged_into_one_table(copying: Copying, writing, size) -> None:
    make_shards(copying)
    tree = copying.tree
    writers = [
        writing(
            tree[name].db,
            f"insert into t (id, a) values ({number} * 1000000 + 100000 + %(n)s, 'new')",
            f"update t set n = n + 1 where id = {number} * 1000000 + 1 + %(n)s %% 300",
        )
        for number, name in enumerate(SHARDS)
    ]
    full = tree["full_s1"].db
    api.add_table(full, "s1", "public.t", ["merge_all"], {})
    copying.in_sync(*nodes())
    before = writers[0].rounds
    copying.until(lambda: writers[0].rounds > before + 10)
    for writer in writers:
        writer.stop()
    for name in SHARDS:
        copying.applied(f"full_{name}", root=name)
    expected = [row for name in SHARDS for row in tree[name].db.query("select * from t")]
    assert full.query("select * from t order by id") == sorted(expected)
    found = full.query("select indexname::text from pg_indexes where tablename = 't' order by 1")
    assert found == [("t_n_idx",), ("t_pkey",)]


@pytest.mark.chaos
def test_a_copy_that_would_empty_the_rows_of_another_queue_is_refused(copying: Copying) -> None:
    make_shards(copying, rows=10)
    full = copying.tree["full_s1"].db
    api.add_table(full, "s1", "public.t", ["merge_all"], {})
    copying.in_sync(*nodes())
    api.set_table_state(full, "s1", "public.t", None, None)
    failures = copying.workers["full_s1"].sync.children._failures.labels("s1")
    copying.until(lambda: failures._value.get() > 0)
    assert full.value("select count(*) from t") == 30
    # In all queues it is possible.
    for name in SHARDS:
        api.set_table_state(full, name, "public.t", None, None)
    copying.in_sync(*nodes())
    assert full.value("select count(*) from t") == 30


def test_a_table_that_is_named_otherwise_here(copying: Copying, big) -> None:
    copying.cascade()
    copying.tables("t", rows=1000)
    leaf = copying.tree["leaf"].db
    leaf.execute('create schema "S x"; create table "S x"."my.t" (like t including all)')
    copying.worker("leaf")
    copying.subscribe("leaf", "t", dest="S x.my.t")
    copying.in_sync("leaf")
    copying.tree["root"].db.execute("update t set n = 3 where id < 9")
    copying.applied("leaf")
    rows = leaf.query('select * from "S x"."my.t" order by id')
    assert rows == copying.tree["root"].db.query("select * from t order by id")


def test_skip_truncate_keeps_what_is_there(copying: Copying, big) -> None:
    copying.cascade()
    copying.tables("t", rows=1000)
    leaf = copying.tree["leaf"].db
    leaf.execute("insert into t (id, a) values (-1, 'mine')")
    copying.worker("leaf")
    copying.subscribe("leaf", "t", skip_truncate="1")
    copying.in_sync("leaf")
    assert leaf.value("select count(*) from t") == 1001


@pytest.mark.chaos
def test_partitions_on_either_side(copying: Copying, big) -> None:
    copying.cascade()
    tree = copying.tree
    root, leaf = tree["root"].db, tree["leaf"].db
    for db in (root, leaf):
        db.execute(
            """create table p (id int, day int, a text, primary key (id, day))
                 partition by list (day);
               create table p0 partition of p for values in (0);
               create table p1 partition of p for values in (1)"""
        )
        db.execute("create index on p (a)")
    for table in ("p0", "p1"):
        tree["root"].add_table(f"public.{table}")
    root.execute("insert into p select n, n % 2, repeat('x', 100) from generate_series(1, 2000) n")
    copying.worker("leaf")
    copying.subscribe("leaf", "p0", "p1")
    copying.in_sync("leaf")
    root.execute("update p set a = 'y' where id < 100")
    copying.applied("leaf")
    copying.same("leaf", "p")
    copying.quiet("leaf")


def test_a_partitioned_table_as_destination(copying: Copying, size) -> None:
    copying.cascade()
    copying.tables("t", rows=1000)
    leaf = copying.tree["leaf"].db
    leaf.execute(
        """drop table t; create table t (id int primary key, a text, n int) partition by hash (id);
           create table t0 partition of t for values with (modulus 2, remainder 0);
           create table t1 partition of t for values with (modulus 2, remainder 1)"""
    )
    copying.worker("leaf")
    copying.subscribe("leaf", "t")
    copying.in_sync("leaf")
    copying.tree["root"].db.execute("update t set n = 5 where id < 100")
    copying.applied("leaf")
    copying.same("leaf", "t")


def test_only_the_rows_of_a_shard_come(copying: Copying, big) -> None:
    copying.cascade()
    copying.tables("t", rows=1000)
    tree = copying.tree
    tree.each(
        """create schema partconf;
           create table partconf.conf (shard_nr int, shard_mask int, shard_count int);
           insert into partconf.conf values (1, 3, 4);
           create function partconf.get_hash_raw(int) returns int immutable language sql
             as 'select $1'"""
    )
    copying.worker("leaf")
    copying.subscribe("leaf", "t", handler="shard(key=id)")
    copying.in_sync("leaf")
    rows = tree["leaf"].db.query("select id from t order by id")
    assert rows == [(n,) for n in range(1, 1001) if n & 3 == 1]


def test_rows_go_through_a_handler_that_maps_them(copying: Copying, tmp_path, big) -> None:
    copying.cascade()
    copying.tables("t", rows=300)
    copying.tree["root"].db.execute(r"update t set a = E'\b\f\v\t\n\\N' where id = 7")
    map_file = tmp_path / "map.json"
    map_file.write_text('{"public.t": {"id": "keep", "a": "keep", "n": "skip"}}')
    copying.worker("leaf", obfuscator_map=map_file, obfuscator_key="k")
    copying.subscribe("leaf", "t", handler="obfuscate")
    copying.in_sync("leaf")
    mine = copying.tree["leaf"].rows("t", "id, a")
    assert mine == copying.tree["root"].rows("t", "id, a")
