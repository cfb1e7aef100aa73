# SPDX-License-Identifier: ISC
"""Full disks, cut and slow links, damaged archives: nothing false, nothing lost, no hole."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from skytools.core.errors import SkytoolsError
from skytools.walmgr.wal import Segment
from tests.e2e.test_walmgr_failover import DURABLE, Writer, receiver_streams, rows, serve
from tests.fixtures.process import Spawn
from tests.fixtures.proxy import Link
from tests.fixtures.wait import wait_until
from tests.fixtures.walmgr import Hosts, MakeHosts, mount_small
from tests.fixtures.walmgr_sets import Copy
from tests.unit.walmgr.segments import content

SYNC = "select sync_state from pg_stat_replication where application_name = 'walmgr_receiver'"

WAITS = "select true from pg_stat_activity where wait_event = 'SyncRep'"


@pytest.fixture
def small_archive(make_hosts: MakeHosts) -> Iterator[Hosts]:
    """Give an archive on a file system of 3 MB."""
    hosts = make_hosts(start=False, cluster=False)
    for name in ("w/logs.complete", "w/logs.partial", "pg_wal"):
        hosts.folder(name)
    mount_small(hosts.completed, "3m")
    hosts.give(hosts.completed)
    yield hosts
    subprocess.run(["umount", hosts.completed], check=True)


@pytest.mark.root
def test_a_full_archive_keeps_nothing_half_and_goes_on_when_there_is_room(
    small_archive: Hosts,
) -> None:
    hosts, segment, told = small_archive, Segment(1, 5, 1 << 20), ""
    done = []
    while not told and len(done) < 5:
        path = hosts.root / "pg_wal" / segment.name
        path.write_bytes(content(segment))
        hosts.give(path)
        result = hosts.walmgr("xarchive", path, segment.name)
        if result.code == 0:
            done.append(segment.name)
            segment = segment.next()
        else:
            told = result.err
    assert "No space left on device" in told
    assert told.count("\n") == 1
    there = sorted(p.name for p in hosts.completed.iterdir() if not p.name.startswith("."))
    assert there == done
    assert list((hosts.completed / ".incoming").iterdir()) == []
    (hosts.completed / done[0]).unlink()
    assert hosts.walmgr("xarchive", path, segment.name).code == 0
    assert (hosts.completed / segment.name).read_bytes() == content(segment)


@pytest.mark.root
@pytest.mark.chaos
def test_a_full_disk_of_sets_and_receiver_is_told_and_loses_nothing(
    make_hosts: MakeHosts, spawn: Spawn
) -> None:
    """Archive, receiver and sets share a small disk; commits wait until there is room again."""
    hosts = make_hosts(settings=DURABLE, synchronous="on")
    mount_small(hosts.data, "600m")
    try:
        hosts.give(hosts.data)
        hosts.good("pair")
        database = hosts.sql(hosts.primary)
        database.execute("create table t (id bigint primary key)")
        service = serve(hosts, spawn)
        wait_until(lambda: database.value(SYNC) == "sync")
        writer = Writer(hosts.primary)
        writer.wait(20)
        filler = _fill(hosts.data)
        failed = hosts.walmgr("backup")
        assert (failed.code, failed.err.count("\n")) == (1, 1), failed.err
        assert "No space left on device" in failed.err, failed.err
        database.execute("set synchronous_commit = local")

        def stands() -> bool:
            database.value("select pg_switch_wal()")
            return bool(database.value(WAITS))

        wait_until(stands, 60, lambda: service.output[-2000:])
        found = _told(hosts)
        assert [level for text, level in found.items() if "is free" in text] == ["CRITICAL"], found
        states = [one["state"] for one in json.loads(hosts.good("listbackups", "--json").out)]
        assert states[0] == "verified"
        assert set(states[1:]) <= {"failed"}
        filler.unlink()
        writer.wait(20)
        wait_until(lambda: database.value(SYNC) == "sync", 60)
        acknowledged = set(writer.stop())
        hosts.good("backup")
        hosts.primary.kill()
        hosts.good("boot")
        assert acknowledged <= rows(hosts, hosts.standby)
        assert not [text for text in _told(hosts) if "gap" in text or "refused" in text]
        service.stop()
    finally:
        hosts.primary.kill()
        hosts.standby.kill()
        subprocess.run(["umount", "-l", hosts.data], check=True)


def _fill(folder: Path) -> Path:
    """Leave 3 MB of a disk, to which others write meanwhile."""
    filler = folder / "filler"

    def filled() -> bool:
        room = os.statvfs(folder)
        size = room.f_bavail * room.f_frsize - (3 << 20)
        words = ["fallocate", "-l", str(size), str(filler)]
        return subprocess.run(words, check=False).returncode == 0

    wait_until(filled, 30)
    return filler


def _told(hosts: Hosts) -> dict[str, str]:
    return {one["text"]: one["level"] for one in json.loads(hosts.walmgr("check", "--json").out)}


def test_a_link_that_is_cut_and_slow_leaves_no_hole_and_loses_no_row(
    make_hosts: MakeHosts, spawn: Spawn
) -> None:
    """RPO 0: while the link is cut commits wait; then the primary dies behind the cut."""
    hosts = make_hosts(settings=DURABLE)
    link = Link(hosts.primary.socket_dir / f".s.PGSQL.{hosts.primary.port}")
    try:
        hosts.write_ini(
            master_db=f"host=127.0.0.1 port={link.port} user=postgres dbname=postgres",
            synchronous="on", master_ini="none",
        )  # fmt: skip
        hosts.good("pair")
        database = hosts.sql(hosts.primary)
        database.execute("create table t (id bigint primary key)")
        serve(hosts, spawn)
        wait_until(lambda: database.value(SYNC) == "sync")
        writer = Writer(hosts.primary)
        writer.wait(50)
        link.cut()
        wait_until(lambda: database.value(WAITS))
        link.rate = 20e6
        link.heal()
        writer.wait(50)
        for _ in range(3):
            name = database.value("select pg_walfile_name(pg_switch_wal())")
            writer.wait(5)
        wait_until((hosts.completed / name).exists, what=name)
        link.cut()
        wait_until(lambda: database.value(WAITS))
        hosts.primary.kill()
        acknowledged = set(writer.stop())
        link.close()
        hosts.good("boot")
        assert acknowledged <= rows(hosts, hosts.standby)
        assert not [text for text in _told(hosts) if "gap" in text or "refused" in text]
    finally:
        link.close()


def test_damaged_wal_is_refused_before_a_restore_begins(make_hosts: MakeHosts) -> None:
    hosts = make_hosts(settings=DURABLE, archive_compression="lz4")
    hosts.good("setup")
    database = hosts.sql(hosts.primary)
    database.execute("create table t (id bigint primary key)")
    hosts.good("backup")
    names, points = [], []
    for number in range(3):
        some = [number * 9999, number * 9999 + 5000]
        database.execute("insert into t select generate_series(%s, %s)", some)
        points.append(database.value("select pg_current_wal_insert_lsn()"))
        names.append(database.value("select pg_walfile_name(pg_switch_wal())"))
    packed = [hosts.completed / f"{name}.lz4" for name in names]
    # A batch is archived side by side: the last may be there first.
    wait_until(lambda: all(path.exists() for path in packed))
    whole = packed[1].read_bytes()
    plain = hosts.root / "plain"
    subprocess.run(["lz4", "-q", "-d", packed[1], plain], check=True)
    zeros = plain.read_bytes()[:32768]
    zeros += bytes((16 << 20) - len(zeros))
    folder = hosts.folder("copies")
    for number, damage in enumerate((whole[: len(whole) // 2], zeros, b"")):
        path = packed[1]
        path.unlink()
        if damage is zeros:
            path = path.with_suffix("")
        path.write_bytes(damage)
        hosts.give(path)
        target = folder / str(number)
        refused = hosts.walmgr("restore", "--to", target, "--start")
        assert refused.code == 3, refused.err
        assert "walmgr: damaged in the archive: " in refused.err.splitlines()[-1]
        assert not target.exists()
        hosts.good("restore", "--plan", "--to", target, "--lsn", points[0])
        path.unlink()
        packed[1].write_bytes(whole)
        hosts.give(packed[1])
    hosts.good("restore", "--plan", "--to", folder / "good")
    _a_segment_that_is_missing_ends_what_can_be_reached(hosts, packed[1], points)


def _a_segment_that_is_missing_ends_what_can_be_reached(
    hosts: Hosts, path: Path, points: list[str]
) -> None:
    away = path.rename(hosts.root / path.name)
    target = hosts.root / "copies" / "gap"
    refused = hosts.walmgr("restore", "--to", target, "--lsn", points[2])
    assert refused.code == 3, refused.err
    assert "cannot be reached. Reachable is:" in refused.err
    assert not target.exists()
    hosts.good("restore", "--plan", "--to", target, "--lsn", points[0])
    gap = f"the archive has 1 gaps, first {path.name.partition('.')[0]}"
    assert _told(hosts).get(gap) == "CRITICAL", _told(hosts)
    away.rename(path)
    assert not [text for text in _told(hosts) if "gap" in text]


@pytest.mark.chaos
def test_wal_that_went_with_a_dropped_slot_is_told_and_a_new_set_begins_anew(
    make_hosts: MakeHosts, spawn: Spawn
) -> None:
    """Nothing but the receiver brings WAL; what the primary recycles meanwhile is gone."""
    hosts = make_hosts(settings={**DURABLE, "archive_mode": "off"})
    hosts.write_ini(master_ini="none", keep_backups="2")
    hosts.good("pair")
    database = hosts.sql(hosts.primary)
    database.execute("create table t (id bigint primary key)")
    service = serve(hosts, spawn)
    wait_until(lambda: receiver_streams(database))
    slot = "select active_pid from pg_replication_slots where slot_name = 'walmgr'"

    def dropped() -> bool:
        if pid := database.value(slot):
            database.value("select pg_terminate_backend(%s, 5000)", [pid])
        with suppress(SkytoolsError):
            database.value("select pg_drop_replication_slot('walmgr')")
        return not database.value("select count(*) from pg_replication_slots")

    wait_until(dropped)
    service.wait_output('replication slot "walmgr" does not exist')
    first = database.value("select pg_walfile_name(pg_current_wal_insert_lsn())")
    for number in range(3):
        database.execute("insert into t values (%s)", [number])
        database.value("select pg_switch_wal()")
    # The standby has it all, so it can go on.
    follows = "select bool_and(flush_lsn >= pg_current_wal_flush_lsn()) from pg_stat_replication"
    wait_until(lambda: database.value(follows))
    there = "select count(*) from pg_ls_waldir() where name = %s"

    def recycled() -> bool:
        database.execute("checkpoint")
        return database.value(there, [first]) == 0

    wait_until(recycled)
    assert _told(hosts)["the replication slot is missing"] == "CRITICAL"

    hosts.good("pair")
    wait_until(lambda: receiver_streams(database))
    assert "the replication slot is missing" not in _told(hosts)
    last = database.value("select pg_walfile_name(pg_switch_wal())")
    wait_until((hosts.completed / last).exists, what=last)
    gaps = [level for text, level in _told(hosts).items() if "gaps, first" in text]
    assert gaps == ["CRITICAL"], _told(hosts)
    hosts.good("backup")
    database.execute("insert into t values (9)")
    assert 9 in Copy(hosts, 1).restore()
    service.stop()
