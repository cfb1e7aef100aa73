# SPDX-License-Identifier: ISC
"""One command that was given, with all it needs."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

from skytools.core.cli import Output
from skytools.pgq.admin.members import Cascade
from skytools.pgq.admin.site import Site

DEFAULT_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Job:
    """A command; `opts` has its words and switches."""

    opts: argparse.Namespace
    site: Site
    out: Output
    cascade: Cascade

    def switch(self, name: str, default: Any = None) -> Any:
        """Return the value of a switch, `default` when the command does not have it."""
        return getattr(self.opts, name.replace("-", "_"), default)

    def say(self, text: str) -> None:
        """Write what goes on; nothing with --quiet."""
        if not self.switch("quiet"):
            self.out.line(text)

    @property
    def timeout(self) -> float:
        """Longest wait for a worker or a lock, in seconds."""
        value: float | None = self.switch("timeout")
        return DEFAULT_TIMEOUT if value is None else value
