# SPDX-License-Identifier: ISC
"""What a copy tells of itself, to people and to its worker."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from skytools.daemons.londiste.config import LondisteConfig
from skytools.daemons.londiste.copy import program
from skytools.daemons.londiste.copy.progress import Bar, Progress


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_is_left_is_learnt_from_the_pieces_that_are_done() -> None:
    time = Time()
    told: list[str] = []
    progress = Progress("t", 1000, 50, report=lambda p: told.append(p.line()), now=time)
    assert progress.eta is None
    progress.moved(100)
    progress.done(200, 10)  # a byte of the source makes half a byte on the way
    time.now += 10
    progress.moved(150)
    assert progress.fraction == pytest.approx(0.5)
    assert progress.eta == pytest.approx(10)
    assert progress.rows_so_far == 25
    assert told[-1] == "t: 50% copied, 25 rows, 250 B, 10s left"
    progress.enter("indexes")
    assert told[-1] == "t: indexes, 10 rows, 250 B"


def test_nothing_is_known_of_an_empty_table() -> None:
    progress = Progress("t")
    progress.done(0, 0)
    assert progress.fraction == 0
    assert progress.line() == "t: 0% copied, 0 rows, 0 B"


def test_the_bar_stays_on_one_line() -> None:
    stream = io.StringIO()
    bar = Bar(stream)
    progress = Progress("t", 100, 10, report=bar.draw)
    progress.done(100, 10)
    progress.enter("in sync")
    bar.end()
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().count("\r") == 2
    assert "[########################] t: in sync, 10 rows" in stream.getvalue()


def test_a_child_gets_the_settings_of_its_worker() -> None:
    cfg = LondisteConfig(
        job_name="j", db="dbname=x", queue_name="q", pidfile=Path("/run/x"), copy_threads=3,
        register_only_tables=("a", "b"), obfuscator_map=Path("/etc/map"), local_only=True,
    )  # fmt: skip
    assert program.from_json(program.to_json(cfg)) == cfg
