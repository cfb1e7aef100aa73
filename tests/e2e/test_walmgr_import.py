# SPDX-License-Identifier: ISC
"""What others have left becomes ours; walmgr3 on the other host still works; all can go again."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from skytools.core.db import Database
from skytools.core.pgserver import PrivateServer
from skytools.walmgr.wal import Segment
from tests.fixtures.process import run
from tests.fixtures.wait import wait_until
from tests.fixtures.walmgr import Hosts, MakeHosts, snapshot
from tests.unit.walmgr.segments import content

# As barman 3.4 writes it with backup_method = postgres.
INFO = """\
backup_label='START WAL LOCATION: {start} (file {first})\\n'
begin_time=2026-11-22 16:46:47.549570+00:00
begin_wal={first}
begin_xlog={start}
compression=None
end_time=2026-11-22 16:46:52.413843+00:00
end_wal={first}
end_xlog={stop}
error=None
mode=postgres
server_name=main
status={status}
systemid={system}
tablespaces=None
timeline=1
version={version}
xlog_segment_size=16777216
"""


def give_all(hosts: Hosts, folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        hosts.give(path)


def make_barman(hosts: Hosts, database: Database) -> Path:
    """Lay out a folder of barman: a backup, one that failed, WAL packed by gzip."""
    one = json.loads(hosts.good("backup", "--json").out)
    database.execute("insert into t values (2)")
    last = database.value("select pg_walfile_name(pg_switch_wal())")
    wait_until((hosts.completed / last).exists, what=last)
    (source,) = hosts.data.glob("data.master.*")
    barman = hosts.root / "barman" / "main"
    shutil.copytree(source / "data", barman / "base" / "20261122T164647" / "data", symlinks=True)
    for path in (barman / "base" / "20261122T164647" / "data" / "pg_wal").glob("0*"):
        path.unlink()
    facts = json.loads((source / "set.json").read_text())
    fill = {
        "start": database.value("select '0/0'::pg_lsn + %s", [facts["start"]]),
        "stop": database.value("select '0/0'::pg_lsn + %s", [facts["stop"]]),
        "first": database.value("select pg_walfile_name('0/0'::pg_lsn + %s)", [facts["start"]]),
        "system": facts["system_id"], "version": facts["version"],
    }  # fmt: skip
    info = barman / "base" / "20261122T164647" / "backup.info"
    info.write_text(INFO.format(status="DONE", **fill))
    (barman / "base" / "20261122T170000").mkdir()
    (barman / "base" / "20261122T170000" / "backup.info").write_text(
        INFO.format(status="FAILED", **fill)
    )
    wals = barman / "wals" / "0000000100000000"
    wals.mkdir(parents=True)
    for path in hosts.completed.glob("0*"):
        if len(path.name) == 24:
            (wals / path.name).write_bytes(gzip.compress(path.read_bytes(), 1))
    (barman / "wals" / "xlog.db").write_text(f"{last}\t16483\t1795366010.9\tgzip\n")
    assert one["state"] == "verified"
    return barman


def test_a_folder_of_barman_is_taken_over_and_restored(make_hosts: MakeHosts) -> None:
    hosts = make_hosts(settings={"archive_mode": "on"})
    hosts.good("setup")
    database = hosts.sql(hosts.primary)
    database.execute("create table t as select 1 as id")
    barman = make_barman(hosts, database)
    shutil.rmtree(hosts.data)
    for name in ("w", "w/logs.complete", "w/logs.partial"):
        hosts.folder(name)
    give_all(hosts, hosts.root / "barman")

    before = snapshot(barman)
    planned = hosts.good("import", "--plan", barman)
    assert "plan: backup set 20261122T164647: copy and check" in planned.out
    assert not list(hosts.completed.glob("0*"))
    killed = hosts.folder("w/.copying-data.master.20261122T164647Z")
    hosts.folder(f"w/{killed.name}/tablespaces")
    done = hosts.good("import", barman)
    assert not killed.exists()
    assert "data.master.20261122T164647Z: verified" in done.out
    assert "nothing to do" in hosts.good("import", barman).out
    assert snapshot(barman) == before
    copy = hosts.folder("copy")
    hosts.good(
        "restore", "--to", copy / "data", "--start", "--setting", f"unix_socket_directories={copy}"
    )
    server = PrivateServer(copy / "data")
    try:
        restored = hosts.sql(server)
        wait_until(lambda: not restored.value("select pg_is_in_recovery()"))
        assert restored.query("select id from t order by id") == [(1,), (2,)]
    finally:
        hosts.crash(server)
    _a_foreign_folder_is_refused(hosts, barman)
    _a_set_of_walmgr3_is_adopted(hosts)
    _all_is_taken_away_when_asked(hosts)


def _a_foreign_folder_is_refused(hosts: Hosts, barman: Path) -> None:
    for path in barman.glob("base/*/backup.info"):
        text = path.read_text()
        system = text.split("systemid=")[1].split()[0]
        path.write_text(text.replace(system, "99"))
    before = snapshot(hosts.data)
    refused = hosts.walmgr("import", barman)
    assert (refused.code, refused.err.count("\n")) == (3, 1)
    assert "holds backups of cluster 99" in refused.err
    refused = hosts.walmgr("import", hosts.root)
    assert (refused.code, "is no server folder of barman" in refused.err) == (2, True)
    assert snapshot(hosts.data) == before


def _a_set_of_walmgr3_is_adopted(hosts: Hosts) -> None:
    (ours,) = hosts.data.glob("data.master.*")
    (ours / "data").rename(hosts.data / "data.master")
    shutil.rmtree(ours)
    assert "data.master: take over from walmgr3" in hosts.good("import", "--plan").out
    hosts.folder("w/data.master/tmpspc")
    space = hosts.folder("w/data.master/tmpspc/4711")
    hosts.good("import")
    (done,) = hosts.data.glob("data.master.*")
    assert (done / "tablespaces" / space.name).is_dir()
    # As if the first one had been killed in the middle.
    (done / "set.json").unlink()
    (done / "tablespaces").rename(done / "data" / "tmpspc")
    done.rename(done.with_name(f".import-{done.name}"))
    assert "nothing to do" not in hosts.good("import", "--plan").out
    hosts.good("import")
    assert (done / "tablespaces" / space.name).is_dir()
    assert "nothing to do" in hosts.good("import").out
    (one,) = json.loads(hosts.good("listbackups", "--json").out)
    assert one["state"] == "ok"
    assert one["name"].startswith("data.master.2")


def _all_is_taken_away_when_asked(hosts: Hosts) -> None:
    before = snapshot(hosts.data)
    told = hosts.good("cleanup").out
    assert "plan: primary: stop archiving" in told
    assert "nothing was touched; --yes does it" in told
    assert snapshot(hosts.data) == before
    hosts.good("cleanup", "--yes")
    assert len(list(hosts.data.glob("data.master.*"))) == 1
    hosts.good("cleanup", "--yes", "--all")
    assert not list(hosts.data.glob("data.master*"))
    assert not hosts.completed.exists()
    assert hosts.primary.pid is not None


def test_verbs_of_a_walmgr3_on_the_other_host(make_hosts: MakeHosts) -> None:
    hosts = make_hosts(settings={"archive_mode": "on"}, start=False, cluster=False)
    for name in ("w/logs.complete", "w/logs.partial", "w/data.master", "w/data.master.0"):
        hosts.folder(name)
    hosts.good("xlock", "4711")
    refused = hosts.walmgr("backup")
    assert refused.code != 0
    refused = hosts.walmgr("xlock", "4712")
    assert (refused.code, "process 4711" in refused.err) == (3, True)
    # Before it gives the lock back it has WAL removed that is older than the set it has pushed.
    pushed = hosts.data / "data.master"
    label = f"START WAL LOCATION: 0/5000028 (file {Segment(1, 5).name})\n"
    for name, text in (("backup_label", label), ("PG_VERSION", "15\n")):
        (pushed / name).write_text(text)
    for number in (4, 5):
        (hosts.completed / Segment(1, number).name).touch()
    assert json.loads(hosts.good("xpurgewals", "--json").out) == {"wal_files_removed": 1}
    assert not (hosts.completed / Segment(1, 4).name).exists()
    hosts.good("xrelease")
    hosts.good("xlock", "4712")
    hosts.good("xrelease")

    five = Segment(1, 5, 16 << 20)
    data = content(five)
    for at in (0, 4096):
        words = hosts.command("xpartialsync", five.name, at, 4096)
        done = subprocess.run(words, input=data[at : at + 4096], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    partial = hosts.partials / f"{five.name}.partial"
    assert partial.read_bytes() == data[:8192] + bytes(len(data) - 8192)
    words = hosts.command("xpartialsync", five.name, 8192, 4096)
    done = subprocess.run(words, input=b"short", capture_output=True, check=False)
    assert (done.returncode, b"5 bytes came, 4096 were announced" in done.stderr) == (1, True)


@pytest.fixture
def other_disk() -> Iterator[Path]:
    """Give a folder where a rename from elsewhere does not reach."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def test_sync_fetches_from_a_dead_primary(make_hosts: MakeHosts, other_disk: Path) -> None:
    """The salvage of 3.x: what was never archived, and the unfinished segment."""
    hosts = make_hosts(settings={"archive_mode": "on", "synchronous_commit": "on"})
    hosts.folder("w/logs.complete")
    hosts.give(other_disk)
    hosts.partials.symlink_to(other_disk)
    database = hosts.sql(hosts.primary)
    whole = database.value("select pg_walfile_name(pg_switch_wal())")
    database.execute("create table t (id int)")
    last = database.value("select pg_walfile_name(pg_current_wal_lsn())")
    status = hosts.primary.datadir / "pg_wal" / "archive_status" / f"{whole}.ready"
    wait_until(status.exists)
    hosts.primary.kill()
    assert f"fetched {whole}, {last}" in hosts.good("sync").out
    assert (hosts.completed / whole).exists()
    assert not (hosts.completed / last).exists()
    assert (hosts.partials / f"{last}.partial").exists()
    assert last in hosts.good("sync").out


