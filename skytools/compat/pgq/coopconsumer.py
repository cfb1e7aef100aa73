# SPDX-License-Identifier: ISC
"""CoopConsumer: one of several that share a consumer. Source: pgq.coopconsumer."""

from __future__ import annotations

from skytools.compat.pgq.consumer import Consumer
from skytools.compat.psycopgwrapper import Borrowed, Connection
from skytools.core.db import Database
from skytools.core.errors import SkytoolsError
from skytools.pgq import api
from skytools.pgq.types import BatchInfo

__all__ = ["CoopConsumer"]


class CoopConsumer(Consumer):
    """Each batch goes to one member of the group; there is no order among them.

    Config template::

        # name of this member of the group
        subconsumer_name =

        # take over the batch of a member that was silent for so long
        #subconsumer_timeout =
    """

    def reload(self) -> None:
        """Read the ini."""
        super().reload()
        self.subconsumer_name = self.cf.get("subconsumer_name")
        self.subconsumer_timeout = self.cf.get("subconsumer_timeout", "") or None

    def load_next_batch(self, db: Database) -> BatchInfo | None:
        """Ask the server for a batch of the group."""
        return api.coop_next_batch(
            db,
            self.queue_name,
            self.consumer_name,
            self.subconsumer_name,
            dead_interval=self.subconsumer_timeout,
        )

    def finish_batch(self, db: Connection, batch_id: int) -> None:
        """Close the batch, not yet committed. Raises SkytoolsError when it was taken over."""
        self.flush_retries(db, batch_id)
        if not api.coop_finish_batch(Borrowed(self.db_name, db), batch_id):
            raise SkytoolsError(
                f"batch {batch_id} was taken over by another member; what was done here is undone."
                " subconsumer_timeout must be longer than the longest batch"
            )

    def register_consumer(self) -> int:
        """Register the member, with its group; 1 when it is new. Commits."""
        db = self.source_db()
        borrowed = Borrowed(self.db_name, db)
        new = api.coop_register(
            borrowed, self.queue_name, self.consumer_name, self.subconsumer_name
        )
        db.commit()
        text = "registered" if new else "is registered already"
        self.log.info("%s of %s %s", self.subconsumer_name, self.consumer_name, text)
        return int(new)

    def unregister_consumer(self) -> None:
        """Remove the member; fails while it has a batch open. Commits."""
        db = self.source_db()
        borrowed = Borrowed(self.db_name, db)
        api.coop_unregister(borrowed, self.queue_name, self.consumer_name, self.subconsumer_name)
        db.commit()
        self.log.info("%s of %s unregistered", self.subconsumer_name, self.consumer_name)
