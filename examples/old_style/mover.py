#! /usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Moves events between queues, exactly once, as queue_mover of Skytools 3 did."""

import sys

import pgq


class Mover(pgq.SerialConsumer):
    """Moves a queue."""

    def __init__(self, args):
        super().__init__("old_mover", "src_db", "dst_db", args)
        self.dst_queue_name = self.cf.get("dst_queue_name")

    def process_remote_batch(self, db, batch_id, ev_list, dst_db):
        """Copy a batch; committed with its number."""
        rows = []
        fields = ["ev_time", "type", "data", "extra1", "extra2", "extra3", "extra4"]
        for ev in ev_list:
            rows.append([ev.time, ev.type, ev.data, ev.extra1, ev.extra2, ev.extra3, ev.extra4])
            ev.tag_done()
        pgq.bulk_insert_events(dst_db.cursor(), rows, fields, self.dst_queue_name)


if __name__ == "__main__":
    Mover(sys.argv[1:]).start()
