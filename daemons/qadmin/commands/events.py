# SPDX-License-Identifier: ISC
"""Commands about events: batches, retry, dead letters, delayed events, reading again."""

from __future__ import annotations

from typing import Any

from skytools.core.errors import SkytoolsError, UsageError
from skytools.daemons.qadmin.commands.consumers import consumer
from skytools.daemons.qadmin.commands.queues import require_queue
from skytools.daemons.qadmin.grammar import Command
from skytools.daemons.qadmin.session import Session, number
from skytools.pgq import api

EVENT = ("ev_id", "ev_time", "ev_type", "ev_data", "ev_extra1", "ev_extra2", "ev_retry")
DEAD = ("ev_id", "ev_failed_time", "ev_tries", "ev_type", "ev_data", "ev_failed_reason")
FIELDS = ("type", "data", "extra1", "extra2", "extra3", "extra4")


def show_batch(session: Session, values: dict[str, Any]) -> None:
    """Show the events of an open batch, by its number or that of its consumer."""
    given = values["batch"]
    if given.isdigit():
        batch = int(given)
    else:
        queue = session.queue_of(values)
        found = consumer(session, queue, given)
        if found.current_batch is None:
            raise SkytoolsError(f"consumer {given} of queue {queue} has no batch open")
        batch = found.current_batch
    session.table(session.fetch("select * from pgq.get_batch_events(%s)", (batch,)), EVENT)


def insert_event(session: Session, values: dict[str, Any]) -> None:
    """Append an event, now or at a later time."""
    queue = session.queue_of(values)
    options = values["options"]
    fields = [options.get(name) for name in FIELDS]
    if "at" in options:
        query = "select pgq.insert_event_at(%s, %s::timestamptz, %s, %s, %s, %s, %s, %s)"
        event = session.db.value(query, (queue, options["at"], *fields))
    else:
        event = api.insert_event(session.db, queue, fields[0], fields[1], fields[2:])
    session.status(f"queue {queue}: event {event}")


def show_delayed(session: Session, values: dict[str, Any]) -> None:
    """Show events whose time has not come."""
    queue = session.queue_of(values)
    require_queue(session, queue)
    rows = session.fetch(
        """select r.ev_retry_after, r.ev_id, r.ev_type, r.ev_data, r.ev_extra1, r.ev_extra2
             from pgq.retry_queue r join pgq.queue q on q.queue_id = r.ev_queue
            where q.queue_name = %s and r.ev_owner = - q.queue_id
            order by r.ev_retry_after, r.ev_id""",
        (queue,),
    )
    session.table(rows, ["ev_retry_after", "ev_id", "ev_type", "ev_data", "ev_extra1", "ev_extra2"])


def drop_delayed(session: Session, values: dict[str, Any]) -> None:
    """Take back an event whose time has not come."""
    queue, event = session.queue_of(values), number(values["event"], "event")
    gone = session.db.query(
        """delete from pgq.retry_queue r using pgq.queue q
            where q.queue_id = r.ev_queue and q.queue_name = %s and r.ev_owner = - q.queue_id
              and r.ev_id = %s
            returning 1""",
        (queue, event),
    )
    if not gone:
        raise SkytoolsError(f"queue {queue} has no delayed event {event}")
    session.status(f"queue {queue}: delayed event {event} dropped")


def show_retry(session: Session, values: dict[str, Any]) -> None:
    """Show events that wait to be given to a consumer again."""
    queue = session.queues_of(values)
    name = values.get("consumer", "*")
    if name != "*" and queue:
        consumer(session, queue, name)
    rows = session.fetch(
        """select q.queue_name as queue, c.co_name as consumer, r.ev_retry_after, r.ev_id,
                  r.ev_retry, r.ev_type, r.ev_data
             from pgq.retry_queue r
             join pgq.queue q on q.queue_id = r.ev_queue
             join lateral (select c.co_name from pgq.subscription s
                             join pgq.consumer c on c.co_id = s.sub_consumer
                            where s.sub_id = r.ev_owner order by length(c.co_name) limit 1) c
                                 on true
            where (%(queue)s::text is null or q.queue_name = %(queue)s)
              and (%(name)s = '*' or c.co_name = %(name)s)
            order by r.ev_retry_after, r.ev_id""",
        {"queue": queue, "name": name},
    )
    columns = ["queue", "consumer", "ev_retry_after", "ev_id", "ev_retry", "ev_type", "ev_data"]
    session.table(rows, columns)


