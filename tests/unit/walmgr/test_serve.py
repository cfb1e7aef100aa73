# SPDX-License-Identifier: ISC
"""What a key of the other host may do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from skytools.walmgr.serve import split, xserve

FLAGS = "-tpRe.LsfxCIvu"


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
def test_rsync_may_read_the_data_folder_only(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ini = tmp_path / "wal.ini"
    ini.write_text("[walmgr]\nmaster_data = /srv/data\nslave = far\nslave_config = /x.ini\n")
    monkeypatch.setenv("SSH_ORIGINAL_COMMAND", f"rsync {words}")
    monkeypatch.setattr(os, "execvp", lambda *words: pytest.fail(f"started {words}"))
    assert xserve(str(ini), "/usr/bin/walmgr", lambda _words: 0) == 126
    told = capsys.readouterr().err
    assert "not allowed by this key" in told or "is not of the data folder" in told


@pytest.mark.parametrize("words", ["--set x=1", "--set=x=1", "--se x=1", "--s=x=1"])
def test_keys_of_the_ini_are_not_the_other_hosts_to_set(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ini = tmp_path / "wal.ini"
    ini.write_text("[walmgr]\n")
    monkeypatch.setenv("SSH_ORIGINAL_COMMAND", f"walmgr any.ini status {words}")
    monkeypatch.setattr(os, "execv", lambda *words: pytest.fail(f"started {words}"))
    assert xserve(str(ini), "/usr/bin/walmgr", lambda _words: 0) == 126
    assert "--set is not allowed" in capsys.readouterr().err


def test_words_come_apart_as_a_shell_takes_them() -> None:
    assert split("rsync . /srv/my\\ data '/a b'\"c\" ''") == [
        "rsync",
        ".",
        "/srv/my data",
        "/a bc",
        "",
    ]
