# SPDX-License-Identifier: ISC
"""The contract between skytools.pgq.api and the installed extensions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import skytools.pgq
from skytools.pgq import api

SIGNATURES = """
    select coalesce(proargnames[:pronargs], '{}')
    from pg_proc where pronamespace = %s::regnamespace and proname = %s
"""


@pytest.mark.parametrize("name", sorted(api.FUNCTIONS))
def test_function_exists_with_these_arguments(db, name):
    schema, function = name.split(".")
    found = [tuple(row[0]) for row in db.query(SIGNATURES, (schema, function))]
    assert api.FUNCTIONS[name] in found


def test_sql_functions_are_called_in_api_only():
    """Texts may tell the user to call a function: those begin with a literal."""
    package = Path(skytools.pgq.__path__[0])
    calls = re.compile(r"(?:select|from) pgq(?:_ext)?\.\w+\s*\((?!')")
    wrong = [
        f"{path.name}: {call}"
        for path in package.glob("*.py")
        if path.name != "api.py"
        for call in calls.findall(path.read_text())
    ]
    assert wrong == []


def test_queue_and_consumer_info(db, queue):
    assert api.queue_id(db, "q") == queue.id
    assert api.queue_id(db, "nobody") is None
    assert api.create_queue(db, "q") is False
    assert api.register_consumer(db, "q", "c") is True
    assert api.register_consumer(db, "q", "c") is False
    (info,) = api.queue_info(db, "q")
    assert (info.name, info.ntables, info.ticker_paused) == ("q", 3, False)
    assert [i.name for i in api.queue_info(db)] == ["q"]
    (consumer,) = api.consumer_info(db, "q", "c")
    assert (consumer.queue, consumer.name, consumer.current_batch) == ("q", "c", None)
    assert consumer.last_tick == info.last_tick_id
    assert api.unregister_consumer(db, "q", "c") == 1
    assert api.unregister_consumer(db, "q", "c") == 0
    assert api.consumer_info(db, "q") == []


def test_register_at_moves_back(db, queue):
    first = queue.last_tick()
    queue.tick()
    api.register_consumer(db, "q", "c")
    assert api.register_consumer_at(db, "q", "c", first) is False
    assert queue.position("c") == first


@pytest.mark.parametrize(
    ("durable", "level", "expected"),
    [(True, "off", "local"), (True, "on", "on"), (False, "on", "off")],
)
def test_next_batch_chooses_whether_to_wait_for_the_disk(db, queue, durable, level, expected):
    """The level is that of the transaction of next_batch alone."""
    api.register_consumer(db, "q", "c")
    db.execute("create table seen (level text)")
    db.execute(
        """create function note() returns trigger language plpgsql as
           $$ begin insert into seen values (current_setting('synchronous_commit'));
              return null; end $$"""
    )
    db.execute(
        """create constraint trigger note after update on pgq.subscription
           deferrable initially deferred for each row execute function note()"""
    )
    db.execute(f"set synchronous_commit = {level}")
    queue.tick()
    assert api.next_batch(db, "q", "c", durable=durable) is not None
    assert db.query("select level from seen") == [(expected,)]
    assert db.value("show synchronous_commit") == level
