# SPDX-License-Identifier: ISC
"""Backups that come compressed over the network, and keep once what two of them have."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.walmgr import Hosts, MakeHosts
from tests.fixtures.walmgr_sets import Copy, sets

# A pg_basebackup built without zstd; its words are those of the real one.
WITHOUT_ZSTD = """\
#!/bin/sh
case "$*" in *--compress=*zstd*)
    echo "pg_basebackup: error: this build does not support compression with ZSTD" >&2
    exit 1;;
esac
exec {bindir}/pg_basebackup "$@"
"""


@pytest.mark.pg(">=15")
def test_a_backup_comes_packed_and_else_plainly_with_a_word(make_hosts: MakeHosts) -> None:
    hosts = make_hosts(settings={"archive_mode": "on", "log_replication_commands": "on"})
    hosts.write_ini(backup_compression="zstd", keep_backups="2", share_files="1")
    hosts.good("setup")
    database = hosts.sql(hosts.primary)
    database.execute("create table t as select 1 id")
    database.execute("create table still as select generate_series(1, 10000) id")
    assert "uncompressed" not in hosts.good("backup").out
    commands = base_backups(hosts)
    assert [("COMPRESSION 'zstd'" in line) for line in commands] == [True], commands
    (one,) = sets(hosts)
    assert one["state"] == "verified"

    database.execute("update t set id = 2")
    bindir = hosts.folder("programs")
    for path in hosts.primary.bindir.iterdir():
        if path.name != "pg_basebackup":
            (bindir / path.name).symlink_to(path)
    program = bindir / "pg_basebackup"
    program.write_text(WITHOUT_ZSTD.format(bindir=hosts.primary.bindir))
    program.chmod(0o755)
    hosts.write_ini(slave_bin=str(bindir))
    told = hosts.good("backup").out
    assert "the backup comes uncompressed: pg_basebackup: error: this build does not" in told
    assert [("COMPRESSION" in line) for line in base_backups(hosts)] == [True, False]
    assert [one["state"] for one in sets(hosts)] == ["verified", "verified"]
    assert " MB with " in told
    _what_has_not_changed_is_kept_once(hosts)


def _what_has_not_changed_is_kept_once(hosts: Hosts) -> None:
    """Each set is good by itself, with the other and without."""
    database = hosts.sql(hosts.primary)
    first, second = (Path(str(one["path"])) for one in sets(hosts))

    def inode(folder: Path, table: str) -> int:
        file = str(database.value("select pg_relation_filepath(%s)", [table]))
        return (folder / "data" / file).stat().st_ino

    assert inode(first, "still") == inode(second, "still")
    assert inode(first, "t") != inode(second, "t")
    assert not (second / ".link").exists()
    assert Copy(hosts, 1).restore(first.name, "--immediate") == [1]
    hosts.write_ini(keep_backups="1")
    hosts.good("expire")
    assert not first.exists()
    assert Copy(hosts, 2).restore("--immediate") == [2]


def base_backups(hosts: Hosts) -> list[str]:
    """Return the commands for backups that the primary has received, from its log."""
    text = hosts.primary.log_path.read_text()
    return [line for line in text.splitlines() if "command: BASE_BACKUP" in line]