def retry_now(session: Session, values: dict[str, Any]) -> None:
    """Let waiting events of a consumer come at the next round of maintenance."""
    queue, name = session.queue_of(values), values["consumer"]
    consumer(session, queue, name)
    rows = session.db.query(
        """update pgq.retry_queue r set ev_retry_after = now()
            where r.ev_retry_after > now() and r.ev_owner = (
                  select s.sub_id from pgq.subscription s
                    join pgq.consumer c on c.co_id = s.sub_consumer
                    join pgq.queue q on q.queue_id = s.sub_queue
                   where q.queue_name = %s and c.co_name = %s)
            returning 1""",
        (queue, name),
    )
    session.status(f"consumer {name} of queue {queue}: {len(rows)} events are due now")


def retry_event(session: Session, values: dict[str, Any]) -> None:
    """Put one event of an open batch off."""
    batch, event = number(values["batch"], "batch"), number(values["event"], "event")
    seconds = number(values.get("number", "60"), "seconds")
    api.retry_events(session.db, batch, [(event, seconds)])
    session.status(f"event {event} comes again in {seconds} s")


def retry_batch(session: Session, values: dict[str, Any]) -> None:
    """Put all events of an open batch off; the batch stays open until it is finished."""
    batch = number(values["batch"], "batch")
    seconds = number(values.get("number", "60"), "seconds")
    count = session.db.value("select pgq.batch_retry(%s, %s)", (batch, seconds))
    session.status(f"{count} events of batch {batch} come again in {seconds} s")


def finish_batch(session: Session, values: dict[str, Any]) -> None:
    """Close a batch: what of it was not done is never done."""
    batch = number(values["batch"], "batch")
    if not api.finish_batch(session.db, batch):
        raise SkytoolsError(f"batch {batch} is not open")
    session.status(f"batch {batch} finished")


def show_dead(session: Session, values: dict[str, Any]) -> None:
    """Show dead letters of a consumer, or how many each has."""
    if values.get("consumer", "*") == "*":
        queue = session.queues_of(values)
        rows = session.fetch(
            """select ev_queue_name as queue, ev_consumer_name as consumer, count(*) as letters,
                      min(ev_failed_time) as oldest, max(ev_failed_time) as newest
                 from pgq.failed_queue
                where %(queue)s::text is null or ev_queue_name = %(queue)s
                group by 1, 2 order by 1, 2""",
            {"queue": queue},
        )
        session.table(rows, ["queue", "consumer", "letters", "oldest", "newest"])
        return
    count = number(values.get("number", "100"), "limit")
    args = (session.queue_of(values), values["consumer"], count)
    rows = session.fetch("select * from pgq.failed_event_list(%s, %s, %s, 0)", args)
    session.table(rows, DEAD)


def redrive(session: Session, values: dict[str, Any]) -> None:
    """Put dead letters back into the queue, for that consumer alone."""
    count = _on_dead(session, "pgq.failed_event_redrive", values)
    session.status(f"{count} dead letters of {values['consumer']} are events again")


def purge(session: Session, values: dict[str, Any]) -> None:
    """Delete dead letters."""
    count = _on_dead(session, "pgq.failed_event_purge", values)
    session.status(f"{count} dead letters of {values['consumer']} deleted")


def _on_dead(session: Session, function: str, values: dict[str, Any]) -> int:
    queue, options = session.queue_of(values), values.get("options", {})
    events = None
    if "event" in values:
        events = [number(text, "event") for text in values["event"]]
    if options and events:
        raise UsageError("where narrows down all; events are named by their ids already")
    count: int = session.db.value(
        f"select {function}(%s, %s, %s::int8[], %s, %s, %s::timestamptz)",
        (
            queue,
            values["consumer"],
            events,
            *(options.get(k) for k in ("type", "reason", "before")),
        ),
    )
    if events and count < len(events):
        raise SkytoolsError(
            f"{count} of {len(events)} are dead letters of {values['consumer']} on queue {queue}"
        )
    return count


