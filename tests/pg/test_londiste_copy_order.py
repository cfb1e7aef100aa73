# SPDX-License-Identifier: ISC
"""Copies among other things that go on: scripts, a change of provider, merges, old states."""

from __future__ import annotations

import pytest

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError
from skytools.daemons.londiste import api
from tests.fixtures.copying import BIG, Copying

WRITES = (
    "insert into t (id, a) values (100000 + %(n)s, 'new')",
    "update t set n = n + 1 where id = 1 + %(n)s %% 400",
)


@pytest.fixture
def big(monkeypatch):
    monkeypatch.setenv("SKYTOOLS_PARALLEL_COPY_BYTES", BIG)


def execute(copying: Copying, name: str, *statements: str) -> None:
    """Run a script on the root, as `londiste execute` does."""
    db = Database("root", copying.tree["root"].db.conninfo)
    try:
        api.set_replication_role(db, "local", local=True)
        api.execute_start(db, "q", name, ";\n".join(statements), root=True, attrs=None)
        for statement in statements:
            db.execute(statement)
        api.execute_finish(db, "q", name)
        db.commit()
    finally:
        db.close()


def state(copying: Copying, table: str = "public.t", node: str = "leaf") -> str | None:
    return copying.tree[node].states().get(table)


class Held:
    """Holds a lock on a table of the leaf, so that its copy stops where it needs it."""

    def __init__(self, copying: Copying, statement: str) -> None:
        self.db = Database("held", copying.tree["leaf"].db.conninfo)
        self.db.execute(statement)

    def release(self) -> None:
        self.db.close()


@pytest.mark.parametrize(
    "times", [1, *(pytest.param(n, marks=pytest.mark.chaos) for n in (0, 2, 3, 5, 8))]
)
def test_scripts_and_copies_are_in_order_finding_10(
    copying: Copying, writing, big, times: int
) -> None:
    """New columns come while a copy is anywhere; rows that a script changed are not mixed up."""
    copying.cascade()
    copying.tables("t", "other", rows=3000)
    copying.worker("leaf", copy_threads=2)
    copying.subscribe("leaf", "t")
    writer = writing(copying.tree["root"].db, *WRITES)
    seen = writer.rounds
    copying.until(lambda: state(copying) is not None)
    for number in range(3):
        at = writer.rounds + 5 * (times + 1)
        copying.until(lambda at=at: writer.rounds > at or state(copying) == "ok")
        execute(
            copying, f"script{number}.sql",
            f"alter table t add column c{number} int default {number}",
            f"update t set c{number} = id where id % 3 = {number}",
            f"create index on t (c{number})",
        )  # fmt: skip
    copying.in_sync("leaf")
    writer.stop()
    assert writer.rounds > seen
    copying.applied("leaf")
    copying.same("leaf", "t")
    copying.quiet("leaf")


def test_a_script_on_a_table_in_copy_does_not_hold_up_others_finding_10(
    copying: Copying, big
) -> None:
    copying.cascade()
    copying.tables("t", "other", rows=2000)
    copying.worker("leaf", copy_threads=2)
    copying.subscribe("leaf", "other")
    copying.in_sync("leaf")
    # The source is not readable to the end: the copy hangs while it loads.
    lock = Database("lock", copying.tree["root"].db.conninfo)
    copying.subscribe("leaf", "t")
    copying.until(lambda: state(copying) is not None)
    lock.execute("lock table t in access exclusive mode")
    root = copying.tree["root"].db
    root.execute("set lock_timeout = '10s'")
    lock.rollback()
    execute(copying, "add.sql", "alter table t add column c int default 1", "update t set c = id")
    root.execute("update other set n = 77")
    copying.applied("leaf")
    lock.close()
    assert copying.tree["leaf"].db.value("select count(*) from other where n = 77") == 2000
    copying.in_sync("leaf")
    copying.applied("leaf")
    copying.same("leaf", "t")


