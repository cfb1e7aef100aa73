# SPDX-License-Identifier: ISC
"""Carries events into a table of another database, each exactly once.

There: create extension pgq_ext; create table ledger (id bigint, type text, data text);
"""

from skytools.pgq import Database, Event, RemoteConsumer, run


class Ledger(RemoteConsumer):
    """Writes one row for each event."""

    def process_event(self, event: Event, target: Database) -> None:
        """Write through `target`; the framework commits the row and the position together."""
        target.execute(
            "insert into ledger (id, type, data) values (%s, %s, %s)",
            (event.id, event.type, event.data),
        )


if __name__ == "__main__":
    run(Ledger)
