# SPDX-License-Identifier: ISC
"""What a receiver that was killed, or had no room, leaves, and how the next one goes on."""

from __future__ import annotations

import subprocess

from skytools.core.cli import Output
from skytools.core.config import load
from skytools.walmgr.config import WalmgrConfig
from skytools.walmgr.receiver import prepare
from skytools.walmgr.site import Site
from skytools.walmgr.wal import Segment
from tests.fixtures.walmgr import Hosts, MakeHosts
from tests.unit.walmgr.segments import SIZE

FIRST = Segment(1, 0x123, SIZE)  # no number of a segment of 16 MB


def left(hosts: Hosts) -> list[str]:
    return sorted(path.name for path in hosts.partials.iterdir())


def test_what_was_left_behind_stops_no_receiver(make_hosts: MakeHosts) -> None:
    """Before the first set, with small segments; the primary is past what has been begun."""
    hosts = make_hosts(start=False)
    program = hosts.primary.program("pg_resetwal")
    words = (program, f"--wal-segsize={SIZE >> 20}", "-l", FIRST.name, "-D", hosts.primary.datadir)
    subprocess.run(hosts.words(*words), check=True, stdout=subprocess.DEVNULL, cwd="/")
    hosts.primary.start()
    for folder in ("w/logs.complete", "w/logs.partial"):
        hosts.folder(folder)
    config = load(WalmgrConfig, hosts.ini, "walmgr", {}).config
    site = Site(config, hosts.ini, str(hosts.program), Output())
    programs = site.programs(site.primary().server_version // 10000)
    try:
        now = hosts.partials / f"{FIRST.name}.partial"
        now.touch()
        prepare(site, programs)
        assert left(hosts) == [now.name]
        now.write_bytes(bytes(SIZE // 2))
        prepare(site, programs)
        assert left(hosts) == [f"{now.name}.odd"]

        (hosts.completed / FIRST.name).touch()
        gone = hosts.partials / f"{Segment(1, FIRST.number - 10, SIZE).name}.partial"
        gone.write_bytes(bytes(SIZE))
        prepare(site, programs)
        assert left(hosts) == [f"{gone.name}.odd"]
    finally:
        site.close()
