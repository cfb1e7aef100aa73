# SPDX-License-Identifier: ISC
"""Logging: a log file on a disk that is full."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import pytest

from skytools.core import logs


@pytest.fixture(autouse=True)
def root_as_it_was():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    yield
    for handler in root.handlers:
        with contextlib.suppress(OSError):  # what a full disk has not taken
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_full_disk_is_one_line_and_no_traceback(capsys):
    logs.setup(console=False, logfile=Path("/dev/full"))
    for number in range(3):
        logging.getLogger("skytools").info("line %d", number)
    assert capsys.readouterr().err == "logfile /dev/full: No space left on device\n"


def test_wrong_arguments_of_a_log_line_are_not_taken_for_a_full_disk(tmp_path, capsys):
    logs.setup(console=False, logfile=tmp_path / "x.log")
    logging.getLogger("skytools").info("line %d", "no number")
    assert "TypeError" in capsys.readouterr().err