def test_inis_of_3x_are_written(hosts: Hosts) -> None:
    conf = hosts.root / "conf"
    hosts.give(hosts.root)
    words = (hosts.program, "--pgdata", hosts.primary.datadir, "--config-dir", conf)
    done = run(*hosts.words(*words, "--init-master", "--slave", "b.example"))
    assert done.code == 0, done.err
    text = (conf / "wal-master.ini").read_text()
    assert f"master_data = {hosts.primary.datadir}\n" in text
    assert f"slave_config = {conf}/wal-slave.ini\n" in text
    done = run(*hosts.words(*words, "--init-slave", "--primary-conninfo", "host=a port=5433"))
    assert done.code == 0, done.err
    assert "primary_conninfo = host=a port=5433\n" in (conf / "wal-slave.ini").read_text()
    for options, told in (
        (("--init-slave",), "is there already"),
        (("--init-master",), "--slave must name the host"),
        (("--init-slave", "--primary-conninfo", "what"), "--primary-conninfo"),
        (("--init-slave", "--init-master"), "not allowed with"),
    ):
        done = run(*hosts.words(*words, *options))
        assert (done.code, done.err.count("\n"), told in done.err) == (2, 1, True), done.err
    done = run(*hosts.words(hosts.program, conf / "wal-master.ini", "syncdaemon"))
    assert (done.code, "the service runs where the archive is, on b.example" in done.err) == (
        2,
        True,
    )
