# SPDX-License-Identifier: ISC
"""Londiste with many tables, and what a row costs: the figures that docs/scaling.md plans with.

    python -m bench.londiste_scale [--tables 1000] [--rows 1000000]

Root and branch are two databases of one server, their programs run on the same machine.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.londiste_sides import SETTINGS, wait
from skytools.core.db import Database
from skytools.core.pgserver import PrivateServer

NODES = ("root", "branch")
DEADLINE = 1800.0
ROW = "(id int primary key, customer int, created timestamptz, amount numeric(12,2), note text)"
FILL = """insert into {} select n, n / 10, '2020-01-01'::timestamptz + n * interval '1 s', n * 1.5,
    'a note of some thirty bytes ' || n from generate_series(1, {}) n"""
DONE = "select completed_tick from pgq_node.get_worker_state('q')"
EVENTS = """select sum(pg_total_relation_size(i.inhrelid)), count(*)
    from pg_inherits i where i.inhparent = 'pgq.event_1'::regclass"""


def say(what: str, value: float, unit: str) -> None:
    """Print a figure."""
    sys.stdout.write(f"| {what} | {value:,.2f} {unit} |\n")
    sys.stdout.flush()


def cpu(folder: Path) -> float:
    """Return the seconds of CPU of all processes that work in a folder, and of their children."""
    ticks = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(folder):
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


class Cascade:
    """Root and branch with their workers, and a ticker."""

    def __init__(self, server: PrivateServer, folder: Path) -> None:
        self.folder = folder
        self.programs: list[subprocess.Popen[bytes]] = []
        self.dbs = {}
        for node in NODES:
            server.createdb(node)
            conninfo = server.conninfo(node)
            self.dbs[node] = Database(node, conninfo, autocommit=True)
            (folder / f"{node}.ini").write_text(
                f"[londiste]\njob_name = {node}_w\ndb = {conninfo}\nqueue_name = q\n"
                f"pidfile = {folder}/{node}.pid\nlogfile = {folder}/{node}.log\n"
                "parallel_copies = 4\n"
            )
        base = server.conninfo("postgres").rsplit(" dbname=", 1)[0]
        (folder / "pgqd.ini").write_text(
            f"[pgqd]\nbase_connstr = {base}\ninitial_database = postgres\n"
            f"logfile = {folder}/pgqd.log\n"
        )
        above = []
        for node, kind in zip(NODES, ("create-root", "create-branch"), strict=True):
            self.londiste(node, kind, node, self.dbs[node].conninfo, *above)
            above = [f"--provider={self.dbs[node].conninfo}"]
        self.start("pgqd", "pgqd.ini")
        for node in NODES:
            self.start("londiste", f"{node}.ini", "worker")

    def start(self, program: str, *words: str) -> subprocess.Popen[bytes]:
        """Start a program."""
        path = str(Path(sys.executable).with_name(program))
        made = subprocess.Popen([path, *words], cwd=self.folder, stderr=subprocess.DEVNULL)
        self.programs.append(made)
        return made

    def londiste(self, node: str, *words: str) -> float:
        """Run a command; returns the seconds it took."""
        path = str(Path(sys.executable).with_name("londiste"))
        began = time.monotonic()
        done = subprocess.run(
            [path, f"{node}.ini", *words], cwd=self.folder, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"londiste {' '.join(words)}: {done.stdout}{done.stderr}")
        for line in done.stdout.splitlines():
            if "refused for" in line:
                say(f"{' '.join(words)}: writers were refused", float(line.split()[-2]), "s")
        return time.monotonic() - began

    def catch_up(self) -> float:
        """Make a tick and wait until the branch has it; returns the seconds."""
        began = time.monotonic()
        tick = self.dbs["root"].value("select pgq.force_tick('q')")
        branch = self.dbs["branch"]
        wait(lambda: branch.value(DONE) > tick, DEADLINE, "the branch does not come")
        return time.monotonic() - began

    def close(self) -> None:
        """End all programs."""
        for one in self.programs:
            one.terminate()
        for one in self.programs:
            one.wait()
        for db in self.dbs.values():
            db.close()


def many_tables(cascade: Cascade, count: int) -> None:
    """Time the commands with so many tables, each with two rows and a sequence."""
    root = cascade.dbs["root"]
    for number in range(count):
        root.execute(
            f"create table t{number} (id serial primary key, v text);"
            f"insert into t{number} (v) values ('x'), ('y')"
        ).close()
    for node, what, words in (
        ("root", "add-table * at the root", ("add-table", "*")),
        ("root", "add-seq * at the root", ("add-seq", "*")),
        ("branch", "add-table * --create-full at the branch", ("add-table", "*", "--create-full")),
        ("branch", "wait-sync after that", ("wait-sync",)),
        ("branch", "add-seq * at the branch", ("add-seq", "*")),
        ("branch", "status", ("status",)),
        ("branch", "check", ("check",)),
        ("branch", "compare --all", ("compare", "--all")),
        ("branch", "takeover root", ("takeover", "root")),
        ("root", "takeover branch", ("takeover", "branch")),
        ("branch", "resync --all", ("resync", "--all")),
        ("branch", "wait-sync after that", ("wait-sync",)),
    ):
        say(what, cascade.londiste(node, *words), "s")


def a_row(cascade: Cascade, rows: int) -> None:
    """Measure what a row costs in copy, queue, apply and compare."""
    root, changes = cascade.dbs["root"], rows // 5
    root.execute(f"create table big {ROW}").close()
    root.execute(FILL.format("big", rows)).close()
    update = "update big set amount = amount + 1 where id % 5 = 0"
    cascade.londiste("root", "add-table", "big")
    seconds, used = spent(cascade, rows, lambda: cascade.londiste(
        "branch", "add-table", "big", "--create-full", "--wait-sync"))  # fmt: skip
    say("copy", root.value("select pg_table_size('big')") / seconds / 1e6, "MB/s")
    say("copy: CPU of both servers and the copy", used, "us/row")
    _, used = spent(cascade, rows, lambda: cascade.londiste("branch", "compare", "big"))
    say("compare: CPU of both servers", used, "us/row")
    cascade.catch_up()
    cascade.londiste("branch", "pause")
    before, _ = root.query(EVENTS)[0]
    root.execute(update).close()
    after, _ = root.query(EVENTS)[0]
    say("queue, on each node that keeps it", (after - before) / changes, "bytes/change")
    cascade.londiste("branch", "resume")
    seconds, used = spent(cascade, changes, cascade.catch_up)
    say("branch: copies events and applies them, CPU", used, "us/change")
    say("branch: copies events and applies them", changes / seconds, "changes/s")
    cascade.londiste("branch", "compare", "big")


def spent(cascade: Cascade, rows: int, work: Callable[[], object]) -> tuple[float, float]:
    """Return (seconds, microseconds of CPU for a row) of something."""
    before, began = cpu(cascade.folder), time.monotonic()
    work()
    return time.monotonic() - began, (cpu(cascade.folder) - before) / rows * 1e6


@contextlib.contextmanager
def running() -> Iterator[Cascade]:
    """Give a cascade on a server of its own."""
    folder = Path(tempfile.mkdtemp(prefix="skytools-bench-", dir="/var/tmp"))
    folder.chmod(0o755)
    server = PrivateServer(folder / "server" / "data", settings=SETTINGS)
    try:
        server.initdb()
        server.start()
        cascade = Cascade(server, folder)
        try:
            yield cascade
        finally:
            cascade.close()
    finally:
        server.destroy()
        shutil.rmtree(folder)


def main() -> None:
    """Measure, and print rows of a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    opts = parser.parse_args()
    with running() as cascade:
        if opts.rows:
            a_row(cascade, opts.rows)
        if opts.tables:
            many_tables(cascade, opts.tables)


if __name__ == "__main__":
    main()