def test_a_script_about_something_else_leaves_a_copy_alone_finding_10(
    copying: Copying, big
) -> None:
    copying.cascade()
    copying.tables("t", "other", rows=2000)
    worker = copying.worker("leaf", copy_threads=2)
    copying.subscribe("leaf", "other")
    copying.in_sync("leaf")
    reader = Held(copying, "lock table t in access share mode")  # the copy needs exclusive
    copying.subscribe("leaf", "t")
    copying.until(lambda: state(copying) == "in-copy")
    before = worker.sync.children.running["public.t"].process.pid
    execute(copying, "else.sql", "alter table other add column c int", "update other set c = 1")
    copying.applied("leaf")
    assert state(copying) == "in-copy"
    assert worker.sync.children.running["public.t"].process.pid == before
    reader.release()
    copying.in_sync("leaf")
    copying.same("leaf", "t", "other")


@pytest.mark.chaos
def test_a_lock_that_a_script_takes_is_seen_though_it_names_no_table_finding_10(
    copying: Copying, big
) -> None:
    copying.cascade()
    copying.tables("t", rows=2000)
    copying.tree.each(
        """create function widen() returns void language plpgsql as
           $$ begin execute 'alter table ' || chr(116) || ' add column c int default 5'; end $$"""
    )
    worker = copying.worker("leaf", copy_threads=2)
    reader = Held(copying, "lock table t in access share mode")
    copying.subscribe("leaf", "t")
    copying.until(lambda: state(copying) == "in-copy")
    execute(copying, "widen.sql", "select widen()")
    reader.release()
    for _ in range(20):
        try:
            copying.step()
        except SkytoolsError:
            worker.target.rollback()
            worker._reader = None
    retrying(copying)
    copying.in_sync("leaf")
    copying.applied("leaf")
    copying.same("leaf", "t")


def retrying(copying: Copying) -> None:
    """Step as the service does, which tries again after an error."""
    step = copying.step

    def patient() -> None:
        try:
            step()
        except SkytoolsError:
            for worker in copying.workers.values():
                for database in worker.ctx.databases.values():
                    database.rollback()

    copying.step = patient  # type: ignore[method-assign]


@pytest.mark.parametrize("snapshot", [True, pytest.param(False, marks=pytest.mark.chaos)])
def test_a_copy_follows_its_worker_to_another_provider_finding_3(
    copying: Copying, writing, snapshot: bool
) -> None:
    tree = copying.tree
    copying.cascade()
    tree.node("branch", "branch", "root")
    copying.worker("branch")
    copying.tables("t", rows=1000)
    copying.worker("leaf")
    copying.applied("leaf", "branch")
    copying.subscribe("leaf", "t", **({"copy_node": "root"} if snapshot else {}))
    copying.until(lambda: state(copying) not in (None, "in-copy"))
    # The worker stands still; meanwhile it is given another provider.
    leaf, branch = tree["leaf"], tree["branch"]
    writer = writing(tree["root"].db, *WRITES)
    tick = leaf.state("completed_tick")
    only = {"branch": copying.workers["branch"]}
    workers, copying.workers = copying.workers, only
    copying.until(lambda: branch.state("completed_tick") > tick + 3)
    branch.call("register_subscriber", "q", "leaf", leaf.worker, tick)
    leaf.add_location(branch)
    leaf.call("change_consumer_provider", "q", leaf.worker, "branch")
    copying.workers = workers
    copying.in_sync("leaf")
    before = writer.rounds
    copying.until(lambda: writer.rounds > before + 10)
    writer.stop()
    copying.applied("branch", "leaf")
    copying.same("leaf", "t")
    copying.quiet("leaf")


def test_foreign_keys_come_back_also_those_of_other_tables_finding_9(copying: Copying, big) -> None:
    copying.cascade()
    copying.tables("t", "late", rows=2000)
    leaf = copying.tree["leaf"].db
    leaf.execute(
        """create table outside (id int primary key, t_id int references t, x int references t);
           insert into t (id) values (1); insert into outside values (1, 1, null);
           create table base (id int primary key);
           alter table t add column base_id int references base;
           alter table late add column t_id int references t;
           alter table t add column self int references t"""
    )
    fkeys = """select conname::text, pg_get_constraintdef(oid), convalidated from pg_constraint
        where contype = 'f' and connamespace = 'public'::regnamespace order by 1"""
    before = leaf.query(fkeys)
    assert len(before) == 5
    copying.worker("leaf", copy_threads=2)
    copying.subscribe("leaf", "t")
    copying.in_sync("leaf")
    copying.quiet("leaf")
    assert leaf.query(fkeys) == before
    copying.subscribe("leaf", "late")
    copying.in_sync("leaf")
    copying.quiet("leaf")
    assert leaf.query(fkeys) == before


