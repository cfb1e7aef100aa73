# SPDX-License-Identifier: ISC
"""Named steps at which a test may kill the process. Without the variable nothing happens."""

from __future__ import annotations

import os
import signal

VARIABLE = "SKYTOOLS_FAULTPOINT"  # NAME, or NAME:N for the Nth time the step is reached
CHILD_VARIABLE = "SKYTOOLS_CHILD_FAULTPOINT"  # the same, for the first child that is started

_name, _, _count = os.environ.pop(VARIABLE, "").partition(":")
_left = int(_count or 1)


def for_child() -> dict[str, str]:
    """Return what the environment of a child must have, so that a test can kill it; once."""
    step = os.environ.pop(CHILD_VARIABLE, "")
    return {VARIABLE: step} if step else {}


def reach(name: str) -> None:
    """Pass a step; the process dies here by SIGKILL when a test has asked for that."""
    global _left  # noqa: PLW0603  # counts down once in the life of a process
    if name == _name:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
