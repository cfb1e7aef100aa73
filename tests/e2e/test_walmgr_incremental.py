# SPDX-License-Identifier: ISC
"""Backups of what has changed only: PostgreSQL 17 and newer."""

from __future__ import annotations

import json

import pytest

from skytools.core.pgserver import PrivateServer
from tests.fixtures.wait import wait_until
from tests.fixtures.walmgr import Hosts, MakeHosts


def sets(hosts: Hosts) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(hosts.good("listbackups", "--json").out)
    return found


def test_a_server_that_cannot_gets_a_full_backup_and_is_told_why(make_hosts: MakeHosts) -> None:
    hosts = make_hosts(settings={"archive_mode": "on"})
    hosts.good("setup")
    told = hosts.good("backup", "--incremental").out
    assert "the backup is a full one: " in told
    assert [one["parent"] for one in sets(hosts)] == [""]


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
