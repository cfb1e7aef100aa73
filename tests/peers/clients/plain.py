# SPDX-License-Identifier: ISC
"""Enters each event into table ledger, in the transaction of its batch.

Events of type `retry` are retried once, after a second, and entered when they come back.
"""

import sys

import pgq


class Plain(pgq.Consumer):
    """Event by event."""

    def process_event(self, db, ev):
        """Enter one event."""
        if ev.ev_type == "retry" and not ev.ev_retry:
            ev.tag_retry(1)
            return
        db.cursor().execute("insert into ledger values (%s, %s)", [ev.ev_id, ev.ev_data])
        ev.tag_done()


if __name__ == "__main__":
    Plain("peer", "db", sys.argv[1:]).start()
