# SPDX-License-Identifier: ISC
"""One command from a primary and an empty folder to archive, set and hot standby."""

from __future__ import annotations

import json
from pathlib import Path

from tests.fixtures.process import Result, run
from tests.fixtures.wait import wait_until
from tests.fixtures.walmgr import LATE, Hosts, MakeHosts, snapshot


def steps(result: Result, word: str) -> list[str]:
    return [line.removeprefix(f"{word}: ") for line in result.lines if line.startswith(f"{word}: ")]


def texts(hosts: Hosts) -> set[str]:
    found = json.loads(hosts.walmgr("check", "--json").out)
    return {one["text"] for one in found}


def test_pair_makes_all_of_it_and_a_second_run_nothing(make_hosts: MakeHosts) -> None:
    hosts = make_hosts()
    planned = hosts.good("pair", "--plan")
    assert "primary: create replication slot walmgr" in steps(planned, "plan")
    assert not list(hosts.data.iterdir())
    assert hosts.sql(hosts.primary).query("select 1 from pg_replication_slots") == []
    # Checksums, which are the default since PostgreSQL 18, do what hints are logged for.
    checksums = hosts.sql(hosts.primary).value("show data_checksums") == "on"
    needs = "archive_mode" if checksums else "archive_mode, wal_log_hints"
    assert f"later: the primary needs a restart for {needs};" in planned.out
    assert "clock" not in planned.out
    late = hosts.words(hosts.changed_program(LATE), hosts.ini, "pair", "--plan")
    told = "note: the primary's clock is 90 s ahead of this host's; synchronise them"
    assert told in run(*late, cwd=hosts.root).out

    done = hosts.good("pair")
    assert steps(done, "done") == steps(done, "plan")
    assert len(steps(done, "plan")) >= 10
    assert "a write is on the standby's disk after" in done.out
    done = hosts.good("pair", "--restart")
    restart = f"primary: restart, for {needs}"
    assert steps(done, "done") == steps(done, "plan") == [restart]
    assert "a write is on the standby's disk after" in done.out

    for path in (hosts.completed, hosts.standby.datadir, *hosts.data.glob("data.master.*")):
        assert path.stat().st_mode & 0o077 == 0, path
    again = hosts.good("pair", "--restart")
    assert steps(again, "plan") == []
    assert "nothing to do" in again.lines

    primary, standby = hosts.sql(hosts.primary), hosts.sql(hosts.standby)
    primary.execute("create table t as select 42 as answer")
    wait_until(lambda: standby.value("select count(*) from pg_class where relname = 't'") == 1)
    wait_until(lambda: standby.value("select answer from t") == 42)
    primary.value("select pg_switch_wal()")
    wait_until(lambda: primary.value("select archived_count from pg_stat_archiver") > 0)
    wanted = {"the receiver does not run", "1 of 2 backup sets that are asked for"}
    wait_until(lambda: texts(hosts) == wanted, what=lambda: str(texts(hosts)))
    assert hosts.walmgr("check").code == 2
    status = hosts.good("status").out
    assert "standby   slave: streaming, not paused, replayed" in status
    assert "1 complete, newest data.master." in status

    _check_tells_faults(hosts)
    _pair_repairs(hosts)


def _check_tells_faults(hosts: Hosts) -> None:
    """What breaks is found, and told with what to do about it."""
    hosts.crash(hosts.standby)
    gone = sorted(p for p in hosts.completed.iterdir() if len(p.name) == 24)[-1]
    conflicts = hosts.folder("w/logs.complete/.conflicts")
    (conflicts / gone.name).touch()
    hosts.sql(hosts.primary).execute("select pg_drop_replication_slot('walmgr')")
    told = texts(hosts)
    assert "the standby does not answer" in told
    assert "the replication slot is missing" in told
    assert f"1 files were refused, first {gone.name}" in told
    lines = hosts.walmgr("check").lines
    assert lines[0].startswith("WALMGR CRITICAL - ")
    assert all("; " in line for line in lines[1:])
    assert "slave: does not answer: slave: connection to server" in hosts.walmgr("status").out
    (conflicts / gone.name).unlink()


def _pair_repairs(hosts: Hosts) -> None:
    """The same command brings back what is missing."""
    done = hosts.good("pair")
    assert steps(done, "done") == [
        "primary: create replication slot walmgr", f"standby: start {hosts.standby.datadir}",
    ]  # fmt: skip
    assert "the standby does not answer" not in texts(hosts)


def test_pair_refuses_what_is_not_its_own(hosts: Hosts) -> None:
    """One line each, and nothing touched."""
    precious = hosts.standby.datadir
    precious.mkdir()
    hosts.give(precious)
    (precious / "file").touch()
    _refused(hosts, 3, f"folder {precious} is not empty and no standby of this primary")
    (precious / "file").unlink()

    hosts.folder("w/logs.complete")
    (hosts.completed / ".identity").write_text("99\n")
    _refused(hosts, 3, "belongs to another cluster: system identifier 99, not")
    (hosts.completed / ".identity").unlink()

    database = hosts.sql(hosts.primary)
    database.execute("alter system set archive_command = 'barman-wal-archive b main %p'")
    database.execute("select pg_reload_conf()")
    wait_until(lambda: "barman" in database.value("show archive_command"))
    _refused(hosts, 3, "archive_command is in use: 'barman-wal-archive b main %p'; --force")
    hosts.good("pair", "--plan", "--force")

    hosts.write_ini(slave_bin="/usr/bin")
    _refused(hosts, 2, " is not in /usr/bin")
    hosts.write_ini(slave_bin=str(hosts.primary.bindir))
    _primary_must_be_reached_in_all_ways(hosts)
    hosts.write_ini(master_db="host=/nowhere dbname=postgres")
    _refused(hosts, 1, "master: connection to server on socket")


