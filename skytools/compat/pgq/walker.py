# SPDX-License-Identifier: ISC
"""The events of a batch, read while they are worked on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from skytools.compat.pgq.event import Event, mapping_of
from skytools.core.db import Database, Row
from skytools.core.errors import SkytoolsError
from skytools.pgq import api

CURSOR = "batch_walker"
ALL_ROWS = 2**31 - 1

MakeEvent = Callable[[dict[str, object]], Event]


class BatchWalker:
    """Iterates over a batch once, in blocks of `fetch_size`; len() is known afterwards.

    The cursor lives in the source's transaction: a commit there in the middle breaks it.
    """

    def __init__(
        self,
        db: Database,
        batch_id: int,
        make: MakeEvent,
        fetch_size: int,
        consumer_filter: str | None,
    ) -> None:
        self.batch_id = batch_id
        self.fetch_size = fetch_size
        self.length = 0
        self._db = db
        self._make = make
        self._filter = consumer_filter
        self._begun = False

    def __iter__(self) -> Iterator[Event]:
        if self._begun:
            raise SkytoolsError(
                f"batch {self.batch_id}: its events can be read once only;"
                " set pgq_lazy_fetch = 0 to have them as a list"
            )
        self._begun = True
        for rows in self._blocks():
            self.length += len(rows)
            for row in rows:
                yield self._make(mapping_of(row))

    def _blocks(self) -> Iterator[list[Row]]:
        rows = api.open_cursor(self._db, self.batch_id, CURSOR, self.fetch_size, self._filter)
        while rows:
            yield rows
            if len(rows) < self.fetch_size:
                break
            rows = api.fetch(self._db, CURSOR, self.fetch_size)
        self._db.execute(f"close {CURSOR}").close()

    def __len__(self) -> int:
        return self.length


def read_all(
    db: Database, batch_id: int, make: MakeEvent, consumer_filter: str | None
) -> list[Event]:
    """Return the events of a batch as a list."""
    rows = api.open_cursor(db, batch_id, CURSOR, ALL_ROWS, consumer_filter)
    if not db.autocommit:
        db.execute(f"close {CURSOR}").close()
    return [make(mapping_of(row)) for row in rows]