def replay(session: Session, values: dict[str, Any]) -> None:
    """Have a consumer read again what the queue still has."""
    queue, name = session.queue_of(values), values["consumer"]
    consumer(session, queue, name)
    if "tick" in values:
        condition, given = "t.tick_id <= %s", number(values["tick"], "tick")
    else:
        condition, given = "t.tick_time <= %s::timestamptz", values["time"]
    row = session.db.query_one(
        f"""select (select max(t.tick_id) from pgq.tick t
                     where t.tick_queue = q.queue_id and {condition}),
                   (select min(t.tick_time) from pgq.tick t where t.tick_queue = q.queue_id),
                   (select s.sub_last_tick from pgq.subscription s
                      join pgq.consumer c on c.co_id = s.sub_consumer
                     where s.sub_queue = q.queue_id and c.co_name = %s)
              from pgq.queue q where q.queue_name = %s""",  # noqa: S608
        (given, name, queue),
    )
    assert row is not None
    if row[0] is None:
        raise SkytoolsError(f"queue {queue} goes back to {row[1]} only")
    if row[2] is not None and row[0] > row[2]:
        raise SkytoolsError(
            f"consumer {name} is at tick {row[2]}, before that: it has nothing to read again;"
            f" to leave events out: register consumer '{name}' on '{queue}' at {row[0]};"
        )
    api.register_consumer_at(session.db, queue, name, row[0])
    session.status(f"consumer {name} of queue {queue} reads again from tick {row[0]}")


def show_ticks(session: Session, values: dict[str, Any]) -> None:
    """Show the newest ticks."""
    queue = session.queue_of(values)
    require_queue(session, queue)
    rows = session.fetch(
        """select t.tick_id, t.tick_time, t.tick_event_seq, t.tick_snapshot::text
             from pgq.tick t join pgq.queue q on q.queue_id = t.tick_queue
            where q.queue_name = %s order by t.tick_id desc limit %s""",
        (queue, number(values.get("number", "20"), "limit")),
    )
    session.table(rows, ["tick_id", "tick_time", "tick_event_seq", "tick_snapshot"])


_LETTERS = (
    "( all | EVENT,.. ) of CONSUMER [ on QUEUE ] [ where { type=TEXT reason=TEXT before=TIME } ]"
)
COMMANDS = (
    Command("show batch BATCH", "events of an open batch, by its id or its consumer", show_batch),
    Command("finish batch BATCH", "close a batch: what is not done of it never is", finish_batch),
    Command("show ticks [ on QUEUE ] [ limit NUMBER ]", "the newest ticks", show_ticks),
    Command(
        "insert event [ on QUEUE ] { type=TEXT data=TEXT extra1=TEXT extra2=TEXT extra3=TEXT"
        " extra4=TEXT at=TIME }",
        "append an event; at: consumers get it then",
        insert_event,
    ),
    Command("show delayed [ on QUEUE ]", "events whose time has not come", show_delayed),
    Command("drop delayed EVENT [ on QUEUE ]", "take a delayed event back", drop_delayed),
    Command(
        "show retry [ ( CONSUMER | * ) [ on QUEUE ] ]",
        "events that wait for another try",
        show_retry,
    ),
    Command("retry now CONSUMER [ on QUEUE ]", "let its waiting events come now", retry_now),
    Command(
        "retry event EVENT of batch BATCH [ in NUMBER ]",
        "put an event of an open batch off, for 60 seconds or as many",
        retry_event,
    ),
    Command("retry batch BATCH [ in NUMBER ]", "put all events of an open batch off", retry_batch),
    Command(
        "show dead [ ( CONSUMER | * ) [ on QUEUE ] [ limit NUMBER ] ]",
        "dead letters of a consumer, or how many all have",
        show_dead,
    ),
    Command(f"redrive {_LETTERS}", "make dead letters events again, for their consumer", redrive),
    Command(f"purge {_LETTERS}", "delete dead letters", purge),
    Command(
        "replay CONSUMER [ on QUEUE ] ( at TICK | since TIME )",
        "have a consumer read again what the queue still has",
        replay,
    ),
)
