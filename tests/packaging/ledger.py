# SPDX-License-Identifier: ISC
"""Writes each event into the table ledger, or the one that job_name `second` has."""

from skytools.pgq import Consumer, Event, run


class Ledger(Consumer):
    """One row for each event, in the transaction of the batch."""

    def process_event(self, event: Event) -> None:
        """Note the event."""
        table = "other" if self.cfg.job_name == "second" else "ledger"
        self.db.execute(f"insert into {table} values (%s, %s)", (event.id, event.data))


if __name__ == "__main__":
    run(Ledger)
