# SPDX-License-Identifier: ISC
"""Cooperative and local consumers under kill -9, and dead letters, on real processes."""

from __future__ import annotations

import random
import signal
import sys
import time

import pytest

COOP = """
from skytools.pgq import CoopConsumer, run


class Shares(CoopConsumer):
    def process_event(self, event):
        self.db.execute("insert into ledger values (%s, %s)", (event.id, event.data))


run(Shares)
"""

LOCAL = """
import os
from pathlib import Path

from skytools.pgq import LocalConsumer, run


class Keeps(LocalConsumer):
    def process_batch(self, batch):
        # Work that can be repeated: one file for each batch, named after its tick.
        text = "".join(f"{event.id}\\n" for event in batch)
        Path(os.environ["OUT"], str(batch.tick.id)).write_text(text)


run(Keeps)
"""

REMOTE = """
from skytools.pgq import RemoteConsumer, run


class Picky(RemoteConsumer):
    def process_event(self, event, target):
        target.execute("insert into ledger values (%s, %s)", (event.id, event.data))
        if event.data in ("3", "7"):
            raise ValueError("does not like it")


run(Picky)
"""


@pytest.fixture
def start(queue, tmp_path, spawn):
    """Give a function that starts a consumer: start(code, fault="", **keys)."""

    def start(code, name="job", fault="", **keys):
        script = tmp_path / "consumer.py"
        script.write_text(code, encoding="utf-8")
        ini = tmp_path / f"{name}.ini"
        given = {"db": queue.db.conninfo, "queue_name": "q", "consumer_name": "c",
                 "loop_delay": 0.1, **keys}  # fmt: skip
        lines = "".join(f"{key} = {value}\n" for key, value in given.items())
        ini.write_text(f"[job]\n{lines}", encoding="utf-8")
        env = {"OUT": str(tmp_path / "out")} | ({"SKYTOOLS_FAULTPOINT": fault} if fault else {})
        return spawn(sys.executable, script, ini, env=env)

    return start


LEDGER = "create table ledger (id bigint, data text)"


def produced(queue):
    return [row[0] for row in queue.db.query("select distinct ev_id from pgq.event_template")]


def carried(db):
    return [row[0] for row in db.query("select id from ledger")]


@pytest.mark.slow
def test_siblings_killed_at_random_lose_and_double_nothing(queue, start, wait_until):
    db = queue.db
    db.execute(LEDGER)
    db.query("select pgq_coop.register_subconsumer('q', 'c', 'first')")
    dice = random.Random(3)
    keys = {"subconsumer_timeout": "2 s", "pgq_lazy_fetch": 7}
    running = {}
    for round_number in range(12):
        for name in ("one", "two", "three"):
            if name not in running or not running[name].running:
                running[name] = start(COOP, name, subconsumer_name=name, **keys)
        end, made = time.monotonic() + dice.uniform(0.2, 0.8), 0
        while time.monotonic() < end or made < 50:
            more = dice.randint(0, 30)
            queue.insert(more)
            queue.tick()
            made += more
        if round_number:
            running[dice.choice(list(running))].kill()
    queue.tick()
    for name in running:
        running[name] = start(COOP, name, subconsumer_name=name, **keys)
    expected = sorted(produced(queue))
    wait_until(lambda: sorted(carried(db)) == expected, 240, lambda: f"{len(carried(db))} events")
    assert len(expected) > 500


@pytest.mark.parametrize("step", ["coop-opened", "coop-done"])
def test_the_batch_of_a_dead_sibling_is_done_by_another(queue, start, wait_until, step):
    db = queue.db
    db.execute(LEDGER)
    db.query("select pgq_coop.register_subconsumer('q', 'c', 'first')")
    queue.insert(20)
    queue.tick()
    doomed = start(COOP, "doomed", fault=step, subconsumer_name="doomed")
    assert doomed.wait() == -signal.SIGKILL, doomed.output
    assert carried(db) == []
    start(COOP, "heir", subconsumer_name="heir", subconsumer_timeout="0.2 s")
    wait_until(lambda: len(carried(db)) == 20)
    assert sorted(carried(db)) == sorted(produced(queue))


@pytest.mark.parametrize("step", ["work-done", "file-written", "position-set"])
def test_a_local_consumer_killed_at_each_step(queue, start, tmp_path, wait_until, step):
    out = tmp_path / "out"
    out.mkdir()
    file = tmp_path / "pos.tick"
    queue.db.query("select pgq.register_consumer('q', 'c')")
    ticks = []
    for _ in range(3):
        queue.insert(5)
        ticks.append(queue.tick())
    doomed = start(LOCAL, fault=f"{step}:2", local_tracking_file=file)
    assert doomed.wait() == -signal.SIGKILL, doomed.output
    start(LOCAL, local_tracking_file=file)
    wait_until(lambda: queue.position("c") == ticks[-1])
    assert int(file.read_text()) == ticks[-1]
    ids = [int(line) for path in out.iterdir() for line in path.read_text().split()]
    assert sorted(ids) == sorted(produced(queue))


@pytest.mark.parametrize("step", ["", "target-committed", "position-set", "batch-finished"])
def test_dead_letters_of_a_remote_consumer(queue, make_db, start, wait_until, step):
    """Whatever dies, each event is in the ledger or among the dead letters, and once."""
    target = make_db()
    target.execute(LEDGER)
    queue.db.query("select pgq.register_consumer('q', 'c')")
    for _ in range(2):
        queue.insert(10)
        queue.tick()
    last = queue.last_tick()
    keys = {"dst_db": target.conninfo, "batch_tries": 1, "max_tries": 1}
    if step:
        doomed = start(REMOTE, fault=step, **keys)
        assert doomed.wait() == -signal.SIGKILL, doomed.output
    program = start(REMOTE, **keys)
    wait_until(lambda: queue.position("c") == last, what=lambda: program.output)
    dead = [row[0] for row in queue.db.query("select ev_id from pgq.failed_event_list('q', 'c')")]
    assert len(dead) == 4
    assert sorted(carried(target) + dead) == sorted(produced(queue))