def _primary_must_be_reached_in_all_ways(hosts: Hosts) -> None:
    """What would fail half-way is seen before anything is changed."""
    database = hosts.sql(hosts.primary)
    database.execute("alter system reset archive_command")
    database.execute("select pg_reload_conf()")
    wait_until(lambda: "barman" not in database.value("show archive_command"))
    hba = hosts.primary.datadir / "pg_hba.conf"
    allowed = hba.read_text()
    hba.write_text("local all all trust\n")
    database.execute("select pg_reload_conf()")
    query = "select count(*) from pg_hba_file_rules"
    wait_until(lambda: database.value(query) == 1)
    _refused(hosts, 1, "to it and reload")
    hba.write_text(allowed)
    database.execute("select pg_reload_conf()")
    hosts.write_ini(master_host="a.example", ssh_command="ssh -o ConnectTimeout=1 -i /no/key -p 1")
    _refused(hosts, 1, "correct master_host, or leave it empty")
    hosts.write_ini(master_host="", ssh_command="")


def _refused(hosts: Hosts, code: int, told: str) -> None:
    before = snapshot(hosts.data)
    result = hosts.walmgr("pair")
    assert (result.code, result.err.count("\n")) == (code, 1), result.err + result.out
    assert told in result.err
    assert snapshot(hosts.data) == before
    assert hosts.sql(hosts.primary).query("select 1 from pg_replication_slots") == []


# Kills the program itself before the call that KILL_AT names; audit hooks see calls of all threads.
KILLER = """\
import os, signal, sys
_event, _end = os.environ.get("KILL_AT", "- -").split()
_armed = False
def _look(event, args):
    global _armed
    path = str(args[event == "os.rename"]) if args else ""
    if _armed or (event == _event and path.endswith(_end)):
        os.kill(os.getpid(), signal.SIGKILL)
    _armed = event + ":after" == _event and path.endswith(_end)
sys.addaudithook(_look)
"""


# Damages the folder COPY before it is looked at: a file's bytes, or its length too.
DAMAGER = """\
import os, sys
def _look(event, args):
    path = os.environ["COPY"] + "/base/1/pg_filenode.map"
    if event != "subprocess.Popen" or not os.path.exists(path):
        return
    if any(word == os.environ["COPY"] for word in map(str, args[1])):
        with open(path, "r+b") as file:
            file.write(b"damage")
            file.truncate(int(os.environ["LENGTH"]))
sys.addaudithook(_look)
"""


def test_nothing_is_started_that_differs_from_the_manifest(make_hosts: MakeHosts) -> None:
    hosts = make_hosts()
    program = hosts.changed_program(DAMAGER)

    def fails(verb: str, folder: Path, length: int, told: str) -> None:
        words = ["env", f"COPY={folder}", f"LENGTH={length}", program, hosts.ini, verb]
        result = run(*hosts.words(*words), cwd=hosts.root, timeout=180)
        assert (result.code, result.err.count("\n")) == (1, 1), result
        assert told in result.err
        assert not hosts.standby.datadir.exists()

    # The set is what is read; its copy has come from the same pages and is as long.
    copy = hosts.standby.datadir.with_name(f"{hosts.standby.datadir.name}.copying")
    fails("pair", copy, 100, '"base/1/pg_filenode.map" has size 100 on disk')
    (one,) = json.loads(hosts.good("listbackups", "--json").out)
    assert one["state"] == "verified"
    fails("restore", copy, 100, '"base/1/pg_filenode.map" has size 100 on disk')
    damaged = Path(one["path"]) / "data"
    size = (damaged / "base/1/pg_filenode.map").stat().st_size
    fails("restore", damaged, size, 'checksum mismatch for file "base/1/pg_filenode.map"')
    hosts.good("backup")
    hosts.good("pair")


def test_pair_that_is_killed_is_repeated(make_hosts: MakeHosts) -> None:
    """At each step, the copy for the standby among them; what is half done is never a server."""
    hosts = make_hosts()
    program = hosts.changed_program(KILLER)
    folder = hosts.standby.datadir
    for number, point in enumerate((
        "os.rename /set.json",
        "os.mkdir /data.copying/base",
        "os.rename:after /set.json",
        f"os.rename {folder}",
        f"os.rename:after {folder}",
        "os.mkdir nowhere",
    )):  # fmt: skip
        words = hosts.words("env", f"KILL_AT={point}", program, hosts.ini, "pair")
        result = run(*words, cwd=hosts.root, timeout=180)
        assert (result.code == 0) is (point == "os.mkdir nowhere"), (point, result)
        _nothing_is_half(hosts, point)
        assert folder.exists() is (number > 3), point
    # The program is another one now: nothing else is changed.
    changed = steps(hosts.good("pair"), "done")
    assert [step.partition(" = ")[0] for step in changed] == ["primary: set archive_command"]
    states = [one["state"] for one in json.loads(hosts.good("listbackups", "--json").out)]
    assert states.count("verified") >= 1
    assert not list(folder.parent.glob("*.copying"))
    standby, primary = hosts.sql(hosts.standby), hosts.sql(hosts.primary)
    primary.execute("create table t as select 42 as answer")
    wait_until(lambda: standby.value("select count(*) from pg_class where relname = 't'") == 1)


def _nothing_is_half(hosts: Hosts, point: str) -> None:
    folder = hosts.standby.datadir
    if folder.exists():
        assert (folder / "standby.signal").exists(), point
        assert (folder / "global" / "pg_control").exists(), point
    for one in json.loads(hosts.good("listbackups", "--json").out):
        assert one["state"] in {"verified", "failed"}, (point, one)
