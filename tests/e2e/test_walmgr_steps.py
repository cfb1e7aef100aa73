# SPDX-License-Identifier: ISC
"""Promotion, change of roles and return, killed before each step: the next run finishes it."""

from __future__ import annotations

import os
import random
import sys
import time

import pytest

from tests.e2e.test_walmgr_failover import DURABLE, Writer, rows
from tests.e2e.test_walmgr_faults import no_hole
from tests.fixtures.wait import wait_until
from tests.fixtures.walmgr import Hosts, MakeHosts
from tests.fixtures.walmgr_steps import killed_at

SECONDS = float(os.environ.get("SKYTOOLS_FAULT_SECONDS", "600"))
# Some steps only: every so many of them a kill.
STRIDE = 3


class Pair:
    """Two servers whose roles change, and what was acknowledged so far."""

    def __init__(self, hosts: Hosts) -> None:
        self.hosts = hosts
        self.leader, self.follower = hosts.primary, hosts.standby
        self.acknowledged: set[int] = set()

    def write(self) -> Writer:
        writer = Writer(self.leader, max(self.acknowledged, default=0) + 1000)
        writer.wait(20)
        return writer

    def finish(self, verb: str, step: int, delay: float = 0.0) -> bool:
        """Kill a verb at a step and repeat it; False when it has fewer steps."""
        told = killed_at(self.hosts, step, verb, delay=delay)
        again = self.hosts.walmgr(verb)
        done = again.code == 0 or (verb == "boot" and "answers: use" in again.err)
        assert done, f"{verb}, killed at {step} + {delay:.2f} s, {told}: {again.out}{again.err}"
        return told is None

    def compare(self, what: str) -> None:
        missing = self.acknowledged - rows(self.hosts, self.leader)
        assert not missing, f"{len(missing)} rows are missing after {what}"
        wait_until(lambda: self.acknowledged <= rows(self.hosts, self.follower))
        slots = "select count(*) from pg_replication_slots where slot_name = 'walmgr'"
        assert self.hosts.sql(self.leader).value(slots) == 1, what
        no_hole(self.hosts)


@pytest.fixture
def pair(make_hosts: MakeHosts) -> Pair:
    """Give two servers that follow each other, with a table to write to."""
    hosts = make_hosts(settings=DURABLE)
    hosts.write_ini(master_settings=f"unix_socket_directories={hosts.primary.socket_dir}")
    hosts.good("pair")
    hosts.sql(hosts.primary).execute("create table t (id bigint primary key)")
    return Pair(hosts)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.chaos
def test_boot_and_rejoin_are_killed_at_each_step(pair: Pair) -> None:
    hosts = pair.hosts
    deadline, dice = time.monotonic() + SECONDS, random.Random(1)
    left = {"boot": True, "rejoin": True}
    step = 1
    while any(left.values()) and time.monotonic() < deadline:
        writer = pair.write()
        hosts.crash(pair.leader)
        pair.acknowledged |= set(writer.stop())
        for verb in left:
            # Some die while a program that they have started works.
            delay = dice.random() / 2 if dice.random() < 0.3 else 0.0
            left[verb] = pair.finish(verb, step, delay) or bool(delay)
            if verb == "boot":
                pair.leader, pair.follower = pair.follower, pair.leader
        pair.compare(f"step {step}")
        step += STRIDE
    sys.stderr.write(f"killed up to step {step}, {len(pair.acknowledged)} rows\n")
    assert step > 4 * STRIDE


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.chaos
def test_switchover_is_killed_at_each_step(pair: Pair) -> None:
    """With what is there then, `switchover`, or `boot` and `rejoin`, go on."""
    hosts = pair.hosts
    deadline = time.monotonic() + SECONDS
    step, killed = 1, True
    while killed and time.monotonic() < deadline:
        writer = pair.write()
        killed = killed_at(hosts, step, "switchover") is None
        pair.acknowledged |= set(writer.stop())
        if hosts.walmgr("switchover").code != 0:
            booted = hosts.walmgr("boot")
            assert booted.code == 0 or "answers: use" in booted.err, booted
            rejoined = hosts.walmgr("rejoin")
            assert rejoined.code == 0, rejoined
        servers = (hosts.primary, hosts.standby)
        in_recovery = "select pg_is_in_recovery()"
        (pair.leader,) = (one for one in servers if not hosts.sql(one).value(in_recovery))
        (pair.follower,) = (one for one in servers if one is not pair.leader)
        pair.compare(f"step {step}")
        step += STRIDE
    sys.stderr.write(f"killed up to step {step}, {len(pair.acknowledged)} rows\n")