def test_old_rows_can_be_read_until_a_small_copy_is_there_finding_11(copying: Copying) -> None:
    copying.cascade()
    copying.tables("t", rows=100)
    leaf = copying.tree["leaf"].db
    leaf.execute("insert into t (id, a) values (1, 'old')")
    reader = Held(copying, "select * from t")  # holds a lock up to the end
    copying.worker("leaf")
    copying.subscribe("leaf", "t")
    copying.in_sync("leaf")
    reader.release()
    copying.same("leaf", "t")


@pytest.mark.parametrize(
    "kind",
    ["catching-up", *(pytest.param(one, marks=pytest.mark.chaos)
                      for one in ("in-copy", "wanna-sync:1", "do-sync:1"))],
)  # fmt: skip
def test_states_that_a_dead_copy_of_3_x_left_are_recovered_finding_3(
    copying: Copying, writing, kind: str
) -> None:
    copying.cascade()
    copying.tables("t", rows=500)
    tree = copying.tree
    copying.worker("leaf")
    copying.applied("leaf")
    copying.subscribe("leaf", "t")
    leaf, root = tree["leaf"], tree["root"]
    if kind != "in-copy":
        # As 3.x leaves it: rows of a snapshot, the copy's consumer before it.
        tick = root.events.last_tick()
        name = f"{leaf.worker}.copy.public.t"
        root.db.query("select pgq.register_consumer_at('q', %s, %s)", (name, tick))
        leaf.call("register_consumer", "q", name, "root", tick)
        root.db.execute("update t set n = 5 where id < 100; delete from t where id = 101")
        snapshot = root.db.value("select txid_current_snapshot()")
        rows = root.db.query("select id, a, n from t")
        leaf.db.execute("set session_replication_role = replica")
        leaf.db.execute_values("insert into t (id, a, n) values %s", rows)
        api.set_table_state(leaf.db, "q", "public.t", snapshot, kind)
    else:
        leaf.db.execute("set session_replication_role = replica")
        leaf.db.execute("insert into t (id, a) values (1, 'half')")
        api.set_table_state(leaf.db, "q", "public.t", None, kind)
    writer = writing(root.db, *WRITES)
    copying.in_sync("leaf")
    before = writer.rounds
    copying.until(lambda: writer.rounds > before + 10)
    writer.stop()
    copying.applied("leaf")
    copying.same("leaf", "t")
    copying.quiet("leaf")


@pytest.mark.parametrize("foreign", [pytest.param(False, marks=pytest.mark.chaos), True])
def test_a_snapshot_that_3_x_left_is_used_at_its_own_node_only_finding_1(
    copying: Copying, foreign: bool
) -> None:
    copying.cascade()
    copying.tables("t", rows=50)
    tree = copying.tree
    copying.worker("leaf")
    copying.applied("leaf")
    root, leaf = tree["root"].db, tree["leaf"]
    leaf.add_table("public.t", **({"copy_node": "gone"} if foreign else {}))
    root.execute("update t set n = 1")  # the rows below have it already
    snapshot = root.value("select txid_current_snapshot()")
    if foreign:
        leaf.db.execute("update londiste.table_info set table_attrs = 'copy_node=branch'")
        tree.node("branch", "branch", "root").add_location(leaf)
        leaf.add_location(tree["branch"])
        tree["branch"].db.execute("create table t (id int primary key, a text, n int)")
        copying.worker("branch")
        copying.subscribe("branch", "t")
    leaf.db.execute("set session_replication_role = replica")
    leaf.db.execute_values("insert into t values %s", root.query("select * from t"))
    api.set_table_state(leaf.db, "q", "public.t", snapshot, "ok")
    root.execute("update t set n = n + 1; insert into t values (100, 'x', 1)")
    copying.applied("leaf")
    copying.in_sync(*(["branch", "leaf"] if foreign else ["leaf"]))
    copying.applied("leaf")
    copying.same("leaf", "t")
    assert leaf.table("public.t").snapshot is None
