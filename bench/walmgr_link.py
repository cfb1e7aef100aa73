# SPDX-License-Identifier: ISC
"""`pair` beside pg_basebackup alone between two hosts: network namespaces, a cable, sshd on each.

    sudo .venv/bin/python -m bench.walmgr_link [--rates 1gbit 2500mbit] [--rounds 3]

The hosts share processors and disk, which two machines would not. `pair` ends as in walmgr_pair.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.walmgr_sides import SETTINGS, compare
from examples.demo.launcher import make_walmgr
from tests.fixtures.netns import Cable
from tests.fixtures.process import run
from tests.fixtures.server import started
from tests.fixtures.walmgr import Hosts

BURST = "1mb"  # what a second has at 10 Gbit/s in a tick of the kernel's clock


class Pairs:
    """Two hosts that can be paired again and again."""

    def __init__(self, root: Path, cable: Cable) -> None:
        self.hosts = hosts = Hosts(root, make_walmgr(root / "bin"), SETTINGS, {})
        hosts.give(root)
        hosts.folder("a")
        hosts.primary.initdb()
        started.append(hosts.primary)
        self.sshd = cable.host(hosts)
        self.database = hosts.sql(hosts.primary)
        self._gone = hosts.folder("gone")

    def fill(self, scale: int) -> int:
        """Make pgbench's tables; returns bytes."""
        primary = self.hosts.primary
        self._good(primary.program("pgbench"), "-i", "-q", "-s", scale, primary.conninfo())
        self.database.execute("checkpoint")
        query = "select sum(pg_database_size(oid)) from pg_database"
        return int(self.database.value(query))

    def pair(self) -> float:
        """Pair, then undo it; returns seconds."""
        seconds = self._good(self.hosts.program, self.hosts.ini, "pair", "--force")
        self.hosts.crash(self.hosts.standby)
        self.database.execute("select pg_drop_replication_slot('walmgr')")
        self.database.execute("alter system reset archive_command")
        self.database.execute("select pg_reload_conf()")
        self._discard(self.hosts.standby.datadir)
        self._discard(self.hosts.data)
        return seconds

    def base_backup(self) -> float:
        """Copy the cluster, durably as pg_basebackup does."""
        target = self.hosts.folder("base") / "data"
        source = self.hosts.keys["master_db"]
        program = self.hosts.primary.program("pg_basebackup")
        seconds = self._good(program, "-d", source, "-D", target, "-X", "stream", "-c", "fast")
        self._discard(target)
        return seconds

    def close(self) -> None:
        """End what runs."""
        self.hosts.close()
        self.sshd.stop()

    def _good(self, *words: object) -> float:
        began = time.monotonic()
        done = run(*self.hosts.words(*words), cwd=self.hosts.root, timeout=1200.0)
        if done.code != 0:
            raise RuntimeError(f"{words}: {done.out}{done.err}")
        return time.monotonic() - began

    def _discard(self, path: Path) -> None:
        path.rename(self._gone / str(len(list(self._gone.iterdir()))))


@contextmanager
def pairs() -> Iterator[tuple[Pairs, Cable]]:
    """Give two hosts; all is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="skytools-bench-", dir="/var/tmp") as folder:
        root = Path(folder)
        root.chmod(0o755)
        cable = Cable()
        try:
            one = Pairs(root, cable)
            try:
                yield one, cable
            finally:
                one.close()
        finally:
            cable.close()


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=int, default=70, help="of pgbench; 70 makes 1 GB")
    parser.add_argument("--rates", nargs="+", default=["1gbit", "2500mbit"])
    parser.add_argument("--rounds", type=int, default=3)
    opts = parser.parse_args()
    with pairs() as (one, cable):
        size = one.fill(opts.scale)
        sys.stdout.write(f"load {os.getloadavg()[0]:.1f}, {size >> 20} MB\n")
        sys.stdout.write("| s | walmgr | the other | ratio |\n|---|---|---|---|\n")
        for rate in opts.rates:
            cable.slow(rate, BURST)
            row = compare(one.pair, one.base_backup, opts.rounds)
            sys.stdout.write(f"| pair, {rate}, against pg_basebackup alone | {row} |\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
