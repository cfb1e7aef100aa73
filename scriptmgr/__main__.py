# SPDX-License-Identifier: ISC
"""`python -m skytools.scriptmgr` is the `scriptmgr` command."""

from __future__ import annotations

from skytools.scriptmgr.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
