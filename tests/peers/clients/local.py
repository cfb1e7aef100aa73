# SPDX-License-Identifier: ISC
"""Writes a file for each batch, named after its tick, into the folder of key `out`."""

import sys
from pathlib import Path

import pgq


class Local(pgq.LocalConsumer):
    """Batch by batch; its position is in a file."""

    def process_local_batch(self, db, batch_id, ev_list):
        """Write the events of a batch; doing so again does no harm."""
        text = "".join(f"{ev.data}\n" for ev in ev_list)
        name = str(self.batch_info["tick_id"])
        Path(self.cf.getfile("out"), name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    Local("peer", "db", sys.argv[1:]).start()
