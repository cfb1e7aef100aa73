# SPDX-License-Identifier: ISC
"""Configuration keys of consumers. Source: the keys of Skytools 3, with the same meaning."""

from __future__ import annotations

import re

from skytools.core.config import REQUIRED, DaemonConfig, option, settings
from skytools.core.db import check_conninfo

_UNITS = (
    "microseconds? milliseconds? seconds? minutes? hours? days? weeks? us ms secs? mins? s m h d w"
)
_PART = rf"\d+(\.\d+)?\s*({'|'.join(_UNITS.split())})"
_INTERVAL = re.compile(
    rf"\d+(\.\d+)?|({_PART}\s*)+|(\d+\s*days?\s+)?\d+:\d\d(:\d\d(\.\d+)?)?", re.IGNORECASE
)


def check_interval(text: str) -> str | None:
    """Return what is wrong with an interval as PostgreSQL takes it; a plain number is seconds."""
    if _INTERVAL.fullmatch(text.strip()):
        return None
    return f"{text!r} is no length of time: write 5, 5 s, 2 minutes or 00:05:00"


@settings
class ConsumerConfig(DaemonConfig):
    """Keys of every consumer."""

    db: str = option(
        REQUIRED,
        "Where the queue is: libpq connect string.",
        check=check_conninfo,
        example="dbname=app host=127.0.0.1",
        aliases=("src_db",),
    )
    queue_name: str = option(
        REQUIRED, "Queue to read.", example="myqueue", aliases=("pgq_queue_name",)
    )
    consumer_name: str = option(
        "", "Name of the consumer on the queue; default: job_name.", aliases=("pgq_consumer_id",)
    )
    auto_register: bool = option(
        True,
        "Register the consumer when it starts and is not registered. It then sees events from"
        " that moment on. Off: wait until somebody registers it (--register).",
    )
    loop_delay: float = option(
        1.0,
        "Look for a new batch at least this often; a notification of the ticker comes earlier."
        " 0: end when there is none; negative: end after one look.",
        unit="s",
    )
    pgq_lazy_fetch: int = option(
        300,
        "Read batches by a cursor, this many events at first; blocks of small events grow."
        " 0: the whole batch in memory.",
        min=0,
    )
    pgq_autocommit: bool = option(
        False,
        "Work outside transactions: what the handler does is not undone when the batch fails.",
    )
    pgq_batch_collect_events: int = option(
        0, "Wait until a batch has about this many events.", min=0
    )
    pgq_batch_collect_interval: str | None = option(
        None, "Wait until a batch covers this much time.", check=check_interval
    )
    pgq_keep_lag: str | None = option(
        None, "Stay this far behind: leave younger events alone.", check=check_interval
    )
    table_filter: tuple[str, ...] = option(
        (), "Only events of these tables (ev_extra1); the schema is public when there is none."
    )
    batch_tries: int = option(
        3,
        "A batch that has failed this often is worked on event by event, each with a savepoint,"
        " so that the event at fault is found and named.",
        min=1,
    )
    max_tries: int = option(
        0,
        "How often an event at fault is tried in all: while it waits for its next try the rest"
        " of the batch goes on, after the last one it is a dead letter (pgq.failed_queue)."
        " 0: the batch is tried for ever, which keeps the order.",
        min=0,
    )
    retry_first: float = option(
        10, "Pause before an event at fault is tried again; it doubles each time.", unit="s", min=0
    )
    retry_longest: float = option(3600, "The longest of these pauses.", unit="s", min=0)
    max_faults: int = option(
        100,
        "With more events of a batch at fault than this, the batch stays open and is tried again:"
        " the fault is elsewhere.",
        min=1,
    )
    keepalive_stats: float = option(
        300, "Log what was done, or that nothing was, this often.", unit="s", min=1
    )
    connection_lifetime: float = option(
        1200, "Connect anew after this long; 0: never.", unit="s", min=0
    )

    @property
    def consumer(self) -> str:
        """Name of the consumer on the queue."""
        return self.consumer_name or self.job_name

    def faults(self) -> list[tuple[str, str]]:
        """Check keys that exclude each other."""
        if self.pgq_autocommit and self.pgq_lazy_fetch:
            return [("pgq_autocommit", "needs pgq_lazy_fetch = 0: a cursor needs a transaction")]
        return []


@settings
class RemoteConsumerConfig(ConsumerConfig):
    """Keys of a consumer that works in another database."""

    dst_db: str = option(
        REQUIRED,
        "Where the work is done: libpq connect string. Needs the extension pgq_ext.",
        check=check_conninfo,
        example="dbname=target host=127.0.0.1",
        aliases=("target_db",),
    )

    def faults(self) -> list[tuple[str, str]]:
        """Check keys that exclude each other."""
        if self.pgq_autocommit:
            return [("pgq_autocommit", "does not go with work in another database")]
        return []
