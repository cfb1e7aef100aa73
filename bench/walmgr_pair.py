# SPDX-License-Identifier: ISC
"""`pair` beside pg_basebackup alone, and a restore to a point beside pgBackRest's.

    .venv/bin/python -m bench.walmgr_pair [--scale 70] [--rounds 3] [--folder /srv]

`pair` ends with archive, slot, a verified backup set and a running standby that has caught up.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from bench.walmgr_sides import CODECS, Field, compare, field
from examples.demo.launcher import as_user

START = "unix_socket_directories={0}"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=int, default=70, help="of pgbench; 70 makes 1 GB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="pair or restore")
    parser.add_argument("--folder", default="/var/tmp", help="on the file system to be measured")
    opts = parser.parse_args()
    out = sys.stdout
    with field(opts.folder) as one:
        one.good(one.primary.program("pgbench"), "-i", "-q", "-s", opts.scale,
                 one.primary.conninfo())  # fmt: skip
        one.database.execute("checkpoint")
        size = one.database.value("select sum(pg_database_size(oid)) from pg_database")
        out.write(f"load {os.getloadavg()[0]:.1f}, {int(size) >> 20} MB\n")
        out.write("| s | walmgr | the other | ratio |\n|---|---|---|---|\n")
        if opts.only in ("", "pair"):
            row = compare(lambda: pair(one), lambda: base_backup(one), opts.rounds)
            out.write(f"| pair, against pg_basebackup alone | {row} |\n")
            out.flush()
        if opts.only in ("", "restore"):
            for line in restores(one, opts.rounds):
                out.write(line + "\n")
                out.flush()
    return 0


def base_backup(one: Field) -> float:
    """Copy the cluster, durably as pg_basebackup does."""
    target = one.folder("base") / "data"
    seconds = one.good(
        one.primary.program("pg_basebackup"), "-d", one.primary.conninfo(), "-D", target,
        "-X", "stream", "-c", "fast",
    )  # fmt: skip
    one.discard(target)
    return seconds


def pair(one: Field) -> float:
    """Pair, then undo it."""
    one.write_ini()
    one.folder("b")
    seconds = one.walmgr("pair", "--force")
    standby = one.root / "b" / "data"
    one.good(one.primary.program("pg_ctl"), "-D", standby, "-m", "immediate", "-w", "stop")
    one.database.execute("select pg_drop_replication_slot('walmgr')")
    one.database.execute("alter system reset archive_command")
    one.database.execute("select pg_reload_conf()")
    one.discard(standby)
    return seconds


def restores(one: Field, rounds: int) -> list[str]:
    """Restore to a time, with some WAL to replay, until the server is open."""
    lines = []
    for codec in CODECS:
        one.write_ini(codec)
        command = one.write_backrest(CODECS[codec])
        both = f"{one.walmgr_push()} && {command} archive-push %p"
        one.database.execute("alter system set archive_command = %s", [f"({both})"])
        one.database.execute("select pg_reload_conf()")
        one.walmgr("backup")
        one.good(*command.split(), "backup")
        point = _more(one)
        row = compare(
            lambda point=point: ours(one, point),  # type: ignore[misc]
            lambda point=point, command=command: theirs(one, command, point),  # type: ignore[misc]
            rounds,
        )
        lines.append(f"| restore to a time, {codec} | {row} |")
    return lines


def _more(one: Field) -> str:
    """Write a few segments and return a time among them."""
    for _ in range(6):
        one.good(one.primary.program("pgbench"), "-n", "-t", 2000, "-c", 2, one.primary.conninfo())
        one.database.value("select pg_switch_wal()")
    point = str(one.database.value("select clock_timestamp()"))
    one.good(one.primary.program("pgbench"), "-n", "-t", 1000, "-c", 2, one.primary.conninfo())
    last = one.database.value("select pg_walfile_name(pg_switch_wal())")
    query = "select last_archived_wal >= %s from pg_stat_archiver"
    while not one.database.value(query, [last]):
        pass
    return point


def ours(one: Field, point: str) -> float:
    """Restore and start by walmgr."""
    target = one.folder("r") / "data"
    seconds = one.walmgr(
        "restore", "--to", target, "--time", point, "--start",
        "--setting", START.format(target.parent),
    )  # fmt: skip
    return seconds + _opened(one, target)


def theirs(one: Field, command: str, point: str) -> float:
    """Restore by pgBackRest, start by pg_ctl."""
    target = one.folder("r") / "data"
    seconds = one.good(
        *command.split(), "restore", f"--pg1-path={target}", "--type=time", f"--target={point}",
        "--target-action=promote", "--archive-mode=off",
    )  # fmt: skip
    with (target / "postgresql.auto.conf").open("a") as file:
        file.write(f"unix_socket_directories = '{target.parent}'\n")
    seconds += one.good(
        one.primary.program("pg_ctl"), "-D", target, "-w", "-l", target.parent / "log", "start"
    )
    return seconds + _opened(one, target)


def _opened(one: Field, target: Path) -> float:
    """Wait until the server takes writes; returns seconds. Then it is removed."""
    script = (
        f'until [ "$({one.primary.program("psql")} -h {target}/.. -U postgres -Atc'
        " 'select pg_is_in_recovery()' postgres 2>&1)\" = f ]; do sleep 0.02; done"
    )
    seconds = one.good("sh", "-c", script)
    stop = [one.primary.program("pg_ctl"), "-D", str(target), "-m", "immediate", "-w", "stop"]
    subprocess.run(as_user(stop), capture_output=True, check=True, cwd="/")
    one.discard(target)
    return seconds


if __name__ == "__main__":
    sys.exit(main())
