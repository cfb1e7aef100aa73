# SPDX-License-Identifier: ISC
"""CascadedConsumer: reads the provider of its node, works in the node. Source: pgq.cascade."""

from __future__ import annotations

import argparse
import optparse
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from skytools.compat.pgq.baseconsumer import BaseConsumer
from skytools.compat.pgq.event import Event
from skytools.compat.psycopgwrapper import Borrowed, Connection, DBError
from skytools.core.errors import LostPosition, SkytoolsError, UsageError
from skytools.pgq import api

__all__ = ["CascadedConsumer"]

PROVIDER = "_provider_db"
STANDBY_LOOPS = 10

_STATE = "select * from pgq_node.get_consumer_state(%s, %s)"
_NODE = "select * from pgq_node.get_node_info(%s)"
_COMPLETED = "select * from pgq_node.set_consumer_completed(%s, %s, %s)"
_UPTODATE = "select * from pgq_node.set_consumer_uptodate(%s, %s, true)"
_ERROR = "select * from pgq_node.set_consumer_error(%s, %s, %s)"
_REGISTER = "select * from pgq_node.register_consumer(%s, %s, %s, %s)"
_UNREGISTER = "select * from pgq_node.unregister_consumer(%s, %s)"
_PROVIDER_HELP = "connect string of the node to read from, for --register"


