# SPDX-License-Identifier: ISC
"""The verbs for people."""

from __future__ import annotations

from skytools.core.cli import guard
from skytools.core.errors import UsageError


def run(argv: list[str]) -> int:
    """Run a verb; returns the exit code."""

    def main() -> int:
        raise UsageError("usage: walmgr INI xarchive|xrestore ...")

    return guard("walmgr", main)
