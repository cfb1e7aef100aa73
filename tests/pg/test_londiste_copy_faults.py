# SPDX-License-Identifier: ISC
"""Copies that die, are set back, or find what an older version has left."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from skytools.core import processes
from skytools.daemons.londiste import api, copies
from tests.fixtures.copying import BIG, Copying
from tests.fixtures.wait import wait_until

# Steps of a copy process at which it may be killed; see reach() in daemons/londiste/copy.
STEPS = (
    *("copy-snapshot", "copy-fkey", "copy-dropped", "copy-piece", "copy-piece:3", "copy-loaded"),
    *("copy-committed", "copy-built", "copy-constraint", "copy-wanna-sync"),
    *("copy-applied", "copy-caught", "copy-unregistered", "copy-fkey-step", "copy-fkey-step:2"),
)
STRUCTURE = """
select conname::text, contype::text, convalidated, pg_get_constraintdef(oid) from pg_constraint
 where conrelid in ('t'::regclass, 'child'::regclass)
   and contype <> 'n'  -- PostgreSQL 18 has NOT NULL here as well
union all
select indexname, 'index', true, indexdef from pg_indexes where tablename in ('t', 'child')
order by 1, 2"""


@pytest.fixture
def big(monkeypatch):
    monkeypatch.setenv("SKYTOOLS_PARALLEL_COPY_BYTES", BIG)


def prepare(copying: Copying, rows: int = 2000) -> None:
    copying.cascade()
    copying.tables("t", rows=rows)
    leaf = copying.tree["leaf"].db
    leaf.execute(
        """create index t_n on t (n); create unique index on t (a); create index on t ((n + 1));
           create table child (id int primary key, t_id int references t)"""
    )


def children(worker) -> list[int]:
    return [child.process.pid for child in worker.sync.children.running.values()]


@pytest.mark.parametrize(
    "steps", [("copy-dropped", "copy-built"), pytest.param(STEPS, marks=pytest.mark.chaos)]
)
def test_a_copy_killed_at_any_step_comes_to_the_same_end_findings_2_and_3(
    copying: Copying, writing, big, monkeypatch, steps
) -> None:
    prepare(copying)
    leaf = copying.tree["leaf"].db
    before = leaf.query(STRUCTURE)
    assert len(before) == 8
    writer = writing(
        copying.tree["root"].db,
        "insert into t (id, a) values (100000 + %(n)s, 'new' || %(n)s)",
        "update t set n = n + 1 where id = 1 + %(n)s %% 400",
        "delete from t where id = 100000 + %(n)s - 20",
    )
    worker = copying.worker("leaf", copy_threads=2)
    worker.sync.children._rests = FirstAtOnce()
    copying.subscribe("leaf", "t")
    unkilled = []
    for step in steps:
        if step != steps[0]:
            leaf.execute("select londiste.local_set_table_state('q', 'public.t', null, null)")
        monkeypatch.setenv("SKYTOOLS_CHILD_FAULTPOINT", step)
        worker.sync.children._dismiss()
        failures = worker.sync.children._failures.labels("q")
        had = failures._value.get()
        copying.in_sync("leaf")
        copying.quiet("leaf")
        copying.until(lambda: not worker.sync.children.running)
        assert leaf.query(STRUCTURE) == before, step
        if failures._value.get() == had:
            unkilled.append(step)
    writer.stop()
    copying.applied("leaf")
    copying.same("leaf", "t")
    assert unkilled == []


class FirstAtOnce(dict):
    """Pauses after failures, all very short."""

    def setdefault(self, key, default):
        default.backoff.first = default.backoff.cap = 0.01
        return super().setdefault(key, default)


def killed_at(copying: Copying, monkeypatch, step: str) -> tuple[list[Any], Any]:
    """Have the first copy of a table killed at a step; return the table's structure, the worker."""
    prepare(copying)
    before = copying.tree["leaf"].db.query(STRUCTURE)
    worker = copying.worker("leaf", copy_threads=2)
    monkeypatch.setenv("SKYTOOLS_CHILD_FAULTPOINT", step)
    copying.subscribe("leaf", "t")
    failures = worker.sync.children._failures.labels("q")
    copying.until(lambda: failures._value.get() > 0)
    return before, worker


def test_copies_die_with_their_worker(copying: Copying) -> None:
    prepare(copying)
    tree = copying.tree
    program = tree.start("leaf")
    wait_until(lambda: "public.t" in [row[0] for row in tree["leaf"].db.query(
        "select table_name from londiste.table_info")])  # fmt: skip
    # Nobody ticks for it: the copy waits for the snapshot of a table that is not there.
    tree["root"].db.execute("update londiste.table_info set merge_state = 'in-copy'")
    copying.subscribe("leaf", "t", copy_node="root")
    found = wait_until(lambda: processes.descendants([program.pid]))
    os.kill(program.pid, signal.SIGKILL)
    program.wait()
    processes.wait_gone(found)


def test_a_resync_while_indexes_are_away_brings_them_back_finding_9(
    copying: Copying, big, monkeypatch
) -> None:
    before, _ = killed_at(copying, monkeypatch, "copy-loaded")
    leaf = copying.tree["leaf"]
    assert leaf.table("public.t").dropped_ddl is not None
    api.set_table_state(leaf.db, "q", "public.t", None, None)
    assert leaf.table("public.t").dropped_ddl is None
    copying.in_sync("leaf")
    copying.quiet("leaf")
    assert leaf.db.query(STRUCTURE) == before
    copying.same("leaf", "t")


@pytest.mark.parametrize("again", ["resync", "remove and add"])
def test_a_copy_that_fails_says_why_and_one_that_is_asked_for_begins_at_once(
    copying: Copying, again: str
) -> None:
    copying.cascade()
    copying.tables("t", rows=2)
    leaf = copying.tree["leaf"]
    leaf.db.execute("alter table t add constraint none check (id < 0)")
    worker = copying.worker("leaf")
    copying.subscribe("leaf", "t")
    copying.until(lambda: "constraint" in copies.errors(leaf.db, "q").get("public.t", ""))
    worker.sync.children._rests["public.t"].until = float("inf")
    leaf.db.execute("alter table t drop constraint none")
    if again == "resync":
        api.set_table_state(leaf.db, "q", "public.t", None, None)
    else:
        api.remove_table(leaf.db, "q", "public.t")
        copying.subscribe("leaf", "t")
    copying.in_sync("leaf")
    assert copies.errors(leaf.db, "q") == {}


def test_a_restarted_worker_does_not_start_more_copies_than_it_may(copying: Copying) -> None:
    copying.cascade()
    copying.tables("a", "b", "c", "d", rows=2)
    leaf = copying.tree["leaf"].db
    worker = copying.worker("leaf", parallel_copies=1)
    worker.step()
    copying.subscribe("leaf", "a", "b", "c", "d", copy_node="root")
    leaf.execute("update londiste.table_info set merge_state = 'in-copy'")
    worker.sync.children._rests.clear()
    worker.sync.idle()
    assert len(worker.sync.children.running) == 2
    copying.in_sync("leaf")


@pytest.mark.chaos
def test_a_table_that_is_removed_while_it_is_copied_leaves_nothing(
    copying: Copying, big, monkeypatch
) -> None:
    before, worker = killed_at(copying, monkeypatch, "copy-committed")
    leaf = copying.tree["leaf"]
    api.remove_table(leaf.db, "q", "public.t")
    copying.until(lambda: not worker.sync.children.running)
    copying.quiet("leaf")
    assert leaf.db.query(STRUCTURE) == before
