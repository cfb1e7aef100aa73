# SPDX-License-Identifier: ISC
"""Backup sets, retention and recovery to any point, on real servers."""

from __future__ import annotations

import json
import subprocess

from tests.fixtures.process import run
from tests.fixtures.wait import wait_until
from tests.fixtures.walmgr import LATE, Hosts, snapshot
from tests.fixtures.walmgr_sets import Copy, names, sets, switch


def test_recovery_to_any_point_and_refusal_beyond(archived: Hosts) -> None:
    database = archived.sql(archived.primary)
    space = archived.folder("space")
    database.execute(f"create tablespace other location '{space}'")
    database.execute("create table t (id int) tablespace other")
    early = database.value("select now()")
    database.execute("insert into t values (1)")
    first = archived.good("backup", "--json")
    assert json.loads(first.out)["state"] == "verified"

    database.execute("insert into t values (2)")
    point_time = database.value("select clock_timestamp()")
    database.execute("insert into t values (3)")
    xid = database.value("insert into t values (4) returning pg_current_xact_id()::text")
    database.value("select pg_create_restore_point('before-five')")
    point_lsn = database.value("select pg_current_wal_insert_lsn()")
    database.execute("insert into t values (5)")
    switch(database)

    assert Copy(archived, 1).restore("--time", point_time) == [1, 2]
    late = [archived.changed_program(LATE), archived.ini, "restore", "--plan", "--to"]
    planned = run(*archived.words(*late, space / "x", "--time", point_time), cwd=archived.root)
    told = "take the time as the primary's: the primary's clock is 90 s ahead of this host's"
    assert f"plan: {told}" in planned.lines
    assert Copy(archived, 2).restore("--xid", xid, "--exclusive") == [1, 2, 3]
    assert Copy(archived, 3).restore("--point", "before-five") == [1, 2, 3, 4]
    assert Copy(archived, 4).restore("--lsn", point_lsn) == [1, 2, 3, 4]
    assert Copy(archived, 5).restore() == [1, 2, 3, 4, 5]

    late = database.value("select now() + interval '1 hour'")
    folder = archived.root / "never"
    for options in (
        ("--time", early), ("--time", late), ("--lsn", "0/1000028"), ("--lsn", "FF/0"),
        ("--xid", "2000000"), ("--point", "nowhere"), ("--lsn", point_lsn, "--timeline", "7"),
    ):  # fmt: skip
        refused = archived.walmgr("restore", "--to", folder, *options)
        assert refused.code == 3, refused.err
        assert "cannot be reached. Reachable is:" in refused.err
        assert not folder.exists()
        assert f"set {names(archived)[0]}, timeline 1:" in refused.err
    assert space.is_dir()


def test_a_delta_restore_writes_what_differs_only(archived: Hosts) -> None:
    database = archived.sql(archived.primary)
    space = archived.folder("space")
    database.execute(f"create tablespace other location '{space}'")
    database.execute("create table t (id int) tablespace other")
    for table in ("still", "quiet tablespace other"):
        database.execute(f"create table {table} as select generate_series(1, 50000) id")
    archived.good("backup")
    database.execute("insert into t values (1)")
    switch(database)
    copy = Copy(archived, 1)
    assert copy.restore() == [1]
    same = [
        copy.server.datadir / str(database.value("select pg_relation_filepath(%s)", [name]))
        for name in ("still", "quiet")
    ]
    before = [(path.stat().st_ino, path.stat().st_mtime_ns) for path in same]
    (copy.server.datadir / "junk").mkdir()
    refused = archived.walmgr("restore", "--to", copy.server.datadir)
    assert (refused.code, "is not empty" in refused.err) == (3, True)

    database.execute("insert into t values (2)")
    switch(database)
    # What a link leads to that is not the copy's own may be the files of a living server.
    (link,) = (copy.server.datadir / "pg_tblspc").iterdir()
    own = link.readlink()
    assert own.parent == copy.folder / "data.tablespaces"
    link.unlink()
    link.symlink_to(space)
    there = snapshot(space)
    assert copy.restore("--delta") == [1, 2]
    assert link.readlink() == own
    assert snapshot(space) == there
    assert [(path.stat().st_ino, path.stat().st_mtime_ns) for path in same] == before
    assert not (copy.server.datadir / "junk").exists()

    other = archived.folder("other") / "data"
    other.mkdir()
    archived.give(other)
    (other / "precious").touch()
    refused = archived.walmgr("restore", "--delta", "--to", other)
    assert (refused.code, "is no data folder" in refused.err) == (3, True)
    archived.primary.stop()
    refused = archived.walmgr("restore", "--delta", "--plan", "--to", archived.primary.datadir)
    assert refused.code == 0, refused.err


