# SPDX-License-Identifier: ISC
"""Names of tables and sequences: `schema.name`, split at the first dot, no quotes, case kept.

Also how names and values are written in SQL.
"""

from __future__ import annotations

from skytools.core.db import sql
from skytools.core.errors import UsageError

DEFAULT_SCHEMA = "public"


def split(name: str) -> tuple[str, str]:
    """Return (schema, name); without a dot the schema is public, whatever search_path says."""
    schema, dot, rest = name.partition(".")
    return (schema, rest) if dot else (DEFAULT_SCHEMA, name)


def full(name: str) -> str:
    """Return the name with its schema, as it is registered. Raises UsageError for "a." and ".b"."""
    schema, rest = split(name)
    if not schema or not rest:
        raise UsageError(f"{name!r} is no name of a table: write schema.name")
    return f"{schema}.{rest}"


def ident(name: str) -> sql.Identifier:
    """Return the name for use in a statement that is made of sql.SQL parts."""
    return sql.Identifier(*split(name))


def quote(name: str) -> str:
    """Return the quoted name of a table, as text."""
    schema, rest = split(name)
    return f"{quote_ident(schema)}.{quote_ident(rest)}"


def quote_ident(name: str) -> str:
    """Return a name in double quotes, always."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | None) -> str:
    """Return a value as SQL, the same whatever standard_conforming_strings is."""
    if value is None:
        return "null"
    text = value.replace("'", "''")
    return "E'" + text.replace("\\", "\\\\") + "'" if "\\" in text else "'" + text + "'"
