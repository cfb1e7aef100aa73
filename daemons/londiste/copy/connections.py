# SPDX-License-Identifier: ISC
"""The connections of a copy process, kept from one table to the next.

To connect, and to have the server read its catalogs and compile our functions anew, costs more
CPU than all that a small table needs.
"""

from __future__ import annotations

from collections.abc import Callable

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError

# Not where a connect string gives a name.
_RENAME = """
select set_config('application_name', %s, false)
 where starts_with(current_setting('application_name'), %s)"""
PREFIX = "londiste copy"


class Connections:
    """Connections by what they are for, and whereto. One copy uses them at a time."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Database] = {}

    def get(
        self,
        use: str,
        name: str,
        conninfo: str,
        table: str,
        *,
        autocommit: bool = False,
        setup: Callable[[Database], None] | None = None,
    ) -> Database:
        """Return the connection for a use; on the server it has the name of the table.

        `setup` is run on each new connection, and commits. Raises SkytoolsError.
        """
        label = f"{PREFIX} {table}".strip()[:63]
        db = self._kept.get((use, conninfo))
        if db is None:
            db = Database(name, conninfo, autocommit=autocommit, lifetime=0)
            if setup is not None:
                db.on_connect(setup)
            self._kept[use, conninfo] = db
        if db.application_name != label and db.connected:
            db.rollback()
            _rename(db, label)
        db.application_name = label
        return db

    def beside(self, node: str, location: str, table: str = "") -> Database:
        """Return the connection to a node for all that is no part of the copy's transactions."""
        return self.get("beside", f"node {node}", location, table, autocommit=True)

    def close(self) -> None:
        """Drop all: what a copy that has failed had open goes with them."""
        for db in self._kept.values():
            db.close()
        self._kept.clear()


def _rename(db: Database, label: str) -> None:
    """Tell the server what the connection is for now; one that it has dropped is made anew."""
    try:
        with db.alone():
            db.value(_RENAME, (label, PREFIX))
    except SkytoolsError:
        db.close()
