# SPDX-License-Identifier: ISC
from __future__ import annotations

import os
from pathlib import Path

from skytools.scriptmgr.outlet import last_line


def test_last_line_that_says_something(tmp_path: Path) -> None:
    path = tmp_path / "x.out"
    path.write_bytes(b"one\n" + b"x" * 10000 + b"\ntwo \x1b[1m\xff\n\n  \n")
    assert last_line(path, 0.0) == "two  [1m\ufffd"


def test_old_output_does_not_explain_a_new_end(tmp_path: Path) -> None:
    path = tmp_path / "x.out"
    path.write_text("long ago\n")
    os.utime(path, (1000, 1000))
    assert last_line(path, 2000.0) == ""


def test_no_output_at_all(tmp_path: Path) -> None:
    assert last_line(tmp_path / "none", 0.0) == ""
    (tmp_path / "empty").touch()
    assert last_line(tmp_path / "empty", 0.0) == ""
