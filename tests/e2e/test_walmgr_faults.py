# SPDX-License-Identifier: ISC
"""kill -9 at random: primary, standby, receiver, service. Runs as long as it is told to.

make chaos SECONDS=600
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from skytools.core import processes
from skytools.core.errors import SkytoolsError
from skytools.core.pgserver import PrivateServer
from tests.e2e.test_walmgr_failover import DURABLE, Writer, receiver_streams, rows, serve
from tests.fixtures.process import Program, Spawn
from tests.fixtures.wait import wait_until
from tests.fixtures.walmgr import Hosts, MakeHosts, mount_small
from tests.fixtures.walmgr_steps import killed_at

SECONDS = float(os.environ.get("SKYTOOLS_FAULT_SECONDS", "600"))


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
        wait_until(
            lambda: database.value(query) == "sync", what=lambda: self.service.output[-2000:]
        )

    def fault(self) -> None:
        """Write, break one thing, mend it, and compare."""
        self.wait_synchronous()
        kinds = ("primary", "primary", "standby", "receiver", "service", "both", "archiver", "verb")
        self.inflict(self.dice.choice(kinds))

    def inflict(self, kind: str) -> None:
        """Write, break this, mend it, and compare."""
        writer = Writer(self.leader, self.next)
        writer.wait(self.dice.randrange(5, 120))
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

    def kill_archiver(self, writer: Writer) -> None:
        """The command that the archiver runs, at the end of a segment."""
        database = self.hosts.sql(self.leader)
        database.value("select pg_switch_wal()")
        pid = database.value("select pid from pg_stat_activity where backend_type = 'archiver'")
        if pid is not None:
            for child in processes.descendants([pid]):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
        writer.wait(10)
        ready = "select exists (select from pg_ls_archive_statusdir() where name like '%.ready')"

        def archived() -> bool:
            # The postmaster looks after its archiver when somebody connects, or once a minute.
            database.close()
            return not database.value(ready)

        wait_until(archived, 180)

    def kill_verb(self, writer: Writer) -> None:
        """A backup in the middle; the next one works."""
        process = subprocess.Popen(self.hosts.command("backup"), stdout=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(self.dice.random() * 3)
        process.kill()
        process.wait()
        writer.wait(10)
        self.hosts.good("backup")

    def kill_service(self, writer: Writer) -> None:
        self.service.kill()
        self.service = self.serve_again()
        writer.wait(10)

    def serve_again(self) -> Program:
        return serve(self.hosts, self.spawn)

    def kill(self, server: PrivateServer) -> None:
        self.hosts.crash(server)

    def change_leader(self) -> None:
        self.finish("boot")
        self.leader, self.follower = self.follower, self.leader
        self.finish("rejoin")

    def finish(self, verb: str) -> None:
        """Run a verb, now and then killed at one of its steps first."""
        step = self.dice.randrange(1, 120)
        if step <= 60 and killed_at(self.hosts, step, verb) is None:
            self.done.append(f"{verb} at {step}")
        again = self.hosts.walmgr(verb)
        over = verb == "boot" and "answers: use" in again.err
        assert again.code == 0 or over, (self.done, again)


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


def storm_of(make_hosts: MakeHosts, spawn: Spawn, seed: int) -> Storm:
    # The service looks at the servers four times in degrade_after.
    hosts = make_hosts(settings=DURABLE, synchronous="on", degrade_after="2")
    hosts.write_ini(master_settings=f"unix_socket_directories={hosts.primary.socket_dir}")
    hosts.good("pair")
    hosts.sql(hosts.primary).execute("create table t (id bigint primary key)")
    return Storm(hosts, spawn, random.Random(seed))


def no_hole(hosts: Hosts) -> None:
    told = {one["text"] for one in json.loads(hosts.walmgr("check", "--json").out)}
    assert not [text for text in told if "gap" in text or "refused" in text], told


def weather(storm: Storm, seconds: float) -> None:
    """Inflict faults for that long; nothing acknowledged may be missing after any of them."""
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            storm.fault()
    except BaseException:
        tell(storm.hosts)
        raise
    finally:
        sys.stderr.write(f"{len(storm.acknowledged)} rows: {storm.done}\n")
    no_hole(storm.hosts)


@pytest.mark.slow
def test_a_minute_of_faults_loses_no_acknowledged_row(make_hosts: MakeHosts, spawn: Spawn) -> None:
    weather(storm_of(make_hosts, spawn, 1), 60)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.chaos
def test_no_acknowledged_row_is_ever_lost(make_hosts: MakeHosts, spawn: Spawn) -> None:
    seed = int(os.environ.get("SKYTOOLS_FAULT_SEED", "0")) or random.randrange(10**6)
    sys.stderr.write(f"seed {seed}\n")
    weather(storm_of(make_hosts, spawn, seed), SECONDS)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.chaos
def test_twenty_switchovers_and_rejoins_in_a_row(make_hosts: MakeHosts, spawn: Spawn) -> None:
    """Under load, alternating with kill -9; at the end the first set reaches over all timelines."""
    storm = storm_of(make_hosts, spawn, 1)
    hosts = storm.hosts
    for number in range(20):
        writer = Writer(storm.leader, storm.next)
        writer.wait(30)
        if number % 2:
            storm.kill(storm.leader)
            writer.thread.join(30)
            storm.change_leader()
        else:
            hosts.good("switchover")
            storm.leader, storm.follower = storm.follower, storm.leader
        storm.acknowledged |= set(writer.stop())
        storm.next = writer.next + 1
        assert storm.acknowledged <= rows(hosts, storm.leader), number
        storm.wait_synchronous()
    no_hole(hosts)
    copy = hosts.folder("copy")
    sets = json.loads(hosts.good("listbackups", "--json").out)
    hosts.good("restore", sets[0]["name"], "--to", copy / "data", "--start",
               "--setting", f"unix_socket_directories={copy}")  # fmt: skip
    server = PrivateServer(copy / "data")
    try:
        restored = hosts.sql(server)
        wait_until(lambda: not restored.value("select pg_is_in_recovery()"), 120)
        assert storm.acknowledged <= rows(hosts, server)
    finally:
        hosts.crash(server)


@pytest.mark.root
@pytest.mark.chaos
def test_a_primary_whose_disk_is_full_is_replaced(make_hosts: MakeHosts, spawn: Spawn) -> None:
    """The archive takes nothing, pg_wal fills up, the server dies of it; no commit is lost."""
    hosts = make_hosts(start=False, settings=DURABLE, synchronous="on", slot_keep_size="1GB")
    wal = hosts.primary.datadir / "pg_wal"
    small = hosts.folder("small")
    mount_small(small, "200m")
    try:
        hosts.give(small)
        subprocess.run(["cp", "-a", f"{wal}/.", small], check=True)
        shutil.rmtree(wal)
        wal.symlink_to(small)
        hosts.primary.start()
        hosts.good("pair")
        database = hosts.sql(hosts.primary)
        database.execute("create table t (id bigint primary key)")
        service = serve(hosts, spawn)
        query = "select sync_state from pg_stat_replication"
        query += " where application_name = 'walmgr_receiver'"
        wait_until(lambda: database.value(query) == "sync", 60)
        database.execute("alter system set archive_command = 'false'")
        database.execute("select pg_reload_conf()")
        writer = Writer(hosts.primary)
        writer.wait(20)
        try:
            while True:
                database.execute("create table if not exists big (x text)")
                database.execute(
                    "insert into big select repeat(i::text, 200) from generate_series(1, 50000) i"
                )
        except SkytoolsError:
            writer.thread.join(60)
        acknowledged = set(writer.stop())
        hosts.primary.kill()
        hosts.good("boot")
        assert acknowledged <= rows(hosts, hosts.standby)
        no_hole(hosts)
        service.stop()
    finally:
        hosts.primary.kill()
        subprocess.run(["umount", small], check=True)
