# SPDX-License-Identifier: ISC
"""Sessions of a copy: one snapshot on the source, the role replica on the destination."""

from __future__ import annotations

from skytools.core.db import Database, sql
from skytools.core.errors import DatabaseError
from skytools.daemons.londiste import api

# Work of hours, and a transaction that waits for others of its kind: no limit applies.
_UNLIMITED = """
select set_config(name, '0', false) from pg_catalog.pg_settings
 where name in ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout',
                'idle_session_timeout', 'transaction_timeout')"""
# Text must mean the same on both sides.
_FORMATS = """
set datestyle to 'ISO, MDY'; set intervalstyle to postgres; set bytea_output to hex;
set extra_float_digits to {digits}; set timezone to 'UTC'"""
EXACT_FLOATS_VERSION = 120000
# Of a connection beside others of the same copy, see open_source.
BESIDE_LOCK_TIMEOUT = "2s"


def for_reading(db: Database) -> None:
    """Make the settings of a session that reads the source; commits them."""
    digits = 1 if db.server_version >= EXACT_FLOATS_VERSION else 3
    _settings(db, digits)
    db.commit()


def for_loading(db: Database) -> None:
    """Make the settings of a session that loads; commits them."""
    _settings(db, 1)
    as_replica(db)
    db.commit()


def _settings(db: Database, digits: int) -> None:
    db.query(_UNLIMITED)
    db.execute(_FORMATS.format(digits=digits)).close()


def open_source(db: Database, snapshot: str | None = None) -> None:
    """Begin the transaction that reads, with the snapshot of another one when that is given.

    Such a one does not wait for locks: who wants the table for himself (ALTER TABLE) may wait for
    another connection of the copy, and we behind him, for ever, and all who write to it with us.
    No server sees that as a deadlock. The copy lets go of all, and begins anew.
    """
    db.rollback()
    db.execute("set transaction isolation level repeatable read, read only").close()
    if snapshot is not None:
        db.execute(sql.SQL("set transaction snapshot {}").format(sql.Literal(snapshot))).close()
        db.execute(f"set local lock_timeout to '{BESIDE_LOCK_TIMEOUT}'").close()


def as_replica(db: Database) -> None:
    """Leave triggers, rules and checks of foreign keys out in this session."""
    api.set_replication_role(db, "replica", local=False)


def server_encoding(db: Database) -> str:
    """Return the encoding of the database."""
    return str(db.value("show server_encoding"))


def use_encoding(source: Database, dest: Database, encoding: str) -> None:
    """Have the source send its bytes as they are, and the destination take them for that.

    A destination that cannot convert from it is left to say so at the first bad byte.
    """
    for db in (source, dest):
        try:
            db.execute(sql.SQL("set client_encoding to {}").format(sql.Literal(encoding))).close()
        except DatabaseError:
            if db is source:
                raise
            db.rollback()
    dest.commit()
