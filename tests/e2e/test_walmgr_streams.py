# SPDX-License-Identifier: ISC
"""Backups by several rsync side by side, on real servers."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import threading
import time
from pathlib import Path

import pytest

from skytools.core import processes
from skytools.core.db import Database
from tests.e2e.test_walmgr_failover import DURABLE, Writer, rows
from tests.e2e.test_walmgr_sshd import two_hosts
from tests.fixtures.process import Program, Spawn, run
from tests.fixtures.wait import wait_until
from tests.fixtures.walmgr import Hosts, MakeHosts, snapshot
from tests.fixtures.walmgr_sets import Copy, names, sets, switch

CONTENT = """
create table t (id bigint primary key) tablespace other;
create table quiet as select generate_series(1, 40000) id;
create table quiet_other tablespace other as select generate_series(1, 40000) id;
create unlogged table passing as select generate_series(1, 40000) id;
create temporary table mine as select generate_series(1, 1000) id;
"""
OLD = 1_700_000_000  # long before any backup


def path_of(hosts: Hosts, database: Database, table: str) -> str:
    """Return a table's file below the data folder."""
    return str(database.value("select pg_relation_filepath(%s)", [table]))


def make_old(hosts: Hosts, database: Database, *tables: str) -> None:
    """Give files a time of change that nobody can doubt."""
    database.execute("checkpoint")
    for table in tables:
        os.utime(hosts.primary.datadir / path_of(hosts, database, table), (OLD, OLD))


def in_set(hosts: Hosts, name: str, file: str) -> Path:
    """Return a file of a set, named as in the data folder."""
    return hosts.data / name / "data" / file


def test_sets_made_under_load_are_complete_and_share_what_is_unchanged(archived: Hosts) -> None:
    database = archived.sql(archived.primary)
    database.execute(f"create tablespace other location '{archived.folder('space')}'")
    for statement in filter(str.strip, CONTENT.split(";")):
        database.execute(statement)
    make_old(archived, database, "quiet", "quiet_other")
    archived.write_ini(backup_streams="3", share_files="1", keep_backups="5")
    writer = Writer(archived.primary)
    try:
        writer.wait(100)
        told = archived.good("backup").out
        assert "copying all from the primary by 3 streams" in told
        writer.wait(100)
        between = set(writer.acknowledged)
        database.value("select pg_create_restore_point('between')")
        writer.wait(100)
        archived.good("backup")
        writer.wait(100)
    finally:
        acknowledged = set(writer.stop())
    switch(database)
    first, second = names(archived)
    assert [one["state"] for one in sets(archived)] == ["verified", "verified"]
    _has_what_belongs_to_it(archived, database, first)
    _share(archived, database, first, second)
    got = set(Copy(archived, 1).restore("--point", "between"))
    assert between <= got <= acknowledged
    assert set(Copy(archived, 2).restore()) == acknowledged
    for number in (1, 2):
        space = archived.root / f"copy{number}" / "data.tablespaces"
        assert any(space.iterdir())
    _what_is_linked_is_not_taken_to_be_good(archived, second, path_of(archived, database, "quiet"))


def _what_is_linked_is_not_taken_to_be_good(hosts: Hosts, name: str, file: str) -> None:
    damaged = in_set(hosts, name, file)
    raw = bytearray(damaged.read_bytes())
    raw[5000] ^= 1
    info = damaged.stat()
    damaged.write_bytes(raw)
    os.utime(damaged, ns=(info.st_atime_ns, info.st_mtime_ns))
    refused = hosts.walmgr("backup")
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert f'checksum mismatch for file "{file}"; `backup --full` copies' in refused.err


