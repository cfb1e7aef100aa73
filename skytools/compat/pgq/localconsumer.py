# SPDX-License-Identifier: ISC
"""LocalConsumer: the position is in a local file. Source: pgq.localconsumer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from skytools.compat.fileutil import write_atomic
from skytools.compat.pgq.baseconsumer import BaseConsumer
from skytools.compat.pgq.event import Event
from skytools.compat.psycopgwrapper import Borrowed, Connection
from skytools.core.errors import LostPosition, SkytoolsError, UsageError
from skytools.pgq import api

__all__ = ["LocalConsumer"]


class LocalConsumer(BaseConsumer):
    """Follows the tick id of its file, also when the queue has moved to another node.

    Config template::

        # file with the position; its folder must exist
        local_tracking_file = ~/state/%(job_name)s.tick
    """

    switches: ClassVar = {
        **BaseConsumer.switches,
        "rewind": "move the consumer to the position of the file and end",
        "reset": "forget the position of the file and end",
    }

    def reload(self) -> None:
        """Read the ini."""
        super().reload()
        self.local_tracking_file = self.cf.getfile("local_tracking_file")
        folder = Path(self.local_tracking_file).parent
        if not folder.is_dir():
            raise UsageError(f"local_tracking_file: the folder {folder} does not exist")

    def _command(self, name: str) -> Callable[[], Any]:
        own: dict[str, Callable[[], Any]] = {"rewind": self.rewind, "reset": self.dst_reset}
        return own.get(name) or super()._command(name)

    def startup(self) -> None:
        """Compare file and queue."""
        super().startup()
        self.check_queue()

    def work(self) -> Any:
        """Work on one batch; after a failure file and queue are compared first."""
        if self.work_state < 0:
            self.check_queue()
        return super().work()

    def process_batch(self, db: Connection, batch_id: int, ev_list: Any) -> None:
        """Work on a batch unless the file says that it is done."""
        if self.is_batch_done():
            return
        self.process_local_batch(db, batch_id, ev_list)
        self.set_batch_done()

    def process_local_batch(self, db: Connection, batch_id: int, ev_list: Any) -> None:
        """Handle a batch."""
        for ev in ev_list:
            self.process_local_event(db, batch_id, ev)

    def process_local_event(self, db: Connection, batch_id: int, ev: Event) -> None:
        """Handle one event."""
        raise AssertionError(
            f"{type(self).__name__} must define process_local_event or process_local_batch"
        )

    def is_batch_done(self) -> bool:
        """Compare the batch with the file. Raises LostPosition."""
        assert self.batch_info is not None
        cur_tick, prev_tick = self.batch_info["tick_id"], self.batch_info["prev_tick_id"]
        position = self.load_local_tick()
        if position in (-1, prev_tick):
            return False
        if position == cur_tick:
            return True
        raise LostPosition(
            f"Lost position: batch {prev_tick}..{cur_tick}, {self.local_tracking_file} has"
            f" {position}"
        )

    def set_batch_done(self) -> None:
        """Note the end of the batch in the file."""
        assert self.batch_info is not None
        self.save_local_tick(self.batch_info["tick_id"])

    def load_local_tick(self) -> int:
        """Return the tick id of the file, -1 when there is none."""
        try:
            text = Path(self.local_tracking_file).read_text(encoding="ascii")
            return int(text.strip())
        except FileNotFoundError:
            return -1
        except ValueError:
            raise SkytoolsError(f"{self.local_tracking_file} holds no tick id") from None

    def save_local_tick(self, tick_id: int) -> None:
        """Replace the file; on disk when this returns."""
        write_atomic(self.local_tracking_file, str(tick_id))

    def _position(self, db: Connection) -> int | None:
        found = api.consumer_info(Borrowed(self.db_name, db), self.queue_name, self.consumer_name)
        return found[0].last_tick if found else None

    def check_queue(self) -> None:
        """Make queue and file agree: the file is right, if there is one. Commits."""
        db = self.source_db()
        queue_tick, local_tick = self._position(db), self.load_local_tick()
        db.commit()
        if local_tick < 0:
            if queue_tick is None:
                self.register_consumer()
                queue_tick = self._position(db)
                db.commit()
            assert queue_tick is not None
            self.save_local_tick(queue_tick)
        elif queue_tick != local_tick:
            self.log.warning("queue has tick %s, file has %d: moving", queue_tick, local_tick)
            self.rewind()

    def register_consumer(self) -> int:
        """Register the consumer; when it is new, the file is set to its position. Commits."""
        new = super().register_consumer()
        if new:
            db = self.source_db()
            position = self._position(db)
            db.commit()
            assert position is not None
            self.save_local_tick(position)
        return new

    def unregister_consumer(self) -> None:
        """Forget the consumer and remove the file. Commits."""
        super().unregister_consumer()
        self.dst_reset()

    def rewind(self) -> None:
        """Move the consumer to the file's position, registering it if need be. Commits."""
        position = self.load_local_tick()
        if position < 0:
            raise SkytoolsError(f"there is no {self.local_tracking_file}")
        db = self.source_db()
        api.register_consumer_at(
            Borrowed(self.db_name, db), self.queue_name, self.consumer_name, position
        )
        db.commit()

    def dst_reset(self) -> None:
        """Remove the file."""
        Path(self.local_tracking_file).unlink(missing_ok=True)
