# SPDX-License-Identifier: ISC
"""Losing the primary, changing roles, coming back: no acknowledged row is ever missing."""

from __future__ import annotations

import json
import socket as sockets
import subprocess
import threading

import pytest

from skytools.core import processes
from skytools.core.db import Database
from skytools.core.errors import SkytoolsError
from skytools.core.pgserver import PrivateServer
from tests.fixtures.process import Program, Spawn
from tests.fixtures.proxy import Link
from tests.fixtures.wait import wait_until
from tests.fixtures.walmgr import Hosts, MakeHosts

DURABLE = {"archive_mode": "on", "synchronous_commit": "on", "wal_log_hints": "on"}


@pytest.fixture
def paired(make_hosts: MakeHosts) -> Hosts:
    """Give a primary and its hot standby, commits durable."""
    hosts = make_hosts(settings=DURABLE)
    hosts.write_ini(master_settings=f"unix_socket_directories={hosts.primary.socket_dir}")
    hosts.good("pair")
    hosts.sql(hosts.primary).execute("create table t (id bigint primary key)")
    return hosts


class Writer:
    """Inserts one row a transaction and remembers which were acknowledged."""

    def __init__(self, server: PrivateServer, first: int = 1) -> None:
        self.database = Database("writer", server.conninfo(), autocommit=True)
        self.acknowledged: list[int] = []
        self.next = first
        self.stopping = False
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def _work(self) -> None:
        try:
            while not self.stopping:
                self.database.execute("insert into t values (%s)", [self.next])
                self.acknowledged.append(self.next)
                self.next += 1
        except SkytoolsError:
            return

    def wait(self, rows: int) -> None:
        wanted = len(self.acknowledged) + rows
        wait_until(lambda: len(self.acknowledged) >= wanted or not self.thread.is_alive())

    def stop(self) -> list[int]:
        self.stopping = True
        self.thread.join(120)
        self.database.close()
        return self.acknowledged


def rows(hosts: Hosts, server: PrivateServer) -> set[int]:
    return {row[0] for row in hosts.sql(server).query("select id from t")}


def serve(hosts: Hosts, spawn: Spawn, **env: str) -> Program:
    """Start the service and wait until the receiver streams."""
    service = spawn(*hosts.words(hosts.program, hosts.ini), cwd=hosts.root, env=env)
    service.wait_output("receiver started")
    return service


def receiver_streams(database: Database) -> bool:
    query = (
        "select true from pg_stat_replication where application_name = 'walmgr_receiver'"
        " and state = 'streaming'"
    )
    return bool(database.value(query))


def starve(hosts: Hosts) -> None:
    """Cut the standby's stream; it gets whole archived segments only."""
    standby = hosts.sql(hosts.standby)
    standby.execute("alter system set primary_conninfo = 'host=/nowhere'")
    standby.execute("select pg_reload_conf()")
    wait_until(lambda: standby.query("select 1 from pg_stat_wal_receiver") == [])


def test_the_receivers_last_bytes_survive_the_loss_of_host_and_disk(
    paired: Hosts, spawn: Spawn
) -> None:
    """RPO 0: commits waited for the receiver, the standby was behind, the primary is gone."""
    paired.write_ini(synchronous="on")
    serve(paired, spawn)
    primary = paired.sql(paired.primary)
    query = "select sync_state from pg_stat_replication where application_name = 'walmgr_receiver'"
    wait_until(lambda: primary.value(query) == "sync")
    starve(paired)
    writer = Writer(paired.primary)
    writer.wait(200)
    paired.primary.kill()
    acknowledged = writer.stop()
    paired.primary.datadir.rename(paired.root / "a" / "lost")

    done = paired.good("boot")
    assert "slave is the primary, timeline 2" in done.out
    assert "bytes of WAL were found beyond the standby's" in done.out
    assert set(acknowledged) <= rows(paired, paired.standby)
    _follows_the_new_primary(paired)


