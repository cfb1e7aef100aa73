# SPDX-License-Identifier: ISC
"""pgq_node from Python: state of a node of a cascade. Nothing here commits."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl

from skytools.core.db import Database, Row
from skytools.core.errors import SkytoolsError
from skytools.pgq.api import AT_LEAST_LOCAL, call

NO_NODE = ": the database is no node of it; create-root, create-branch or create-leaf makes it one"


class NodeType(StrEnum):
    """What a database is in a cascade."""

    ROOT = "root"
    BRANCH = "branch"
    LEAF = "leaf"


@dataclass(frozen=True, slots=True)
class NodeState:
    """Where a worker or consumer of a node is.

    `provider_location` is a connect string, None when it is not known. The last five are of
    workers only: its name, watermark of the node and all below it, newest tick of its queue (None
    in a leaf), the queue that a leaf copies into, and the type of that one's node.
    """

    node_type: NodeType
    node_name: str
    completed_tick: int
    provider_node: str
    provider_location: str | None
    paused: bool
    uptodate: bool
    error: str | None
    worker: str = ""
    local_watermark: int = 0
    top_tick: int | None = None
    combined_queue: str | None = None
    combined_type: NodeType | None = None


@dataclass(frozen=True, slots=True)
class Location:
    """A member of a cascade."""

    node: str
    location: str
    dead: bool


_CONSUMER_STATE = call("pgq_node.get_consumer_state", "i_queue_name", "i_consumer_name")
_WORKER_STATE = call("pgq_node.get_worker_state", "i_queue_name")
_NODE_INFO = call("pgq_node.get_node_info", "i_queue_name")
_LOCATIONS = call("pgq_node.get_queue_locations", "i_queue_name")
_SET_UPTODATE = call(
    "pgq_node.set_consumer_uptodate", "i_queue_name", "i_consumer_name", "i_uptodate"
)
_SET_ERROR = call("pgq_node.set_consumer_error", "i_queue_name", "i_consumer_name", "i_error_msg")
_SET_COMPLETED = call(
    "pgq_node.set_consumer_completed", "i_queue_name", "i_consumer_name", "i_tick_id"
)
_REGISTER = call(
    "pgq_node.register_consumer",
    *("i_queue_name", "i_consumer_name", "i_provider_node", "i_custom_tick_id"),
)
_UNREGISTER = call("pgq_node.unregister_consumer", "i_queue_name", "i_consumer_name")
_SUBSCRIBER_WM = call(
    "pgq_node.set_subscriber_watermark", "i_queue_name", "i_node_name", "i_watermark"
)
_GLOBAL_WM = call("pgq_node.set_global_watermark", "i_queue_name", "i_watermark")
_PARTITION_WM = call(
    "pgq_node.set_partition_watermark",
    *("i_combined_queue_name", "i_part_queue_name", "i_watermark"),
)
_REGISTER_LOCATION = call(
    "pgq_node.register_location",
    *("i_queue_name", "i_node_name", "i_node_location", "i_dead"),
)
_UNREGISTER_LOCATION = call("pgq_node.unregister_location", "i_queue_name", "i_node_name")
_TICK = call("pgq.ticker", "i_queue_name", "i_tick_id", "i_orig_timestamp", "i_event_seq")


def check(row: Row | None) -> Row:
    """Return the columns after ret_code and ret_note. Raises SkytoolsError for codes from 400."""
    assert row is not None
    if row[0] >= 400:
        hint = NO_NODE if str(row[1]).startswith("Unknown queue") else ""
        raise SkytoolsError(f"{row[1]} ({row[0]}){hint}")
    return row[2:]


def _do(db: Database, statement: str, *args: Any) -> Row:
    return check(db.query_one(statement, args))


def consumer_state(db: Database, queue: str, consumer: str) -> NodeState:
    """Return where a consumer of the node is. Raises SkytoolsError when it is not known."""
    row = _do(db, _CONSUMER_STATE, queue, consumer)
    return NodeState(NodeType(row[0]), *row[1:8])


def worker_state(db: Database, queue: str) -> NodeState:
    """Return where the worker of the node is."""
    row = _do(db, _WORKER_STATE, queue)
    kind, name, tick, provider, location, paused, uptodate, error, worker = row[:9]
    return NodeState(
        NodeType(kind),
        name,
        tick,
        provider,
        location,
        paused,
        uptodate,
        error,
        worker=worker,
        local_watermark=row[10],
        top_tick=row[11],
        combined_queue=row[12],
        combined_type=NodeType(row[13]) if row[13] else None,
    )


def node_attributes(db: Database, queue: str) -> dict[str, str]:
    """Return the attributes of the node, such as sync_watermark."""
    row = _do(db, _NODE_INFO, queue)
    return dict(parse_qsl(row[12] or "", keep_blank_values=True))


def node_name(db: Database, queue: str) -> str:
    """Return the name of the node that this database is."""
    name: str = _do(db, _NODE_INFO, queue)[1]
    return name


def local_watermark(db: Database, queue: str) -> int:
    """Return up to which tick the node and all below it have done everything."""
    mark: int = _do(db, _NODE_INFO, queue)[3]
    return mark


def locations(db: Database, queue: str) -> list[Location]:
    """Return the members of the cascade."""
    return [Location(*row) for row in db.query(_LOCATIONS, (queue,))]


def set_uptodate(db: Database, queue: str, consumer: str) -> None:
    """Tell administrators that the consumer has seen its new state."""
    _do(db, _SET_UPTODATE, queue, consumer, True)


def set_error(db: Database, queue: str, consumer: str, text: str | None) -> None:
    """Leave the text of an error where administrators look; None: it is over."""
    _do(db, _SET_ERROR, queue, consumer, text)


def set_completed(db: Database, queue: str, consumer: str, tick_id: int) -> None:
    """Note the tick up to which all is done, in the transaction of the work."""
    _do(db, _SET_COMPLETED, queue, consumer, tick_id)


def send_completed(db: Database, queue: str, consumer: str, tick_id: int) -> None:
    """Do the same together with the next statement; whether it is done the position tells."""
    db.send(_SET_COMPLETED, (queue, consumer, tick_id))


def register_consumer(
    db: Database, queue: str, consumer: str, provider_node: str, tick_id: int
) -> None:
    """Register a consumer of the node that reads from the provider after a tick, or move it."""
    _do(db, _REGISTER, queue, consumer, provider_node, tick_id)


def unregister_consumer(db: Database, queue: str, consumer: str) -> None:
    """Forget a consumer of the node."""
    _do(db, _UNREGISTER, queue, consumer)


def set_subscriber_watermark(db: Database, queue: str, node: str, tick_id: int) -> None:
    """Tell the provider how far a subscriber and all below it are. Its answer is for nobody."""
    db.query(_SUBSCRIBER_WM, (queue, node, tick_id))


def set_global_watermark(db: Database, queue: str, tick_id: int | None) -> None:
    """Move the mark of what no node needs any more; None on a root: to its local watermark."""
    _do(db, _GLOBAL_WM, queue, tick_id)


def set_partition_watermark(db: Database, combined: str, partition: str, tick_id: int) -> None:
    """Note up to which tick a partition has come with the combined queue."""
    _do(db, _PARTITION_WM, combined, partition, tick_id)


def register_location(
    db: Database, queue: str, node: str, location: str | None, *, dead: bool
) -> None:
    """Note where a member of the cascade is."""
    _do(db, _REGISTER_LOCATION, queue, node, location, dead)


def unregister_location(db: Database, queue: str, node: str) -> None:
    """Forget a member of the cascade."""
    _do(db, _UNREGISTER_LOCATION, queue, node)


def make_tick(db: Database, queue: str, tick_id: int, when: Any, event_seq: int) -> None:
    """Make the provider's tick in a branch, as a transaction of its own.

    The snapshot must see the copied events, which have to be committed, and nothing else. Waits
    for the disk: the provider will not send the batch again.
    """
    db.query_alone(f"{_TICK} where {AT_LEAST_LOCAL} > ''", (queue, tick_id, when, event_seq))
