# SPDX-License-Identifier: ISC
"""What a table's handler means for comparing: rows that stay away, columns that are changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skytools.core.db import Database
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.config import LondisteConfig
from skytools.daemons.londiste.upstream import handler_name
from skytools.daemons.londiste.verify.checksum import Shape
from skytools.daemons.londiste.verify.diff import Key, fetch
from skytools.daemons.londiste.verify.scan import Scan

if TYPE_CHECKING:
    from skytools.daemons.londiste.handlers import Handler

PROBE = "1"


@dataclass(frozen=True, slots=True)
class Handling:
    """How a handler makes the two sides differ.

    `source_where`: condition of the rows that come here, empty: all. `spreads`: rows are kept in
    tables that inherit. `left_out`: columns whose values are changed on their way.
    """

    source_where: str = ""
    spreads: bool = False
    left_out: frozenset[str] = frozenset()


def handling(
    cfg: LondisteConfig, table: TableInfo, db: Database, columns: Sequence[str]
) -> Handling:
    """Return what the handler of a table means. `db`: this node's database."""
    if not handler_name(table):
        return Handling()
    from skytools.daemons.londiste import handlers  # noqa: PLC0415 # takes long, most have none
    from skytools.daemons.londiste.handlers.dispatch import Dispatch  # noqa: PLC0415 # likewise

    handler = handlers.make(table, cfg)
    return Handling(
        source_where=handler.copy_condition(db) or "",
        spreads=isinstance(handler, Dispatch),
        left_out=frozenset(name for name in columns if _changes(handler, name)),
    )


def _changes(handler: Handler, column: str) -> bool:
    """Tell whether rows get another value in a column, or none."""
    if not handler.maps_rows:
        return False
    row = handler.copy_event({column: PROBE})
    return row is None or row.get(column) != PROBE


def whole_rows(db: Database, scan: Scan, keys: Sequence[Key]) -> list[dict[str, str | None]]:
    """Return rows of the source with all of their columns, compared or not, as text."""
    names = [column.name for column in scan.src.relation.columns]
    key = scan.shape.key
    others = tuple(name for name in names if name not in key)
    shape = Shape(key, others, dict.fromkeys(names, "text"), frozenset())
    rows = fetch(db, scan.src, shape, keys).values()
    return [dict(zip(shape.columns, row, strict=True)) for row in rows]


def restore(
    cfg: LondisteConfig,
    table: TableInfo,
    db: Database,
    key: tuple[str, ...],
    rows: Sequence[dict[str, str | None]],
) -> None:
    """Have the handler of a table write rows that are missing here, in the open transaction."""
    from skytools.daemons.londiste import apply, handlers  # noqa: PLC0415 # as above

    handler = handlers.make(table, cfg)
    out = apply.Applier(db, apply.ApplyOptions(on_missing="stop"))
    for row in rows:
        handler.restore(apply.Change("I", key, row), out)
    out.flush()