def _has_what_belongs_to_it(hosts: Hosts, database: Database, name: str) -> None:
    data = hosts.data / name / "data"
    for folder in ("pg_replslot", "pg_notify", "pg_subtrans", "pg_stat_tmp", "pg_dynshmem"):
        assert list((data / folder).iterdir()) == []
    for file in ("postmaster.pid", "postmaster.opts", "tablespace_map", "global/pg_internal.init"):
        assert not (data / file).exists()
    assert "START WAL LOCATION" in (data / "backup_label").read_text()
    # The control file is copied last; what has been linked since has another time.
    infos = [path.stat() for path in (data / "base").rglob("*") if path.is_file()]
    last = max(info.st_ctime_ns for info in infos if info.st_nlink == 1)
    assert (data / "global" / "pg_control").stat().st_ctime_ns > last
    passing = path_of(hosts, database, "passing")
    assert in_set(hosts, name, f"{passing}_init").exists()
    assert not in_set(hosts, name, passing).exists()
    assert not in_set(hosts, name, path_of(hosts, database, "mine")).exists()
    assert in_set(hosts, name, path_of(hosts, database, "t")).exists()
    segments = {p.name: p.stat().st_size for p in (data / "pg_wal").iterdir() if p.is_file()}
    assert set(segments.values()) == {16 << 20}
    assert {f"{one}.done" for one in segments} == {
        p.name for p in (data / "pg_wal" / "archive_status").iterdir()
    }
    assert database.query("select 1 from pg_replication_slots") == []
    assert not (hosts.data / name / ".streams").exists()


def _share(hosts: Hosts, database: Database, first: str, second: str) -> None:
    for table in ("quiet", "quiet_other"):
        file = path_of(hosts, database, table)
        one, other = (in_set(hosts, name, file).stat() for name in (first, second))
        assert one.st_ino == other.st_ino, table
    file = path_of(hosts, database, "t")
    one, other = (in_set(hosts, name, file).stat() for name in (first, second))
    assert one.st_ino != other.st_ino


def test_streams_come_through_ssh_by_a_key_that_may_only_read(make_hosts: MakeHosts) -> None:
    hosts, sshd = two_hosts(make_hosts)
    try:
        database = hosts.sql(hosts.primary)
        database.execute(f"create tablespace other location '{hosts.folder('space')}'")
        database.execute("create table t (id bigint primary key) tablespace other")
        database.execute("insert into t values (1)")
        for name in ("w", "w/logs.complete"):
            hosts.folder(name)
        told = hosts.good("backup", "--streams", "2", "--max-rate", "200M").out
        assert "by 2 streams" in told
    finally:
        sshd.stop()
    assert in_set(hosts, names(hosts)[0], path_of(hosts, database, "t")).exists()


def engines(hosts: Hosts) -> dict[int, str]:
    """Return the running rsync and pg_receivewal of a backup: number and name."""
    found = {}
    for process in processes.everyone():
        if process.running and process.name in ("rsync", "pg_receivewal"):
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{process.pid}/cmdline").read_bytes()
                if str(hosts.data).encode() in words:
                    found[process.pid] = process.name
    return found


def begin(hosts: Hosts, spawn: Spawn, *options: object) -> Program:
    """Begin a backup that takes minutes, and wait until all of it runs."""
    slow = ("--streams", "2", "--max-rate", "64k")
    program = spawn(*hosts.command("backup", *slow, *options), cwd=hosts.root)

    def runs() -> bool:
        kinds = list(engines(hosts).values())
        return not program.running or (kinds.count("rsync") >= 2 and "pg_receivewal" in kinds)

    wait_until(runs, what=lambda: program.output)
    assert program.running, program.output
    # Each of the two gets half of what may be read.
    words = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in engines(hosts)]
    assert any(b"--bwlimit=32\0" in one for one in words)
    return program


def failed(hosts: Hosts, program: Program, told: str) -> None:
    """A backup failed with one line, and left nothing behind that runs."""
    assert program.wait() == 1, program.output
    (line,) = [line for line in program.output.splitlines() if line.startswith("walmgr: ")]
    assert told in line
    # By itself the slow backup would go on for longer than this waits.
    wait_until(lambda: engines(hosts) == {}, 60, what=lambda: str(engines(hosts)))
    assert sets(hosts)[-1]["state"] == "failed"


