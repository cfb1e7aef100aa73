# SPDX-License-Identifier: ISC
"""Consumer: events can be retried. Source: pgq.consumer of python3-pgq 3.x."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skytools.compat.pgq.baseconsumer import BaseConsumer
from skytools.compat.pgq.event import EV_DONE, EV_RETRY, Event, RetriableEvent
from skytools.compat.psycopgwrapper import Borrowed, Connection
from skytools.pgq import api

__all__ = ["EV_DONE", "EV_RETRY", "EV_UNTAGGED", "Consumer", "RetriableEvent"]

EV_UNTAGGED = -1


class Consumer(BaseConsumer):
    """Calls process_event(db, ev) for each event, or process_batch(db, batch_id, ev_list)."""

    def make_event(self, row: Mapping[str, Any]) -> Event:
        """Return the event of a row."""
        return RetriableEvent(self.queue_name, row, self._retries)

    def finish_batch(self, db: Connection, batch_id: int) -> None:
        """Send the events that were put off, close the batch; not yet committed."""
        self.flush_retries(db, batch_id)
        super().finish_batch(db, batch_id)

    def flush_retries(self, db: Connection, batch_id: int) -> None:
        """Send the events that were put off."""
        if self._retries:
            api.retry_events(Borrowed(self.db_name, db), batch_id, self._retries.items())
            self.stat_increase("retry-events", len(self._retries))
