# SPDX-License-Identifier: ISC
"""Two hosts in two network namespaces, each with its own sshd: slow, cut, healed, split in two."""

from __future__ import annotations

import json

import pytest

from tests.e2e.test_walmgr_failover import DURABLE, Writer, receiver_streams, rows, serve
from tests.fixtures.netns import Cable
from tests.fixtures.process import Spawn
from tests.fixtures.wait import wait_until
from tests.fixtures.walmgr import Hosts, MakeHosts

WAITS = "select true from pg_stat_activity where wait_event = 'SyncRep'"
ARCHIVED = "select last_archived_wal from pg_stat_archiver"


def told(hosts: Hosts) -> dict[str, str]:
    """What `check` finds: text -> level."""
    return {one["text"]: one["level"] for one in json.loads(hosts.walmgr("check", "--json").out)}


class Scene:
    """A primary at the far end, its standby and the service here, and somebody who writes."""

    def __init__(self, hosts: Hosts, cable: Cable, spawn: Spawn) -> None:
        self.hosts = hosts
        self.cable = cable
        assert "streams" in hosts.good("pair").out
        self.database = hosts.sql(hosts.primary)
        self.database.execute("create table t (id bigint primary key)")
        self.service = serve(hosts, spawn)
        wait_until(lambda: receiver_streams(self.database))
        self.writer = Writer(hosts.primary)
        self.writer.wait(50)

    def is_slow(self) -> None:
        """Segments arrive over it all the same, none has to be sent twice."""
        self.cable.slow("40mbit")
        names = []
        for _ in range(3):
            names.append(self.database.value("select pg_walfile_name(pg_switch_wal())"))
            self.writer.wait(5)
        wait_until(lambda: self.database.value(ARCHIVED) == names[-1], 120)
        assert self.database.value("select failed_count from pg_stat_archiver") == 0

    def is_cut(self) -> None:
        self.cable.cut()
        wait_until(lambda: self.database.value(WAITS))

    def heals(self) -> None:
        """Writing goes on, the archive has no hole, nobody has done anything."""
        self.database.execute("select pg_switch_wal()")
        assert told(self.hosts)["the primary does not answer"] == "CRITICAL"
        assert "master: does not answer" in self.hosts.walmgr("status").out
        self.cable.heal()
        self.writer.wait(50)
        wait_until(lambda: receiver_streams(self.database), 60, lambda: self.service.output[-2000:])
        failed = "select last_failed_time > last_archived_time from pg_stat_archiver"
        wait_until(lambda: not self.database.value(failed), 180)
        assert not [text for text in told(self.hosts) if "gap" in text or "refused" in text]

    def standby_takes_over(self) -> None:
        """While the old primary lives on behind the cut."""
        done = self.hosts.good("boot")
        assert "make sure that it stays off" in done.out
        assert set(self.writer.acknowledged) <= rows(self.hosts, self.hosts.standby)
        self.hosts.sql(self.hosts.standby).execute("create table late (id int)")

    def old_primary_rejoins(self) -> None:
        hosts = self.hosts
        self.cable.heal()
        refused = hosts.walmgr("rejoin")
        assert (refused.code, "runs as a primary" in refused.err) == (3, True), refused.err
        assert "master follows slave" in hosts.good("rejoin", "--force").out
        acknowledged = set(self.writer.stop())
        assert acknowledged <= rows(hosts, hosts.standby)
        wait_until(lambda: acknowledged <= rows(hosts, hosts.primary))
        wait_until(lambda: "CRITICAL" not in told(hosts).values(), 60)


@pytest.mark.root
@pytest.mark.chaos
@pytest.mark.timeout(900)
def test_a_cable_is_slow_and_cut_and_the_hosts_part(
    make_hosts: MakeHosts, spawn: Spawn, cable: Cable
) -> None:
    hosts = make_hosts(start=False, settings=DURABLE, synchronous="on")
    sshd = cable.host(hosts)
    scene = None
    try:
        scene = Scene(hosts, cable, spawn)
        scene.is_slow()
        scene.is_cut()
        scene.heals()
        scene.is_cut()
        scene.standby_takes_over()
        scene.old_primary_rejoins()
    finally:
        cable.heal()
        hosts.primary.kill()
        if scene is not None:
            scene.writer.stop()
        sshd.stop()