def test_what_is_killed_in_the_middle_leaves_nothing_but_a_failed_set(
    archived: Hosts, spawn: Spawn
) -> None:
    database = archived.sql(archived.primary)
    database.execute("create table t (id int)")
    program = begin(archived, spawn)
    os.kill(min(pid for pid, name in engines(archived).items() if name == "rsync"), 9)
    failed(archived, program, "rsync from this machine")

    program = begin(archived, spawn)
    wait_until(lambda: "%) by 2 streams" in archived.walmgr("status").out)
    _the_server_keeps_no_wal_that_is_here(database)
    program.kill()
    wait_until(lambda: engines(archived) == {}, what=lambda: str(engines(archived)))
    assert [one["state"] for one in sets(archived)] == ["failed"]
    # The server forgets a backup whose session is gone, slot included.
    wait_until(lambda: database.query("select 1 from pg_replication_slots") == [])

    program = begin(archived, spawn)
    archived.primary.kill()
    failed(archived, program, "the backup's WAL is no longer received: pg_receivewal: error:")
    archived.primary.start()
    archived.good("backup", "--streams", "2")
    assert [one["state"] for one in sets(archived)] == ["verified"]


def _the_server_keeps_no_wal_that_is_here(database: Database) -> None:
    slot = "select restart_lsn::text from pg_replication_slots where temporary"
    before = database.value(slot)
    switch(database)
    wait_until(lambda: database.value(slot) != before)


def test_a_standby_is_read_until_it_is_promoted(make_hosts: MakeHosts, spawn: Spawn) -> None:
    hosts = make_hosts(settings={**DURABLE, "full_page_writes": "on"}, backup_streams="2")
    hosts.good("pair")
    _a_new_timeline_ends_it(hosts, spawn)
    primary = hosts.sql(hosts.primary)
    primary.execute("create table t (id bigint primary key)")
    writer = Writer(hosts.primary)
    try:
        writer.wait(100)
        before = set(writer.acknowledged)
        standby = hosts.sql(hosts.standby)
        wait_until(lambda: before <= rows(hosts, hosts.standby))
        assert "from the standby by 2 streams" in hosts.good("backup", "--from", "standby").out
    finally:
        writer.stop()
    label = in_set(hosts, names(hosts)[-1], "backup_label").read_text()
    assert "BACKUP FROM: standby" in label
    assert before <= set(Copy(hosts, 1).restore("--immediate"))

    program = begin(hosts, spawn, "--from", "standby")
    _the_service_tells_how_far_it_is(hosts, spawn)
    standby.execute("select pg_promote()")
    failed(hosts, program, "the standby was promoted during the backup")


def _a_new_timeline_ends_it(hosts: Hosts, spawn: Spawn) -> None:
    """The standby goes along, its backup cannot."""
    program = begin(hosts, spawn, "--from", "standby")
    hosts.primary.stop("fast")
    signal_file = hosts.primary.datadir / "standby.signal"
    signal_file.touch()
    hosts.give(signal_file)
    hosts.primary.start()
    hosts.sql(hosts.primary).execute("select pg_promote()")
    failed(hosts, program, "timeline 2 during the backup")


def _the_service_tells_how_far_it_is(hosts: Hosts, spawn: Spawn) -> None:
    path = hosts.root / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(path))
        hosts.give(path)
        notify.settimeout(120)
        service = spawn(*hosts.words(hosts.program, hosts.ini), env={"NOTIFY_SOCKET": str(path)})
        told = ""
        while "%) by 2 streams" not in told:
            told = notify.recv(4096).decode()
    assert told.startswith(f"STATUS={names(hosts)[-1]} is being made "), told
    service.stop()


