# SPDX-License-Identifier: ISC
"""Commands about consumers and subconsumers."""

from __future__ import annotations

from typing import Any

from skytools.core.errors import SkytoolsError, UsageError
from skytools.daemons.qadmin.commands.queues import require_queue
from skytools.daemons.qadmin.grammar import Command
from skytools.daemons.qadmin.session import Session, number
from skytools.pgq import api
from skytools.pgq.types import ConsumerInfo

SHOWN = {
    "queue_name": "queue",
    "consumer_name": "consumer",
    "lag": "lag",
    "last_seen": "last_seen",
    "last_tick": "last_tick",
    "current_batch": "batch",
    "next_tick": "next_tick",
    "pending_events": "pending",
}


def consumer(session: Session, queue: str, name: str) -> ConsumerInfo:
    """Return a consumer. Raises SkytoolsError when it is not registered."""
    require_queue(session, queue)
    found = api.consumer_info(session.db, queue, name)
    if not found:
        known = ", ".join(one.name for one in api.consumer_info(session.db, queue)) or "none"
        raise SkytoolsError(f"queue {queue} has no consumer {name}; consumers: {known}")
    return found[0]


def show_consumer(session: Session, values: dict[str, Any]) -> None:
    """Show where consumers are."""
    queue = session.queues_of(values)
    name = values.get("consumer", "*")
    if queue:
        require_queue(session, queue)
    rows = session.fetch(
        "select * from pgq.get_consumer_info(%s, %s)", (queue, None if name == "*" else name)
    )
    if not rows and name != "*":
        raise SkytoolsError(f"no consumer {name}" + (f" on queue {queue}" if queue else ""))
    session.table(rows, SHOWN)


def register_consumer(session: Session, values: dict[str, Any]) -> None:
    """Register a consumer, or move it to a tick."""
    queue, name = session.queue_of(values), values["consumer"]
    require_queue(session, queue)
    if "tick" in values and "consumer2" in values:
        raise UsageError("at and copy exclude each other: both say where the consumer begins")
    tick = _position(session, queue, values)
    if tick is not None:
        _require_tick(session, queue, tick)
        api.register_consumer_at(session.db, queue, name, tick)
        session.status(f"consumer {name} of queue {queue} continues after tick {tick}")
    elif api.consumer_info(session.db, queue, name):
        raise SkytoolsError(
            f"consumer {name} is registered on queue {queue}; to move it say at TICK or copy OTHER"
        )
    else:
        api.register_consumer(session.db, queue, name)
        session.status(f"consumer {name} registered on queue {queue}")


def _position(session: Session, queue: str, values: dict[str, Any]) -> int | None:
    if "tick" in values:
        return number(values["tick"], "tick")
    if "consumer2" in values:
        other = consumer(session, queue, values["consumer2"])
        return other.next_tick or other.last_tick
    return None


def _require_tick(session: Session, queue: str, tick: int) -> None:
    if not api.tick_exists(session.db, queue, tick):
        low, high = session.db.query(
            """select min(tick_id), max(tick_id) from pgq.tick
                where tick_queue = (select queue_id from pgq.queue where queue_name = %s)""",
            (queue,),
        )[0]
        raise SkytoolsError(f"queue {queue} has no tick {tick}; it has ticks {low} to {high}")


def unregister_consumer(session: Session, values: dict[str, Any]) -> None:
    """Forget a consumer, or all but those that a cascade keeps for itself."""
    queue, name = session.queue_of(values), values["consumer"]
    if name != "*":
        consumer(session, queue, name)
        api.unregister_consumer(session.db, queue, name)
        session.status(f"consumer {name} unregistered from queue {queue}")
        return
    require_queue(session, queue)
    names = [one.name for one in api.consumer_info(session.db, queue)]
    with session.together():
        for each in names:
            if not each.startswith("."):
                api.unregister_consumer(session.db, queue, each)
    kept = [each for each in names if each.startswith(".")]
    gone = ", ".join(each for each in names if not each.startswith(".")) or "none"
    told = f"; kept for the cascade: {', '.join(kept)}" if kept else ""
    session.status(f"unregistered from queue {queue}: {gone}{told}")


def register_subconsumer(session: Session, values: dict[str, Any]) -> None:
    """Register a subconsumer, with its consumer when that is new."""
    queue, name, sub = session.queue_of(values), values["consumer"], values["subconsumer"]
    require_queue(session, queue)
    made = api.coop_register(session.db, queue, name, sub)
    told = "registered" if made else "was registered already"
    session.status(f"subconsumer {sub} of {name} on queue {queue} {told}")


def unregister_subconsumer(session: Session, values: dict[str, Any]) -> None:
    """Forget a subconsumer, or all of a consumer."""
    queue, name, sub = session.queue_of(values), values["consumer"], values["subconsumer"]
    main = consumer(session, queue, name).name
    subs = [
        one.name.removeprefix(f"{main}.")
        for one in api.consumer_info(session.db, queue)
        if one.name.startswith(f"{main}.")
    ]
    if sub != "*" and sub not in subs:
        known = ", ".join(subs) or "none"
        raise SkytoolsError(f"consumer {name} has no subconsumer {sub}; subconsumers: {known}")
    for each in subs if sub == "*" else [sub]:
        session.db.query(
            "select pgq_coop.unregister_subconsumer(%s, %s, %s, %s)",
            (queue, name, each, 1 if "close" in values["words"] else 0),
        )
        session.status(f"subconsumer {each} of {name} unregistered from queue {queue}")


COMMANDS = (
    Command(
        "show consumer [ ( CONSUMER | * ) [ on QUEUE ] ]", "where consumers are", show_consumer
    ),
    Command(
        "register consumer CONSUMER [ on QUEUE ] [ at TICK ] [ copy CONSUMER2 ]",
        "register a consumer, or move it to a tick or to where another one is",
        register_consumer,
    ),
    Command(
        "unregister consumer ( CONSUMER | * ) [ from QUEUE ]",
        "forget a consumer, or all but those of the cascade",
        unregister_consumer,
    ),
    Command(
        "register subconsumer SUBCONSUMER for CONSUMER [ on QUEUE ]",
        "register a member of a cooperative consumer",
        register_subconsumer,
    ),
    Command(
        "unregister subconsumer ( SUBCONSUMER | * ) for CONSUMER [ from QUEUE ]"
        " [ close [ batch ] ]",
        "forget a member; close: the events of its open batch are given to the others",
        unregister_subconsumer,
    ),
)
