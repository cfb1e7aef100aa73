# SPDX-License-Identifier: ISC
"""Connections of the driver itself, for scripts that use it: the compat package's door to psycopg2.

Rows answer to index and name. Source: skytools.psycopgwrapper of Skytools 3.
"""

from __future__ import annotations

import psycopg2
import psycopg2.extensions
import psycopg2.extras
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class
from psycopg2.extras import DictCursor as Cursor
from psycopg2.extras import DictRow

from skytools.core.borrowed import Borrowed
from skytools.core.db import CONNECTION_DEFAULTS, complete_conninfo

__all__ = [
    "I_AUTOCOMMIT",
    "I_READ_COMMITTED",
    "I_REPEATABLE_READ",
    "I_SERIALIZABLE",
    "Borrowed",
    "Connection",
    "Cursor",
    "DBError",
    "DictRow",
    "OperationalError",
    "connect_database",
]

DBError = psycopg2.Error
OperationalError = psycopg2.OperationalError

I_AUTOCOMMIT = psycopg2.extensions.ISOLATION_LEVEL_AUTOCOMMIT
I_READ_COMMITTED = psycopg2.extensions.ISOLATION_LEVEL_READ_COMMITTED
I_REPEATABLE_READ = psycopg2.extensions.ISOLATION_LEVEL_REPEATABLE_READ
I_SERIALIZABLE = psycopg2.extensions.ISOLATION_LEVEL_SERIALIZABLE


def connect_database(connstr: str, application_name: str = "skytools") -> Connection:
    """Open a connection whose cursors return rows that answer to index and name.

    A peer that vanishes is noticed within half a minute unless the connect string says
    otherwise. Raises psycopg2.Error.
    """
    conn: Connection = psycopg2.connect(
        complete_conninfo(connstr, **CONNECTION_DEFAULTS),
        fallback_application_name=application_name,
        cursor_factory=Cursor,
    )
    return conn
