# SPDX-License-Identifier: ISC
"""A worker of a cascade: enters each event into table ledger of its node, the key `db`."""

import sys

import pgq


class Worker(pgq.CascadedWorker):
    """Event by event."""

    def connection_hook(self, dbname, conn):
        """Let the copies of events into the queue of a branch."""
        if dbname == "db":
            conn.cursor().execute("set session_replication_role = replica")
            conn.commit()

    def process_remote_event(self, src_curs, dst_curs, ev):
        """Enter one event of the queue, and leave those of the cascade to the framework."""
        if ev.ev_type.startswith("pgq."):
            pgq.CascadedWorker.process_remote_event(self, src_curs, dst_curs, ev)
            return
        dst_curs.execute("insert into ledger values (%s, %s)", [ev.ev_id, ev.ev_data])


if __name__ == "__main__":
    Worker("peer", "db", sys.argv[1:]).start()
