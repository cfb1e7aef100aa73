# SPDX-License-Identifier: ISC
"""kill -9 at random: primary, standby, receiver, service. Runs as long as it is told to.

make chaos SECONDS=600
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time

import pytest

from skytools.core import processes
from skytools.core.pgserver import PrivateServer
from tests.e2e.test_walmgr_failover import DURABLE, Writer, receiver_streams, rows, serve
from tests.fixtures.process import Program, Spawn
from tests.fixtures.wait import wait_until
from tests.fixtures.walmgr import Hosts, MakeHosts

SECONDS = float(os.environ.get("SKYTOOLS_FAULT_SECONDS", "60"))


class Storm:
    """Two servers, a service, a writer, and what was acknowledged so far."""

    def __init__(self, hosts: Hosts, spawn: Spawn, dice: random.Random) -> None:
        self.hosts = hosts
        self.spawn = spawn
        self.dice = dice
        self.leader, self.follower = hosts.primary, hosts.standby
        self.acknowledged: set[int] = set()
        self.next = 1
        self.service = serve(hosts, spawn)
        self.done: list[str] = []

    def wait_synchronous(self) -> None:
        query = (
            "select sync_state from pg_stat_replication where application_name = 'walmgr_receiver'"
        )
        database = self.hosts.sql(self.leader)
        wait_until(lambda: database.value(query) == "sync", 60, lambda: self.service.output[-2000:])

    def fault(self) -> None:
        """Write, break one thing, mend it, and compare."""
        self.wait_synchronous()
        writer = Writer(self.leader, self.next)
        writer.wait(self.dice.randrange(5, 120))
        kind = self.dice.choice(("primary", "primary", "standby", "receiver", "service", "both"))
        self.done.append(kind)
        getattr(self, f"kill_{kind}")(writer)
        self.acknowledged |= set(writer.stop())
        self.next = writer.next + 1
        if kind in ("primary", "both"):
            self.change_leader()
        missing = self.acknowledged - rows(self.hosts, self.leader)
        assert not missing, f"{len(missing)} acknowledged rows are missing after {self.done}"

    def kill_primary(self, writer: Writer) -> None:
        self.kill(self.leader)
        writer.thread.join(30)

    def kill_both(self, writer: Writer) -> None:
        """The standby is behind when the primary dies."""
        self.kill(self.follower)
        writer.wait(30)
        self.kill(self.leader)
        writer.thread.join(30)
        self.hosts.good("restore")

    def kill_standby(self, writer: Writer) -> None:
        self.kill(self.follower)
        writer.wait(10)
        self.hosts.good("pair" if self.follower is self.hosts.standby else "rejoin")

    def kill_receiver(self, writer: Writer) -> None:
        for pid in processes.descendants([self.service.pid]):
            os.kill(pid, signal.SIGKILL)
        database = self.hosts.sql(self.leader)
        wait_until(lambda: receiver_streams(database))
        writer.wait(10)

    def kill_service(self, writer: Writer) -> None:
        self.service.kill()
        self.service = self.serve_again()
        writer.wait(10)

    def serve_again(self) -> Program:
        return serve(self.hosts, self.spawn)

    def kill(self, server: PrivateServer) -> None:
        self.hosts.crash(server)

    def change_leader(self) -> None:
        self.hosts.good("boot")
        self.leader, self.follower = self.follower, self.leader
        self.hosts.good("rejoin")


def tell(hosts: Hosts) -> None:
    """Write what helps to understand a failure: timelines, files, ends of logs."""
    for name in ("a", "b"):
        wal = hosts.root / name / "data" / "pg_wal"
        for path in sorted(wal.glob("*.history")):
            sys.stderr.write(f"{name} {path.name}: {path.read_text()!r}\n")
        sys.stderr.write(f"{name} {sorted(path.name for path in wal.iterdir())}\n")
        for path in sorted((hosts.root / name).glob("*.log")):
            lines = path.read_text(errors="replace").splitlines()[-40:]
            sys.stderr.write("\n".join([f"== {path}", *lines]) + "\n")
    for folder in (hosts.completed, hosts.partials):
        sys.stderr.write(f"{folder.name} {sorted(path.name for path in folder.iterdir())}\n")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.chaos
def test_no_acknowledged_row_is_ever_lost(make_hosts: MakeHosts, spawn: Spawn) -> None:
    hosts = make_hosts(settings=DURABLE, synchronous="on")
    hosts.write_ini(master_settings=f"unix_socket_directories={hosts.primary.socket_dir}")
    hosts.good("pair")
    hosts.sql(hosts.primary).execute("create table t (id bigint primary key)")
    seed = int(os.environ.get("SKYTOOLS_FAULT_SEED", "0")) or random.randrange(10**6)
    storm = Storm(hosts, spawn, random.Random(seed))
    deadline = time.monotonic() + SECONDS
    try:
        while time.monotonic() < deadline:
            storm.fault()
    except BaseException:
        tell(hosts)
        raise
    finally:
        sys.stderr.write(f"seed {seed}, {len(storm.acknowledged)} rows: {storm.done}\n")
    told = {one["text"] for one in json.loads(hosts.walmgr("check", "--json").out)}
    assert not [text for text in told if "gap" in text or "refused" in text], told
