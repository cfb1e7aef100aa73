# SPDX-License-Identifier: ISC
"""The demo's consumer: writes each event of the queue once into a table of another database.

The framework commits the rows together with the number of the batch in the target, so a batch
that is delivered again after a crash is recognised and left out.
"""

from __future__ import annotations

from skytools.core.db import Database
from skytools.pgq import Batch, RemoteConsumer, run

INSERT = "insert into ledger (ev_id, ev_txid, ev_type, ev_table, ev_data, ev_time) values %s"


class LedgerConsumer(RemoteConsumer):
    """Copy events into the ledger."""

    def process_batch(self, batch: Batch, target: Database) -> None:
        """Write one batch; the caller commits."""
        rows = [(ev.id, ev.txid, ev.type, ev.extra1, ev.data, ev.time_text) for ev in batch]
        target.execute_values(INSERT, rows)


if __name__ == "__main__":
    run(LedgerConsumer)
