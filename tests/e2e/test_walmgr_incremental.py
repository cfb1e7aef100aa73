# SPDX-License-Identifier: ISC
"""Backups of what has changed only: PostgreSQL 17 and newer."""

from __future__ import annotations

import pytest

from skytools.core.pgserver import PrivateServer
from tests.fixtures.process import run
from tests.fixtures.wait import wait_until
from tests.fixtures.walmgr import Hosts, MakeHosts
from tests.fixtures.walmgr_sets import sets

FAILING_VERIFY = """\
#!/bin/sh
case "$*" in *.rolling-*)
    echo "pg_verifybackup: damaged" >&2
    exit 1;;
esac
exec {bindir}/pg_verifybackup "$@"
"""


def test_a_server_that_cannot_gets_a_full_backup_and_is_told_why(make_hosts: MakeHosts) -> None:
    hosts = make_hosts(settings={"archive_mode": "on"})
    hosts.good("setup")
    told = hosts.good("backup", "--incremental").out
    assert "the backup is a full one: " in told
    assert [one["parent"] for one in sets(hosts)] == [""]


@pytest.mark.pg(">=17")
def test_a_switch_of_checksums_makes_the_next_backup_a_full_one(make_hosts: MakeHosts) -> None:
    """Pages that are put together from sets before and after it would fail their checksums."""
    hosts = make_hosts(settings={"archive_mode": "on", "summarize_wal": "on"})
    hosts.good("setup")
    hosts.good("backup")
    assert "what changed since" in hosts.good("backup", "--incremental").out
    on = hosts.sql(hosts.primary).value("show data_checksums") == "on"
    hosts.primary.stop()
    switch = "--disable" if on else "--enable"
    program = hosts.primary.program("pg_checksums")
    done = run(*hosts.words(program, switch, "-D", hosts.primary.datadir))
    assert done.code == 0, done.err
    hosts.primary.start()
    told = hosts.good("backup", "--incremental").out
    assert "the backup is a full one: data checksums were switched" in told
    assert "what changed since" in hosts.good("backup", "--incremental").out


@pytest.mark.pg(">=17")
def test_incremental_sets_are_restored_and_end_with_the_timeline(make_hosts: MakeHosts) -> None:
    hosts = make_hosts(settings={"archive_mode": "on", "wal_log_hints": "on"})
    hosts.write_ini(
        incremental="1", keep_backups="1",
        master_settings=f"unix_socket_directories={hosts.primary.socket_dir}",
    )  # fmt: skip
    database = hosts.sql(hosts.primary)
    space = hosts.folder("space")
    database.execute(f"create tablespace other location '{space}'")
    database.execute("create table t (id int)")
    database.execute("create table big tablespace other as select generate_series(1, 300000) id")
    assert "set summarize_wal = on" in hosts.good("pair").out
    for number in (1, 2):
        database.execute("insert into t values (%s)", [number])
        assert "what changed since" in hosts.good("backup").out
    full, first, second = sets(hosts)
    assert (first["parent"], second["parent"]) == (full["name"], first["name"])
    sizes = [int(str(one["size"])) for one in (full, second)]
    assert sizes[1] < sizes[0] / 2
    database.execute("insert into t values (3)")
    name = database.value("select pg_walfile_name(pg_switch_wal())")
    wait_until((hosts.completed / name).exists, what=name)
    _restored(hosts, "one", [1, 2, 3])
    (hosts.root / "one" / "data" / "junk").touch()
    _restored(hosts, "one", [1, 2, 3], "--delta")
    assert sorted(path.name for path in (hosts.root / "one").iterdir() if path.is_dir()) == [
        "data", "data.tablespaces",
    ]  # fmt: skip

    hosts.good("switchover")
    told = hosts.good("backup", "--incremental").out
    assert "the backup is a full one: the timeline has changed" in told
    (left,) = sets(hosts)
    assert left["parent"] == ""
    hosts.sql(hosts.standby).execute("insert into t values (4)")
    _restored(hosts, "two", [1, 2, 3])


