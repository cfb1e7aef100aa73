# SPDX-License-Identifier: ISC
"""Work in another database, tracked there by pgq_ext. Source: pgq.remoteconsumer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from skytools.compat.pgq.baseconsumer import BaseConsumer
from skytools.compat.pgq.consumer import Consumer
from skytools.compat.psycopgwrapper import Borrowed, Connection
from skytools.core.errors import LostPosition, SkytoolsError, UsageError
from skytools.pgq import api

__all__ = ["RemoteConsumer", "SerialConsumer"]

_SET_BATCH_DONE = "select pgq_ext.set_batch_done(%s, %s)"


class RemoteConsumer(Consumer):
    """Remembers in the target which batch was done last."""

    def __init__(
        self, service_name: str, db_name: str, remote_db: str, args: Sequence[str]
    ) -> None:
        self.remote_db = remote_db
        super().__init__(service_name, db_name, args)

    def process_batch(self, db: Connection, batch_id: int, ev_list: Any) -> None:
        """Work on a batch in the target unless that has it; commits there."""
        dst_db = self.get_database(self.remote_db)
        curs = dst_db.cursor()
        if self.is_last_batch(curs, batch_id):
            dst_db.commit()
            return
        self.process_remote_batch(db, batch_id, ev_list, dst_db)
        self.set_last_batch(curs, batch_id)
        dst_db.commit()

    def is_last_batch(self, dst_curs: Any, batch_id: int) -> bool:
        """Tell whether the target has the batch."""
        db = Borrowed(self.remote_db, dst_curs.connection)
        return api.is_batch_done(db, self.consumer_name, batch_id)

    def set_last_batch(self, dst_curs: Any, batch_id: int) -> None:
        """Note in the target that the batch is done."""
        dst_curs.execute(_SET_BATCH_DONE, (self.consumer_name, batch_id))

    def process_remote_batch(
        self, db: Connection, batch_id: int, ev_list: Any, dst_db: Connection
    ) -> None:
        """Handle a batch through `dst_db`, without committing."""
        raise AssertionError(f"{type(self).__name__} must define process_remote_batch")


class SerialConsumer(Consumer):
    """Remembers in the target up to which tick it was done: exactly once, in order."""

    switches: ClassVar = {
        **BaseConsumer.switches,
        "rewind": "move the consumer to the position that the target remembers and end",
        "reset": "forget the position that the target remembers and end",
    }

    def __init__(
        self, service_name: str, db_name: str, remote_db: str, args: Sequence[str]
    ) -> None:
        self.remote_db = remote_db
        self.dst_schema = "pgq_ext"
        super().__init__(service_name, db_name, args)

    def _command(self, name: str) -> Callable[[], Any]:
        own: dict[str, Callable[[], Any]] = {"rewind": self.rewind, "reset": self.dst_reset}
        return own.get(name) or super()._command(name)

    def process_batch(self, db: Connection, batch_id: int, ev_list: Any) -> None:
        """Work on a batch in the target unless that has it; commits there."""
        dst_db = self.get_database(self.remote_db)
        curs = dst_db.cursor()
        if self.is_batch_done(curs):
            dst_db.commit()
            return
        self.process_remote_batch(db, batch_id, ev_list, dst_db)
        if self._retries:
            raise UsageError("events of a SerialConsumer cannot be retried: order would be lost")
        self.set_batch_done(curs)
        dst_db.commit()

    def process_remote_batch(
        self, db: Connection, batch_id: int, ev_list: Any, dst_db: Connection
    ) -> None:
        """Handle a batch through `dst_db`, without committing."""
        raise AssertionError(f"{type(self).__name__} must define process_remote_batch")

    def is_batch_done(self, dst_curs: Any) -> bool:
        """Compare the batch with the target's position. Raises LostPosition."""
        assert self.batch_info is not None
        cur_tick = self.batch_info["tick_id"]
        prev_tick = self.batch_info["prev_tick_id"]
        position = self.get_last_tick(dst_curs)
        if position is None or position == prev_tick:
            return False
        if position == cur_tick:
            return True
        raise LostPosition(
            f"Lost position: batch {prev_tick}..{cur_tick}, {self.remote_db} has {position}."
            " If the target is right: --rewind; if the source is right: --reset"
        )

    def set_batch_done(self, dst_curs: Any) -> None:
        """Note the end of the batch in the target."""
        assert self.batch_info is not None
        self.set_last_tick(dst_curs, self.batch_info["tick_id"])

    def get_last_tick(self, dst_curs: Any) -> int | None:
        """Return the target's position, None when it has none."""
        db = Borrowed(self.remote_db, dst_curs.connection)
        return api.target_position(db, self.consumer_name)

    def set_last_tick(self, dst_curs: Any, tick_id: int | None) -> None:
        """Set the target's position; None forgets it."""
        db = Borrowed(self.remote_db, dst_curs.connection)
        api.set_target_position(db, self.consumer_name, tick_id)

    def register_consumer(self) -> int:
        """Register the consumer; when it is new, the target's position is forgotten. Commits."""
        new = super().register_consumer()
        if new:
            self.dst_reset()
        return new

    def unregister_consumer(self) -> None:
        """Forget the consumer at the source and in the target. Commits."""
        super().unregister_consumer()
        self.dst_reset()

    def dst_reset(self) -> None:
        """Forget the target's position. Commits."""
        self.log.info("resetting the tracking of %s in %s", self.consumer_name, self.remote_db)
        dst_db = self.get_database(self.remote_db)
        self.set_last_tick(dst_db.cursor(), None)
        dst_db.commit()

    def rewind(self) -> None:
        """Move the consumer at the source to the target's position. Commits."""
        dst_db = self.get_database(self.remote_db)
        position = self.get_last_tick(dst_db.cursor())
        dst_db.commit()
        if position is None:
            raise SkytoolsError(f"{self.remote_db} knows no position of {self.consumer_name}")
        db = self.source_db()
        api.register_consumer_at(
            Borrowed(self.db_name, db), self.queue_name, self.consumer_name, position
        )
        db.commit()
        self.log.info("consumer %s continues after tick %d", self.consumer_name, position)
