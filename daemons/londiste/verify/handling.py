# SPDX-License-Identifier: ISC
"""What a table's handler means for comparing: rows that stay away, columns that are changed."""

from __future__ import annotations

from dataclasses import dataclass

from skytools.core.db import Database
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.config import LondisteConfig


@dataclass(frozen=True, slots=True)
class Handling:
    """How a handler makes the two sides differ.

    `source_where`: condition of the rows that come here, empty: all. `spreads`: rows are kept in
    tables that inherit. `left_out`: columns whose values are changed on their way.
    """

    source_where: str = ""
    spreads: bool = False
    left_out: frozenset[str] = frozenset()


def handling(cfg: LondisteConfig, table: TableInfo, db: Database) -> Handling:
    """Return what the handler of a table means. `db`: this node's database."""
    del cfg, table, db
    return Handling()
