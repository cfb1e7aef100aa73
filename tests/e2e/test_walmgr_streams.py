# SPDX-License-Identifier: ISC
"""Backups by several rsync side by side, on real servers."""

from __future__ import annotations

import os
from pathlib import Path

from skytools.core.db import Database
from tests.e2e.test_walmgr_failover import Writer
from tests.e2e.test_walmgr_sshd import two_hosts
from tests.fixtures.process import run
from tests.fixtures.walmgr import Hosts, MakeHosts
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


def verify(hosts: Hosts, name: str) -> None:
    done = run(*hosts.words(
        hosts.primary.program("pg_verifybackup"), "--exit-on-error", hosts.data / name / "data"
    ))  # fmt: skip
    assert done.code == 0, done.err


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
        database.value("select pg_create_restore_point('between')")
        between = set(writer.acknowledged)
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
    verify(archived, second)

    got = set(Copy(archived, 1).restore("--point", "between"))
    assert between <= got <= acknowledged
    assert set(Copy(archived, 2).restore()) == acknowledged
    for number in (1, 2):
        space = archived.root / f"copy{number}" / "data.tablespaces"
        assert any(space.iterdir())


def _has_what_belongs_to_it(hosts: Hosts, database: Database, name: str) -> None:
    data = hosts.data / name / "data"
    for folder in ("pg_replslot", "pg_notify", "pg_subtrans", "pg_stat_tmp", "pg_dynshmem"):
        assert list((data / folder).iterdir()) == []
    for file in ("postmaster.pid", "postmaster.opts", "tablespace_map", "global/pg_internal.init"):
        assert not (data / file).exists()
    passing = path_of(hosts, database, "passing")
    assert in_set(hosts, name, f"{passing}_init").exists()
    assert not in_set(hosts, name, passing).exists()
    assert not in_set(hosts, name, path_of(hosts, database, "mine")).exists()
    assert in_set(hosts, name, path_of(hosts, database, "t")).exists()
    segments = {p.name for p in (data / "pg_wal").iterdir() if p.is_file()}
    assert segments
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
    verify(hosts, names(hosts)[0])
    assert in_set(hosts, names(hosts)[0], path_of(hosts, database, "t")).exists()
