# SPDX-License-Identifier: ISC
from __future__ import annotations

import pytest

from skytools.core.errors import UsageError
from skytools.scriptmgr import cli
from skytools.scriptmgr.exits import UnknownJob
from skytools.scriptmgr.selection import select


@pytest.mark.parametrize(
    "line",
    [
        ("/x.ini", "start"),
        ("-v", "/x.ini", "start"),
        ("/x.ini", "-a", "start"),
        ("-t", "svc", "/x.ini", "start", "-w"),
    ],
)
def test_ini_command_and_switches_in_old_orders(line: tuple[str, ...]) -> None:
    opts = cli.parser().parse_intermixed_args(list(line))
    ini, command, names = cli._words(opts)
    assert (str(ini), command, names) == ("/x.ini", "start", [])


def test_job_may_be_called_like_a_command() -> None:
    opts = cli.parser().parse_intermixed_args(["stop", "start", "x.ini"])
    assert cli._words(opts) == (None, "stop", ["start", "x.ini"])


def test_switches_are_known_to_the_table_of_commands() -> None:
    opts = vars(cli.parser().parse_intermixed_args([]))
    assert set(cli._ALLOWED) <= set(opts)
    assert {c for allowed in cli._ALLOWED.values() for c in allowed} <= set(cli._COMMANDS)


def test_help_names_every_command() -> None:
    text = cli.parser().format_help()
    assert all(f"  {name}" in text for name in cli._COMMANDS)


ROWS = [
    {"job_name": "a1", "service": "pgqd", "internal": False},
    {"job_name": "a2", "service": "londiste", "internal": False},
    {"job_name": "exp", "service": "exporter", "internal": True},
]


def names(rows: list[object]) -> list[str]:
    return [row["job_name"] for row in rows]  # type: ignore[index]


def test_selection() -> None:
    assert names(select(ROWS, ["a2", "a*"])) == ["a1", "a2"]  # type: ignore[arg-type]
    assert names(select(ROWS, [], "londiste3")) == ["a2"]  # type: ignore[arg-type]
    assert names(select(ROWS, [], everything=True)) == ["a1", "a2"]  # type: ignore[arg-type]
    assert names(select(ROWS, ["exp"])) == ["exp"]  # type: ignore[arg-type]


def test_unknown_selection() -> None:
    with pytest.raises(UnknownJob, match="unknown job zz; jobs: a1, a2, exp"):
        select(ROWS, ["a1", "zz"])
    with pytest.raises(UnknownJob, match="no job of service nope; services: exporter, londiste"):
        select(ROWS, [], "nope")


def test_ini_and_instance_exclude_each_other() -> None:
    opts = cli.parser().parse_intermixed_args(["-I", "walmgr", "/x.ini", "status"])
    with pytest.raises(UsageError, match="exclude each other"):
        cli._request(opts)
