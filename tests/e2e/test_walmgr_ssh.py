# SPDX-License-Identifier: ISC
"""The other host is gone. What works while it is there: test_walmgr_sshd.py."""

from __future__ import annotations

from tests.e2e.test_walmgr_failover import DURABLE
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
