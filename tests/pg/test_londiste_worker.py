# SPDX-License-Identifier: ISC
"""The worker of a node, step by step: what is in the root's tables comes to be in the node's."""

from __future__ import annotations

from contextlib import closing

import pytest

from skytools.core.config import load
from skytools.core.db import Database
from skytools.core.errors import ConfigError, DatabaseError
from skytools.daemons.londiste import api, scripts
from skytools.daemons.londiste.config import LondisteConfig
from skytools.daemons.londiste.node_hooks import LondisteHooks
from tests.fixtures.londiste import fail_step, run_workers

TABLES = """
create table t (id int primary key, a text, b numeric, c timestamptz default '2020-01-01', d jsonb);
create table "Odd ""näme" ("a b" int, "&=%%" text, primary key ("&=%%", "a b"), "Z" bool);
"""


@pytest.fixture
def pair(tree):
    tree.root()
    tree.each(TABLES)
    tree["root"].add_table("public.t")
    tree["root"].add_table('public.Odd "näme')
    tree.tick()
    return tree


@pytest.fixture
def leaf(pair):
    pair.node("leaf", "leaf", "root").db.execute(TABLES)
    pair["leaf"].add_table("public.t")
    pair["leaf"].add_table('public.Odd "näme')
    return pair["leaf"]


def same(tree, *tables):
    for table in tables:
        assert tree["leaf"].rows(table) == tree["root"].rows(table)
    return len(tree["root"].rows(tables[0]))


def test_changes_of_rows_arrive(pair, leaf):
    db = pair["root"].db
    worker = pair.worker("leaf")
    db.execute("insert into t select n, 'a' || n, n / 7.0, now() from generate_series(1, 50) n")
    db.execute(
        """update t set a = e'tab\\t, line\\n, \\\\N, "quoted", ''it'', %41+ ü€𝄞 \\\\'
            where id < 5"""
    )
    db.execute('update t set a = null, d = \'{"x": [1, null, "&="]}\' where id = 6')
    db.execute("delete from t where id % 10 = 0")
    pair.tick()
    run_workers(worker)
    assert same(pair, "t") == 45
    db.execute(
        """insert into "Odd ""näme" values (1, '%+&=', true), (2, '', null), (2, ' ', false)"""
    )
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


def chain(tree, tables=TABLES):
    """Make root -> branch -> leaf, with table t on all."""
    tree.root()
    tree.node("branch", "branch", "root")
    tree.node("leaf", "leaf", "branch")
    tree.each(tables)
    tree["root"].add_table("public.t")
    workers = [tree.worker("branch"), tree.worker("leaf")]
    tree.tick()
    run_workers(*workers)
    for name in ("branch", "leaf"):
        tree[name].add_table("public.t")
    return workers


def test_a_branch_hands_on_what_it_applies(tree):
    workers = chain(tree)
    db = tree["root"].db
    db.execute("insert into t (id, a) select n, 'x' from generate_series(1, 700) n")
    db.execute("update t set a = 'y' where id % 2 = 0; delete from t where id % 3 = 0")
    tree.tick()
    run_workers(*workers)
    rows = tree["root"].rows("t")
    assert len(rows) == 467
    for name in ("branch", "leaf"):
        assert tree[name].rows("t") == rows
    query = """select ev_id, ev_type, ev_data, ev_extra1 from pgq.event_template
        where ev_type not like 'pgq%' order by 1"""
    assert tree["branch"].db.query(query) == db.query(query)


def test_a_batch_of_many_slices(tree):
    workers = chain(tree)
    workers[0].close()
    workers[0] = tree.worker("branch", apply_slice_rows=7)
    db = tree["root"].db
    db.execute("insert into t (id, a) select n, 'x' from generate_series(1, 100) n")
    db.execute("update t set a = 'y' where id % 2 = 0; delete from t where id % 3 = 0")
    db.execute("insert into t (id, a) select n, 'z' from generate_series(101, 1600) n")
    tree.tick()
    run_workers(*workers)
    for name in ("branch", "leaf"):
        assert tree[name].rows("t") == tree["root"].rows("t")


def test_users_cannot_write_to_tables_of_branch_and_leaf(tree):
    chain(tree)
    for name in ("branch", "leaf"):
        with pytest.raises(DatabaseError):
            tree[name].db.execute("insert into t (id) values (1)")