@pytest.mark.pg(">=17")
def test_incremental_for_ever_rolls_the_oldest_set_into_a_full_one(make_hosts: MakeHosts) -> None:
    hosts = make_hosts(settings={"archive_mode": "on", "summarize_wal": "on"})
    hosts.write_ini(incremental="1", incremental_forever="1", full_interval="0", keep_backups="2")
    hosts.good("setup")
    database = hosts.sql(hosts.primary)
    database.execute(f"create tablespace other location '{hosts.folder('space')}'")
    database.execute("create table t (id int) tablespace other")
    database.execute("create table big as select generate_series(1, 300000) id")
    for number in range(3):
        hosts.good("backup")
        database.execute("insert into t values (%s)", [number])
    first, second = sets(hosts)
    assert [first["parent"], second["parent"]] == ["", first["name"]]
    _a_set_that_cannot_be_verified_takes_no_place(hosts)
    hosts.good("expire")
    second, third = sets(hosts)
    assert [second["parent"], third["parent"]] == ["", second["name"]]
    assert second["state"] == "verified"
    assert int(str(second["size"])) > 2 * int(str(third["size"]))

    # Killed between two renames: neither has the name.
    path = hosts.data / str(second["name"])
    path.rename(hosts.data / f".rolling-{path.name}")
    hosts.good("expire")
    assert [one["name"] for one in sets(hosts)] == [second["name"], third["name"]]
    assert not [one for one in hosts.data.glob(".r*") if one.is_dir()]
    _restored(hosts, "newest", [0, 1, 2, 9])
    _restored(hosts, "older", [0, 1], "--immediate", str(second["name"]))
    _without_summaries_a_full_one_is_made(hosts)


def _a_set_that_cannot_be_verified_takes_no_place(hosts: Hosts) -> None:
    """Those that it is based on stay."""
    before = [(one["name"], one["parent"], one["state"]) for one in sets(hosts)]
    bindir = hosts.folder("programs")
    for path in hosts.primary.bindir.iterdir():
        if path.name != "pg_verifybackup":
            (bindir / path.name).symlink_to(path)
    program = bindir / "pg_verifybackup"
    program.write_text(FAILING_VERIFY.format(bindir=hosts.primary.bindir))
    program.chmod(0o755)
    hosts.write_ini(slave_bin=str(bindir))
    hosts.sql(hosts.primary).execute("insert into t values (9)")
    failed = hosts.walmgr("backup")
    assert (failed.code, "pg_verifybackup: damaged" in failed.err) == (1, True), failed.err
    *same, new = ((one["name"], one["parent"], one["state"]) for one in sets(hosts))
    assert same == before
    assert new[1:] == (before[-1][0], "verified")
    assert not [one for one in hosts.data.glob(".r*") if one.is_dir()]
    hosts.write_ini(slave_bin=str(hosts.primary.bindir))


def _without_summaries_a_full_one_is_made(hosts: Hosts) -> None:
    database = hosts.sql(hosts.primary)
    database.execute("insert into t values (10)")
    database.execute("checkpoint")
    query = "select summarized_lsn > %s::pg_lsn from pg_get_wal_summarizer_state()"
    start = sets(hosts)[-1]["start"]
    wait_until(lambda: database.value(query, [start]), what=f"a summary beyond {start}")
    for path in (hosts.primary.datadir / "pg_wal" / "summaries").iterdir():
        path.unlink()
    told = hosts.good("backup").out
    assert "the backup is a full one: summaries of WAL since the last set are missing" in told
    assert sets(hosts)[-1]["parent"] == ""


def _restored(hosts: Hosts, name: str, wanted: list[int], *options: str) -> None:
    copy = hosts.folder(name)
    hosts.good(
        "restore", "--to", copy / "data", "--start", *options,
        "--setting", f"unix_socket_directories={copy}",
    )  # fmt: skip
    server = PrivateServer(copy / "data")
    try:
        restored = hosts.sql(server)
        wait_until(lambda: not restored.value("select pg_is_in_recovery()"))
        assert [row[0] for row in restored.query("select id from t order by id")] == wanted
        assert restored.value("select count(*) from big") == 300000
    finally:
        hosts.crash(server)
