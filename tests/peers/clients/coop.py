# SPDX-License-Identifier: ISC
"""One of several that share the events of one consumer."""

import sys

import pgq


class Share(pgq.CoopConsumer):
    """Event by event."""

    def process_event(self, db, ev):
        """Enter one event."""
        db.cursor().execute("insert into ledger values (%s, %s)", [ev.ev_id, ev.ev_data])


if __name__ == "__main__":
    Share("peer", "db", sys.argv[1:]).start()
