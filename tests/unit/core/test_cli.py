# SPDX-License-Identifier: ISC
"""Output for people and programs; the outermost error handler."""

from __future__ import annotations

import datetime
import io
import json

import pytest

from skytools.core.cli import Output, duration, format_table, guard
from skytools.core.errors import FatalStateError, SkytoolsError, UsageError

ROWS = [{"name": "a", "lag": 1.5, "x": None}, {"name": "long name", "lag": 10, "x": "y"}]


def test_table_is_aligned_and_has_no_trailing_blanks():
    assert format_table(ROWS, {"name": "QUEUE", "lag": "LAG", "x": "X"}) == [
        "QUEUE      LAG  X",
        "a          1.5  -",
        "long name  10   y",
    ]


def test_table_is_for_people():
    cells = [
        (datetime.timedelta(milliseconds=10), "0:00:00.010"),
        (datetime.timedelta(days=1, seconds=61), "1 day, 0:01:01"),
        (datetime.timedelta(days=2), "2 days"),
        (datetime.datetime(2026, 1, 2, 3, 4, 5, 678, datetime.UTC), "2026-01-02 03:04:05+00:00"),
        (False, "no"),
    ]
    assert format_table([{"x": value} for value, _ in cells], {"x": "X"})[1:] == [
        shown for _, shown in cells
    ]


def test_json_has_every_key_and_nothing_else():
    stream = io.StringIO()
    out = Output(as_json=True, stream=stream)
    out.line("for people")
    out.table(ROWS, {"name": "QUEUE"})
    assert json.loads(stream.getvalue()) == ROWS


@pytest.mark.parametrize(
    ("error", "code"),
    [(SkytoolsError("a"), 1), (UsageError("a"), 2), (FatalStateError("a"), 3)],
)
def test_user_errors_are_one_line_and_their_code(capsys, error, code):
    def fail() -> int:
        raise error

    assert guard("prog", fail) == code
    assert capsys.readouterr().err == "prog: a\n"


def test_our_bugs_show_a_traceback(caplog):
    assert guard("prog", lambda: 1 // 0) == 1
    assert "ZeroDivisionError" in caplog.text


def test_lengths_of_time_for_people() -> None:
    shown = {0.4: "0s", 59.9: "59s", 185: "3m05s", 3600: "1h00m", 7620: "2h07m", 90000: "1d1h"}
    assert {length: duration(length) for length in shown} == shown
    assert [duration(length, tenths=True) for length in (0.25, 12.3)] == ["0.2s", "12s"]