def test_only_success_removes_old_sets(archived: Hosts) -> None:
    archived.write_ini(keep_backups="2")
    database = archived.sql(archived.primary)
    wal = []
    for _ in range(3):
        wal.append(switch(database))
        archived.good("backup")
    two = names(archived)
    assert len(two) == 2
    there = {p.name.split(".")[0] for p in archived.completed.iterdir()}
    assert not there.intersection(wal[:2])
    assert wal[2] in there

    archived.write_ini(backup_rate="32k")
    process = subprocess.Popen(archived.command("backup"), stdout=subprocess.DEVNULL)
    wait_until(lambda: any(one["state"] == "running" for one in sets(archived)))
    refused = archived.walmgr("backup")
    assert (refused.code, "a backup or restore is running already (process" in refused.err) == (
        3,
        True,
    )
    wait_until(lambda: _at_work(archived))
    process.kill()
    process.wait()
    wait_until(lambda: not _at_work(archived), what=lambda: str(_at_work(archived)))
    assert [one["state"] for one in sets(archived)] == ["verified", "verified", "failed"]
    archived.write_ini(backup_rate="")
    archived.write_ini(master_bin="", slave_bin="/nowhere")
    assert archived.walmgr("backup").code == 2
    archived.write_ini(slave_bin=str(archived.primary.bindir))
    assert names(archived)[:2] == two
    archived.good("backup")
    assert [one["state"] for one in sets(archived)] == ["verified", "verified"]
    assert names(archived)[0] == two[1]
    _the_hook_may_keep_a_set(archived)


def _at_work(archived: Hosts) -> list[str]:
    """Return the command lines of programs that write a set."""
    words = run("ps", "-ww", "-eo", "args").lines
    return [line for line in words if f"{archived.data}/data.master." in line]


def _a_damaged_set_is_never_restored_silently(archived: Hosts) -> None:
    data = archived.data / names(archived)[0] / "data"
    victim = data / "base" / "1" / "1259"
    raw = bytearray(victim.read_bytes())
    raw[5000] ^= 1
    victim.write_bytes(raw)
    failed = archived.walmgr("restore", "--to", archived.root / "copy", "--immediate")
    assert (failed.code, failed.err.count("\n")) == (1, 1)
    assert "checksum mismatch for file" in failed.err


def _the_hook_may_keep_a_set(archived: Hosts) -> None:
    never = "test -f $BACKUPDIR/never"
    archived.write_ini(keep_backups="1", archive_command=never, hook_pause="0.01")
    assert "kept, archive_command failed" in archived.good("expire").out
    assert len(names(archived)) == 2
    archived.write_ini(archive_command="test -f $BACKUPDIR/set.json")
    archived.good("keep", names(archived)[0])
    archived.good("expire")
    assert [one["pinned"] for one in sets(archived)] == [True, False]
    assert "verified, kept" in archived.good("listbackups").out
    archived.good("keep", "--no", names(archived)[0])
    archived.good("expire")
    assert len(names(archived)) == 1


def _what_is_known_of_sets_is_found_out_again(archived: Hosts) -> None:
    (before,) = sets(archived)
    (archived.data / str(before["name"]) / "set.json").unlink()
    (after,) = sets(archived)
    assert after["state"] == "unverified"
    for key in ("name", "timeline", "start", "stop", "label", "segment_size"):
        assert after[key] == before[key]


def test_bad_input_is_one_line_and_touches_nothing(archived: Hosts) -> None:
    archived.good("backup")
    before = snapshot(archived.data)
    full = archived.folder("full")
    (full / "precious").touch()
    cases: list[tuple[int, str, tuple[object, ...]]] = [
        (2, "no backup set 'nosuch'; there are: data.master.", ("restore", "nosuch", "/tmp/x")),
        (2, "--lsn 12: '12' is no WAL position", ("restore", "--to", "/tmp/x", "--lsn", "12")),
        (2, "--time yesterday: ", ("restore", "--to", "/tmp/x", "--time", "yesterday")),
        (2, "--xid 2: a transaction id is", ("restore", "--to", "/tmp/x", "--xid", "2")),
        (3, f"folder {full} is not empty", ("restore", "--to", full)),
        (1, "folder /no/such is missing", ("restore", "--to", "/no/such/data")),
        (1, "the standby does not answer", ("backup", "--from", "standby")),
    ]  # fmt: skip
    for code, told, words in cases:
        result = archived.walmgr(*words)
        assert (result.code, result.err.count("\n")) == (code, 1), result.err
        assert told in result.err
    assert snapshot(archived.data) == before
    assert [p.name for p in full.iterdir()] == ["precious"]
    _what_is_known_of_sets_is_found_out_again(archived)
    _the_archive_of_another_cluster_is_refused(archived)
    _a_damaged_set_is_never_restored_silently(archived)


def _the_archive_of_another_cluster_is_refused(archived: Hosts) -> None:
    before = names(archived)
    (archived.completed / ".identity").write_text("99\n")
    refused = archived.walmgr("backup")
    assert refused.code == 1
    assert "belongs to another cluster: system identifier 99, not" in refused.err
    (archived.completed / ".identity").unlink()
    assert names(archived) == before
