# SPDX-License-Identifier: ISC
"""The primary is on another host: reached by libpq for streams, by ssh for its files."""

from __future__ import annotations

from tests.e2e.test_walmgr_failover import DURABLE, Writer, rows, starve
from tests.fixtures.wait import wait_until
from tests.fixtures.walmgr import REMOTE, Hosts, MakeHosts


def two_hosts(make_hosts: MakeHosts) -> Hosts:
    """Each host has its own ini, and sees the other through ssh."""
    hosts = make_hosts(settings=DURABLE)
    ssh = str(hosts.loopback_ssh())
    theirs = hosts.root / "wal-master.ini"
    theirs.write_text(
        f"[walmgr]\nmaster_data = {hosts.primary.datadir}\nslave = standby.example\n"
        f"slave_config = {hosts.ini}\nssh_command = {ssh}\nwalmgr_data = {hosts.data}\n"
    )
    hosts.write_ini(
        master_host="primary.example", master_data=str(REMOTE / "a" / "data"),
        master_ini=str(theirs), ssh_command=ssh,
        slave_db=hosts.standby.conninfo(),
        master_settings=f"unix_socket_directories={hosts.primary.socket_dir}",
    )  # fmt: skip
    return hosts


def test_both_directions_work_over_ssh(make_hosts: MakeHosts) -> None:
    hosts = two_hosts(make_hosts)
    hosts.good("pair")
    primary = hosts.sql(hosts.primary)
    primary.execute("create table t (id bigint primary key)")
    name = primary.value("select pg_walfile_name(pg_switch_wal())")
    wait_until((hosts.completed / name).exists, what=name)
    assert "'xput'" in (hosts.root / "ssh.d" / "log").read_text()

    starve(hosts)
    writer = Writer(hosts.primary)
    writer.wait(100)
    hosts.primary.kill()
    acknowledged = set(writer.stop())

    _refuses_to_follow_blindly(hosts)
    done = hosts.good("boot")
    assert "bytes of WAL were found beyond the standby's" in done.out
    assert acknowledged <= rows(hosts, hosts.standby)
    done = hosts.good("rejoin")
    assert "master: rewinding" in done.out
    assert "master follows slave" in done.out
    wait_until(lambda: acknowledged <= rows(hosts, hosts.primary))

    hosts.good("switchover")
    back = hosts.sql(hosts.primary)
    assert not back.value("select pg_is_in_recovery()")
    back.execute("insert into t values (-5)")
    name = back.value("select pg_walfile_name(pg_switch_wal())")
    wait_until((hosts.completed / name).exists, what=name)
    wait_until(lambda: -5 in rows(hosts, hosts.standby))


def _refuses_to_follow_blindly(hosts: Hosts) -> None:
    """Without an address that the other host can use there is no rejoin, and nothing touched."""
    refused = hosts.walmgr("rejoin")
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert "master: connection to server on socket" in refused.err


def test_a_host_that_cannot_be_asked_does_not_stop_a_promotion(make_hosts: MakeHosts) -> None:
    hosts = two_hosts(make_hosts)
    hosts.good("pair")
    hosts.sql(hosts.primary).execute("create table t (id bigint primary key)")
    (hosts.root / "down").touch()
    hosts.primary.kill()
    done = hosts.good("boot")
    assert "master: its host cannot be asked" in done.out
    assert "make sure that it stays off" in done.out
    assert "nothing is salvaged from master" in done.out
    assert "slave is the primary, timeline 2" in done.out
    refused = hosts.walmgr("rejoin")
    assert (refused.code, refused.err.count("\n")) == (1, 1), refused.err
    assert "primary.example" in refused.err