def test_scripts_run_in_their_place(tree, monkeypatch):
    workers = chain(tree)
    looks: list[str] = []
    for moment in ("before_execute", "after_execute"):
        real = getattr(workers[1].sync, moment)
        monkeypatch.setattr(
            workers[1].sync, moment, lambda event, m=moment, r=real: (looks.append(m), r(event))
        )
    db = tree["root"].db
    db.execute("insert into t (id, a) values (1, 'x')")
    attrs = scripts.Attributes.of_script("--*-- Local-Table: public.t\n").encode()
    text = "alter table @public.t@ add new int default 5;"
    with closing(Database("r", db.conninfo)) as root:
        assert scripts.run(root, "q", scripts.Script("1.sql", text, attrs), root=True)
        root.execute("update t set new = 6, a = 'y'")
        root.commit()
    db.execute("insert into t (id, new) values (2, 7)")
    tree["leaf"].db.execute("set session_replication_role = replica")
    tree.tick()
    run_workers(*workers)
    for name in ("branch", "leaf"):
        assert tree[name].rows("t", "id, a, new") == [(1, "y", 6), (2, None, 7)]
        applied = tree[name].db.query(
            "select execute_file, execute_attrs from londiste.applied_execute"
        )
        assert applied == [("1.sql", "local-table=public.t")]
    text = workers[1].ctx.metrics.render().decode()
    assert 'apply_events_total{operation="execute",queue="q"} 1.0' in text
    assert looks == ["before_execute", "after_execute"]  # each look counts as a try


def test_a_script_at_fault_is_named(tree):
    workers = chain(tree)
    db = tree["root"].db
    tree["leaf"].db.execute("create table extra (id int)")
    with closing(Database("r", db.conninfo)) as root:
        script = scripts.Script("2.sql", "select 1; create table extra (id int);", None)
        assert scripts.run(root, "q", script, root=True)
        root.commit()
    tree.tick()
    run_workers(workers[0])
    fail_step(
        workers[1], r'2\.sql: .*relation "extra" already exists; statement: create table extra'
    )
    tree["leaf"].db.execute("drop table extra")
    run_workers(*workers)
    assert tree["leaf"].rows("extra") == []


def test_tables_and_sequences_become_known_and_are_forgotten(tree):
    workers = chain(tree)
    db = tree["root"].db
    tree.each("create sequence s1; create sequence s2; create table u (id int primary key)")
    tree["root"].add_table("public.u")
    tree["root"].add_seq("public.s1")
    tree["root"].add_seq("public.s2")
    tree.tick()
    run_workers(*workers)
    leaf = tree["leaf"]
    assert [one.name for one in api.tables(leaf.db, "q")] == ["public.t", "public.u"]
    assert [one.name for one in api.sequences(leaf.db, "q")] == ["public.s1", "public.s2"]
    leaf.add_seq("public.s1")
    leaf.add_table("public.u")
    db.execute("insert into u values (1); select setval('s1', 100000)")
    root = tree.worker("root")
    root.step()
    tree.tick()
    run_workers(*workers)
    assert leaf.db.value("select last_value from s1") >= 100000
    api.remove_table(db, "q", "public.u")
    api.remove_seq(db, "q", "public.s2")
    tree.tick()
    run_workers(*workers)
    assert [one.name for one in api.tables(leaf.db, "q")] == ["public.t"]
    assert [one.name for one in api.sequences(leaf.db, "q")] == ["public.s1"]
    assert leaf.rows("u") == [(1,)]


def test_register_keys_keep_tables_out(tree):
    tree.root()
    tree.node("leaf", "leaf", "root")
    tree.each("create table a (id int primary key); create table b (id int primary key)")
    tree.each("create table c (id int primary key); create sequence s1; create sequence s2")
    for name in "abc":
        tree["root"].add_table(f"public.{name}")
    for name in ("s1", "s2"):
        tree["root"].add_seq(f"public.{name}")
    worker = tree.worker(
        "leaf", register_only_tables=("a", "public.b"), register_skip_tables=("public.b",),
        register_skip_seqs=("s1",),
    )  # fmt: skip
    leaf = tree["leaf"].db
    LondisteHooks(worker.cfg).on_create(tree["leaf"], tree["root"])
    assert [one.name for one in api.tables(leaf, "q")] == ["public.a"]
    assert [one.name for one in api.sequences(leaf, "q")] == ["public.s2"]
    tree.tick()
    run_workers(worker)
    assert [one.name for one in api.tables(leaf, "q")] == ["public.a"]
    assert [one.name for one in api.sequences(leaf, "q")] == ["public.s2"]


def test_a_renamed_table_is_truncated_too(tree):
    tree.root()
    tree.node("branch", "branch", "root")
    tree.node("leaf", "leaf", "branch")
    tree["root"].db.execute("create table here (id int primary key)")
    tree["branch"].db.execute("create table there (id int primary key)")
    tree["leaf"].db.execute("create table yonder (id int primary key)")
    tree["root"].add_table("public.t", dest="public.here")
    workers = [tree.worker("branch"), tree.worker("leaf")]
    tree.tick()
    run_workers(*workers)
    tree["branch"].add_table("public.t", dest="public.there")
    tree["leaf"].add_table("public.t", dest="public.yonder")
    tree["root"].db.execute(
        "insert into here values (1); truncate here; insert into here values (2)"
    )
    tree.tick()
    run_workers(*workers)
    assert tree["branch"].rows("there") == [(2,)]
    assert tree["leaf"].rows("yonder") == [(2,)]


