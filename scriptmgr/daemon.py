# SPDX-License-Identifier: ISC
"""`python -m skytools.scriptmgr.daemon SERVICE INI [ARG...]`: an installed daemon by service."""

from __future__ import annotations

import sys

from skytools.core.cli import guard
from skytools.core.program import run
from skytools.core.registry import load_daemon


def main() -> int:
    """Run the daemon; its exit code is ours."""
    service = sys.argv[1]
    return guard(service, lambda: run(load_daemon(service), sys.argv[2:]))


if __name__ == "__main__":
    raise SystemExit(main())
