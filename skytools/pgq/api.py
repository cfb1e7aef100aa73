# SPDX-License-Identifier: ISC
"""One typed function for each SQL function of PgQ that is called from Python.

None of them commits. FUNCTIONS lists names and arguments as the server must have them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from skytools.core.db import Database, Row
from skytools.pgq.types import BatchInfo, ConsumerInfo, Event, Fate, QueueInfo, RetryLimits, Tick

FUNCTIONS: dict[str, tuple[str, ...]] = {}


def call(name: str, *args: str) -> str:
    """Note a function and return the statement that calls it."""
    FUNCTIONS[name] = args
    named = ", ".join(f"{arg} => %s" for arg in args)
    return f"select * from {name}({named})"  # noqa: S608 # names from this file only


_NEXT_BATCH = call(
    "pgq.next_batch_custom",
    *("i_queue_name", "i_consumer_name", "i_min_lag", "i_min_count", "i_min_interval"),
)
# The level holds for this transaction only. Losing the mark of an open batch in a crash does no
# harm where the work is lost with it, so nobody waits for the disk; see `durable`.
_NEXT_BATCH_RELAXED = f"{_NEXT_BATCH} where set_config('synchronous_commit', 'off', true) > ''"
AT_LEAST_LOCAL = """set_config('synchronous_commit',
    replace(current_setting('synchronous_commit'), 'off', 'local'), true)"""
_NEXT_BATCH_DURABLE = f"{_NEXT_BATCH} where {AT_LEAST_LOCAL} > ''"
_NEXT_BATCHES_DURABLE = f"""select b.* from pgq.queue q
    cross join lateral (select tick_event_seq from pgq.tick where tick_queue = q.queue_id
                         order by tick_id desc limit 1) t
    cross join lateral pgq.next_batch_custom(i_queue_name => q.queue_name,
        i_consumer_name => %s, i_min_lag => null, i_min_interval => null,
        i_min_count => least(greatest(t.tick_event_seq - %s, %s), %s)::int) b
    where q.queue_name = %s and {AT_LEAST_LOCAL} > ''"""  # noqa: S608 # all of it is ours
_GET_BATCH_CURSOR = call(
    "pgq.get_batch_cursor", "i_batch_id", "i_cursor_name", "i_quick_limit", "i_extra_where"
)
_GET_BATCH_INFO = call("pgq.get_batch_info", "x_batch_id")
_FINISH_BATCH = call("pgq.finish_batch", "x_batch_id")
_EVENTS_RETRY = """select sum(pgq.event_retry(x_batch_id => %s, x_event_id => event,
    x_retry_seconds => seconds)) from unnest(%s::int8[], %s::int4[]) t(event, seconds)"""
_REGISTER = call("pgq.register_consumer", "x_queue_name", "x_consumer_id")
_REGISTER_AT = call("pgq.register_consumer_at", "x_queue_name", "x_consumer_name", "x_tick_pos")
_UNREGISTER = call("pgq.unregister_consumer", "x_queue_name", "x_consumer_name")
_QUEUE_INFO = call("pgq.get_queue_info", "i_queue_name")
_CONSUMER_INFO = call("pgq.get_consumer_info", "i_queue_name", "i_consumer_name")
_INSERT_EVENT = call(
    "pgq.insert_event",
    *("queue_name", "ev_type", "ev_data", "ev_extra1", "ev_extra2", "ev_extra3", "ev_extra4"),
)
_INSERT_EVENT_AT = call(
    "pgq.insert_event_at",
    *("i_queue_name", "i_time", "i_type", "i_data", "i_extra1", "i_extra2", "i_extra3", "i_extra4"),
)
_INSERT_EVENT_RAW = call(
    "pgq.insert_event_raw",
    *("queue_name", "ev_id", "ev_time", "ev_owner", "ev_retry", "ev_type", "ev_data"),
    *("ev_extra1", "ev_extra2", "ev_extra3", "ev_extra4"),
)
_CURRENT_TABLE = call("pgq.current_event_table", "x_queue_name")
_CURRENT_TABLE_FACTS = (
    _CURRENT_TABLE.replace("*", "t, has_table_privilege(t, 'insert'), now()::text", 1) + " t"
)
_FORCE_TICK = call("pgq.force_tick", "i_queue_name")
_TICKER = call("pgq.ticker", "i_queue_name")
_TICK_SNAPSHOT = call("pgq.tick_snapshot", "i_queue_name")
_CREATE_QUEUE = call("pgq.create_queue", "i_queue_name")
_GET_LAST_TICK = call("pgq_ext.get_last_tick", "a_consumer")
_SET_LAST_TICK = call("pgq_ext.set_last_tick", "a_consumer", "a_tick_id")
_IS_BATCH_DONE = call("pgq_ext.is_batch_done", "a_consumer", "a_batch_id")
_SET_EVENTS_DONE = """select count(pgq_ext.set_event_done(a_consumer => %s, a_subconsumer => %s,
    a_batch_id => %s, a_event_id => event)) from unnest(%s::int8[]) event"""
_ARE_EVENTS_DONE = """select event from unnest(%s::int8[]) event where pgq_ext.is_event_done(
    a_consumer => %s, a_subconsumer => %s, a_batch_id => %s, a_event_id => event)"""
_COOP_NAMES = ("i_queue_name", "i_consumer_name", "i_subconsumer_name")
_COOP_NEXT_BATCH = call(
    "pgq_coop.next_batch_custom",
    *(*_COOP_NAMES, "i_min_lag", "i_min_count", "i_min_interval", "i_dead_interval"),
)
_COOP_FINISH_BATCH = call("pgq_coop.finish_batch", "i_batch_id")
_COOP_HEARTBEAT = call("pgq_coop.heartbeat", "i_batch_id")
_COOP_REGISTER = call("pgq_coop.register_subconsumer", *_COOP_NAMES)
_COOP_UNREGISTER = call("pgq_coop.unregister_subconsumer", *_COOP_NAMES, "i_batch_handling")
_REGISTER_KEYED = call("pgq.register_keyed", "i_queue_name", "i_consumer_name", "i_workers")
_UNREGISTER_KEYED = call("pgq.unregister_keyed", "i_queue_name", "i_consumer_name", "i_workers")
_MOVE_CONSUMER = call("pgq.move_consumer", "i_queue_name", "i_consumer_name", "i_from", "i_to")
_FAIL_EVENTS = call(
    "pgq.fail_events",
    *("i_batch_id", "i_event_ids", "i_reasons", "i_max_tries", "i_first", "i_longest"),
)
# Called for many events by one statement, above.
FUNCTIONS["pgq.event_retry"] = ("x_batch_id", "x_event_id", "x_retry_seconds")
for _name in ("pgq_ext.set_event_done", "pgq_ext.is_event_done"):
    FUNCTIONS[_name] = ("a_consumer", "a_subconsumer", "a_batch_id", "a_event_id")


def queue_id(db: Database, queue: str) -> int | None:
    """Return the number of a queue, None when there is no such queue."""
    row = db.query_one("select queue_id from pgq.queue where queue_name = %s", (queue,))
    return int(row[0]) if row else None


def tick_exists(db: Database, queue: str, tick_id: int) -> bool:
    """Tell whether a queue still has that tick."""
    query = """select 1 from pgq.tick t join pgq.queue q on q.queue_id = t.tick_queue
                where q.queue_name = %s and t.tick_id = %s"""
    return db.query_one(query, (queue, tick_id)) is not None


def force_tick(db: Database, queue: str) -> int | None:
    """Make the ticker tick at once; returns the last tick there is now."""
    tick: int | None = db.value(_FORCE_TICK, (queue,))
    return tick


def ticker(db: Database, queue: str) -> int | None:
    """Tick a queue when that is due; returns the tick. Needs pgq_admin."""
    tick: int | None = db.value(_TICKER, (queue,))
    return tick


def tick_snapshot(db: Database, queue: str) -> int | None:
    """Make a tick with the snapshot of this REPEATABLE READ transaction; None: it is too old.

    The session must have held the queue's ticker lock since before the transaction; pgq 4 only.
    """
    tick: int | None = db.value(_TICK_SNAPSHOT, (queue,))
    return tick


def create_queue(db: Database, queue: str) -> bool:
    """Create a queue; false when it exists. Needs pgq_admin."""
    return bool(db.value(_CREATE_QUEUE, (queue,)))


def register_consumer(db: Database, queue: str, consumer: str) -> bool:
    """Register a consumer at the newest tick; false when it is registered already."""
    return bool(db.value(_REGISTER, (queue, consumer)))


def register_consumer_at(db: Database, queue: str, consumer: str, tick_id: int) -> bool:
    """Move a consumer to a tick, registering it when it is new (true)."""
    return bool(db.value(_REGISTER_AT, (queue, consumer, tick_id)))


def unregister_consumer(db: Database, queue: str, consumer: str) -> int:
    """Forget a consumer, its place and its retry events; 0 when it was not registered."""
    return int(db.value(_UNREGISTER, (queue, consumer)))


def queue_info(db: Database, queue: str | None = None) -> list[QueueInfo]:
    """Return one queue, or all of them by name."""
    return [QueueInfo(*row) for row in db.query(_QUEUE_INFO, (queue,))]


def consumer_info(
    db: Database, queue: str | None = None, consumer: str | None = None
) -> list[ConsumerInfo]:
    """Return consumers by queue and name; None stands for any."""
    return [ConsumerInfo(*row) for row in db.query(_CONSUMER_INFO, (queue, consumer))]


def next_batch(
    db: Database,
    queue: str,
    consumer: str,
    *,
    min_lag: str | None = None,
    min_count: int | None = None,
    min_interval: str | None = None,
    durable: bool = True,
) -> BatchInfo | None:
    """Open the next batch, or return the open one; None when there is none yet.

    A transaction of its own, in one round trip. `durable` waits for the disk whatever the
    server's synchronous_commit says; without it a crash may forget that the batch was open.
    Raises DatabaseError when the consumer is not registered.
    """
    query = _NEXT_BATCH_DURABLE if durable else _NEXT_BATCH_RELAXED
    return _batch(db.query_alone(query, (queue, consumer, min_lag, min_count, min_interval)))


def next_batches(
    db: Database, queue: str, consumer: str, *, after_seq: int, least: int, most: int
) -> BatchInfo | None:
    """Open one batch of all ticks, with `least` to `most` events; None: look by next_batch.

    `after_seq` is of the tick at which the consumer is.
    """
    args = (consumer, after_seq, least, most, queue)
    return _batch(db.query_alone(_NEXT_BATCHES_DURABLE, args))


def _batch(row: Sequence[Row]) -> BatchInfo | None:
    if not row or row[0][0] is None:
        return None
    batch_id, tick, prev, tick_time, prev_time, tick_seq, prev_seq = row[0]
    return BatchInfo(batch_id, Tick(tick, tick_time, tick_seq), Tick(prev, prev_time, prev_seq))


def open_cursor(
    db: Database, batch_id: int, cursor: str, limit: int, where: str | None
) -> list[Row]:
    """Declare a cursor over the events of a batch and return the first `limit` of them.

    `where` is SQL over the ten columns. The cursor lives until the end of the transaction.
    """
    return db.query(_GET_BATCH_CURSOR, (batch_id, cursor, limit, where), text_times=True)


def fetch(db: Database, cursor: str, count: int) -> list[Row]:
    """Return up to `count` more rows of a cursor made by open_cursor."""
    return db.query(f"fetch {count:d} from {cursor}", text_times=True)


def table_condition(db: Database, tables: Sequence[str]) -> str:
    """Return the SQL condition that an event is of one of the tables, by its ev_extra1."""
    text: str = db.value("select format('ev_extra1 = any (%%L)', %s::text[])", (list(tables),))
    return text


def finish_batch(db: Database, batch_id: int) -> bool:
    """Close a batch; false when it is not open any more."""
    return bool(db.value(_FINISH_BATCH, (batch_id,)))


def retry_events(db: Database, batch_id: int, events: Iterable[tuple[int, int]]) -> None:
    """Put events of an open batch off; `events` are (event id, seconds)."""
    ids, seconds = zip(*events, strict=True)
    db.value(_EVENTS_RETRY, (batch_id, list(ids), list(seconds)))


def has_dead_letters(db: Database) -> bool:
    """Tell whether the database can take events at fault out of a batch: PgQ 4.0 and later."""
    return db.value("select to_regproc('pgq.fail_events')") is not None


def fail_events(
    db: Database, batch_id: int, reasons: Mapping[int, str], limits: RetryLimits
) -> list[Fate]:
    """Take events at fault out of an open batch: into the retry queue, or to the dead letters."""
    args = (batch_id, list(reasons), list(reasons.values()), limits.tries)
    pauses = (timedelta(seconds=limits.first), timedelta(seconds=limits.longest))
    return [Fate(*row) for row in db.query(_FAIL_EVENTS, args + pauses)]


def insert_event_statement(arguments: Iterable[str]) -> str:
    """Return the statement that inserts an event, for programs with a driver of their own."""
    return f"select pgq.insert_event({', '.join(arguments)})"


def insert_event(
    db: Database, queue: str, ev_type: str | None, ev_data: str | None, extras: Sequence[str | None]
) -> int:
    """Append an event and return its id. `extras` are the four extra fields."""
    event_id: int = db.value(_INSERT_EVENT, (queue, ev_type, ev_data, *extras))
    return event_id


def insert_event_at(db: Database, queue: str, when: datetime, fields: Sequence[str | None]) -> int:
    """Append an event at a later time and return its id; `fields` are type, data, four extras."""
    event_id: int = db.value(_INSERT_EVENT_AT, (queue, when, *fields))
    return event_id


def insert_event_raw(db: Database, queue: str, event: Event) -> int:
    """Append an event of another queue with its time; returns its new id. Needs pgq_admin."""
    args = (queue, None, event.time_text, None, None, *event[4:])
    event_id: int = db.value(_INSERT_EVENT_RAW, args)
    return event_id


def current_event_table(db: Database, queue: str) -> tuple[str, bool, str]:
    """Return (table, whether we may insert there, now()) for this transaction.

    The transaction gets its number first: the table may be emptied only after transactions
    with a number from before the rotation have been read.
    """
    db.value("select txid_current()")
    row = db.query_one(_CURRENT_TABLE_FACTS, (queue,))
    assert row is not None
    return row[0], row[1], row[2]


def target_position(db: Database, consumer: str) -> int | None:
    """Lock a consumer's position in this database for this transaction; return its tick id.

    Makes the commit that follows wait for the disk even where synchronous_commit is off.
    """
    tick: int | None = db.value(
        f"""select {AT_LEAST_LOCAL};
            select pg_advisory_xact_lock(hashtextextended('pgq_ext ' || %s, 0));
            {_GET_LAST_TICK}""",
        (consumer, consumer),
    )
    return tick


def make_durable(db: Database) -> None:
    """Make the commit of this transaction wait for the disk, whatever the server's settings."""
    db.send(f"select {AT_LEAST_LOCAL}")


