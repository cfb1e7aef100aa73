# SPDX-License-Identifier: ISC
"""Enters batches into table ledger of another database, that of key `target`.

remote.py serial|batch ...    tracked there by tick (SerialConsumer) or batch (RemoteConsumer)
"""

import sys

import pgq


class Work:
    """What both have in common."""

    def process_remote_batch(self, db, batch_id, ev_list, dst_db):
        """Enter all events of a batch."""
        curs = dst_db.cursor()
        for ev in ev_list:
            curs.execute("insert into ledger values (%s, %s)", [ev.ev_id, ev.ev_data])
            ev.tag_done()


class Serial(Work, pgq.SerialConsumer):
    """Tracked by tick."""


class Remote(Work, pgq.RemoteConsumer):
    """Tracked by batch."""


if __name__ == "__main__":
    kind = Serial if "serial" in sys.argv else Remote
    words = [word for word in sys.argv[1:] if word not in {"serial", "batch"}]
    kind("peer", "db", "target", words).start()
