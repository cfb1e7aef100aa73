# SPDX-License-Identifier: ISC
"""CascadeAdmin: the program setadm. Source: pgq.cascade.admin."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from skytools.core.errors import UsageError
from skytools.pgq.admin.program import SECTION, main

__all__ = ["CascadeAdmin"]


class CascadeAdmin:
    """A script that starts it has setadm with all of its commands and switches.

    Its methods of 3.x, one for each command, are no more: call setadm, or skytools.pgq.admin.
    """

    def __init__(
        self, svc_name: str, dbname: str, args: Sequence[str], worker_setup: bool = False
    ) -> None:
        if (svc_name, dbname) != (SECTION, "node_db"):
            raise UsageError(
                f"CascadeAdmin({svc_name!r}, {dbname!r}): the section is {SECTION}, the key of the"
                " database node_db"
            )
        self.args = list(args)
        self.worker_setup = worker_setup

    def start(self) -> None:
        """Run the command and end the process with its exit code."""
        sys.exit(main(self.args))