def set_target_position(db: Database, consumer: str, tick_id: int | None) -> None:
    """Remember the last tick that was applied in this database; None forgets it."""
    db.value(_SET_LAST_TICK, (consumer, tick_id))


def is_batch_done(db: Database, consumer: str, batch_id: int) -> bool:
    """Tell whether this batch is the last that a Skytools 3 RemoteConsumer applied here."""
    return bool(db.value(_IS_BATCH_DONE, (consumer, batch_id)))


def set_events_done(
    db: Database, consumer: str, part: str, batch_id: int, events: Sequence[int]
) -> None:
    """Note events of a batch in the target; what was noted of the batch before is forgotten."""
    db.value(_SET_EVENTS_DONE, (consumer, part, batch_id, list(events)))


def which_events_done(
    db: Database, consumer: str, part: str, batch_id: int, events: Sequence[int]
) -> set[int]:
    """Return which of the events were noted in the target for this batch."""
    return {row[0] for row in db.query(_ARE_EVENTS_DONE, (list(events), consumer, part, batch_id))}


def has_coop(db: Database) -> tuple[bool, bool]:
    """Return whether the database has pgq_coop, and whether that knows signs of life (4.0)."""
    row = db.query_one(
        """select to_regprocedure('pgq_coop.finish_batch(bigint)') is not null,
                  to_regprocedure('pgq_coop.heartbeat(bigint)') is not null"""
    )
    assert row is not None
    return row[0], row[1]


