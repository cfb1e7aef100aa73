# SPDX-License-Identifier: ISC
"""Commands about queues."""

from __future__ import annotations

from typing import Any

from skytools.core.cli import cell
from skytools.core.errors import SkytoolsError, UsageError
from skytools.daemons.qadmin.grammar import Command
from skytools.daemons.qadmin.session import Session
from skytools.pgq import api

SHOWN = {
    "queue_name": "queue",
    "queue_ntables": "tables",
    "queue_ticker_max_count": "max_count",
    "queue_ticker_max_lag": "max_lag",
    "queue_ticker_idle_period": "idle_period",
    "queue_ticker_paused": "paused",
    "ticker_lag": "ticker_lag",
    "ev_per_sec": "ev_per_sec",
    "ev_new": "ev_new",
}
# Setting -> parameter of pgq.set_queue_config.
SETTINGS = {
    "idle_period": "ticker_idle_period",
    "max_count": "ticker_max_count",
    "max_lag": "ticker_max_lag",
    "paused": "ticker_paused",
    "rotation_period": "rotation_period",
    "external": "external_ticker",
    "batch_max_events": "batch_max_events",
    "retention": "retention",
    "gone_after": "gone_after",
    "gone_policy": "gone_policy",
}
# Columns of pgq.queue that a queue tells when it is asked for by name; 3.5 has the first only.
MORE = tuple(
    f"queue_{name}"
    for name in ("rotation_period", "batch_max_events", "retention", "gone_after", "gone_policy")
)


def queue_names(session: Session) -> list[str]:
    """Return the names of all queues."""
    return [row[0] for row in session.db.query("select queue_name from pgq.queue order by 1")]


def require_queue(session: Session, name: str) -> None:
    """Raise SkytoolsError when there is no such queue."""
    if api.queue_id(session.db, name) is None:
        known = ", ".join(queue_names(session)) or "none"
        raise SkytoolsError(f"queue {name} does not exist; queues: {known}")


def show_queue(session: Session, values: dict[str, Any]) -> None:
    """Show queues and how their ticks come."""
    name = session.queues_of(values)
    rows = session.fetch("select * from pgq.get_queue_info(%s)", (name,))
    if name and not rows:
        require_queue(session, name)
    for row in rows:
        if row["ev_per_sec"] is not None:
            row["ev_per_sec"] = round(row["ev_per_sec"], 1)
    if name:
        kept = session.fetch("select * from pgq.queue where queue_name = %s", (name,))[0]
        rows[0].update({key: kept[key] for key in MORE if key in kept})
    session.table(rows, SHOWN)
    if name:
        told = [f"{key[6:]} {cell(rows[0][key])}" for key in MORE if rows[0].get(key) is not None]
        session.out.line(", ".join(told))


def create_queue(session: Session, values: dict[str, Any]) -> None:
    """Create a queue; one that is there is told and left alone."""
    name = values["queue"]
    made = api.create_queue(session.db, name)
    session.status(f"queue {name} {'created' if made else 'was there already'}")


def drop_queue(session: Session, values: dict[str, Any]) -> None:
    """Drop a queue; with consumers only by force."""
    name = values["queue"]
    require_queue(session, name)
    session.db.query("select pgq.drop_queue(%s, %s)", (name, "force" in values["words"]))
    session.status(f"queue {name} dropped")


def alter_queue(session: Session, values: dict[str, Any]) -> None:
    """Change settings of one queue or of all: all of them, or none."""
    everything = values["queue"] == "*"
    names = queue_names(session) if everything else [values["queue"]]
    if not names:
        raise SkytoolsError("there are no queues")
    with session.together():
        for name in names:
            for key, value in values["options"].items():
                session.db.query(
                    "select pgq.set_queue_config(%s, %s, %s)", (name, SETTINGS[key], value)
                )
    changed = ", ".join(f"{key} = {value}" for key, value in values["options"].items())
    session.status(f"{', '.join(names)}: {changed}")


def tick_queue(session: Session, values: dict[str, Any]) -> None:
    """Make a tick now, as the ticker would."""
    name = session.queue_of(values)
    require_queue(session, name)
    api.force_tick(session.db, name)
    tick = api.ticker(session.db, name)
    if tick is None:
        raise UsageError(f"queue {name} gives no tick: is it paused, or does another node tick it?")
    session.status(f"queue {name}: tick {tick}")


COMMANDS = (
    Command("show queue [ ( QUEUE | * ) ]", "settings, lag and rate of queues", show_queue),
    Command("create queue QUEUE", "create a queue", create_queue),
    Command("drop queue QUEUE [ force ]", "drop a queue; with consumers only by force", drop_queue),
    Command(
        "alter queue ( QUEUE | * ) set { idle_period=INTERVAL max_count=NUMBER max_lag=INTERVAL"
        " paused=NUMBER rotation_period=INTERVAL external=NUMBER batch_max_events=NUMBER"
        " retention=INTERVAL gone_after=INTERVAL gone_policy=TEXT }",
        "change settings of a queue, or of all",
        alter_queue,
    ),
    Command("tick queue [ QUEUE ]", "make a tick now", tick_queue),
)
