# SPDX-License-Identifier: ISC
"""archive_command and restore_command as PostgreSQL calls them."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import random
import subprocess
from pathlib import Path

import pytest

from skytools.core.pgserver import PrivateServer
from skytools.walmgr.restore import ABSENT, BROKEN
from skytools.walmgr.store import is_held
from skytools.walmgr.wal import Segment
from tests.fixtures.process import run
from tests.fixtures.server import started
from tests.fixtures.wait import wait_until
from tests.fixtures.walmgr import Hosts, MakeHosts
from tests.fixtures.walmgr_sets import switch
from tests.unit.walmgr.segments import SYSTEM, content

FIVE = Segment(1, 5)
SIX = FIVE.next()
BIG = content(FIVE)


@pytest.fixture
def host(make_hosts: MakeHosts) -> Hosts:
    """Give an archive without servers, and the source of a segment."""
    hosts = make_hosts(start=False, cluster=False)
    for folder in ("w/logs.complete", "w/logs.partial", "pg_wal"):
        hosts.folder(folder)
    put(hosts, FIVE.name, BIG)
    return hosts


def put(hosts: Hosts, name: str, data: bytes) -> Path:
    path = hosts.root / "pg_wal" / name
    path.write_bytes(data)
    hosts.give(path)
    return path


def archived_names(hosts: Hosts) -> list[str]:
    return sorted(p.name for p in hosts.completed.iterdir() if not p.name.startswith("."))


def leftovers(hosts: Hosts) -> list[Path]:
    return list((hosts.completed / ".incoming").glob("*"))


def in_shell(hosts: Hosts, command: str, name: str, path: str) -> int:
    """Run a command as the server does and return its exit code."""
    text = command.replace("%p", path).replace("%f", name).replace("%r", name)
    return hosts.shell(text.replace("%%", "%")).code


def test_a_servers_wal_is_archived_whole(make_hosts: MakeHosts) -> None:
    hosts = make_hosts(start=False)
    hosts.folder("w/logs.complete")
    hosts.primary.settings.update(archive_mode="on", archive_command=hosts.archive_command)
    hosts.primary.start()
    database = hosts.sql(hosts.primary)
    wanted = []
    for number in range(3):
        database.execute(f"create table t{number} as select generate_series(1, 1000)")
        lsn = database.value("select pg_switch_wal()")
        wanted.append(database.value("select pg_walfile_name(%s)", [lsn]))

    def counted() -> bool:
        return database.value("select archived_count from pg_stat_archiver") >= len(wanted)

    wait_until(counted)
    assert archived_names(hosts) == wanted
    assert database.value("select failed_count from pg_stat_archiver") == 0
    system = database.value("select system_identifier from pg_control_system()")
    assert (hosts.completed / ".identity").read_text() == f"{system}\n"


def test_a_clone_of_the_same_cluster_changes_nothing(archived: Hosts) -> None:
    """It has the same identifier and timeline, so its next segment has a name that is taken."""
    original = archived.primary
    database = archived.sql(original)
    database.execute("create table t (id int)")
    database.close()
    original.stop()
    clone = PrivateServer(archived.folder("clone") / "data", settings=original.settings)
    run("cp", "-a", original.datadir, clone.datadir)
    started.append(clone)
    try:
        original.start()
        clone.start()
        database.execute("insert into t values (1)")
        name = switch(database)
        before = (archived.completed / f"{name}.lz4").read_bytes()
        foreign = archived.sql(clone)
        # PostgreSQL 18 keeps the count of what was archived at the end of a shutdown.
        foreign.execute("select pg_stat_reset_shared('archiver')")
        foreign.execute("insert into t values (2)")
        assert foreign.value("select pg_walfile_name(pg_switch_wal())") == name
        failed = "select last_failed_wal from pg_stat_archiver"
        wait_until(lambda: foreign.value(failed) == name, what=name)
        assert foreign.value("select archived_count from pg_stat_archiver") == 0
    finally:
        clone.kill()
        started.remove(clone)
    assert (archived.completed / f"{name}.lz4").read_bytes() == before
    assert archived_names(archived)[-1] == f"{name}.lz4"
    told = json.loads(archived.walmgr("check", "--json").out)
    (refused,) = (one for one in told if "1 files were refused" in one["text"])
    assert (refused["level"], name in refused["text"]) == ("CRITICAL", True)


def test_kill_at_any_moment_never_leaves_a_torn_file(host: Hosts) -> None:
    host.write_ini(archive_compression="zstd")
    dice = random.Random(5)
    source = host.root / "pg_wal" / FIVE.name
    number = killed = 0
    # Where it is over within a few milliseconds it takes more tries to hit it.
    while number < 15 or (killed < 3 and number < 200):
        number += 1
        segment = Segment(1, number + 10)
        put(host, segment.name, content(segment))
        process = subprocess.Popen(
            host.command("xarchive", source.with_name(segment.name), segment.name)
        )
        try:
            process.wait(dice.uniform(0.0, 0.12))
        except subprocess.TimeoutExpired:
            process.kill()
        killed += process.wait() < 0
        if process.returncode == 0:
            assert f"{segment.name}.zst" in archived_names(host)
        assert host.walmgr("xarchive", source.with_name(segment.name), segment.name).code == 0
        target = host.root / "pg_wal" / "RECOVERYXLOG"
        assert host.walmgr("xrestore", segment.name, target).code == 0
        assert target.read_bytes() == content(segment)
        source.with_name(segment.name).unlink()
    assert killed >= 3


@pytest.mark.parametrize("verb", ["xarchive", "xrestore"])
def test_the_commands_load_nothing_heavy(host: Hosts, verb: str) -> None:
    """Start time is import time: PostgreSQL pays it for every segment."""
    python = host.program.read_text().splitlines()[0].removeprefix("#!")
    done = run(
        *host.words(python, "-X", "importtime", host.program, host.ini, verb),
        *([f"pg_wal/{FIVE.name}", FIVE.name] if verb == "xarchive" else [SIX.name, "pg_wal/x"]),
        cwd=host.root,
    )
    assert done.code == (0 if verb == "xarchive" else ABSENT)
    loaded = {line.rpartition("|")[2].strip() for line in done.err.splitlines()}
    assert "skytools.walmgr.store" in loaded
    heavy = {"argparse", "subprocess", "pathlib", "dataclasses", "configparser", "psycopg2"}
    assert loaded.isdisjoint(heavy | {"skytools.core", "typing", "json", "logging"})


@pytest.mark.root
def test_a_full_disk_is_a_failure_that_passes(host: Hosts) -> None:
    mount = host.completed
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", mount], check=True)
    try:
        host.give(mount)
        assert host.walmgr("xarchive", f"pg_wal/{FIVE.name}", FIVE.name).code == 0
        put(host, SIX.name, content(SIX))
        failed = host.walmgr("xarchive", f"pg_wal/{SIX.name}", SIX.name)
        assert (failed.code, failed.err.count("\n")) == (1, 1)
        assert "No space left on device" in failed.err
        assert archived_names(host) == [FIVE.name]
        assert leftovers(host) == []
        subprocess.run(["mount", "-o", "remount,size=50m", mount], check=True)
        assert host.walmgr("xarchive", f"pg_wal/{SIX.name}", SIX.name).code == 0
    finally:
        subprocess.run(["umount", mount], check=True)


def test_an_archive_that_is_not_mounted_is_neither_made_nor_empty(host: Hosts) -> None:
    host.completed.rmdir()
    done = host.walmgr("xarchive", f"pg_wal/{FIVE.name}", FIVE.name)
    assert (done.code, "logs.complete" in done.err) == (1, True)
    assert host.walmgr("xrestore", FIVE.name, "pg_wal/x").code == BROKEN
    assert not host.completed.exists()


def test_only_a_missing_file_is_absent(host: Hosts) -> None:
    command = host.restore_command(standby=False)
    standby = host.restore_command(standby=True)
    assert in_shell(host, command, SIX.name, "pg_wal/x") == 1
    assert host.walmgr("xarchive", f"pg_wal/{FIVE.name}", FIVE.name).code == 0
    assert in_shell(host, command, FIVE.name, "pg_wal/x") == 0
    assert (host.root / "pg_wal" / "x").read_bytes() == BIG
    (host.completed / FIVE.name).write_bytes(BIG[:5000])
    assert in_shell(host, command, FIVE.name, "pg_wal/y") == BROKEN
    assert in_shell(host, standby, FIVE.name, "pg_wal/y") == 1
    assert not (host.root / "pg_wal" / "y").exists()


@pytest.mark.parametrize("fault", ["program", "module", "broken ini", "missing ini"])
def test_a_program_that_cannot_start_never_ends_recovery(host: Hosts, fault: str) -> None:
    archive, restore = host.archive_command, host.restore_command(standby=False)
    if fault == "broken ini":
        host.ini.write_text("nonsense")
    elif fault == "missing ini":
        host.ini.unlink()
    else:
        # The interpreter, or the folder that the package is in.
        place = 0 if fault == "program" else 3
        old = restore.split("'")[1::2][place]
        archive, restore = (text.replace(f"'{old}'", "'/nowhere'") for text in (archive, restore))
    assert in_shell(host, restore, FIVE.name, "x") == BROKEN
    assert in_shell(host, archive, FIVE.name, f"pg_wal/{FIVE.name}") == 1


def test_no_exit_code_means_more_than_it_says(host: Hosts) -> None:
    """Only our own word for absence ends a recovery, and none ends the archiver process."""
    program = host.root / "program"
    commands = []
    for text in (host.archive_command, *(host.restore_command(standby=s) for s in (False, True))):
        commands.append(text.replace(f"'{text.split(chr(39))[1]}'", str(program)))
    for code in (0, 1, 2, ABSENT, 125, 126, 127, 128 + 9, 128 + 15, 255):
        how = f"kill -{code - 128} $$" if 128 < code < 255 else f"exit {code}"
        program.write_text(f"#!/bin/sh\n{how}\n")
        program.chmod(0o755)
        found = [in_shell(host, command, FIVE.name, "x") for command in commands]
        recovery = {0: 0, ABSENT: 1, 143: 143}.get(code, BROKEN)
        assert found == [min(code, 1), recovery, min(recovery, 1) if code != 143 else 143], code


def test_paths_with_odd_characters_reach_the_program(host: Hosts) -> None:
    odd = host.root / "it's 100% odd.ini"
    odd.write_text(host.ini.read_text())
    host.ini = odd
    command = host.archive_command
    assert in_shell(host, command, FIVE.name, f"pg_wal/{FIVE.name}") == 0


def test_an_unfinished_segment_is_served_only_while_boot_lives(host: Hosts) -> None:
    """Served later, it would replace what the standby has received since."""
    final = host.partials / (FIVE.name + ".final")
    final.write_bytes(BIG)
    host.give(final)
    assert host.walmgr("xrestore", FIVE.name, "pg_wal/x").code == ABSENT
    with (host.completed / "STOP").open("w") as stop:
        assert host.walmgr("xrestore", FIVE.name, "pg_wal/x").code == ABSENT
        fcntl.flock(stop, fcntl.LOCK_EX)
        (host.completed / "PAUSE").touch()
        assert host.walmgr("xrestore", FIVE.name, "pg_wal/x").code == 0
        assert host.walmgr("xrestore", SIX.name, "pg_wal/x").code == ABSENT


def test_the_stop_of_3x_serves_what_its_sync_has_copied(host: Hosts) -> None:
    (host.completed / "STOP").touch()
    (host.partials / FIVE.name).write_bytes(BIG)
    assert host.walmgr("xrestore", FIVE.name, "pg_wal/x").code == 0


def test_segments_go_over_ssh_and_come_back(host: Hosts) -> None:
    slave = host.root / "slave.ini"
    slave.write_text(f"[walmgr]\nwalmgr_data = {host.data}\narchive_compression = lz4\n")
    host.write_ini(
        slave="standby.example", slave_config=str(slave), ssh_command=str(host.loopback_ssh()),
        completed_wals=f"standby.example:{host.completed}",
    )  # fmt: skip
    put(host, SIX.name, content(SIX))
    assert host.walmgr("xarchive", f"pg_wal/{FIVE.name}", FIVE.name).code == 0
    assert host.walmgr("xarchive", f"pg_wal/{FIVE.name}", FIVE.name).code == 0
    assert archived_names(host) == [f"{FIVE.name}.lz4"]
    assert host.walmgr("xrestore", FIVE.name, "pg_wal/x").code == 0
    assert (host.root / "pg_wal" / "x").read_bytes() == BIG
    assert host.walmgr("xrestore", SIX.name, "pg_wal/y").code == ABSENT
    (host.root / "down").touch()
    failed = host.walmgr("xarchive", f"pg_wal/{SIX.name}", SIX.name)
    assert failed.code == 1
    assert "host standby.example: " in failed.err
    assert host.walmgr("xrestore", FIVE.name, "pg_wal/y").code == BROKEN
    assert not (host.root / "pg_wal" / "y").exists()
    assert archived_names(host) == [f"{FIVE.name}.lz4"]

    # A disk without room for a mark must get rid of its WAL all the more.
    (host.root / "down").unlink()
    (host.folder("pg_wal/archive_status") / f"{SIX.name}.ready").touch()
    (host.root / "pg_wal" / ".walmgr-sent").symlink_to("nowhere")
    assert host.walmgr("xarchive", f"pg_wal/{FIVE.name}", FIVE.name).code == 0
    assert archived_names(host) == [f"{FIVE.name}.lz4", f"{SIX.name}.lz4"]


def test_a_cut_or_damaged_transfer_is_refused(host: Hosts) -> None:
    digest = hashlib.sha256(BIG).hexdigest()
    head = f"{FIVE.name} {len(BIG)} {digest}\n".encode()
    damaged = BIG[:-1] + b"?"
    for sent, told in (
        (head + BIG[: len(BIG) // 2], "arrived incomplete"),
        (head + damaged, "arrived damaged"),
        (b"what is this\n", "is not like NAME SIZE SHA256"),
        (f"{FIVE.name} {len(BIG)}".encode(), "arrived incomplete"),
    ):
        done = subprocess.run(host.command("xput"), input=sent, capture_output=True, check=False)
        assert (done.returncode, done.stdout) == (1, b"")
        assert told in done.stderr.decode()
        assert archived_names(host) == leftovers(host) == []
    whole = head + BIG
    done = subprocess.run(
        host.command("xput"), input=whole + whole, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout.decode()) == (0, f"ok {FIVE.name}\n" * 2)


def test_a_backlog_goes_in_batches_and_never_by_a_stale_mark(host: Hosts) -> None:
    """One call takes in what waits behind; a mark counts for the very same file only."""
    command = host.archive_command
    names = []
    segment = FIVE
    for _ in range(6):
        put(host, segment.name, content(segment))
        names.append(segment.name)
        segment = segment.next()
    status = host.folder("pg_wal/archive_status")
    for name in names[:5]:
        (status / f"{name}.ready").touch()
    assert in_shell(host, command, names[0], f"pg_wal/{names[0]}") == 0
    assert archived_names(host) == names[:5]
    marks = host.root / "pg_wal" / ".walmgr-sent"
    assert sorted(p.name for p in marks.iterdir()) == names[1:5]

    # With the program gone only the marks can answer.
    host.ini.rename(host.root / "away")
    assert in_shell(host, command, names[1], f"pg_wal/{names[1]}") == 0
    assert sorted(p.name for p in marks.iterdir()) == names[2:5]
    (host.root / "pg_wal" / names[2]).unlink()
    put(host, names[2], content(FIVE.next().next(), fill=b"y"))
    assert in_shell(host, command, names[2], f"pg_wal/{names[2]}") == 1
    (host.root / "away").rename(host.ini)
    assert in_shell(host, command, names[2], f"pg_wal/{names[2]}") == 1
    assert (host.completed / ".conflicts" / names[2]).exists()
    for name in names[3:]:
        assert in_shell(host, command, name, f"pg_wal/{name}") == 0
    assert archived_names(host) == names


@pytest.mark.parametrize("packed", ["lz4", "remote"])
def test_restore_looks_ahead_and_forgets_what_is_not_wanted(host: Hosts, packed: str) -> None:
    if packed == "remote":
        slave = host.root / "slave.ini"
        slave.write_text(f"[walmgr]\nwalmgr_data = {host.data}\n")
        host.write_ini(
            slave="standby.example", slave_config=str(slave), ssh_command=str(host.loopback_ssh())
        )
    else:
        host.write_ini(archive_compression=packed)
    segment, names = FIVE, []
    for _ in range(6):
        names.append(segment.name)
        source = put(host, segment.name, content(segment))
        assert host.walmgr("xarchive", source, segment.name).code == 0
        segment = segment.next()
    target = host.root / "pg_wal" / "RECOVERYXLOG"
    ahead = host.root / "pg_wal" / ".walmgr-ahead"
    for number, name in enumerate(names):
        assert host.walmgr("xrestore", name, "pg_wal/RECOVERYXLOG").code == 0
        assert target.read_bytes() == content(Segment(1, 5 + number))
        target.unlink()
        if number < 2:
            wait_until((ahead / names[5]).exists)
            wait_until(lambda: not is_held(str(ahead / "lock")))
        if number == 0:
            # What was fetched before the machine was started anew may not have come to the disk.
            (ahead / names[1]).write_bytes(bytes(len(BIG)))
            os.utime(ahead / "plan", (0, 0))
        elif number == 1:
            for other in host.completed.glob("0*"):
                other.rename(host.root / other.name)
    assert host.walmgr("xrestore", segment.name, "pg_wal/RECOVERYXLOG").code == ABSENT
    wait_until(lambda: not ahead.exists())


@pytest.mark.parametrize("arguments", [(), ("a",), ("pg_wal/x", "not-wal"), ("a", "b", "c")])
def test_wrong_arguments_are_one_line(host: Hosts, arguments: tuple[str, ...]) -> None:
    for verb, code in (("xarchive", 1), ("xrestore", BROKEN)):
        done = host.walmgr(verb, *arguments)
        assert (done.code, done.err.count("\n")) == (code, 1), done.err
        assert done.err.startswith(f"walmgr {verb}: ")


def test_a_foreign_cluster_cannot_write_into_the_archive(host: Hosts) -> None:
    assert host.walmgr("xarchive", f"pg_wal/{FIVE.name}", FIVE.name).code == 0
    put(host, SIX.name, content(SIX, system=99))
    failed = host.walmgr("xarchive", f"pg_wal/{SIX.name}", SIX.name)
    assert failed.code == 1
    assert f"of another cluster: 99, not {SYSTEM}" in failed.err