def _follows_the_new_primary(hosts: Hosts) -> None:
    """The receiver goes on from the new primary, and the archive has no hole."""
    new = hosts.sql(hosts.standby)
    wait_until(lambda: receiver_streams(new))
    new.execute("insert into t values (-1)")
    name = new.value("select pg_walfile_name(pg_switch_wal())")
    wait_until((hosts.completed / name).exists, what=name)
    told = {one["text"] for one in json.loads(hosts.walmgr("check", "--json").out)}
    assert not any("gaps" in text for text in told), told
    assert (hosts.completed / "00000002.history").exists()
    # The last row is in nothing but the receiver's unfinished segment.
    new.execute("insert into t values (-2)")
    flushed = "select flush_lsn >= %s::pg_lsn from pg_stat_replication where application_name = %s"
    position = new.value("select pg_current_wal_flush_lsn()::text")
    wait_until(lambda: new.value(flushed, [position, "walmgr_receiver"]))
    copy = hosts.folder("copy")
    hosts.good(
        "restore", "--to", copy / "data", "--start", "--setting", f"unix_socket_directories={copy}"
    )
    server = PrivateServer(copy / "data")
    try:
        restored = hosts.sql(server)
        wait_until(lambda: not restored.value("select pg_is_in_recovery()"))
        assert restored.query("select id from t where id < 0 order by id") == [(-2,), (-1,)]
    finally:
        hosts.crash(server)


def test_what_only_the_dead_primary_has_is_salvaged_and_it_rejoins(
    paired: Hosts, spawn: Spawn
) -> None:
    starve(paired)
    writer = Writer(paired.primary)
    writer.wait(300)
    refused = paired.walmgr("boot")
    assert (refused.code, "the primary master answers: use `switchover`" in refused.err) == (
        3,
        True,
    )
    paired.primary.kill()
    acknowledged = set(writer.stop())
    assert not acknowledged & rows(paired, paired.standby)

    _boot_killed_and_repeated(paired)
    assert acknowledged <= rows(paired, paired.standby)
    assert "primary   slave: timeline 2" in paired.walmgr("status").out

    serve(paired, spawn)
    more = Writer(paired.standby, 10**6)
    more.wait(50)
    done = paired.good("rejoin")
    assert "master: rewinding" in done.out
    assert "made anew" not in done.out
    assert "master follows slave" in done.out
    added = set(more.stop())
    old = paired.sql(paired.primary)
    wait_until(lambda: acknowledged | added <= rows(paired, paired.primary))
    assert old.value("select pg_is_in_recovery()")
    assert "master is a standby already" in paired.good("rejoin").out
    _killed_standby_writes_nothing_of_its_own(paired)


def _killed_standby_writes_nothing_of_its_own(hosts: Hosts) -> None:
    """It is started again as it is: recovered as a primary it would be ahead of its own one."""
    hosts.crash(hosts.primary)
    done = hosts.good("rejoin")
    assert "rewinding" not in done.out
    assert "made anew" not in done.out
    new, old = hosts.sql(hosts.standby), hosts.sql(hosts.primary)
    end = new.value("select pg_current_wal_insert_lsn()::text")
    assert old.value("select pg_last_wal_replay_lsn() <= %s::pg_lsn", [end])
    new.execute("insert into t values (-7)")
    wait_until(lambda: -7 in rows(hosts, hosts.primary))


def _boot_killed_and_repeated(hosts: Hosts) -> None:
    """Wherever it was killed, the next one finishes it."""
    killed = 0
    for delay in (0.2, 0.4, 0.6, 0.8, 1.0, 300.0):
        process = subprocess.Popen(hosts.command("boot"), stdout=subprocess.DEVNULL)
        try:
            if process.wait(delay) == 0:
                break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
    assert killed > 0
    refused = hosts.walmgr("boot")
    assert (refused.code, "the primary slave answers" in refused.err) == (3, True)
    assert not list(hosts.data.glob(".salvage-*"))
    assert not (hosts.completed / "STOP").exists()


def test_roles_change_under_load_and_no_row_is_lost(paired: Hosts, spawn: Spawn) -> None:
    _service_dies_and_goes_on_without_a_gap(paired, spawn)
    servers = [paired.primary, paired.standby]
    acknowledged: set[int] = set()
    for number in range(2):
        writer = Writer(servers[number % 2], number * 10**6)
        writer.wait(30)
        paired.good("switchover")
        acknowledged |= set(writer.stop())
        assert acknowledged <= rows(paired, servers[(number + 1) % 2]), f"switchover {number}"
    database = paired.sql(paired.primary)
    assert database.value("select timeline_id from pg_control_checkpoint()") == 3
    wait_until(lambda: acknowledged <= rows(paired, paired.standby))
    told = {one["text"] for one in json.loads(paired.walmgr("check", "--json").out)}
    assert not [text for text in told if "gap" in text or "refused" in text], told


