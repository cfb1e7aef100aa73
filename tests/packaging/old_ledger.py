# SPDX-License-Identifier: ISC
"""A consumer as sites have written them for python3-pgq 3; it runs unchanged with ours."""

import sys

import pgq


class OldLedger(pgq.Consumer):
    """One row for each event, in the transaction of the batch."""

    def process_event(self, db, event):
        """Note the event."""
        curs = db.cursor()
        curs.execute("insert into ledger values (%s, %s)", [event.ev_id, event.ev_data])
        event.tag_done()


if __name__ == "__main__":
    OldLedger("old_ledger", "db", sys.argv[1:]).start()
