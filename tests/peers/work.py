# SPDX-License-Identifier: ISC
"""What every test here does with a queue: produce, read to the end, compare."""

from __future__ import annotations

from collections.abc import Iterator

from skytools.core.db import Database
from tests.fixtures.wait import wait_until


def make_queue(db: Database, name: str = "q", **settings: str) -> None:
    """Make a queue whose ticks come soon, under either version."""
    db.query("select pgq.create_queue(%s)", (name,))
    for key, value in {
        "ticker_max_lag": "0.1 s",
        "ticker_idle_period": "0.5 s",
        **settings,
    }.items():
        db.query("select pgq.set_queue_config(%s, %s, %s)", (name, key, value))


def insert(db: Database, count: int, *, first: int = 1, queue: str = "q") -> list[str]:
    """Insert events of one transaction with data "first" and on, which are returned."""
    db.query(
        "select count(pgq.insert_event(%s, 't', n::text)) from generate_series(%s, %s) n",
        (queue, first, first + count - 1),
    )
    return [str(number) for number in range(first, first + count)]


def tick(db: Database, queue: str = "q") -> None:
    """Make a tick now, whatever the queue's settings are."""
    db.query("select pgq.force_tick(%s)", (queue,))
    db.query("select pgq.ticker(%s)", (queue,))


def read_all(db: Database, consumer: str = "c", queue: str = "q") -> Iterator[str]:
    """Yield the data of what a consumer has before it, batch by batch, and finish each."""
    while batch := db.value("select pgq.next_batch(%s, %s)", (queue, consumer)):
        for (data,) in db.query("select ev_data from pgq.get_batch_events(%s)", (batch,)):
            yield data
        db.query("select pgq.finish_batch(%s)", (batch,))


def wait_read(db: Database, expected: list[str], timeout: float = 30.0, queue: str = "q") -> None:
    """Read until as many events have come as are expected; they must be the same."""
    got: list[str] = []

    def complete() -> bool:
        got.extend(read_all(db, queue=queue))
        return len(got) >= len(expected)

    wait_until(complete, timeout, lambda: f"{len(expected)} events, {len(got)} came")
    assert sorted(got) == sorted(expected)


def ledger(db: Database) -> list[str]:
    """Return the data that clients have entered into table `ledger`, sorted."""
    return [data for (data,) in db.query("select data from ledger order by data")]


def current_table(db: Database, queue: str = "q") -> int:
    """Return the number of the table that events go to now."""
    number: int = db.value("select queue_cur_table from pgq.queue where queue_name = %s", (queue,))
    return number
