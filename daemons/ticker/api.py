# SPDX-License-Identifier: ISC
"""Every statement that the ticker sends."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from skytools.core.db import Database, sql
from skytools.core.errors import SkytoolsError
from skytools.daemons.ticker.schedule import Due, Look

WAKEUP_CHANNEL = "pgq_wakeup"

# Session settings, those that the server knows. Ticks depend on READ COMMITTED; a partner that
# vanishes must be noticed by the server too, because the session holds the lock that keeps a
# second ticker waiting.
_SETTINGS = {
    "default_transaction_isolation": "read committed",
    "idle_session_timeout": "0",
    "statement_timeout": "0",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "4",
    "tcp_user_timeout": "30000",
    "jit": "off",
}

_APPLY_SETTINGS = """
    select set_config(name, %s::jsonb ->> name, false)
      from pg_catalog.pg_settings
     where %s::jsonb ? name
"""

_CAPABILITIES = """
    select pg_is_in_recovery(),
           to_regprocedure('pgq.ticker()') is not null,
           to_regprocedure('pgq.ticker(text)') is not null,
           to_regprocedure('pgq.ticker_round(int4[])') is not null
               and to_regprocedure('pgq.ticker_sleep(int4[])') is not null
               and to_regprocedure('pgq.ticker_wake(int4[])') is not null
               and to_regprocedure('pgq.ticker_lock()') is not null,
           to_regprocedure('pgq.maint_operations()') is not null,
           to_regprocedure('pgq.maint_tables_to_vacuum()') is not null,
           to_regprocedure('pgq.maint_retry_events()') is not null,
           to_regprocedure('pgq.version()') is not null
"""

_ROUND = """
    select queue_id, queue_name, tick_id, state,
           extract(epoch from next_check)::float8, error
      from pgq.ticker_round(%s)
"""

# Sequences alone: whoever writes events takes numbers.
_GLANCE = """
    select array_agg(queue_id), array_agg(queue_id) filter (where last_event > last_tick)
      from (select q.queue_id,
                   pg_sequence_last_value(to_regclass(q.queue_event_seq)) as last_event,
                   (select t.tick_event_seq from pgq.tick t
                     where t.tick_queue = q.queue_id order by t.tick_id desc limit 1) as last_tick
              from pgq.queue q
             where not q.queue_external_ticker and not q.queue_ticker_paused
            offset 0) s
"""

_QUEUE_STATS = """
    select i.queue_name,
           extract(epoch from i.ticker_lag)::float8,
           i.ev_new,
           i.last_tick_id,
           t.tick_event_seq + i.ev_new,
           extract(epoch from clock_timestamp() - i.queue_switch_time)::float8,
           i.queue_ticker_paused
      from pgq.get_queue_info() i
           left join pgq.queue q on q.queue_name = i.queue_name
           left join pgq.tick t on t.tick_queue = q.queue_id and t.tick_id = i.last_tick_id
"""

_CONSUMER_STATS = """
    select queue_name, consumer_name,
           extract(epoch from lag)::float8,
           extract(epoch from last_seen)::float8,
           pending_events
      from pgq.get_consumer_info()
"""

_BLOCKERS = """
    select queue_name, extract(epoch from overdue)::float8, reason, who from pgq.why_not_rotated()
"""

_GONE = """
    select queue_name, consumer_name, extract(epoch from unread_for)::float8, detached is not null
      from pgq.gone_consumers()
"""

_DATABASES = """
    select datname from pg_catalog.pg_database
     where not datistemplate and datallowconn
     order by 1
"""

_IDENTIFIER = r'(?:[^\W\d][\w$]*|"(?:[^"]|"")+")'
_QUALIFIED = re.compile(rf"{_IDENTIFIER}(?:\.{_IDENTIFIER})?")
_PART = re.compile(_IDENTIFIER)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a database can do; old and script-installed PgQ have less."""

    standby: bool
    ticker: bool
    ticker_by_name: bool
    rounds: bool
    maint_operations: bool
    vacuum_list: bool
    retry: bool
    version: bool


@dataclass(frozen=True, slots=True)
class QueueStats:
    """One row of the queue statistics; times in seconds, None = unknown."""

    queue: str
    tick_lag: float | None
    events_new: int | None
    last_tick: int | None
    events: int | None
    rotation_age: float | None
    paused: bool


@dataclass(frozen=True, slots=True)
class ConsumerStats:
    """One row of the consumer statistics; times in seconds, None = unknown."""

    queue: str
    consumer: str
    lag: float | None
    last_seen: float | None
    pending: int | None


@dataclass(frozen=True, slots=True)
class Blocker:
    """Who or what holds up a rotation that is due since `overdue` seconds."""

    queue: str
    overdue: float
    reason: str
    who: str | None


@dataclass(frozen=True, slots=True)
class GoneConsumer:
    """A consumer that is gone, and has left events unread for so many seconds."""

    queue: str
    consumer: str
    unread: float
    detached: bool


def session_settings(lock_timeout: float) -> Callable[[Database], None]:
    """Return a function for Database.on_connect; `lock_timeout` in seconds."""
    wanted = json.dumps({**_SETTINGS, "lock_timeout": f"{round(lock_timeout * 1000)}ms"})

    def apply(database: Database) -> None:
        database.execute(_APPLY_SETTINGS, (wanted, wanted)).close()
        if not database.autocommit:
            database.commit()

    return apply


