# SPDX-License-Identifier: ISC
"""A snapshot that somebody holds for long: no old rows are walked over, however many there are."""

from __future__ import annotations

import pytest

from skytools.core.db import Database

LOOPS = 300

_READ = """
    select sum(idx_scan)::int, sum(idx_tup_read)::int
      from pg_stat_all_indexes where schemaname = 'pgq' and relname in ('subscription', 'tick')
"""
_SEQ = """
    select sum(seq_tup_read)::int
      from pg_stat_all_tables where schemaname = 'pgq' and relname in ('subscription', 'tick')
"""


@pytest.fixture
def holder(server, db):
    holder = Database("holder", server.conninfo(db.name))
    holder.execute("set transaction isolation level repeatable read")
    holder.query("select 1")
    yield holder
    holder.close()


def figures(db):
    """Return index scans, index entries read, and rows read without an index."""
    db.query("select pg_stat_force_next_flush()")
    scans, read = db.query_one(_READ)
    return scans, read, db.value(_SEQ)


def work(db, consume):
    """Run many loops, after some in which plans are made; returns what was read per loop."""
    for _ in range(10):
        consume()
    before = figures(db)
    for _ in range(LOOPS):
        db.query("select pgq.ticker('q')")
        consume()
    after = figures(db)
    return [(b - a) / LOOPS for a, b in zip(before, after, strict=True)]


def blocks(db, call):
    """Return how many blocks of tables and indexes a call reads, when it has its plans."""
    db.query(f"select {call}")
    plan = db.value(f"explain (analyze, buffers, format json) select {call}")
    return plan[0]["Plan"]["Shared Hit Blocks"]


@pytest.fixture
def ticking(db):
    if db.value("select to_regprocedure('pg_stat_force_next_flush()') is null"):
        pytest.skip("statistics are late before PostgreSQL 15")
    db.query("select pgq.create_queue('q')")
    db.execute("update pgq.queue set queue_ticker_max_lag = '0', queue_ticker_idle_period = '0'")
    return db


def test_a_consumer_reads_its_row_and_no_older_ones(ticking, holder):
    db = ticking
    db.query("select pgq.register_consumer('q', 'c')")

    def consume():
        if batch := db.value("select pgq.next_batch('q', 'c')"):
            db.query("select * from pgq.get_batch_events(%s)", (batch,))
            assert db.value("select pgq.finish_batch(%s)", (batch,)) == 1

    scans, read, without_index = work(db, consume)
    assert read <= scans
    assert without_index < 1
    dead = db.value(
        "select n_dead_tup from pg_stat_all_tables where relid = 'pgq.subscription'::regclass"
    )
    assert dead > LOOPS  # or nothing was shown


def test_subconsumers_do_so_too(ticking, holder):
    db = ticking

    def consume():
        batch = db.value("select pgq_coop.next_batch('q', 'c', 'one', interval '1 h')")
        if batch:
            assert db.value("select pgq_coop.finish_batch(%s)", (batch,)) == 1

    scans, read, without_index = work(db, consume)
    assert read <= scans * 1.5
    assert without_index < 1


def test_so_does_what_is_marked_as_done(db, holder):
    db.execute(
        """do $$ begin for n in 1..3000 loop
               perform pgq_ext.set_last_tick('c', n), pgq_ext.set_batch_done('c', n + 9000);
               perform pgq_ext.set_event_done('c', n, 1);
               commit;
           end loop; end $$"""
    )
    # All rows that there were are 16 blocks and more.
    for call in (
        "pgq_ext.get_last_tick('c')", "pgq_ext.is_batch_done('c', 5)",
        "pgq_ext.set_last_tick('c', 5000)", "pgq_ext.set_batch_done('c', 5000)",
        "pgq_ext.set_event_done('c', 3000, 2)", "pgq_ext.set_event_done('c', 5000, 1)",
    ):  # fmt: skip
        assert blocks(db, call) < 12, call


def test_so_does_the_position_of_a_node(db, holder):
    for node in "ab":
        db.query("select pgq_node.register_location('q', %s, 'dbname=x', false)", (node,))
    db.query("select pgq_node.create_node('q', 'leaf', 'a', 'c', 'b', 1, null)")
    calls = (
        "pgq_node.get_consumer_state('q', 'c')", "pgq_node.get_worker_state('q')",
        "pgq_node.get_node_info('q')", "pgq_node.set_consumer_error('q', 'c', 'why')",
        "pgq_node.set_consumer_completed('q', 'c', 5000)",
    )  # fmt: skip
    usual = [blocks(db, call) for call in calls]
    db.execute(
        """do $$ begin for n in 1..3000 loop
               perform pgq_node.set_consumer_completed('q', 'c', n);
               commit;
           end loop; end $$"""
    )
    assert db.value("select last_tick_id from pgq_node.get_consumer_info('q')") == 3000
    # The index has a level more; all rows that there were are 40 blocks and more.
    for call, before in zip(calls, usual, strict=True):
        assert blocks(db, call) < before + 12, call


def test_old_rows_are_got_rid_of_all_the_same(ticking, holder):
    db = ticking
    db.query("select pgq.register_consumer('q', 'c')")
    batch = (db.query("select pgq.ticker('q')"), db.value("select pgq.next_batch('q', 'c')"))[1]
    before = db.query("select * from pgq.get_consumer_info()")[0][4:]
    # Rows that were never committed are dead as well.
    db.execute(
        "begin; alter table pgq.subscription disable trigger user;"
        " insert into pgq.subscription (sub_queue, sub_consumer, sub_version)"
        " select sub_queue, sub_consumer, n from pgq.subscription, generate_series(100, 50200) n;"
        " rollback"
    )
    db.query("select pg_stat_force_next_flush()")
    assert db.value("select count(*) from pgq._tables_to_compact()") == 1
    db.query("select pgq.maint_compact()")
    assert db.value("select pg_relation_size('pgq.subscription')") == 8192
    assert db.query("select * from pgq.get_consumer_info()")[0][4:] == before
    assert db.value("select pgq.finish_batch(%s)", (batch,)) == 1


@pytest.mark.pg(">=15")
def test_so_are_those_of_a_node(db, holder):
    for node in "ab":
        db.query("select pgq_node.register_location('q', %s, 'dbname=x', false)", (node,))
    db.query("select pgq_node.create_node('q', 'leaf', 'a', 'c', 'b', 1, null)")
    db.query("select pgq_node.set_consumer_completed('q', 'c', 7)")
    db.execute(
        "begin; alter table pgq_node.local_state disable trigger user;"
        " insert into pgq_node.local_state"
        " select 'q', 'c', 'b', n, null, false, false, n from generate_series(100, 50200) n;"
        " rollback"
    )
    db.query("select pg_stat_force_next_flush()")
    db.query("select pgq.maint_compact()")
    assert db.value("select pg_relation_size('pgq_node.local_state')") == 8192
    assert db.value("select completed_tick from pgq_node.get_worker_state('q')") == 7
    db.query("select pgq_node.set_consumer_completed('q', 'c', 8)")
    assert db.value("select completed_tick from pgq_node.get_worker_state('q')") == 8
