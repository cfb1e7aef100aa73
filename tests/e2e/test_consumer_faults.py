# SPDX-License-Identifier: ISC
"""RemoteConsumer under kill -9: the ledger in the target equals the queue, whatever dies when."""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

import pytest

from skytools.core.db import Database
from tests.fixtures.queue import Queue
from tests.fixtures.server import TEMPLATE

REMOTE = Path(__file__).resolve().parents[2] / "examples" / "remote_consumer.py"
STEPS = (
    *("batch-opened", "target-begun", "work-done", "position-set", "target-committed"),
    "batch-finished",
)
# More with make chaos.
KILLS = int(os.environ.get("FAULT_ROUNDS", "8"))
LEDGER = "create table ledger (id bigint, type text, data text)"


@pytest.fixture
def target(make_db):
    target = make_db()
    target.execute(LEDGER)
    return target


@pytest.fixture
def start(tmp_path, spawn):
    """Give a function that starts the consumer, with the step at which it shall die."""

    def start(source: str, target: str, fault: str = ""):
        ini = tmp_path / "job.ini"
        ini.write_text(
            f"[job]\ndb = {source}\ndst_db = {target}\nqueue_name = q\nloop_delay = 0.1\n"
            "pgq_lazy_fetch = 7\n",
            encoding="utf-8",
        )
        env = {"SKYTOOLS_FAULTPOINT": fault} if fault else {}
        return spawn(sys.executable, REMOTE, ini, env=env)

    return start


def produced(db):
    return db.query("select ev_id, ev_type, ev_data from pgq.event_template order by ev_id")


def carried(db):
    return db.query("select id, type, data from ledger order by id")


def drain(queue, target, wait_until):
    """Wait until the consumer has done all, then compare row by row."""
    last = queue.tick()
    wait_until(lambda: queue.position("job") == last, 240, "the consumer to reach the last tick")
    assert carried(target) == produced(queue.db)


@pytest.mark.parametrize("step", STEPS)
def test_death_at_each_step(queue, target, start, wait_until, step):
    queue.db.query("select pgq.register_consumer('q', 'job')")
    for _ in range(3):
        queue.insert(20)
        queue.tick()
    doomed = start(queue.db.conninfo, target.conninfo, f"{step}:2")
    assert doomed.wait() == -signal.SIGKILL, doomed.output
    start(queue.db.conninfo, target.conninfo).wait_output("reading queue")
    drain(queue, target, wait_until)
    assert len(carried(target)) == 60


def test_death_in_the_midst_of_a_transaction_that_is_cut(queue, target, start, wait_until):
    queue.db.query("select pgq.set_queue_config('q', 'batch_max_events', '7')")
    queue.db.query("select pgq.register_consumer('q', 'job')")
    target.execute("alter table ledger add column batch bigint default txid_current()")
    queue.insert(60)
    ticks = queue.tick() - 1
    assert ticks == 9
    for number, step in enumerate(STEPS, 1):
        doomed = start(queue.db.conninfo, target.conninfo, f"{step}:{1 + number % 2}")
        assert doomed.wait() == -signal.SIGKILL, doomed.output
    start(queue.db.conninfo, target.conninfo)
    drain(queue, target, wait_until)
    sizes = target.query("select count(*) from ledger group by batch order by min(id)")
    assert [size for (size,) in sizes] == [*([7] * 8), 4]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_death_at_random_moments_under_load(queue, target, start, wait_until):
    queue.db.query("select pgq.register_consumer('q', 'job')")
    dice = random.Random(4)
    killed = 0
    while killed < KILLS:
        consumer = start(queue.db.conninfo, target.conninfo)
        consumer.wait_output("reading queue")
        for _ in range(dice.randint(0, 25)):
            queue.insert(dice.randint(0, 30))
            queue.tick()
        consumer.kill()
        killed += 1
    start(queue.db.conninfo, target.conninfo)
    drain(queue, target, wait_until)


@pytest.mark.slow
def test_death_of_either_server_under_load(make_server, start, wait_until):
    """The servers do not wait for the disk by default; exactly once holds all the same."""
    servers = {"source": make_server("source"), "target": make_server("target")}
    databases = {
        name: Database(name, server.conninfo(TEMPLATE), autocommit=True)
        for name, server in servers.items()
    }
    source, target = databases["source"], databases["target"]
    target.execute(LEDGER)
    source.query("select pgq.create_queue('q'), pgq.create_queue('other')")
    queue = Queue(source, "q")
    source.query("select pgq.register_consumer('q', 'job')")
    consumer = start(source.conninfo, target.conninfo)
    consumer.wait_output("reading queue")
    dice = random.Random(2)
    for victim in ("source", "target", "source"):
        # More than the consumer has done when the server dies.
        for _ in range(dice.randint(30, 90)):
            queue.insert(dice.randint(0, 30))
            queue.tick()
        servers[victim].kill()
        databases[victim].close()
        servers[victim].start()
    assert consumer.running
    drain(queue, target, wait_until)
    assert len(carried(target)) > 100
    for database in databases.values():
        database.close()
