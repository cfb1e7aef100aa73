# SPDX-License-Identifier: ISC
"""What a key of the other host may do."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from skytools.walmgr.serve import split, xserve

FLAGS = "-tpRe.LsfxCIvu"

PRIMARY = "master_data = /srv/data\nslave = far\nslave_config = /x.ini\n"

Refusal = Callable[..., str]


@pytest.fixture
def refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Refusal:
    """Give a function that asks for something which must be refused, and returns what is told."""
    ini = tmp_path / "wal.ini"
    for name in ("execv", "execvp"):
        monkeypatch.setattr(os, name, lambda *words: pytest.fail(f"started {words}"))

    def ask(command: str, keys: str = "") -> str:
        ini.write_text(f"[walmgr]\n{keys}")
        monkeypatch.setenv("SSH_ORIGINAL_COMMAND", command)
        assert xserve(str(ini), "/usr/bin/walmgr", lambda _words: 0) == 126
        return capsys.readouterr().err

    return ask


@pytest.mark.parametrize("words", [
    f"--server --sender {FLAGS} . /etc/",
    f"--server --sender {FLAGS} . /srv/data/../",
    f"--server --sender {FLAGS} /etc/ /srv/data",
    f"--server --sender {FLAGS} . /etc /srv/data",
    "--server --sender e./etc/ . /srv/data",
    f"--server --sender {FLAGS} --remove-source-files . /srv/data",
    f"--server --sender {FLAGS} --files-from=/etc/passwd . /srv/data",
    f"--server --sender {FLAGS} --bwlimit=1/../2 . /srv/data",
    "--server --sender -tpL . /srv/data",
    "--server --sender -s",
    f"--server {FLAGS} . /srv/data",
    "--server --daemon . /srv/data",
    "-a /srv/data /tmp/",
    "--version --daemon",
])  # fmt: skip
def test_rsync_may_read_the_data_folder_only(words: str, refusal: Refusal) -> None:
    told = refusal(f"rsync {words}", PRIMARY)
    assert "not allowed by this key" in told or "is not of the data folder" in told


@pytest.mark.parametrize("words", ["--set x=1", "--set=x=1", "--se x=1", "--s=x=1"])
def test_keys_of_the_ini_are_not_the_other_hosts_to_set(words: str, refusal: Refusal) -> None:
    assert "--set is not allowed" in refusal(f"walmgr any.ini status {words}")


def test_words_come_apart_as_a_shell_takes_them() -> None:
    assert split("rsync . /srv/my\\ data '/a b'\"c\" ''") == [
        "rsync",
        ".",
        "/srv/my data",
        "/a bc",
        "",
    ]
