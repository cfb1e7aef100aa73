# SPDX-License-Identifier: ISC
"""`python -m skytools.daemons.qadmin` is the `qadmin` command."""

from __future__ import annotations

from skytools.daemons.qadmin.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
