# SPDX-License-Identifier: ISC
"""The SQL functions that administration calls. None of them commits."""

from __future__ import annotations

from dataclasses import dataclass

from skytools.core.db import Database, Row
from skytools.core.errors import SkytoolsError
from skytools.pgq import api
from skytools.pgq.api import call

_REGISTER_SUBSCRIBER = call(
    "pgq_node.register_subscriber",
    *("i_queue_name", "i_remote_node_name", "i_remote_worker_name", "i_custom_tick_id"),
)
_UNREGISTER_SUBSCRIBER = call(
    "pgq_node.unregister_subscriber", "i_queue_name", "i_remote_node_name"
)
_SUBSCRIBERS = call("pgq_node.get_subscriber_info", "i_queue_name")
_CONSUMERS = call("pgq_node.get_consumer_info", "i_queue_name")
_CREATE_NODE = call(
    "pgq_node.create_node",
    *("i_queue_name", "i_node_type", "i_node_name", "i_worker_name", "i_provider_name"),
    *("i_global_watermark", "i_combined_queue"),
)
_DROP_NODE = call("pgq_node.drop_node", "i_queue_name", "i_node_name")
_SET_ATTRS = call("pgq_node.set_node_attrs", "i_queue_name", "i_node_attrs")
_SET_PAUSED = call("pgq_node.set_consumer_paused", "i_queue_name", "i_consumer_name", "i_paused")
_SET_UPTODATE = call(
    "pgq_node.set_consumer_uptodate", "i_queue_name", "i_consumer_name", "i_uptodate"
)
_CHANGE_PROVIDER = call(
    "pgq_node.change_consumer_provider", "i_queue_name", "i_consumer_name", "i_new_provider"
)
_DEMOTE = call("pgq_node.demote_root", "i_queue_name", "i_step", "i_new_provider")
_PROMOTE = call("pgq_node.promote_branch", "i_queue_name")
_REOPEN = call("pgq_node.reopen_root", "i_queue_name")
_RENAME = call("pgq_node.rename_node", "i_queue_name", "i_old_name", "i_new_name")
_REOPEN_BY_HAND = """update pgq.queue set queue_disable_insert = false,
    queue_external_ticker = false where queue_name = %s"""
_CLOSED = """select queue_disable_insert and queue_external_ticker from pgq.queue
    where queue_name = %s"""
_NOTE_LOCATION = """insert into pgq_node.node_location (queue_name, node_name, node_location)
    values (%s, %s, %s) on conflict (queue_name, node_name) do nothing"""
# Who has written events and not committed yet, and since when its transaction is open.
_WRITERS = """select distinct l.pid, extract(epoch from now() - a.xact_start)::float8
    from pgq.queue q
    join pg_catalog.pg_inherits i on i.inhparent = q.queue_data_pfx::regclass
    join pg_catalog.pg_locks l on l.relation = i.inhrelid and l.mode = 'RowExclusiveLock'
         and l.granted and l.database = (select oid from pg_catalog.pg_database
                                          where datname = current_database())
    left join pg_catalog.pg_stat_activity a on a.pid = l.pid
   where q.queue_name = %s and l.pid is not null order by 2 desc nulls last"""
_MAY = """select exists (select 1 from pg_catalog.pg_roles where rolname = current_user
    and (rolsuper or (to_regrole('pgq_admin') is not null
                      and pg_has_role(oid, to_regrole('pgq_admin'), 'usage'))))"""
