# SPDX-License-Identifier: ISC
"""root -> branch -> leaf under load, while workers are killed: each row arrives, once."""

from __future__ import annotations

import random
import threading
import time

import pytest

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError

SCHEMA = """
create table account (id int primary key, balance bigint not null, note text);
create table teller (id int primary key, balance bigint not null);
create table ledger (id bigserial primary key, account int, delta int,
                     at timestamptz default now());
create table seats (id int primary key, place int unique);
"""
ACCOUNTS = 40
LOAD_SECONDS = 8.0
TABLES = ("account", "teller", "ledger", "seats")


class Load(threading.Thread):
    """Changes rows as a bank would, until it is told to stop."""

    def __init__(self, conninfo, seed):
        super().__init__(name="load", daemon=True)
        self._db = Database("load", conninfo)
        self._dice = random.Random(seed)
        self._over = threading.Event()
        self.failure = None

    def run(self):
        try:
            while not self._over.is_set():
                self._transaction()
        except SkytoolsError as exc:
            self.failure = exc
        finally:
            self._db.close()

    def _transaction(self):
        dice, db = self._dice, self._db
        account, delta = dice.randrange(ACCOUNTS), dice.randint(-50, 50)
        db.execute("update account set balance = balance + %s where id = %s", (delta, account))
        db.execute("update teller set balance = balance + %s where id = %s", (delta, account % 5))
        db.execute("insert into ledger (account, delta) values (%s, %s)", (account, delta))
        action = dice.randrange(20)
        if action == 0:
            db.execute("delete from ledger where id %% 7 = 0 and id > %s", (dice.randrange(50),))
        elif action == 1:
            db.execute("update seats set place = -1 where id = 1")
            db.execute("update seats set place = place + 1000 where id = 2")
            db.execute("update seats set place = place + 1000 where id = 3")
            db.execute("update seats set place = id where id > 0")
        elif action == 2:
            db.execute("delete from account where id = %s", (account,))
            db.execute("insert into account values (%s, %s, '&=%%+\\')", (account, delta))
        if action == 3:
            db.rollback()
        else:
            db.commit()

    def finish(self):
        self._over.set()
        self.join()
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def cascade(tree, ticking):
    tree.root()
    tree.node("branch", "branch", "root")
    tree.node("leaf", "leaf", "branch")
    tree.each(SCHEMA)
    for table in TABLES:
        tree["root"].add_table(f"public.{table}")
    ticking(tree["root"].db)
    tree.start("branch")
    tree.start("leaf")
    for name in ("branch", "leaf"):
        tree.wait_applied(name)
        for table in TABLES:
            tree[name].add_table(f"public.{table}")
    tree["root"].db.execute(
        f"""insert into account select n, 0 from generate_series(0, {ACCOUNTS - 1}) n;
        insert into teller select n, 0 from generate_series(0, 4) n;
        insert into seats select n, n from generate_series(1, 3) n"""
    )
    return tree


def test_nothing_is_lost_or_doubled_by_kill_9(cascade):
    tree, dice = cascade, random.Random(7)
    load = Load(tree["root"].db.conninfo, 11)
    load.start()
    deadline = time.monotonic() + LOAD_SECONDS
    kills = 0
    while time.monotonic() < deadline or kills < 2:
        name = dice.choice(["branch", "leaf"])
        before = tree[name].state("completed_tick")
        tree.wait_moved(name, before)
        tree.programs[name].kill()
        kills += 1
        tree.start(name)
    load.finish()
    for name in ("branch", "leaf"):
        tree.wait_applied(name)
    for table in TABLES:
        rows = tree["root"].rows(table)
        assert rows
        for name in ("branch", "leaf"):
            assert tree[name].rows(table) == rows, (name, table)
    query = """select ev_id, ev_type, ev_data from pgq.event_template
        where ev_type not like 'pgq%' order by 1"""
    assert tree["branch"].db.query(query) == tree["root"].db.query(query)


def test_a_worker_ends_cleanly_and_goes_on(cascade):
    tree = cascade
    program = tree.programs["leaf"]
    tree["root"].db.execute("update account set note = 'before'")
    tree.wait_applied("leaf")
    program.stop()
    assert program.wait() == 0
    tree["root"].db.execute("update account set note = 'after'")
    tree.start("leaf")
    tree.wait_applied("leaf")
    assert tree["leaf"].rows("account") == tree["root"].rows("account")
