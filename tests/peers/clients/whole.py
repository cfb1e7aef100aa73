# SPDX-License-Identifier: ISC
"""Enters whole batches into table ledger by COPY, in the transaction of the batch."""

import sys

import pgq
import skytools


class Whole(pgq.Consumer):
    """Batch by batch."""

    def process_batch(self, db, batch_id, ev_list):
        """Enter all events of a batch."""
        rows = [[ev.id, ev.data] for ev in ev_list]
        if self.batch_info["batch_id"] != batch_id:
            raise ValueError(self.batch_info)
        skytools.magic_insert(db.cursor(), "ledger", rows, ["id", "data"])


if __name__ == "__main__":
    Whole("peer", "db", sys.argv[1:]).start()
