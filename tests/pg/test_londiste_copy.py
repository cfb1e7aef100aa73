# SPDX-License-Identifier: ISC
"""Copies of tables: the worker in this process, the copies as its children."""

from __future__ import annotations

import pytest

from skytools.core.db import Database
from tests.fixtures.copying import BIG, Copying
from tests.fixtures.server import TEMPLATE

LEDGER = (
    "insert into t (id, a) values (100000 + %(n)s, 'new')",
    "update t set n = n + 1 where id = 1 + %(n)s %% 400",
    "delete from t where id = 100000 + %(n)s - 50",
)


@pytest.fixture(params=[pytest.param("small", marks=pytest.mark.chaos), "big"])
def size(request, monkeypatch):
    if request.param == "big":
        monkeypatch.setenv("SKYTOOLS_PARALLEL_COPY_BYTES", BIG)
    return request.param


@pytest.fixture
def big(monkeypatch):
    monkeypatch.setenv("SKYTOOLS_PARALLEL_COPY_BYTES", BIG)


def test_three_tables_of_an_idle_system_come_in_sync(copying: Copying) -> None:
    copying.cascade()
    copying.tables("t1", "t2", "t3")
    copying.worker("leaf")
    copying.applied("leaf")
    copying.subscribe("leaf", "t1", "t2", "t3")
    copying.in_sync("leaf")
    copying.same("leaf", "t1", "t2", "t3")
    root = copying.tree["root"].db
    root.execute("update t1 set a = 'later' where id < 10; delete from t2 where id = 5")
    copying.applied("leaf")
    copying.same("leaf", "t1", "t2", "t3")
    copying.quiet("leaf")


def test_no_row_is_lost_or_doubled_while_others_write(copying: Copying, writing, size) -> None:
    copying.cascade()
    copying.tables("t", "other", rows=3000)
    copying.tree["leaf"].db.execute("create index on t (n); insert into t values (7, 'old')")
    copying.worker("leaf", copy_threads=2)
    root = copying.tree["root"].db
    writer = writing(root, *LEDGER, "update other set n = %(n)s where id = 5")
    copying.subscribe("leaf", "t", "other")
    copying.in_sync("leaf")
    before = writer.rounds
    copying.until(lambda: writer.rounds > before + 10)
    writer.stop()
    copying.applied("leaf")
    copying.same("leaf", "t", "other")
    copying.quiet("leaf")
    indexes = copying.tree["leaf"].db.query(
        "select indexname::text from pg_indexes where tablename = 't' order by 1"
    )
    assert indexes == [("t_n_idx",), ("t_pkey",)]
    assert copying.tree["leaf"].db.value("select reltuples > 0 from pg_class where relname = 't'")


@pytest.mark.chaos
@pytest.mark.parametrize("source", ["root", "branch", "?"])
def test_from_another_node_no_row_is_lost_finding_1(copying: Copying, writing, source: str) -> None:
    """The copy node's transactions are numbered otherwise than those of the provider."""
    copying.cascade(branch=True)
    copying.tables("t", rows=1000)
    tree = copying.tree
    if source != "root":
        tree.node("leaf", "other", "root")  # beside the branch: reads from the root itself
        tree["other"].db.execute("create table t (id int primary key, a text, n int default 0)")
        copying.worker("other")
    writer = writing(tree["root"].db, *LEDGER)
    copying.worker("leaf")
    target = "leaf"
    if source == "branch":
        copying.subscribe("branch", "t")
        copying.in_sync("branch")
        target = "other"
    copying.subscribe(target, "t", copy_node=source)
    copying.in_sync(target)
    before = writer.rounds
    copying.until(lambda: writer.rounds > before + 10)
    writer.stop()
    copying.applied(target, "branch")
    copying.same(target, "t")
    copying.quiet(target)


def test_a_copy_node_on_another_server_finding_1(copying: Copying, writing, make_server) -> None:
    """Events whose transactions have lower numbers than those of the copy node are not lost."""
    server = make_server("copynode")
    server.createdb("branch", TEMPLATE)
    db = Database("branch", server.conninfo("branch"), autocommit=True)
    try:
        db.execute("create extension if not exists londiste; create table burnt (id int)")
        tree = copying.tree
        tree.root()
        burn = tree["root"].db.value("select txid_current()") - db.value("select txid_current()")
        db.execute(
            f"""do $$ begin for n in 1..{burn + 10000} loop
                  begin insert into burnt values (n); exception when others then null; end;
                end loop; end $$"""
        )
        tree.node("branch", "branch", "root", db)
        tree.node("leaf", "leaf", "root")
        copying.ticking(tree["root"].db)
        copying.tables("t", rows=1000)
        copying.worker("branch")
        copying.worker("leaf")
        assert db.value("select txid_current()") > tree["root"].db.value("select txid_current()")
        copying.subscribe("branch", "t")
        copying.in_sync("branch")
        writer = writing(tree["root"].db, *LEDGER)
        copying.subscribe("leaf", "t", copy_node="branch")
        copying.in_sync("leaf")
        before = writer.rounds
        copying.until(lambda: writer.rounds > before + 10)
        writer.stop()
        copying.applied("leaf")
        copying.same("leaf", "t")
        copying.close()
    finally:
        db.close()
