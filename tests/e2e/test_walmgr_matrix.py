# SPDX-License-Identifier: ISC
"""What only the unfinished segment has survives the loss of the primary, however WAL travels."""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path

import pytest

from skytools.core.db import Database, merge_conninfo
from skytools.core.pgserver import find_tree
from skytools.walmgr.wal import parse_lsn
from tests.e2e.test_walmgr_failover import DURABLE, Writer, receiver_streams, rows, serve, starve
from tests.fixtures.process import Spawn, run
from tests.fixtures.wait import wait_until
from tests.fixtures.walmgr import Hosts, MakeHosts
from tests.fixtures.walmgr_sets import Copy
from tests.fixtures.walmgr_steps import hooked

MIB = 1 << 20
SYNC = "select sync_state from pg_stat_replication where application_name = 'walmgr_receiver'"
RECEIVED = "select flush_lsn::text from pg_stat_replication where application_name = %s"

CELLS = list(itertools.product(
    ("stream", "archive", "both"), ("hot", "paused"), ("tablespace", "none"), (16, 64),
    ("idle", "loaded"),
))  # fmt: skip
# Each value at least once in every run of the suite.
FEW = {("both", "paused", "tablespace", 64, "loaded"), ("archive", "hot", "none", 16, "idle")}


def cells() -> list[object]:
    return [
        pytest.param(*cell, id="-".join(map(str, cell)),
                     marks=[] if cell in FEW else pytest.mark.chaos)
        for cell in CELLS
    ]  # fmt: skip


def make_pair(make_hosts: MakeHosts, way: str, place: str, size: int) -> Hosts:
    """Make two servers between which WAL travels that way."""
    mode = "off" if way == "stream" else "on"
    hosts = make_hosts(
        start=False, settings={**DURABLE, "archive_mode": mode, "min_wal_size": f"{2 * size}MB"},
        synchronous="off" if way == "archive" else "on",
        **({"master_ini": "none"} if way == "stream" else {}),
    )  # fmt: skip
    if size != 16:
        program = hosts.primary.program("pg_resetwal")
        words = hosts.words(program, f"--wal-segsize={size}", "-D", hosts.primary.datadir)
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd="/")
    hosts.primary.start()
    database = hosts.sql(hosts.primary)
    where = ""
    if place == "tablespace":
        database.execute(f"create tablespace other location '{hosts.folder('space')}'")
        where = "tablespace other"
    database.execute(f"create table t (id bigint primary key) {where}")
    database.execute(f"create table bulk (x text) {where}")
    hosts.good("pair")
    return hosts


def load(hosts: Hosts, database: Database, work: str) -> Writer:
    """Begin to write; with load over more than one segment."""
    writer = Writer(hosts.primary)
    if work == "idle":
        writer.wait(1)
        writer.stop()
        return writer
    for number in range(2):
        writer.wait(20)
        database.execute(
            "insert into bulk select repeat(i::text, 99) from generate_series(1, 9999) i"
        )
        if number == 0:
            database.value("select pg_switch_wal()")
    writer.wait(20)
    return writer


@pytest.mark.parametrize(("way", "standby", "place", "size", "work"), cells())
def test_the_last_commit_survives(
    make_hosts: MakeHosts, spawn: Spawn, way: str, standby: str, place: str, size: int, work: str
) -> None:
    hosts = make_pair(make_hosts, way, place, size)
    database = hosts.sql(hosts.primary)
    starve(hosts)
    if standby == "paused":
        hosts.good("pause")
    if way != "archive":
        serve(hosts, spawn)
        wait_until(lambda: database.value(SYNC) == "sync")
    writer = load(hosts, database, work)
    if way == "archive":
        position = database.value("select pg_current_wal_flush_lsn()::text")
    else:
        position = database.value(RECEIVED, ["walmgr_receiver"])
    hosts.crash(hosts.primary)
    acknowledged = set(writer.stop())
    if way != "archive":
        hosts.primary.datadir.rename(hosts.root / "a" / "lost")

    done = json.loads(hosts.good("boot", "--json").out)
    assert parse_lsn(done["recovered_to"]) >= parse_lsn(position)
    assert acknowledged <= rows(hosts, hosts.standby)
    new = hosts.sql(hosts.standby)
    assert new.value("show wal_segment_size") == f"{size}MB"
    if way != "archive":
        wait_until(lambda: receiver_streams(new))
    assert acknowledged <= set(Copy(hosts, 1).restore())


