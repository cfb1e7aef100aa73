# SPDX-License-Identifier: ISC
"""The worker of a node, step by step: what is in the root's tables comes to be in the node's."""

from __future__ import annotations

import pytest

from tests.fixtures.londiste import fail_step, run_workers

TABLES = """
create table t (id int primary key, a text, b numeric, c timestamptz default '2020-01-01', d jsonb);
create table "Odd ""näme" ("a b" int, "&=%%" text, primary key ("&=%%", "a b"), "Z" bool);
"""


@pytest.fixture
def pair(site):
    site.root()
    site.each(TABLES)
    site["root"].add_table("public.t")
    site["root"].add_table('public.Odd "näme')
    site.tick()
    return site


@pytest.fixture
def leaf(pair):
    pair.node("leaf", "leaf", "root").db.execute(TABLES)
    pair["leaf"].add_table("public.t")
    pair["leaf"].add_table('public.Odd "näme')
    return pair["leaf"]


def same(site, *tables):
    for table in tables:
        assert site["leaf"].rows(table) == site["root"].rows(table)
    return len(site["root"].rows(tables[0]))


def test_changes_of_rows_arrive(pair, leaf):
    db = pair["root"].db
    worker = pair.worker("leaf")
    db.execute("insert into t select n, 'a' || n, n / 7.0, now() from generate_series(1, 50) n")
    db.execute("""update t set a = e'tab\\t, line\\n, \\\\N, "quoted", ''it'', %41+ ü€𝄞 \\\\' where id < 5""")
    db.execute("update t set a = null, d = '{\"x\": [1, null, \"&=\"]}' where id = 6")
    db.execute("delete from t where id % 10 = 0")
    pair.tick()
    run_workers(worker)
    assert same(pair, "t") == 45
    db.execute("""insert into "Odd ""näme" values (1, '%+&=', true), (2, '', null), (2, ' ', false)""")
    db.execute("""update "Odd ""näme" set "Z" = not coalesce("Z", true)""")
    db.execute("""delete from "Odd ""näme" where "&=%%" = ''""")
    db.execute("update t set b = b + 1 where id = 7")
    db.execute("delete from t where id = 7")
    db.execute("insert into t (id) values (7)")
    pair.tick()
    run_workers(worker)
    assert same(pair, '"Odd ""näme"', "t") == 2


def test_an_update_that_finds_no_row_is_counted(pair, leaf, caplog):
    db = pair["root"].db
    worker = pair.worker("leaf")
    db.execute("insert into t (id, a) select n, 'x' from generate_series(1, 3) n")
    pair.tick()
    run_workers(worker)
    leaf.db.execute("set session_replication_role = replica")
    leaf.db.execute("delete from t where id in (1, 2)")
    db.execute("update t set a = 'new'")
    db.execute("delete from t where id = 2")
    pair.tick()
    run_workers(worker)
    assert leaf.rows("t", "id, a") == [(3, "new")]
    assert "table public.t has no row id=1" in caplog.text
    text = worker.ctx.metrics.render().decode()
    assert 'apply_missing_rows_total{operation="update",queue="q"} 2.0' in text
    assert 'apply_missing_rows_total{operation="delete",queue="q"} 1.0' in text


def test_an_update_that_finds_no_row_repairs(pair, leaf):
    db = pair["root"].db
    worker = pair.worker("leaf", on_missing_row="repair")
    leaf.db.execute("set session_replication_role = replica")
    db.execute("insert into t (id, a) select n, 'x' from generate_series(1, 3) n")
    pair.tick()
    run_workers(worker)
    leaf.db.execute("delete from t where id in (1, 2)")
    db.execute("update t set a = 'new' where id > 1")
    db.execute("update t set a = 'newer' where id = 1")
    pair.tick()
    run_workers(worker)
    assert same(pair, "t") == 3


def test_an_update_that_finds_no_row_stops(pair, leaf):
    db = pair["root"].db
    worker = pair.worker("leaf", on_missing_row="stop")
    db.execute("insert into t (id, a) select n, 'x' from generate_series(1, 3) n")
    pair.tick()
    run_workers(worker)
    leaf.db.execute("set session_replication_role = replica")
    leaf.db.execute("delete from t where id = 1")
    db.execute("update t set a = 'new'")
    pair.tick()
    fail_step(worker, r"event \d+, UPDATE: table public.t has no row id=1")
    assert leaf.rows("t", "a") == [("x",), ("x",)]
    leaf.db.execute("insert into t (id) values (1)")
    run_workers(worker)
    assert same(pair, "t") == 3