def coop_next_batch(
    db: Database,
    queue: str,
    consumer: str,
    subconsumer: str,
    *,
    min_lag: str | None = None,
    min_count: int | None = None,
    min_interval: str | None = None,
    dead_interval: str | None = None,
) -> BatchInfo | None:
    """Open the next batch of a group for a subconsumer, or return the one it has. Commits."""
    wishes = (min_lag, min_count, min_interval, dead_interval)
    batch_id = db.query_alone(_COOP_NEXT_BATCH, (queue, consumer, subconsumer, *wishes))[0][0]
    if batch_id is None:
        return None
    row = db.query_alone(_GET_BATCH_INFO, (batch_id,))[0]
    _, _, start, end, prev, tick, _, seq_start, seq_end = row
    if tick is None:
        return None  # taken over between the two calls
    return BatchInfo(batch_id, Tick(tick, end, seq_end), Tick(prev, start, seq_start))


def coop_finish_batch(db: Database, batch_id: int) -> bool:
    """Close the batch of a subconsumer; false when it is not its own any more."""
    return bool(db.value(_COOP_FINISH_BATCH, (batch_id,)))


def coop_heartbeat(db: Database, batch_id: int) -> bool:
    """Say that the owner of a batch is alive; false when somebody has taken the batch over."""
    return bool(db.value(_COOP_HEARTBEAT, (batch_id,)))


def coop_register(db: Database, queue: str, consumer: str, subconsumer: str) -> bool:
    """Register a subconsumer, with its group when that is new; false when it is known."""
    return bool(db.value(_COOP_REGISTER, (queue, consumer, subconsumer)))


def coop_unregister(db: Database, queue: str, consumer: str, subconsumer: str) -> bool:
    """Remove a subconsumer; false when it is unknown. DatabaseError with a batch open."""
    return bool(db.value(_COOP_UNREGISTER, (queue, consumer, subconsumer, 0)))


def register_keyed(db: Database, queue: str, consumer: str, workers: int) -> int:
    """Register a consumer with so many workers; returns how many workers are new."""
    return int(db.value(_REGISTER_KEYED, (queue, consumer, workers)))


def unregister_keyed(db: Database, queue: str, consumer: str, workers: int) -> None:
    """Forget the workers of a consumer that were so many."""
    db.value(_UNREGISTER_KEYED, (queue, consumer, workers))


def move_consumer(db: Database, queue: str, consumer: str, before: int, tick_id: int) -> bool:
    """Move a consumer without open batch to a later tick; false when it is not at `before`."""
    return bool(db.value(_MOVE_CONSUMER, (queue, consumer, before, tick_id)))