@pytest.mark.pg(">=17")
def test_a_set_by_streams_is_a_base_of_incremental_ones(archived: Hosts) -> None:
    database = archived.sql(archived.primary)
    database.execute("alter system set summarize_wal = on")
    database.execute("select pg_reload_conf()")
    database.execute(f"create tablespace other location '{archived.folder('space')}'")
    database.execute("create table t (id bigint primary key) tablespace other")
    database.execute("create table big as select generate_series(1, 100000) id")
    archived.write_ini(backup_streams="2", keep_backups="5", incremental="1")
    archived.good("backup", "--full")
    database.execute("insert into t values (1)")
    archived.good("backup")
    database.execute("insert into t values (2)")
    switch(database)
    first, second = sets(archived)
    assert second["parent"] == first["name"]
    assert int(str(second["size"])) < int(str(first["size"]))
    assert Copy(archived, 1).restore() == [1, 2]


def test_bad_input_is_one_line_and_touches_nothing(archived: Hosts) -> None:
    other = archived.folder("other")
    (other / "postmaster.pid").write_text("1\n/elsewhere\n0\n")
    nowhere = archived.folder("empty-path")
    for program in ("env", "sh", "setpriv", "python3"):
        (nowhere / program).symlink_to(str(shutil.which(program)))
    before = snapshot(archived.data)
    good = str(archived.primary.datadir)
    for data, words, told in (
        ("", (), "master_data must be set for a backup by several streams"),
        (other, (), f"{other} is not the data folder of the server that answers"),
        (good, ("--max-rate", "fast"), "'fast' is no rate such as 500k or 20M"),
        (good, ("--from", "standby"), "the standby does not answer"),
    ):
        archived.write_ini(master_data=str(data))
        result = archived.walmgr("backup", "--streams", "2", *words)
        assert result.code in (1, 2)
        assert result.err.count("\n") == 1
        assert told in result.err
    archived.write_ini(master_data=good)
    path = ("env", f"PATH={nowhere}")
    result = run(*archived.words(*path, archived.program, archived.ini, "backup", "--streams", "2"))
    assert (result.code, result.err.count("\n")) == (1, 1), result.err
    assert "rsync cannot be run: " in result.err
    assert snapshot(archived.data) == before


class Churn:
    """Makes files appear, grow, become shorter and vanish, as long as it is let."""

    def __init__(self, hosts: Hosts) -> None:
        self.database = Database("churn", hosts.primary.conninfo(), autocommit=True)
        self.rounds = 0
        self.stopping = False
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def _work(self) -> None:
        while not self.stopping:
            for statement in (
                "create table come as select generate_series(1, 200000) id",
                "create index on come (id)",
                "delete from come where id > 20",
                "vacuum come",
                "create database passing",
                "drop table come",
                "drop database passing with (force)",
                "truncate shorter",
                "insert into shorter select generate_series(1, 100000)",
                "checkpoint",
            ):
                self.database.execute(statement)
            self.rounds += 1

    def stop(self) -> None:
        self.stopping = True
        self.thread.join(120)
        self.database.close()


@pytest.mark.chaos
def test_sets_made_while_files_come_and_go_pass_the_drill(archived: Hosts) -> None:
    database = archived.sql(archived.primary)
    database.execute("create table t (id bigint primary key)")
    database.execute("create table shorter (id int)")
    archived.write_ini(backup_streams="3", share_files="1", keep_backups="2")
    deadline = time.monotonic() + float(os.environ.get("SKYTOOLS_FAULT_SECONDS", "600"))
    rounds = number = 0
    while time.monotonic() < deadline:
        writer, churn = Writer(archived.primary, number + 1), Churn(archived)
        try:
            writer.wait(100)
            # Slow enough that much happens between listing and reading.
            archived.good("backup", "--max-rate", "15M")
        finally:
            churn.stop()
            number = max(writer.stop())
        rounds += churn.rounds
        archived.write_ini(drill_query=f"select count(*) = {number} from t")
        switch(database)
        archived.good("drill")
    assert rounds > 2
