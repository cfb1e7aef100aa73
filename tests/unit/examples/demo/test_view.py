# SPDX-License-Identifier: ISC
"""What the demo shows, without a terminal's help."""

from __future__ import annotations

import io
import re

import pytest

from examples.demo import view
from examples.demo.figures import Figures

JOB = {
    "job_name": "ledger",
    "service": "ledger",
    "state": "RUNNING",
    "ready": True,
    "restarts": 2,
    "pid": 4711,
    "uptime_seconds": 12.3,
    "status_text": "",
}
FIGURES = Figures(
    elapsed=75.0,
    jobs=[JOB, {**JOB, "job_name": "ticker", "ready": False, "pid": None, "uptime_seconds": None}],
    produced=12345,
    applied=12340,
    behind=5,
    lag=0.0123,
    produced_rate=100.4,
    applied_rate=99.6,
    p50=0.0061,
    p99=0.0142,
    worst=1.25,
    p50_history=(None, 0.001, 0.002),
    rate_history=(50.0, 100.0),
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_line_for_logs() -> None:
    assert view.line(FIGURES) == (
        "[  75 s] 1/2 jobs ready, 4 restarts; 100 events/s in, 100 out, 5 behind, lag 12.3 ms;"
        " latency p50 6.1 ms p99 14.2 ms"
    )


def test_a_pipe_gets_lines_without_codes() -> None:
    out = io.StringIO()
    shown = view.View(out)
    shown.show(FIGURES, "head", ["hint"])
    shown.hide_cursor(True)
    assert out.getvalue() == view.line(FIGURES) + "\n"


def test_a_terminal_gets_a_table_redrawn_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "90")
    monkeypatch.setenv("LINES", "40")
    out = Terminal()
    shown = view.View(out)
    shown.show(FIGURES, "head", ["  a hint"])
    first = out.getvalue()
    lines = plain(first).splitlines()
    assert lines[0] == "head"
    assert "  ledger  ledger   running  yes    2         4711  12 s" in lines
    assert any(
        "produced 12 345   applied 12 340   behind 5   queue lag 12.3 ms" in x for x in lines
    )
    assert lines[-1] == "  a hint"
    assert all(len(text) <= 90 for text in lines)
    shown.show(FIGURES, "head", ["  a hint"])
    assert out.getvalue()[len(first) :].startswith(f"\x1b[{len(lines)}F")


def test_a_small_terminal_is_not_scrolled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("LINES", "6")
    out = Terminal()
    view.View(out).show(FIGURES, "head", [])
    lines = plain(out.getvalue()).splitlines()
    assert len(lines) == 5
    assert max(map(len, lines)) == 20


def test_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert view.View(Terminal()).paint("text", view.GREEN) == "text"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.0, "0.0 ms"), (0.00612, "6.1 ms"), (0.9, "900.0 ms"), (12.34, "12.3 s")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert view.milliseconds(seconds) == text


def test_graph_bars_are_shares_of_the_greatest() -> None:
    assert view.spark([0.0, None, 1.0, 2.0]) == "▁ ▄█"
    assert view.spark([]) == ""
    assert view.spark([0.0, 0.0]) == ""
