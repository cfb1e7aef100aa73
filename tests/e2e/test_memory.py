# SPDX-License-Identifier: ISC
"""Memory of a consumer's process does not grow with the batch."""

from __future__ import annotations

from pathlib import Path

import pytest

CONSUMER = """
from skytools.pgq import Consumer, RemoteConsumer, run


class Local(Consumer):
    def process_batch(self, batch):
        print("count", sum(1 for event in batch), flush=True)


class Remote(RemoteConsumer):
    def process_batch(self, batch, target):
        print("count", sum(1 for event in batch), flush=True)


run(KIND)
"""
LIMIT_KB = 100 * 1024
PAYLOAD = 100


def peak_kb(pid):
    """Return the most memory that a process has ever had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def measure(queue, make_db, spawn, wait_until, tmp_path, kind, events):
    """Read one batch of so many events; return the peak."""
    queue.db.query("select pgq.register_consumer('q', 'job')")
    queue.bulk(events, PAYLOAD)
    last = queue.tick()
    script = tmp_path / "consumer.py"
    script.write_text(CONSUMER.replace("KIND", kind))
    ini = tmp_path / "job.ini"
    target = f"dst_db = {make_db().conninfo}\n" if kind == "Remote" else ""
    ini.write_text(f"[job]\ndb = {queue.db.conninfo}\nqueue_name = q\n{target}")
    program = spawn("python", script, ini)
    wait_until(lambda: queue.position("job") == last, 240, lambda: program.output)
    assert f"count {events}\n" in program.output
    return peak_kb(program.pid)


@pytest.mark.parametrize("kind", ["Local", "Remote"])
def test_a_batch_of_200_000_events(queue, make_db, spawn, wait_until, tmp_path, kind):
    assert measure(queue, make_db, spawn, wait_until, tmp_path, kind, 200_000) < LIMIT_KB


@pytest.mark.chaos
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["Local", "Remote"])
def test_a_batch_of_five_million_events(queue, make_db, spawn, wait_until, tmp_path, kind):
    peak = measure(queue, make_db, spawn, wait_until, tmp_path, kind, 5_000_000)
    print(f"{kind}: peak of {peak} kB for five million events")  # noqa: T201
    assert peak < LIMIT_KB
