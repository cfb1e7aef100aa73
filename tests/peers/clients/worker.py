# SPDX-License-Identifier: ISC
"""A worker of a cascade: enters each event into table ledger of its node, the key `db`."""

import sys

import pgq


class Worker(pgq.CascadedWorker):
    """Event by event."""

    def process_remote_event(self, src_curs, dst_curs, ev):
        """Enter one event of the queue, and leave those of the cascade to the framework."""
        if not ev.ev_type.startswith("pgq."):
            dst_curs.execute("insert into ledger values (%s, %s)", [ev.ev_id, ev.ev_data])
        pgq.CascadedWorker.process_remote_event(self, src_curs, dst_curs, ev)


if __name__ == "__main__":
    Worker("peer", "db", sys.argv[1:]).start()
