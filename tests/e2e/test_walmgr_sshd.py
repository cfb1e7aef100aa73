# SPDX-License-Identifier: ISC
"""Two hosts that reach each other by a real sshd, with keys that may do no more than is needed."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.test_walmgr_failover import DURABLE, Writer, rows, starve
from tests.fixtures.process import Result, run
from tests.fixtures.sshd import Sshd
from tests.fixtures.wait import wait_until
from tests.fixtures.walmgr import Hosts, MakeHosts


def two_hosts(make_hosts: MakeHosts) -> tuple[Hosts, Sshd]:
    """Give two hosts that have let each other in."""
    hosts = make_hosts(settings=DURABLE)
    sshd = Sshd(hosts)
    sshd.start()
    sshd.join(
        slave_db=hosts.standby.conninfo(),
        master_settings=f"unix_socket_directories={hosts.primary.socket_dir}",
    )
    return hosts, sshd


def test_pair_archive_restore_and_failover_through_a_real_sshd(make_hosts: MakeHosts) -> None:
    hosts, sshd = two_hosts(make_hosts)
    try:
        hosts.good("pair")
        _wal_goes_and_comes(hosts)
        _keys_may_do_no_more(hosts, sshd)
        _fails_over(hosts)
        _an_unknown_key_is_refused(hosts, sshd)
    finally:
        sshd.stop()


def _wal_goes_and_comes(hosts: Hosts) -> None:
    """A backlog is sent in one session; the way back works too."""
    primary = hosts.sql(hosts.primary)
    primary.execute("create table t (id bigint primary key)")
    name = primary.value("select pg_walfile_name(pg_switch_wal())")
    wait_until((hosts.completed / name).exists, what=name)
    assert primary.value("select failed_count from pg_stat_archiver") == 0

    command = primary.value("show archive_command")
    primary.execute("alter system set archive_command = 'false'")
    primary.execute("select pg_reload_conf()")
    for number in range(5):
        primary.execute("insert into t values (%s)", [-number - 10])
        name = primary.value("select pg_walfile_name(pg_switch_wal())")
    primary.execute("alter system set archive_command = %s", [command])
    primary.execute("select pg_reload_conf()")
    wait_until(lambda: primary.value("select last_archived_wal from pg_stat_archiver") == name)
    assert (hosts.completed / name).exists()
    theirs = hosts.root / "wal-master.ini"
    copy = hosts.folder("back") / "segment"
    done = run(*hosts.words(hosts.program, theirs, "xrestore", name, copy))
    assert done.code == 0, done.err
    assert copy.read_bytes() == (hosts.completed / name).read_bytes()
    done = run(*hosts.words(hosts.program, theirs, "listbackups"))
    assert "data.master." in done.out, done.err


def _keys_may_do_no_more(hosts: Hosts, sshd: Sshd) -> None:
    def ssh(host: str, *words: object) -> Result:
        return run(*hosts.words(*sshd.command.split(), host, *words))

    standby, primary = "standby.example", "primary.example"
    away = hosts.root / "away"
    for host, words in (
        (standby, ("touch", away)), (standby, (hosts.program, hosts.ini, "boot")),
        (standby, (hosts.program, hosts.ini, "backup", "--set", "walmgr_data=/tmp")),
        (primary, ("touch", away)), (primary, ("cat", "/etc/passwd")),
        (primary, ("cat", hosts.primary.datadir / "../../wal.ini")),
        (primary, ("sh", "-c", f"'touch {away}'", "x", hosts.primary.datadir)),
        (primary, ("ls", "'/tmp")), (primary, ()),
    ):  # fmt: skip
        refused = ssh(host, *words)
        assert refused.code == 126, (words, refused)
        assert refused.err.count("walmgr xserve: ") == 1
    assert not away.exists()
    assert ssh(primary, "cat", hosts.primary.datadir / "PG_VERSION").code == 0
    # Letting a key in twice changes nothing.
    before = sshd.authorized_keys.read_text()
    sshd.allow("a_key")
    assert sorted(before.splitlines()) == sorted(sshd.authorized_keys.read_text().splitlines())


def _fails_over(hosts: Hosts) -> None:
    starve(hosts)
    writer = Writer(hosts.primary)
    writer.wait(50)
    hosts.primary.kill()
    acknowledged = set(writer.stop())
    linked = hosts.primary.datadir / "pg_ident.conf"
    elsewhere = linked.rename(hosts.folder("etc") / "ours and theirs")
    linked.symlink_to(elsewhere)
    refused = hosts.walmgr("rejoin")
    assert (refused.code, refused.err.count("\n")) == (1, 1), refused.err
    assert "master: connection to server on socket" in refused.err
    assert "bytes of WAL were found beyond the standby's" in hosts.good("boot").out
    assert acknowledged <= rows(hosts, hosts.standby)
    assert "master follows slave" in hosts.good("rejoin").out
    assert linked.readlink() == elsewhere
    wait_until(lambda: acknowledged <= rows(hosts, hosts.primary))
    hosts.good("switchover")
    assert not hosts.sql(hosts.primary).value("select pg_is_in_recovery()")


def _an_unknown_key_is_refused(hosts: Hosts, sshd: Sshd) -> None:
    """Another key of the host itself: somebody else may have taken its place."""
    sshd.forget()
    known = sshd.root / "known_hosts"
    other = Path(sshd.root / "a_key.pub").read_text().split()[1]
    lines = [line.split() for line in known.read_text().splitlines()]
    known.write_text("".join(f"{host} {kind} {other}\n" for host, kind, _ in lines))
    primary = hosts.sql(hosts.primary)
    name = primary.value("select pg_walfile_name(pg_switch_wal())")
    theirs = hosts.root / "wal-master.ini"
    source = hosts.primary.datadir / "pg_wal" / name
    done = run(*hosts.words(hosts.program, theirs, "xarchive", source, name))
    assert done.code == 1
    assert "Host key verification failed" in done.err
