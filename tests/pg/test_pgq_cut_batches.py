# SPDX-License-Identifier: ISC
"""Ticks that cut a batch, where others than pgq ask what lies between two ticks."""

from __future__ import annotations

import contextlib
import json

import pytest

from skytools.core.db import Database
from skytools.daemons.londiste.copy.source import NotYet, check_scripts
from skytools.pgq.admin import lost

DATA = "select ev_data from pgq.event_template order by ev_id"
# As in 3.5, which knows no such ticks.
OLD_TICK = "alter table pgq.tick drop column tick_part_snapshot, drop column tick_part_end"


@pytest.fixture
def ticks(queue):
    """Ten events of one transaction, in batches of three; the ids of the ticks."""
    queue.tick()
    queue.db.query("select pgq.set_queue_config('q', 'batch_max_events', '3')")
    queue.insert(10)
    queue.tick()
    found = [row[0] for row in queue.db.query("select tick_id from pgq.tick order by 1")]
    assert len(found) == 6
    return found


@pytest.fixture
def tx(queue):
    """Another connection, with transactions."""
    with contextlib.closing(Database("tx", queue.db.conninfo)) as db:
        yield db


def data(queue):
    return [int(row[0]) for row in queue.db.query(DATA)]


def test_events_after_a_cut_are_lost_and_those_before_it_stay(queue, tx, ticks, tmp_path):
    cut, path = ticks[3], tmp_path / "lost.json"
    told = [int(event.data) for event in lost.dump(tx, "q", "a", cut, path)]
    assert told == [7, 8, 9, 10]
    assert [int(one["ev_data"]) for one in json.loads(path.read_text())] == told
    assert lost.marked(path, tx, "q", cut)
    assert lost.delete(tx, "q", cut) == 4
    tx.commit()
    assert data(queue) == [1, 2, 3, 4, 5, 6]
    assert lost.marked(path, tx, "q", cut)


def test_a_file_with_events_before_the_cut_is_of_another_run(tx, ticks, tmp_path):
    path = tmp_path / "lost.json"
    list(lost.dump(tx, "q", "a", ticks[2], path))
    assert not lost.marked(path, tx, "q", ticks[3])


def test_what_is_written_after_events_were_deleted_is_read(queue, ticks):
    cut = ticks[3]
    queue.db.query("select pgq.register_consumer_at('q', 'c', %s)", (cut,))
    assert lost.delete(queue.db, "q", cut) == 4
    queue.insert(2)
    queue.tick()
    batch = queue.db.value("select pgq.next_batch('q', 'c')")
    events = queue.db.query("select ev_data from pgq.get_batch_events(%s)", (batch,))
    assert events == [("1",), ("2",)]


def test_a_queue_of_pgq_3_has_no_cuts(queue):
    first = queue.tick()
    queue.insert(2)
    second = queue.tick()
    queue.insert(3)
    queue.tick()
    queue.db.execute(OLD_TICK)
    check_scripts(queue.db, "q", first, second)
    assert lost.delete(queue.db, "q", second) == 3
    assert data(queue) == [1, 2]


def test_a_script_is_on_the_side_of_the_cut_that_its_event_is_on(queue):
    """It is the fifth of nine events of one transaction, three in a batch."""
    queue.tick()
    queue.db.query("select pgq.set_queue_config('q', 'batch_max_events', '3')")
    queue.db.query(
        "select pgq.insert_event('q', case n when 5 then 'EXECUTE' else 't' end, n::text)"
        " from generate_series(1, 9) n"
    )
    queue.tick()
    ticks = [row[0] for row in queue.db.query("select tick_id from pgq.tick order by 1")]
    _, start, first, second, end = ticks
    for low, high in ((start, first), (second, end), (second, None)):
        check_scripts(queue.db, "q", low, high)
    for low, high in ((start, second), (first, second), (first, end), (first, None)):
        with pytest.raises(NotYet, match="script"):
            check_scripts(queue.db, "q", low, high)
