# SPDX-License-Identifier: ISC
"""A full backup by pg_basebackup beside one by several rsync, of the same cluster, in turn.

    .venv/bin/python -m bench.walmgr_streams [--scale 70] [--streams 2] [--rounds 3]

Both verbs end with a set that is verified and on disk. Seconds, and CPU seconds of all processes
that walmgr has started here, without those of the server. `linked`: the set by streams shares what
is unchanged with the one before.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys

from bench.walmgr_sides import Field, field

OLD = 1_700_000_000  # as if nothing had been written for long: what is new is never linked


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=int, default=70, help="of pgbench; 70 makes 1 GB")
    parser.add_argument("--streams", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    opts = parser.parse_args()
    out = sys.stdout
    with field() as one:
        one.good(one.primary.program("pgbench"), "-i", "-q", "-s", opts.scale,
                 one.primary.conninfo())  # fmt: skip
        one.database.execute("checkpoint")
        for path in (one.primary.datadir / "base").rglob("*"):
            os.utime(path, (OLD, OLD))
        size = one.database.value("select sum(pg_database_size(oid)) from pg_database")
        out.write(f"load {os.getloadavg()[0]:.1f}, {int(size) >> 20} MB\n")
        ways: dict[str, tuple[object, ...]] = {
            "1 stream": ("--full", "--streams", 1),
            f"{opts.streams} streams": ("--full", "--streams", opts.streams),
            f"{opts.streams} streams, linked": (
                "--streams",
                opts.streams,
                "--set",
                "share_files=1",
            ),
        }
        one.write_ini(keep_backups="2")
        figures: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for number in range(opts.rounds):
            names = list(ways)[:: 1 if number % 2 else -1]
            for way in names:
                figures[way].append(backup(one, ways[way]))
        out.write("| backup | s | CPU s |\n|---|---|---|\n")
        for way, found in figures.items():
            seconds, cpu = (statistics.median(column) for column in zip(*found, strict=True))
            out.write(f"| {way} | {seconds:.1f} | {cpu:.1f} |\n")
    return 0


def backup(one: Field, options: tuple[object, ...]) -> tuple[float, float]:
    """Make a set; a linked one gets another by streams to be linked to. Returns seconds, CPU."""
    if "--full" not in options:
        remove_sets(one)
        one.walmgr("backup", "--full", *options)
    before = cpu_seconds()
    seconds = one.walmgr("backup", *options)
    used = cpu_seconds() - before
    remove_sets(one)
    return seconds, used


def remove_sets(one: Field) -> None:
    """Remove all sets: each backup finds the same room."""
    for path in (one.root / "w").glob("data.master.*"):
        one.discard(path)


def cpu_seconds() -> float:
    """Return what children of ours have used."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())
