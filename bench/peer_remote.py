# SPDX-License-Identifier: ISC
# Written for the pgq of Debian, not for ours.
# mypy: ignore-errors
"""A SerialConsumer for python3-pgq 3.x, run by Debian's python: an insert per event.

    peer_remote.py INI      section [peer]: db, dst_db, queue_name, result, expect

`result` gets the peak of memory in kB. Ends by itself after `expect` events.
"""

import resource
import sys
from pathlib import Path

import pgq


class PeerRemote(pgq.SerialConsumer):
    """Writes each event by a statement of its own."""

    seen = 0

    def process_remote_batch(self, db, batch_id, ev_list, dst_db):
        """Insert the events of a batch."""
        curs = dst_db.cursor()
        for ev in ev_list:
            curs.execute("insert into ledger (id, data) values (%s, %s)", [ev.ev_id, ev.ev_data])
            self.seen += 1
        if self.seen >= self.cf.getint("expect"):
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            Path(self.cf.getfile("result")).write_text(str(peak))
            self.set_single_loop(1)


if __name__ == "__main__":
    PeerRemote("peer", "db", "dst_db", sys.argv[1:]).start()
