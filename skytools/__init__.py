# SPDX-License-Identifier: ISC
"""Skytools: queueing, replication and WAL standby management for PostgreSQL.

Names of Skytools 3 (`skytools.DBScript`, `import skytools.quoting`) lead to skytools.compat,
which is loaded when a script asks for one.
"""

import sys as _sys

__version__ = "4.0.0"


def __getattr__(name: str) -> object:
    if name.startswith("__"):
        raise AttributeError(f"module 'skytools' has no attribute {name!r}")
    from skytools.compat import oldnames  # noqa: PLC0415 - our own daemons never get here

    return oldnames.value(name)


class _OldModules:
    """Asked by the import system for modules that are not in the package's folder."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> object:
        if not name.startswith(("skytools.", "pgq.")):
            return None
        from skytools.compat import oldnames  # noqa: PLC0415 - as above

        return oldnames.find_spec(name)


_sys.meta_path.append(_OldModules)  # type: ignore[arg-type] # a class whose method is static
