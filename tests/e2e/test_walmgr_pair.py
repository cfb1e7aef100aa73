# SPDX-License-Identifier: ISC
"""One command from a primary and an empty folder to archive, set and hot standby."""

from __future__ import annotations

import json

from tests.fixtures.process import Result
from tests.fixtures.wait import wait_until
from tests.fixtures.walmgr import Hosts, MakeHosts, snapshot


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
    assert "later: the primary needs a restart for archive_mode, wal_log_hints" in planned.out

    done = hosts.good("pair")
    assert steps(done, "done") == steps(done, "plan")
    assert len(steps(done, "plan")) >= 10
    assert "a write is on the standby's disk after" in done.out
    done = hosts.good("pair", "--restart")
    restart = "primary: restart, for archive_mode, wal_log_hints"
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
    _refused(hosts, 1, "let this host's key in there (`sshkey`), or leave master_host empty")
    hosts.write_ini(master_host="", ssh_command="")


def _refused(hosts: Hosts, code: int, told: str) -> None:
    before = snapshot(hosts.data)
    result = hosts.walmgr("pair")
    assert (result.code, result.err.count("\n")) == (code, 1), result.err + result.out
    assert told in result.err
    assert snapshot(hosts.data) == before
    assert hosts.sql(hosts.primary).query("select 1 from pg_replication_slots") == []
