# SPDX-License-Identifier: ISC
"""`python -m skytools.walmgr`."""

from skytools.walmgr.cli import main

if __name__ == "__main__":
    main()
