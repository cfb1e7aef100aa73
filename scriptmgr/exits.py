# SPDX-License-Identifier: ISC
"""Exit codes of the `scriptmgr` command and the errors that carry them."""

from __future__ import annotations

from skytools.core.errors import SkytoolsError

OK = 0
NOT_AS_WANTED = 1
USAGE = 2
NOT_RUNNING = 3
UNKNOWN_JOB = 4
NO_PERMISSION = 5
CONFIG = 78


class ManagerDown(SkytoolsError):  # noqa: N818 - reads as what is the case
    """Nobody answers on the control socket."""

    exit_code = NOT_RUNNING


class UnknownJob(SkytoolsError):  # noqa: N818 - reads as what is the case
    """A name on the command line matches no job."""

    exit_code = UNKNOWN_JOB


class NoPermission(SkytoolsError):  # noqa: N818 - reads as what is the case
    """The control socket belongs to somebody else."""

    exit_code = NO_PERMISSION
