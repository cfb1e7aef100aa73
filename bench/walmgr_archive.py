# SPDX-License-Identifier: ISC
"""archive_command beside pgBackRest's archive-push: a segment alone, and a backlog.

.venv/bin/python -m bench.walmgr_archive [--segments 48] [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import sys

from bench.walmgr_sides import CODECS, Field, compare, field


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segments", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    opts = parser.parse_args()
    out = sys.stdout
    with field() as one:
        names = one.make_wal(opts.segments)
        out.write(f"load {os.getloadavg()[0]:.1f}, {len(names)} segments of 16 MB\n")
        out.write("| s per segment | walmgr | pgBackRest | ratio |\n|---|---|---|---|\n")
        for backlog in (False, True):
            what = "backlog" if backlog else "one by one"
            some = names if backlog else names[:12]
            for codec in CODECS:
                row = measure(one, codec, some, backlog=backlog, rounds=opts.rounds)
                out.write(f"| {what}, {codec} | {row} |\n")
                out.flush()
        for codec in CODECS:
            row = measure(one, codec, names, backlog=True, rounds=opts.rounds, asynchronous=True)
            out.write(f"| backlog, {codec}, against archive-async with 2 processes | {row} |\n")
            out.flush()
    return 0


def measure(
    one: Field, codec: str, names: list[str], *, backlog: bool, rounds: int,
    asynchronous: bool = False,
) -> str:  # fmt: skip
    """Return the cells of a row; each round begins with an empty archive."""

    def ours() -> float:
        one.write_ini(codec)
        return one.archive(one.walmgr_push(), names, backlog=backlog)

    def theirs() -> float:
        command = one.write_backrest(CODECS[codec], asynchronous=asynchronous)
        return one.archive(f"{command} archive-push %p", names, backlog=backlog)

    return compare(ours, theirs, rounds)


if __name__ == "__main__":
    sys.exit(main())
