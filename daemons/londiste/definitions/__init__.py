# SPDX-License-Identifier: ISC
"""Definitions of tables and sequences, taken from one database to be made in another."""

from skytools.daemons.londiste.definitions.build import create, schema_statement
from skytools.daemons.londiste.definitions.extras import foreign_keys
from skytools.daemons.londiste.definitions.sequence import (
    sequence,
    sequence_exists,
    sequences,
)
from skytools.daemons.londiste.definitions.table import TableDefinition, table_definition

__all__ = [
    "TableDefinition",
    "create",
    "foreign_keys",
    "schema_statement",
    "sequence",
    "sequence_exists",
    "sequences",
    "table_definition",
]
