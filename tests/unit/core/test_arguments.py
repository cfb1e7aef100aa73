# SPDX-License-Identifier: ISC
"""Switches of command lines with sub-commands may stand anywhere; --set."""

from __future__ import annotations

import argparse

import pytest

from skytools.core.arguments import arrange, overrides_of
from skytools.core.errors import UsageError


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser()
    p.add_argument("config")
    p.add_argument("-v", action="store_true")
    p.add_argument("--set")
    sub = p.add_subparsers().add_parser("add")
    sub.add_argument("--dest")
    sub.add_argument("table", nargs="*")
    return p


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("x.ini add t -v", "-v x.ini add t"),
        ("x.ini -v add --dest d t", "-v x.ini add --dest d t"),
        ("--dest d x.ini add t --set a=b", "--set a=b x.ini add --dest d t"),
        ("x.ini add -- -t", "x.ini add -- -t"),
        ("--help", "--help"),
        ("x.ini --help", "--help x.ini"),
        ("x.ini add --help", "x.ini add --help"),
        ("-h x.ini add", "x.ini add -h"),
    ],
)
def test_arranged(given: str, wanted: str) -> None:
    assert " ".join(arrange(parser(), given.split())) == wanted


def test_help_of_a_command_is_about_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    p = parser()
    with pytest.raises(SystemExit):
        p.parse_args(arrange(p, ["x.ini", "add", "--help"]))
    assert "--dest" in capsys.readouterr().out


def test_values_of_set():
    assert overrides_of(["Loop_Delay= 1", "db=a=b"]) == {"loop_delay": "1", "db": "a=b"}
    for wrong in ("loop_delay", "=1", ""):
        with pytest.raises(UsageError, match="KEY=VALUE expected"):
            overrides_of([wrong])
