# SPDX-License-Identifier: ISC
"""Our consumers on databases with pgq 3.5, ticked by pgqd 3.5: a site moves programs first."""

from __future__ import annotations

import random
import sys

import pytest

from tests.peers.conftest import write_ini
from tests.peers.work import insert, ledger, make_queue

PLAIN = """
from skytools.pgq import Consumer, run


class Plain(Consumer):
    def process_event(self, event):
        if event.type == "retry" and not event.retry:
            event.tag_retry(0)
            return
        self.db.execute("insert into ledger values (%s, %s)", (event.id, event.data))


run(Plain)
"""

REMOTE = """
from skytools.pgq import RemoteConsumer, run


class Remote(RemoteConsumer):
    def process_event(self, event, target):
        target.execute("insert into ledger values (%s, %s)", (event.id, event.data))


run(Remote)
"""

LEDGER = "create table ledger (id bigint, data text)"


@pytest.fixture(params=["", "pgq.sql", "pgq_pl_only.sql"], ids=["extension", "script", "pl"])
def source(request, server, make_old_db, start_pgqd35, start_ticker):
    """A database with pgq 3.5, ticked by its own pgqd where that serves it."""
    db = make_old_db(request.param)
    make_queue(db, rotation_period="1 s")
    if request.param:
        start_ticker(server, db.name, ticker_period=0.05, retry_period=0.2)
    else:
        start_pgqd35(server, db.name)
    return db


@pytest.fixture
def start(source, tmp_path, spawn):
    """Give a function that starts one of ours: start(code, **keys)."""

    def go(code, **keys):
        script = tmp_path / "consumer.py"
        script.write_text(code)
        given = {"db": source.conninfo, "queue_name": "q", "consumer_name": "c",
                 "loop_delay": 0.05, **keys}  # fmt: skip
        return spawn(sys.executable, script, "-v", write_ini(tmp_path / "job.ini", "job", given))

    return go


def killed_at_random(source, target, start, wait_until, rounds=6):
    dice = random.Random(4)
    sent = []
    client = start()
    client.wait_output("registered")
    for _ in range(rounds):
        before = len(sent)
        for _ in range(5):
            sent += insert(source, dice.randint(1, 50), first=len(sent) + 1)
        some = dice.randint(before, len(sent))
        wait_until(lambda some=some: len(ledger(target)) >= some)
        client.kill()
        client = start()
    wait_until(lambda: len(ledger(target)) >= len(sent))
    assert sorted(ledger(target), key=int) == sent
    return client


@pytest.mark.slow
def test_a_consumer_killed_at_random(source, start, wait_until):
    source.execute(LEDGER)
    killed_at_random(source, source, lambda: start(PLAIN, pgq_lazy_fetch=7), wait_until)


@pytest.mark.slow
def test_a_remote_consumer_killed_at_random(source, make_db, start, wait_until):
    target = make_db(empty=True)
    target.execute("create extension pgq_ext")
    target.execute(LEDGER)
    killed_at_random(source, target, lambda: start(REMOTE, dst_db=target.conninfo), wait_until)


def test_retried_events_come_again(source, start, wait_until):
    source.execute(LEDGER)
    client = start(PLAIN)
    client.wait_output("registered")
    source.query("select pgq.insert_event('q', 'retry', 'again')")
    wait_until(lambda: ledger(source) == ["again"], what=lambda: client.output)


def test_keys_that_need_4_0_say_so(source, start, wait_until):
    """Dead letters: told before anything is read or registered."""
    source.execute(LEDGER)
    client = start(PLAIN, max_tries=2, batch_tries=1)
    client.wait_output("max_tries needs PgQ 4.0 in the database")
    assert source.value("select count(*) from pgq.get_consumer_info('q', 'c')") == 0
    insert(source, 3)
    assert ledger(source) == []