def test_local_only_reads_what_is_here(tree):
    tree.root()
    tree.node("leaf", "leaf", "root")
    tree.each("create table a (id int primary key); create table b (id int primary key)")
    tree["root"].add_table("public.a")
    tree["root"].add_table("public.b")
    worker = tree.worker("leaf", local_only=True)
    tree.tick()
    run_workers(worker)
    tree["leaf"].add_table("public.a")
    tree["root"].db.execute("insert into a values (1); insert into b values (1)")
    tree.tick()
    run_workers(worker)
    assert tree["leaf"].rows("a") == [(1,)]
    assert worker.replay.out.outcome.applied == {}


def test_a_table_added_while_the_worker_runs_misses_nothing(pair, leaf):
    worker = pair.worker("leaf")
    run_workers(worker)
    for node in (pair["root"], leaf):
        node.db.execute("create table late (id int primary key)")
    pair["root"].add_table("public.late")
    pair.tick()
    run_workers(worker)
    leaf.add_table("public.late")
    pair["root"].db.execute("insert into late values (1)")
    pair.tick()
    worker.step()
    run_workers(worker)
    assert leaf.rows("late") == [(1,)]


def test_partitions_are_merged_and_handed_to_the_combined_queue(tree):
    queue = tree.root("whole", queue="whole")
    for number in (1, 2):
        tree.root(f"part{number}", queue=f"part{number}")
        tree.node("leaf", f"from{number}", f"part{number}", db=queue.db, combined="whole")
    tree.node("leaf", "below", "whole")
    tree.each("create table if not exists t (id int primary key, a text)")
    for number in (1, 2):
        tree[f"part{number}"].add_table("public.t")
        tree.tick(f"part{number}")
    workers = [tree.worker(name) for name in ("from1", "from2", "below")]
    run_workers(*workers)
    tree["from1"].add_table("public.t", "merge_all")
    tree.tick("whole")
    run_workers(*workers)
    tree["below"].add_table("public.t")
    for number in (1, 2):
        db = tree[f"part{number}"].db
        db.execute("insert into t select n * 10 + %s, 'x' from generate_series(1, 5) n", (number,))
        db.execute("delete from t where id > 40")
        tree.tick(f"part{number}")
    run_workers(*workers)
    tree.tick("whole")
    run_workers(*workers)
    rows = [(n * 10 + p, "x") for n in range(1, 4) for p in (1, 2)]
    assert tree["whole"].rows("t") == rows
    assert tree["below"].rows("t") == rows


def test_an_event_of_unknown_type_stops_the_worker(pair, leaf):
    worker = pair.worker("leaf")
    run_workers(worker)
    pair["root"].db.query("select pgq.insert_event('q', 'hello', 'data')")
    pair.tick()
    fail_step(worker, r"event \d+: type 'hello' is unknown to londiste")
    assert "hello" in leaf.state("cur_error")


def test_the_node_is_told_of_in_metrics(pair, leaf):
    worker = pair.worker("leaf")
    pair["root"].db.execute("insert into t (id) values (1), (2); update t set a = 'x'; truncate t")
    pair.tick()
    run_workers(worker)
    text = worker.ctx.metrics.render().decode()
    for line in (
        'node_info{node="leaf",node_type="leaf",provider_node="root",queue="q"} 1.0',
        'tables{queue="q",sync_state="ok"} 2.0',
        'apply_events_total{operation="insert",queue="q"} 2.0',
        'apply_events_total{operation="truncate",queue="q"} 1.0',
        'apply_pending_events{queue="q"} 0.0',
        'paused{queue="q"} 0.0',
    ):
        assert f"skytools_londiste_{line}" in text


def test_keys_that_do_not_go_together_are_refused(tmp_path):
    path = tmp_path / "x.ini"
    path.write_text(
        "[londiste3]\ndb = dbname=x\nqueue_name = q\npgq_autocommit = 1\npgq_lazy_fetch = 0\n"
        "local_only_drop_execute = 1\nthreaded_copy_pool_size = 4\n"
    )
    with pytest.raises(ConfigError) as failed:
        load(LondisteConfig, path, "londiste")
    assert "pgq_autocommit: does not go with" in str(failed.value)
    assert "local_only_drop_execute: needs local_only = 1" in str(failed.value)