# With a blank, a quote and a backslash.
SECRET = "geheim it's\\this"
LOCALE = "de_DE.UTF-8"


def german_programs(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Take the system's own programs, in German. Their translations are found beside them."""
    # In C.UTF-8 newer C libraries translate nothing; to make a locale needs what few machines have.
    made = run("localedef", "-i", "de_DE", "-f", "UTF-8", folder / LOCALE).code == 0
    monkeypatch.setenv("LC_ALL", LOCALE if made else "C.UTF-8")
    monkeypatch.setenv("LOCPATH", str(folder))
    monkeypatch.setenv("LANGUAGE", "de")
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    version = run(find_tree() / "postgres", "--version").out.split()[2].split(".")[0]
    system = Path(f"/usr/lib/postgresql/{version}/bin")
    if not (system / "pg_controldata").exists():
        pytest.skip(f"no {system}")
    if "Datei" not in run(system / "pg_controldata", "/nowhere").err:
        pytest.skip(f"the programs in {system} speak no German here")
    monkeypatch.setenv("SKYTOOLS_PG_BINDIR", str(system))


def strict_hosts(make_hosts: MakeHosts) -> tuple[Hosts, Database, Database]:
    """Make two hosts whose servers want a password from everybody, and connections to them."""
    hosts = make_hosts(settings={
        **DURABLE, "lc_messages": "C.UTF-8", "log_replication_commands": "on",
        "log_connections": "on",
    })  # fmt: skip
    database = hosts.sql(hosts.primary)
    database.execute("create table t (id bigint primary key)")
    database.execute("alter user postgres password %s", [SECRET])
    strict = hosts.primary.datadir / "pg_hba.conf"
    strict.write_text("local all all scram-sha-256\nlocal replication all scram-sha-256\n")
    database.execute("select pg_reload_conf()")
    wait_until(lambda: database.value("select count(*) from pg_hba_file_rules") == 2)
    known, theirs = (
        merge_conninfo(server.conninfo(), password=SECRET)
        for server in (hosts.primary, hosts.standby)
    )
    hosts.write_ini(
        master_db=known, slave_db=theirs, synchronous="on",
        master_settings=f"unix_socket_directories={hosts.primary.socket_dir}",
    )  # fmt: skip
    both = [Database("test", one, autocommit=True) for one in (known, theirs)]
    hosts.databases += both
    return hosts, both[0], both[1]


def test_programs_speak_german_and_passwords_are_told_to_nobody(
    make_hosts: MakeHosts, spawn: Spawn, monkeypatch: pytest.MonkeyPatch, server_root: Path
) -> None:
    """From `pair` to `rejoin`: every server wants a password, every program is not in English."""
    (server_root / "locale").mkdir()
    german_programs(monkeypatch, server_root / "locale")
    hosts, primary, standby = strict_hosts(make_hosts)
    words, told = hosts.folder("log") / "words", []

    def good(*verb: str) -> None:
        command = [*hooked(hosts, LOG_WORDS=words), hosts.program, hosts.ini, *verb]
        result = run(*command, cwd=hosts.root, timeout=300)
        told.append(result.out + result.err)
        assert result.code == 0, (verb, result)

    good("pair")
    command = [*hooked(hosts, LOG_WORDS=words), hosts.program, hosts.ini]
    service = spawn(*command, cwd=hosts.root)
    wait_until(lambda: primary.value(SYNC) == "sync", what=lambda: service.output)
    primary.execute("insert into t values (1)")
    for verb in (("backup",), ("drill",), ("status", "--json"), ("switchover",)):
        good(*verb)
    standby.execute("insert into t values (2)")
    primary.close()
    wait_until(lambda: primary.value("select count(*) from t") == 2)
    hosts.crash(hosts.standby)
    good("boot")
    primary.execute("insert into t values (3)")
    good("rejoin")
    standby.close()
    wait_until(lambda: standby.value("select count(*) from t") == 3)
    service.stop()

    collected = words.read_text()
    for name in ("pg_basebackup", "pg_receivewal", "pg_amcheck", "pg_rewind", "pg_waldump"):
        assert name in collected
    logs = [path for folder in "abw" for path in (hosts.root / folder).rglob("*.log")]
    assert len(logs) >= 2
    for text in (collected, service.output, *told, *(path.read_text() for path in logs)):
        assert "geheim" not in text
    for path in (hosts.data, *hosts.data.rglob("*")):
        if path.is_file() and path.suffix in (".json", ""):
            assert b"geheim it" not in path.read_bytes()[: 1 << 20], path
