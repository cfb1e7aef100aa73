# SPDX-License-Identifier: ISC
"""PGQStatus: queues and consumers of a database, printed. Source: pgq.status."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta

from skytools.compat.dbscript import DBScript
from skytools.compat.psycopgwrapper import Borrowed
from skytools.pgq import api
from skytools.pgq.types import ConsumerInfo, QueueInfo

__all__ = ["PGQStatus"]

QUEUE_LINE = "{:<32} {:>12} {:>22} {:>8} {:>8} {:>8}\n"
CONSUMER_LINE = "  {:<44} {:>8} {:>10} {:>10}\n"


class PGQStatus(DBScript):
    """Section `pgqadm`, key `db`. Prints and ends when constructed."""

    def __init__(self, args: Sequence[str], check: int = 0) -> None:
        super().__init__("pgqadm", args)
        self.show_status()
        sys.exit(0)

    def show_status(self) -> None:
        """Print versions, queues and consumers."""
        conn = self.get_database("db", autocommit=1)
        db = Borrowed("db", conn)
        major, minor = divmod(conn.server_version, 10000)
        pgq = db.value("select pgq.version()")
        sys.stdout.write(f"Postgres version: {major}.{minor}   PgQ version: {pgq}\n\n")
        sys.stdout.write(
            QUEUE_LINE.format("Event queue", "Rotation", "Ticker", "TLag", "ev/s", "new")
        )
        consumers = api.consumer_info(db)
        for queue in api.queue_info(db):
            self.show_queue(queue, [one for one in consumers if one.queue == queue.name])

    def show_queue(self, ev_row: QueueInfo, consumer_rows: Sequence[ConsumerInfo]) -> None:
        """Print a queue and its consumers."""
        rotation = f"{ev_row.ntables}/{_seconds(ev_row.rotation_period)}"
        ticker = "/".join(
            (
                str(ev_row.ticker_max_count),
                _seconds(ev_row.ticker_max_lag),
                _seconds(ev_row.ticker_idle_period),
            )
        )
        rate = "-" if ev_row.events_per_second is None else f"{ev_row.events_per_second:.1f}"
        lag = _seconds(ev_row.ticker_lag)
        sys.stdout.write(
            QUEUE_LINE.format(ev_row.name, rotation, ticker, lag, rate, ev_row.events_new)
        )
        if consumer_rows:
            sys.stdout.write(CONSUMER_LINE.format("Consumer", "Lag", "LastSeen", "Pending"))
        for row in consumer_rows:
            self.show_consumer(row)
        sys.stdout.write("\n")

    def show_consumer(self, cons: ConsumerInfo) -> None:
        """Print a consumer."""
        sys.stdout.write(
            CONSUMER_LINE.format(
                cons.name, _seconds(cons.lag), _seconds(cons.last_seen), cons.pending_events
            )
        )


def _seconds(time: timedelta | None) -> str:
    return "-" if time is None else f"{time.total_seconds():g}s"
