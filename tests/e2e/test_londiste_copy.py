# SPDX-License-Identifier: ISC
"""Copies under real workers, which are killed with kill -9 while a table is copied under load."""

from __future__ import annotations

import random
import signal
import time

import pytest

from tests.fixtures.copying import BIG, Copying
from tests.fixtures.wait import wait_until

LEDGER = (
    "insert into t (id, a) values (100000 + %(n)s, 'new')",
    "update t set n = n + 1 where id = 1 + %(n)s %% 400",
    "delete from t where id = 100000 + %(n)s - 50",
    "update other set n = n + 1 where id = 1 + %(n)s %% 10",
)


BIG_TABLES = {"SKYTOOLS_PARALLEL_COPY_BYTES": BIG}


def prepare(copying: Copying) -> None:
    copying.cascade()
    copying.tables("t", "other", rows=3000)
    leaf = copying.tree["leaf"].db
    leaf.execute("create index t_n on t (n); alter table other add foreign key (id) references t")


def is_ok(copying: Copying) -> bool:
    return set(copying.tree["leaf"].states().values()) == {"ok"}


def known(copying: Copying) -> bool:
    return copying.tree["leaf"].db.value("select count(*) from londiste.table_info") == 2


def applied(copying: Copying) -> None:
    tree = copying.tree
    queue = tree["root"].events
    before = queue.last_tick()
    queue.db.query("select pgq.force_tick(%s)", (queue.name,))
    wait_until(lambda: queue.last_tick() > before)
    last = queue.last_tick()
    wait_until(lambda: tree["leaf"].state("completed_tick") >= last, 240)  # type: ignore[operator]


@pytest.mark.parametrize(
    "step",
    ["sync-moved", *(pytest.param(one, marks=pytest.mark.chaos) for one in ("sync-started",
     "sync-moved:2", "sync-started:2", "cascade-applied:30", "cascade-committed:30"))],
)  # fmt: skip
def test_a_worker_killed_at_a_step_of_a_copy_loses_nothing(
    copying: Copying, writing, step: str
) -> None:
    prepare(copying)
    tree = copying.tree
    program = tree.start("leaf", env={"SKYTOOLS_FAULTPOINT": step, **BIG_TABLES}, copy_threads=2)
    wait_until(lambda: known(copying))
    writer = writing(tree["root"].db, *LEDGER)
    copying.subscribe("leaf", "t", "other")
    assert program.wait() == -signal.SIGKILL
    tree.start("leaf", env=BIG_TABLES, copy_threads=2)
    wait_until(lambda: is_ok(copying), 240)
    seen = writer.rounds
    wait_until(lambda: writer.rounds > seen + 10)
    writer.stop()
    applied(copying)
    copying.same("leaf", "t", "other")


@pytest.mark.chaos
def test_workers_killed_at_random_while_tables_are_copied_lose_nothing(
    copying: Copying, writing
) -> None:
    prepare(copying)
    tree, dice = copying.tree, random.Random()
    program = tree.start("leaf", env=BIG_TABLES, copy_threads=2, parallel_copies=2)
    wait_until(lambda: known(copying))
    copying.subscribe("leaf", "t", "other")
    writer = writing(tree["root"].db, *LEDGER)
    kills = 0
    for round_number in range(12):
        for _ in range(dice.randrange(1, 4)):
            time.sleep(dice.uniform(0.2, 2.0))
            program.kill()
            kills += 1
            program = tree.start("leaf", env=BIG_TABLES, copy_threads=2, parallel_copies=2)
        wait_until(lambda: is_ok(copying), 120, f"in sync, round {round_number}, {kills} kills")
        seen = writer.rounds
        wait_until(lambda seen=seen, one=writer: one.rounds > seen + 20)
        writer.stop()
        applied(copying)
        copying.same("leaf", "t", "other")
        leaf = tree["leaf"].db
        leaf.execute("select londiste.local_set_table_state('q', 'public.t', null, null)")
        if dice.random() < 0.5:
            leaf.execute("select londiste.local_set_table_state('q', 'public.other', null, null)")
        writer = writing(tree["root"].db, *(s.replace("100000", str(round_number + 2) + "00000")
                                            for s in LEDGER))  # fmt: skip
    writer.stop()
