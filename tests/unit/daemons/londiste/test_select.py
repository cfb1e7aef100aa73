# SPDX-License-Identifier: ISC
"""Names and patterns of tables on the command line; the line that shows progress."""

from __future__ import annotations

import io

import pytest

from skytools.core.errors import SkytoolsError, UsageError
from skytools.daemons.londiste.commands.select import choose, matching, require
from skytools.daemons.londiste.progress import Progress, human_bytes

KNOWN = ("public.a", "public.ab", "s.a", "s.x[1]", "s.b?")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a*", ["public.a", "public.ab"]),
        ("a?", ["public.ab"]),
        ("*.a", ["public.a", "s.a"]),
        ("s.x[1]*", ["s.x[1]"]),
        ("s.*", ["s.a", "s.b?", "s.x[1]"]),
        ("?", ["public.a"]),
        ("x*", []),
    ],
)
def test_patterns_are_of_the_schema_public_without_a_dot(pattern, expected):
    assert matching(pattern, KNOWN) == expected


def test_choose_gives_each_name_once_in_the_order_asked_for():
    assert choose(["s.a", "a", "a*"], KNOWN, everything=False) == ["s.a", "public.a", "public.ab"]
    assert choose(["nosuch"], KNOWN, everything=False) == ["public.nosuch"]
    assert choose([], KNOWN, everything=True) == sorted(KNOWN)
    for words, everything in (([], False), (["a"], True)):
        with pytest.raises(UsageError):
            choose(words, KNOWN, everything=everything)


def test_unknown_names_are_refused_unless_forced():
    assert require(["a", "b"], ["a", "b", "c"], hint="x", force=False) == ["a", "b"]
    assert require(["a", "z"], ["a"], hint="x", force=True) == ["a"]
    with pytest.raises(SkytoolsError, match="Cannot proceed: z: do this"):
        require(["a", "z"], ["a"], hint="do this", force=False)


def test_progress_is_drawn_on_a_terminal_only(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    plain, terminal = io.StringIO(), Terminal()
    for stream in (plain, terminal):
        one = Progress(stream)
        one.begin("compare t", 4_000_000)
        one.advance(1_000_000, 1000)
        one.clear()
    assert plain.getvalue() == ""
    assert "compare t [######..................]  25% 1000 rows, 1.0 MB of 4.0 MB" in (
        terminal.getvalue()
    )


def test_sizes_for_people():
    assert [human_bytes(n) for n in (0, 999, 1500, 250_000_000, 3e12)] == [
        "0 B", "999 B", "1.5 kB", "250 MB", "3.0 TB"]  # fmt: skip