class CascadedConsumer(BaseConsumer):
    """Follows its node: where that reads from, this does; its position is kept in the node.

    While the node is the root there is nothing to do: it stands by.

    Config template::

        # added to the connect strings of other nodes
        #remote_extra_connstr = sslmode=require
    """

    switches: ClassVar = {
        **BaseConsumer.switches,
        "rewind": "move the consumer at the provider to the position of the node and end",
        "reset": "set the position of the node to that at the provider and end",
    }

    def __init__(self, service_name: str, db_name: str, args: Sequence[str]) -> None:
        self.target_db = db_name
        self.provider_connstr: str | None = None
        self._state: Any = None
        super().__init__(service_name, PROVIDER, args)

    # command line

    def init_optparse(self, parser: optparse.OptionParser | None = None) -> optparse.OptionParser:
        """Declare --provider."""
        p = super().init_optparse(parser)
        p.add_option("--provider", help=_PROVIDER_HELP)
        return p

    def init_argparse(
        self, parser: argparse.ArgumentParser | None = None
    ) -> argparse.ArgumentParser:
        """Declare --provider."""
        p = super().init_argparse(parser)
        p.add_argument("--provider", help=_PROVIDER_HELP)
        return p

    def _command(self, name: str) -> Callable[[], Any]:
        own: dict[str, Callable[[], Any]] = {
            "register": lambda: self.register_consumer(self.options.provider),
            "rewind": self.rewind,
            "reset": self.dst_reset,
        }
        return own.get(name) or super()._command(name)

    # state of the node

    def get_consumer_state(self) -> Any:
        """Return the row of pgq_node.get_consumer_state(). Commits."""
        dst_db = self.get_database(self.target_db)
        args = [self.queue_name, self.consumer_name]
        return self.exec_cmd(dst_db, _STATE, args, quiet=True)[0]

    def refresh_state(self, dst_db: Connection, full_logic: bool = True) -> Any:
        """Return the state, and with `full_logic` answer those who wait for us. Commits."""
        state = self.get_consumer_state()
        if full_logic:
            args = [self.queue_name, self.consumer_name]
            if not state["uptodate"]:
                self.exec_cmd(dst_db, _UPTODATE, args)
            if state["cur_error"] and self.work_state != -1:
                self.exec_cmd(dst_db, _ERROR, [*args, None], quiet=True)
        return state

    def get_provider_db(self, state: Any) -> Connection:
        """Return the connection to the provider; another one when that has changed."""
        location = state["provider_location"]
        if self.provider_connstr not in (None, location):
            self.close_database(PROVIDER)
            self._channels.pop(PROVIDER, None)
            self._listening = ""
        self.provider_connstr = location
        return self.source_db()

    def source_db(self) -> Connection:
        """Return the connection to the provider."""
        return self.get_database(
            PROVIDER,
            autocommit=self.pgq_autocommit,
            connstr=self.provider_connstr,
            profile="remote",
        )

    # work

    def work(self) -> Any:
        """Work on one batch unless the consumer is paused or its node the root."""
        dst_db = self.get_database(self.target_db)
        self._state = state = self.refresh_state(dst_db)
        if state["paused"]:
            return 0
        if state["node_type"] == "root":
            self.process_root_node(dst_db)
            return 0
        self.get_provider_db(state)
        return super().work()

    def process_root_node(self, dst_db: Connection) -> None:
        """Stand by, while there is no provider."""
        self.stat_put("standby", 1)
        self.send_stats()
        if self._runtime:
            self._runtime.worked()
        self.sleep(STANDBY_LOOPS * self.loop_delay)

    def process_batch(self, db: Connection, batch_id: int, ev_list: Any) -> None:
        """Work on a batch in the node unless that has it."""
        assert self.batch_info is not None
        dst_db = self.get_database(self.target_db)
        if self.is_batch_done(self._state, self.batch_info, dst_db):
            return
        tick_id = self.batch_info["tick_id"]
        self.process_remote_batch(db, tick_id, ev_list, dst_db)
        self.finish_remote_batch(db, dst_db, tick_id)

    def process_remote_batch(
        self, src_db: Connection, tick_id: int, ev_list: Any, dst_db: Connection
    ) -> None:
        """Handle a batch through `dst_db`, without committing."""
        src_curs, dst_curs = src_db.cursor(), dst_db.cursor()
        for ev in ev_list:
            self.process_remote_event(src_curs, dst_curs, ev)

    def process_remote_event(self, src_curs: Any, dst_curs: Any, ev: Event) -> None:
        """Handle one event; those of the cascade itself (pgq.*) are the worker's."""
        if not (ev.type or "").startswith("pgq."):
            raise SkytoolsError(f"event {ev.id}: no handler for type {ev.type}")

    def finish_remote_batch(self, src_db: Connection, dst_db: Connection, tick_id: int) -> None:
        """Note the position in the node and commit there."""
        args = [self.queue_name, self.consumer_name, tick_id]
        self.exec_cmd(dst_db, _COMPLETED, args, quiet=True)

    def is_batch_done(self, state: Any, batch_info: dict[str, Any], dst_db: Connection) -> bool:
        """Compare the batch with the node's position. Raises LostPosition."""
        cur_tick, prev_tick = batch_info["tick_id"], batch_info["prev_tick_id"]
        position = state["completed_tick"]
        if position == prev_tick:
            return False
        if position == cur_tick:
            return True
        raise LostPosition(
            f"Lost position: batch {prev_tick}..{cur_tick}, the node has {position}."
            " If the node is right: --rewind; if the provider is right: --reset"
        )

    def exception_hook(self, det: Exception, emsg: str) -> None:
        """Log an error, and tell it in the node, where admin tools show it."""
        super().exception_hook(det, emsg)
        self.reset()
        try:
            dst_db = self.get_database(self.target_db)
            text = emsg.splitlines()[0] if emsg else type(det).__name__
            dst_db.cursor().execute(_ERROR, [self.queue_name, self.consumer_name, text])
            dst_db.commit()
        except DBError as exc:
            self.log.warning("the error could not be told to the node: %s", str(exc).strip())

    # registration

    def _at_provider(self) -> tuple[Borrowed, Connection]:
        db = self.get_provider_db(self.get_consumer_state())
        return Borrowed(PROVIDER, db), db

    def _position(self, db: Borrowed) -> int:
        found = api.consumer_info(db, self.queue_name, self.consumer_name)
        if not found:
            raise SkytoolsError(f"{self.consumer_name} is not registered at the provider")
        return found[0].last_tick

    def register_consumer(self, provider_loc: str | None = None) -> int:
        """Register at the provider, and in the node at the same tick. Commits."""
        if not provider_loc:
            raise UsageError("please give the node to read from: --provider=CONNSTR")
        self.provider_connstr = provider_loc
        src_db = self.source_db()
        node = self.exec_cmd(src_db, _NODE, [self.queue_name], quiet=True)[0]["node_name"]
        new = super().register_consumer()
        tick = self._position(Borrowed(PROVIDER, src_db))
        src_db.commit()
        dst_db = self.get_database(self.target_db)
        args = [self.queue_name, self.consumer_name, node, tick]
        self.exec_cmd(dst_db, _REGISTER, args)
        return new

    def unregister_consumer(self) -> None:
        """Forget the consumer at the provider and in the node. Commits."""
        db, src_db = self._at_provider()
        api.unregister_consumer(db, self.queue_name, self.consumer_name)
        src_db.commit()
        dst_db = self.get_database(self.target_db)
        self.exec_cmd(dst_db, _UNREGISTER, [self.queue_name, self.consumer_name])

    def rewind(self) -> None:
        """Move the consumer at the provider to the node's position. Commits."""
        db, src_db = self._at_provider()
        tick = self.get_consumer_state()["completed_tick"]
        api.register_consumer_at(db, self.queue_name, self.consumer_name, tick)
        src_db.commit()

    def dst_reset(self) -> None:
        """Set the node's position to that at the provider. Commits."""
        db, src_db = self._at_provider()
        tick = self._position(db)
        src_db.commit()
        dst_db = self.get_database(self.target_db)
        self.exec_cmd(dst_db, _COMPLETED, [self.queue_name, self.consumer_name, tick])