def _service_dies_and_goes_on_without_a_gap(hosts: Hosts, spawn: Spawn) -> None:
    socket = str(hosts.folder("m") / "s")
    service = serve(hosts, spawn)
    primary = hosts.sql(hosts.primary)
    wait_until(lambda: receiver_streams(primary))
    (receiver,) = (
        pid for pid in processes.descendants([service.pid])
        if (one := processes.find(pid)) and one.name == "pg_receivewal"
    )  # fmt: skip
    service.kill()
    processes.wait_gone([receiver])
    primary.execute("alter system set archive_command = 'false'")
    primary.execute("select pg_reload_conf()")
    for number in range(3):
        primary.execute("insert into t values (%s)", [-number])
        name = primary.value("select pg_walfile_name(pg_switch_wal())")
    odd = hosts.partials / f"{name}.partial"
    odd.write_bytes(b"torn")
    hosts.give(odd)

    again = serve(hosts, spawn, SKYTOOLS_METRICS_SOCKET=socket)
    assert "had an odd size" in again.output
    wait_until((hosts.completed / name).exists, what=name)
    wait_until(lambda: "skytools_walmgr_receiver_up 1.0" in scrape(socket))
    text = scrape(socket)
    for line in ("skytools_walmgr_backups 1.0", "skytools_walmgr_standby_in_recovery 1.0"):
        assert line in text
    assert "skytools_walmgr_archived_files_total" in text
    hosts.good("pair", "--force")  # puts archive_command back


def scrape(path: str) -> str:
    with sockets.socket(sockets.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        with connection.makefile() as answer:
            return answer.read()


def test_a_record_of_which_nobody_has_the_end_is_no_obstacle(make_hosts: MakeHosts) -> None:
    """The stream breaks in the middle of a record, the primary is gone, and nobody has the rest."""
    hosts = make_hosts(settings={**DURABLE, "archive_mode": "off"})
    link = Link(hosts.primary.socket_dir / f".s.PGSQL.{hosts.primary.port}")
    try:
        conninfo = f"host=127.0.0.1 port={link.port} user=postgres dbname=postgres"
        hosts.write_ini(master_db=conninfo, master_ini="none")
        hosts.good("pair")
        primary, standby = hosts.sql(hosts.primary), hosts.sql(hosts.standby)
        primary.execute("create table t (id bigint primary key)")
        primary.execute("insert into t values (1)")
        begin = primary.value("select pg_current_wal_flush_lsn()::text")
        reached = "select pg_last_wal_receive_lsn() - %s::pg_lsn > %s"
        wait_until(lambda: standby.value(reached, [begin, -1]))
        link.rate = 2e6
        primary.execute("create table big as select repeat(i::text, 200) from "
                        "generate_series(1, 20000) i")  # fmt: skip
        wait_until(lambda: standby.value(reached, [begin, 1 << 20]))
        hosts.primary.kill()
        link.close()
        hosts.primary.datadir.rename(hosts.root / "a" / "lost")
        done = hosts.good("boot")
        assert "slave is the primary, timeline 2" in done.out
        assert rows(hosts, hosts.standby) == {1}
    finally:
        link.close()


def test_a_damaged_file_in_the_archive_does_not_stop_a_promotion(paired: Hosts) -> None:
    """The standby has its content; when nobody has, it is for a person to decide."""
    primary, standby = paired.sql(paired.primary), paired.sql(paired.standby)
    primary.execute("insert into t values (1)")
    position = primary.value("select pg_switch_wal()::text")
    name = primary.value("select pg_walfile_name(%s)", [position])
    wait_until((paired.completed / name).exists, what=name)
    reached = "select pg_last_wal_replay_lsn() >= %s::pg_lsn"
    wait_until(lambda: standby.value(reached, [position]))
    paired.primary.kill()
    paired.primary.datadir.rename(paired.root / "a" / "lost")
    with (paired.completed / name).open("r+b") as file:
        file.seek(8192)
        file.write(bytes(range(256)))
    own = paired.standby.datadir / "pg_wal" / name
    own.rename(paired.root / name)
    refused = paired.walmgr("boot")
    assert (refused.code, "move it away to promote" in refused.err) == (3, True), refused
    (paired.root / name).rename(own)
    done = paired.good("boot")
    assert f"damaged in the archive: {name}" in done.out
    assert "slave is the primary, timeline 2" in done.out
    assert rows(paired, paired.standby) == {1}