def capabilities(database: Database) -> Capabilities:
    """Ask a database what it is and what PgQ it has."""
    row = database.query_one(_CAPABILITIES)
    assert row is not None
    return Capabilities(*row)


def version(database: Database) -> str | None:
    """Return what pgq.version() says: None after an installation by script."""
    found: str | None = database.value("select pgq.version()")
    return found


def ticker_lock(database: Database) -> bool:
    """Become the ticker of the database; False: another session is."""
    return bool(database.value("select pgq.ticker_lock()"))


def ticker_round(database: Database, due: Due) -> list[Look]:
    """Tick what is due and look at the rest, each queue in its own subtransaction."""
    ids = None if due.everything else list(due.ids)
    return [Look(*row) for row in database.query(_ROUND, (ids,))]


def glance(database: Database) -> tuple[list[int], list[int]]:
    """Return the queues that a ticker may tick, and those of them with numbers after their tick."""
    row = database.query_one(_GLANCE)
    assert row is not None
    return row[0] or [], row[1] or []


def ticker_sleep(database: Database, ids: Sequence[int]) -> list[int]:
    """Set queues asleep; returns those that had events and were set awake again."""
    return [row[0] for row in database.query("select pgq.ticker_sleep(%s)", (list(ids),))]


def ticker_wake(database: Database, ids: Sequence[int] | None) -> None:
    """Set queues awake, all with None: their producers do not notify."""
    database.execute("select pgq.ticker_wake(%s)", (None if ids is None else list(ids),)).close()


def tick_all(database: Database) -> int:
    """Call the ticker of PgQ 3; returns how many ticks were made."""
    return int(database.value("select pgq.ticker()") or 0)


def tickable_ids(database: Database) -> dict[int, str]:
    """Return id -> name of the queues that a ticker may tick."""
    rows = database.query(
        "select queue_id, queue_name from pgq.queue"
        " where not queue_external_ticker and not queue_ticker_paused order by 2"
    )
    return dict(rows)


def tick_one(database: Database, queue: str) -> bool:
    """Tick one queue when due; tells whether it was."""
    return database.value("select pgq.ticker(%s)", (queue,)) is not None


def queue_stats(database: Database) -> list[QueueStats]:
    """Read the figures of every queue."""
    return [QueueStats(*row) for row in database.query(_QUEUE_STATS)]


def consumer_stats(database: Database) -> list[ConsumerStats]:
    """Read the figures of every consumer."""
    return [ConsumerStats(*row) for row in database.query(_CONSUMER_STATS)]


def blockers(database: Database) -> list[Blocker]:
    """Read what holds up rotations. PgQ 4 only."""
    return [Blocker(*row) for row in database.query(_BLOCKERS)]


def gone_consumers(database: Database) -> list[GoneConsumer]:
    """Read which consumers are gone by the settings of their queues. PgQ 4 only."""
    return [GoneConsumer(*row) for row in database.query(_GONE)]


def retry_events(database: Database) -> int:
    """Put due retry events back, a limited number; returns how many."""
    return int(database.value("select pgq.maint_retry_events()") or 0)


def database_names(database: Database) -> list[str]:
    """List the databases of the server that can be connected to, without templates."""
    return [row[0] for row in database.query(_DATABASES)]


def maintenance_operations(database: Database) -> list[tuple[str, str | None]]:
    """Return (function or statement, argument) in the order in which they must run."""
    rows = database.query("select func_name, func_arg from pgq.maint_operations()")
    return [(name, argument) for name, argument in rows]


def old_maintenance_operations(database: Database, *, vacuum: bool) -> list[tuple[str, str | None]]:
    """Return the same for databases without pgq.maint_operations()."""
    found: list[tuple[str, str | None]] = [
        ("pgq.maint_rotate_tables_step1", row[0])
        for row in database.query("select queue_name from pgq.get_queue_info()")
    ]
    found.append(("pgq.maint_rotate_tables_step2", None))
    if vacuum:
        rows = database.query("select * from pgq.maint_tables_to_vacuum()")
        found += [("vacuum", row[0]) for row in rows]
    return found


def run_operation(database: Database, name: str, argument: str | None) -> int:
    """Run one maintenance operation; a result other than 0 asks for another call.

    Raises SkytoolsError for a name that is none: it comes from a table that users may write.
    """
    if name in ("vacuum", "vacuum analyze"):
        table = _identifier(argument or "")
        database.execute(sql.SQL(name + " {}").format(table)).close()
        return 0
    function = _identifier(name)
    if argument is None:
        result = database.value(sql.SQL("select {}()").format(function))
    else:
        result = database.value(sql.SQL("select {}(%s)").format(function), (argument,))
    return _number(result)


def _identifier(text: str) -> sql.Identifier:
    """Return a possibly qualified name, folded as the server would."""
    if not _QUALIFIED.fullmatch(text):
        raise SkytoolsError(f"maintenance operation {text!r}: not the name of a function or table")
    parts = [
        part[1:-1].replace('""', '"') if part.startswith('"') else part.lower()
        for part in _PART.findall(text)
    ]
    return sql.Identifier(*parts)


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0
