# SPDX-License-Identifier: ISC
"""The command `walmgr INI VERB ...`.

The verbs that PostgreSQL calls for every segment are told apart before anything else is loaded.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run walmgr and end the process with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(argv: list[str]) -> int:
    """Run walmgr with these arguments; returns the exit code."""
    if len(argv) == 2 and argv[1] == "xserve":
        from skytools.walmgr import serve

        return serve.xserve(argv[0], os.path.abspath(sys.argv[0]), run)
    if len(argv) >= 2 and argv[1] in ("xarchive", "xput", "xrestore", "xget"):
        return _fast(argv[1], argv[0], argv[2:])
    from skytools.walmgr import commands

    return commands.run(argv)


def _fast(verb: str, ini: str, arguments: list[str]) -> int:
    program = os.path.abspath(sys.argv[0])
    if verb in ("xarchive", "xput"):
        from skytools.walmgr import archive

        store = archive.xarchive if verb == "xarchive" else archive.xput
        return store(ini, program, arguments)
    from skytools.walmgr import restore

    fetch = restore.xrestore if verb == "xrestore" else restore.xget
    return fetch(ini, program, arguments)