_LOCK_NODE = "select node_type from pgq_node.node_info where queue_name = %s for no key update"
_WAKE = "select pg_notify('pgq_node', %s)"
# Announces a tick again, for a server whose pgq does not: its worker may be ours.
_WAKE_TICK = """select pg_notify('pgq_tick_' || queue_id, %s::text) from pgq.queue
    where queue_name = %s"""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A node that reads another; `worker` is its consumer there."""

    node: str
    worker: str
    watermark: int | None


@dataclass(frozen=True, slots=True)
class LocalConsumer:
    """A consumer whose position a node keeps, its worker among them."""

    name: str
    provider: str
    tick: int
    paused: bool
    uptodate: bool
    error: str | None


def _do(db: Database, statement: str, *args: object) -> Row:
    """Call and return all columns. Raises SkytoolsError for codes from 400."""
    row = db.query_one(statement, args)
    assert row is not None
    if row[0] >= 400:
        raise SkytoolsError(f"{db.name}: {row[1]}")
    return row


def subscribers(db: Database, queue: str) -> list[Subscriber]:
    """Return the nodes that read this one."""
    return [Subscriber(*row) for row in db.query(_SUBSCRIBERS, (queue,))]


def consumers(db: Database, queue: str) -> list[LocalConsumer]:
    """Return the consumers whose position this node keeps."""
    return [LocalConsumer(*row) for row in db.query(_CONSUMERS, (queue,))]


def has_function(db: Database, signature: str) -> bool:
    """Tell whether the server has a function: "pgq_node.rename_node(text,text,text)"."""
    return db.value("select to_regprocedure(%s) is not null", (signature,)) is True


def register_subscriber(db: Database, queue: str, node: str, worker: str, tick: int | None) -> int:
    """Subscribe a node, or move its subscription; return the tick at which its worker begins.

    None: a new one begins at the global watermark, a known one stays. Source: in pgq_node 3.5 a
    second call fails, so a known subscription is moved as the consumer that it is.
    """
    known = {one.node: one for one in subscribers(db, queue)}.get(node)
    if known is not None and known.worker != worker:
        _do(db, _UNREGISTER_SUBSCRIBER, queue, node)
        known = None
    if known is None:
        row = _do(db, _REGISTER_SUBSCRIBER, queue, node, worker, tick)
        return int(row[2]) if tick is None else tick
    if tick is not None:
        api.register_consumer_at(db, queue, worker, tick)
        return tick
    (info,) = api.consumer_info(db, queue, worker)
    return info.last_tick


def unregister_subscriber(db: Database, queue: str, node: str) -> None:
    """Forget a subscription; none is no error."""
    _do(db, _UNREGISTER_SUBSCRIBER, queue, node)


def create_node(
    db: Database,
    queue: str,
    kind: str,
    name: str,
    worker: str,
    *,
    provider: str | None = None,
    watermark: int | None = None,
    combined: str | None = None,
) -> None:
    """Make the database a node."""
    _do(db, _CREATE_NODE, queue, kind, name, worker, provider, watermark, combined)


def drop_node(db: Database, queue: str, node: str) -> None:
    """Forget a node; on itself: drop it with its queue."""
    _do(db, _DROP_NODE, queue, node)


def set_attributes(db: Database, queue: str, attributes: str | None) -> None:
    """Set the urlencoded attributes of the node."""
    _do(db, _SET_ATTRS, queue, attributes)


def set_paused(db: Database, queue: str, consumer: str, *, paused: bool) -> None:
    """Ask a consumer to pause or to go on; it answers by being up to date."""
    _do(db, _SET_PAUSED, queue, consumer, paused)


def ask(db: Database, queue: str, consumer: str) -> None:
    """Ask a consumer whether it is there; it answers by being up to date."""
    _do(db, _SET_UPTODATE, queue, consumer, False)


def change_provider(db: Database, queue: str, consumer: str, provider: str) -> None:
    """Let a consumer of the node read from another node."""
    _do(db, _CHANGE_PROVIDER, queue, consumer, provider)


def demote_root(db: Database, queue: str, step: int, successor: str) -> int | None:
    """Do a step of demoting the root, return its last tick from step 2 on."""
    row = _do(db, _DEMOTE, queue, step, successor)
    if row[0] == 301:
        raise SkytoolsError(f"{db.name}: is not the root any more")
    tick: int | None = row[2]
    return tick


def promote_branch(db: Database, queue: str) -> None:
    """Make a branch the root. Locks the node."""
    row = _do(db, _PROMOTE, queue)
    if row[0] == 301:
        raise SkytoolsError(f"{db.name}: is no branch")


def reopen_root(db: Database, queue: str) -> None:
    """Take back steps 1 and 2 of demoting the root."""
    if has_function(db, "pgq_node.reopen_root(text)"):
        _do(db, _REOPEN, queue)
    else:
        db.execute(_REOPEN_BY_HAND, (queue,)).close()


def rename_node(db: Database, queue: str, old: str, new: str) -> None:
    """Rename a node here; a second time is no error."""
    _do(db, _RENAME, queue, old, new)


def is_closed(db: Database, queue: str) -> bool:
    """Tell whether a root refuses events and ticks, since it is about to be demoted."""
    return bool(db.value(_CLOSED, (queue,)))


def lock_node(db: Database, queue: str) -> str:
    """Wait for changes of the node that are under way and lock it; return root, branch or leaf."""
    return str(db.value(_LOCK_NODE, (queue,)))


def wake_worker(db: Database, queue: str) -> None:
    """Let workers look at the state of the node."""
    db.value(_WAKE, (queue,))


def wake_readers(db: Database, queue: str, tick: int) -> None:
    """Announce a tick."""
    db.value(_WAKE_TICK, (tick, queue))


def force_tick(db: Database, queue: str) -> None:
    """Make a tick now, whatever the settings of the ticker."""
    api.force_tick(db, queue)
    api.ticker(db, queue)


def lock_timeout(db: Database, seconds: float) -> None:
    """Wait for locks so long at most, in this transaction."""
    db.value("select set_config('lock_timeout', %s, true)", (f"{max(1, int(seconds * 1000))}ms",))


def event_writers(db: Database, queue: str) -> list[tuple[int, float]]:
    """Return pid and age in seconds of open transactions that have written events."""
    return [(pid, age or 0.0) for pid, age in db.query(_WRITERS, (queue,))]


def may_administer(db: Database) -> bool:
    """Tell whether the user may change the node."""
    return bool(db.value(_MAY))


def note_location(db: Database, queue: str, node: str, location: str) -> None:
    """Note where a node is, on a root that is closed: it cannot tell of it in the queue."""
    db.execute(_NOTE_LOCATION, (queue, node, location)).close()
