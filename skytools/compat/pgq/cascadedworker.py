# SPDX-License-Identifier: ISC
"""CascadedWorker: the one consumer of a node that keeps it in step. Source: pgq.cascade.worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from skytools.compat.pgq.cascadedconsumer import CascadedConsumer
from skytools.compat.pgq.event import Event
from skytools.compat.pgq.producer import bulk_insert_events, insert_event
from skytools.compat.psycopgwrapper import Connection
from skytools.core.errors import LostPosition, SkytoolsError

__all__ = ["CascadedWorker"]

_STATE = "select * from pgq_node.get_worker_state(%s)"
_TICK = "select pgq.ticker(%s, %s, %s, %s)"
_GLOBAL_WM = "select * from pgq_node.set_global_watermark(%s, %s)"
_PART_WM = "select * from pgq_node.set_partition_watermark(%s, %s, %s)"
_LOCATION = "select * from pgq_node.register_location(%s, %s, %s, %s)"
_NO_LOCATION = "select * from pgq_node.unregister_location(%s, %s)"
_REPORT_WM = "select * from pgq_node.set_subscriber_watermark(%s, %s, %s)"
_ATTRS = "select node_attrs from pgq_node.node_info where queue_name = %s"
_ROLE = "select set_config('session_replication_role', %s, true)"
_FIELDS = ["id", "time", "type", "data", "extra1", "extra2", "extra3", "extra4"]


class CascadedWorker(CascadedConsumer):
    """Handles data events like a CascadedConsumer, and what the cascade needs by itself.

    A branch copies all events with their ids and makes the provider's ticks; a leaf beside the
    root of a combined queue copies data events into that; watermarks go up and down.

    Config template::

        # how often watermarks are published, in seconds
        #global_wm_publish_period = 300
        #local_wm_publish_period = 300
    """

    main_worker: bool = True
    max_evbuf: int = 500

    def reload(self) -> None:
        """Read the ini."""
        super().reload()
        self.global_wm_publish_period = self.cf.getfloat("global_wm_publish_period", 300)
        self.local_wm_publish_period = self.cf.getfloat("local_wm_publish_period", 300)
        self.global_wm_publish_time = getattr(self, "global_wm_publish_time", 0.0)
        self.local_wm_publish_time = getattr(self, "local_wm_publish_time", 0.0)
        self.ev_buf: list[list[Any]] = []

    # what the node is

    def get_consumer_state(self) -> Any:
        """Return the row of pgq_node.get_worker_state(), of a helper its own. Commits."""
        if not self.main_worker:
            return super().get_consumer_state()
        dst_db = self.get_database(self.target_db)
        return self.exec_cmd(dst_db, _STATE, [self.queue_name], quiet=True)[0]

    def refresh_state(self, dst_db: Connection, full_logic: bool = True) -> Any:
        """Return the state. Raises SkytoolsError for a subtree with a watermark of its own."""
        state = super().refresh_state(dst_db, full_logic)
        if self.main_worker and state["node_type"] == "branch":
            curs = dst_db.cursor()
            curs.execute(_ATTRS, [self.queue_name])
            row = curs.fetchone()
            dst_db.commit()
            if row and "sync_watermark=" in (row[0] or ""):
                raise SkytoolsError(
                    f"node {state['node_name']} has the attribute sync_watermark, which this"
                    " worker does not know: keep python3-pgq 3.x for it"
                )
        return state

    def _is(self, node_type: str, combined_type: str | None = None) -> bool:
        state = self._state
        if not self.main_worker or state["node_type"] != node_type:
            return False
        return combined_type is None or state["combined_type"] == combined_type

    # batches

    def next_batch(self, db: Connection) -> int | None:
        """Open the next batch; beside a combined branch only when that has applied it."""
        batch_id = super().next_batch(db)
        if batch_id is None or not self._is("leaf", "branch"):
            return batch_id
        assert self.batch_info is not None
        return batch_id if self.batch_info["tick_id"] <= self._state["completed_tick"] else None

    def is_batch_done(self, state: Any, batch_info: dict[str, Any], dst_db: Connection) -> bool:
        """Compare with the node's position; a branch also makes a tick that is missing."""
        tick_id = batch_info["tick_id"]
        if self._is("leaf", "root") and tick_id <= state["completed_tick"]:
            return True
        done = super().is_batch_done(state, batch_info, dst_db)
        if done and self._is("branch"):
            top = state["local_queue_top"]
            if top == batch_info["prev_tick_id"]:
                self.create_branch_tick(dst_db, tick_id, batch_info["batch_end"])
            elif top != tick_id:
                raise LostPosition(f"Lost position: tick {tick_id} is done, the queue has {top}")
        return done

    def process_batch(self, db: Connection, batch_id: int, ev_list: Any) -> None:
        """Work on a batch in the node; beside a combined branch only on what the cascade says."""
        assert self.batch_info is not None
        if self._is("leaf", "branch"):
            dst_db = self.get_database(self.target_db)
            src_curs, dst_curs = db.cursor(), dst_db.cursor()
            for ev in ev_list:
                if (ev.type or "").startswith(("pgq.", "londiste.")):
                    self._handle(src_curs, dst_curs, ev)
            dst_db.commit()
            self.publish_local_wm(db, dst_db)
            return
        super().process_batch(db, batch_id, ev_list)

    def process_remote_batch(
        self, src_db: Connection, tick_id: int, ev_list: Any, dst_db: Connection
    ) -> None:
        """Handle and copy a batch, without committing."""
        src_curs, dst_curs = src_db.cursor(), dst_db.cursor()
        self.ev_buf = []
        for ev in ev_list:
            if ev.retry is not None:
                raise SkytoolsError(f"event {ev.id} was retried: a cascade has no retries")
            if self._is("branch"):
                self.copy_event(dst_curs, ev, 0)
            elif self._is("leaf", "root"):
                self.copy_event(dst_curs, ev, 1)
            self._handle(src_curs, dst_curs, ev)
        self.flush_events(dst_curs)
        if self._is("leaf", "root"):
            queue = self._state["combined_queue"]
            insert_event(dst_curs, queue, "pgq.tick-id", str(tick_id), self.queue_name)

    def finish_remote_batch(self, src_db: Connection, dst_db: Connection, tick_id: int) -> None:
        """Commit work and position, then make the branch's tick and report the watermark."""
        super().finish_remote_batch(src_db, dst_db, tick_id)
        assert self.batch_info is not None
        if self._is("branch"):
            self.create_branch_tick(dst_db, tick_id, self.batch_info["batch_end"])
        if self.main_worker:
            self.publish_local_wm(src_db, dst_db)

    # copying

    def copy_event(self, dst_curs: Any, ev: Event, filtered_copy: int) -> None:
        """Copy an event to the node's queue; filtered: a data event, to the combined queue."""
        row = [ev.time, ev.type, ev.data, ev.extra1, ev.extra2, ev.extra3, ev.extra4]
        if filtered_copy:
            if (ev.type or "").startswith("pgq."):
                return
        else:
            row.insert(0, ev.id)
        self.ev_buf.append(row)
        if len(self.ev_buf) >= self.max_evbuf:
            self.flush_events(dst_curs)

    def flush_events(self, dst_curs: Any) -> None:
        """Send the copies."""
        if not self.ev_buf:
            return
        rows, self.ev_buf = self.ev_buf, []
        if self._is("branch"):
            # The queue of a branch refuses events of anybody else.
            dst_curs.execute("select current_setting('session_replication_role')")
            role = dst_curs.fetchone()[0]
            dst_curs.execute(_ROLE, ["replica"])
            bulk_insert_events(dst_curs, rows, _FIELDS, self.queue_name)
            dst_curs.execute(_ROLE, [role])
        else:
            bulk_insert_events(dst_curs, rows, _FIELDS[1:], self._state["combined_queue"])

    def create_branch_tick(self, dst_db: Connection, tick_id: int, tick_time: datetime) -> None:
        """Make the provider's tick here, by itself: it sees all of the batch and nothing else."""
        assert self.batch_info is not None
        seq = self.batch_info["cur_tick_event_seq"]
        tick_db = self.get_database(self.target_db, autocommit=1, cache="_tick_db")
        tick_db.cursor().execute(_TICK, [self.queue_name, tick_id, tick_time, seq])

    # events of the cascade

    def _handle(self, src_curs: Any, dst_curs: Any, ev: Event) -> None:
        kind = ev.type or ""
        if not self.main_worker or not kind.startswith("pgq."):
            self.process_remote_event(src_curs, dst_curs, ev)
            return
        known: dict[str, Callable[[Any, Event], None]] = {
            "pgq.location-info": self._location,
            "pgq.unregister-location": self._no_location,
            "pgq.global-watermark": self._global_watermark,
            "pgq.tick-id": self._part_tick,
        }
        if kind not in known:
            raise SkytoolsError(f"event {ev.id}: unknown event of the cascade: {kind}")
        if (ev.extra1 == self.queue_name) is (kind == "pgq.tick-id"):
            raise SkytoolsError(f"event {ev.id}: {kind} is of queue {ev.extra1}")
        known[kind](dst_curs, ev)

    def _location(self, dst_curs: Any, ev: Event) -> None:
        args = [self.queue_name, ev.data, ev.extra2, ev.extra3 == "true"]
        self.exec_cmd(dst_curs, _LOCATION, args, quiet=True)

    def _no_location(self, dst_curs: Any, ev: Event) -> None:
        self.exec_cmd(dst_curs, _NO_LOCATION, [self.queue_name, ev.data], quiet=True)

    def _global_watermark(self, dst_curs: Any, ev: Event) -> None:
        if self._is("branch"):
            args = [self.queue_name, int(ev.data)]
            self.exec_cmd(dst_curs, _GLOBAL_WM, args, quiet=True)

    def _part_tick(self, dst_curs: Any, ev: Event) -> None:
        if self._is("branch"):
            args = [self.queue_name, ev.extra1, int(ev.data)]
            self.exec_cmd(dst_curs, _PART_WM, args, quiet=True)

    # watermarks

    def process_root_node(self, dst_db: Connection) -> None:
        """Publish how far everybody is."""
        if not self.main_worker:
            super().process_root_node(dst_db)
            return
        now = time.monotonic()
        if not self.global_wm_publish_time or (
            now - self.global_wm_publish_time >= self.global_wm_publish_period
        ):
            self.exec_cmd(dst_db, _GLOBAL_WM, [self.queue_name, None], quiet=True)
            self.global_wm_publish_time = now

    def publish_local_wm(self, src_db: Connection, dst_db: Connection) -> None:
        """Tell the provider, once in a while, what is needed here; committed with the batch."""
        now = time.monotonic()
        if self.local_wm_publish_time and (
            now - self.local_wm_publish_time < self.local_wm_publish_period
        ):
            return
        assert self.batch_info is not None
        state = self.get_consumer_state()
        watermark = min(state["local_watermark"], self.batch_info["tick_id"])
        args = [self.queue_name, state["node_name"], watermark]
        src_db.cursor().execute(_REPORT_WM, args)
        self.local_wm_publish_time = now
