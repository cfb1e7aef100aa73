# SPDX-License-Identifier: ISC
"""The command line: bad input is one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from skytools.core.template import render_ini
from skytools.walmgr import commands
from skytools.walmgr.config import SERVICE, WalmgrConfig

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("wal-*.ini"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["{ini}", "bakcup"], "unknown verb bakcup; there are: "),
        (["/no/such.ini", "status"], "/no/such.ini: cannot be read: No such file"),
        (["{ini}", "status", "--set", "nonsense"], "--set nonsense: KEY=VALUE expected"),
        (["{ini}", "status", "--set", "retention=never"], "retention: 'never' is neither like"),
        (["{ini}", "restore", "--lsn", "1", "--immediate"], "not allowed with"),
        (["{ini}", "status", "--bad"], "unrecognized arguments: --bad"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ini = tmp_path / "wal.ini"
    ini.write_text("[walmgr]\nmaster_db = host=/nowhere\n")
    assert commands.run([word.format(ini=ini) for word in words]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1
    assert err.startswith("walmgr: ")


def test_samples_are_there_and_good(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(EXAMPLES) >= 2
    for path in EXAMPLES:
        assert commands.run([str(path), "--check"]) == 0, path
        assert f"{path}: good" in capsys.readouterr().out


def test_the_template_is_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "wal.ini"
    path.write_text(render_ini(WalmgrConfig, SERVICE))
    assert commands.run([str(path), "--check"]) == 0
    assert "good" in capsys.readouterr().out


# They look at --plan themselves, or only look at what is there.
OWN_PLAN = {
    "pair", "setup", "createslave", "stop", "import", "cleanup", "backup", "expire", "restore",
    "offsite", "metrics",
}  # fmt: skip
LOOKING = {"status", "check", "listbackups", "points"}


def test_no_verb_does_anything_when_only_its_plan_is_asked_for() -> None:
    planned = {name for name, verb in commands.VERBS.items() if verb.plan is not None}
    assert planned | OWN_PLAN | LOOKING == commands.VERBS.keys()
    assert not planned & (OWN_PLAN | LOOKING)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("-v -n a.ini backup --full", "a.ini backup -v -n --full"),
        ("a.ini -q --set k=v restore S D", "a.ini restore -q --set k=v S D"),
        ("--set=k=v a.ini sync", "a.ini sync --set=k=v"),
        ("a.ini backup --set k=v -n", "a.ini backup --set k=v -n"),
        ("a.ini synch-standby x --json", "a.ini synch-standby x --json"),
    ],
)
def test_options_of_3x_may_come_before_the_verb(given: str, meant: str) -> None:
    assert commands.options_last(given.split()) == meant.split()
