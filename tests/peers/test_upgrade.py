# SPDX-License-Identifier: ISC
"""Databases with pgq 3.5 become 4.0 in place: nothing is lost, the catalog equals a new one's."""

from __future__ import annotations

import random
import threading

import pytest

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError
from tests.fixtures.process import run
from tests.peers.conftest import OURS, ROOT, load_script
from tests.peers.work import insert, ledger, make_queue, read_all, tick

STATE = (
    "select * from pgq.consumer order by 1",
    "select queue_id, queue_name, queue_ntables, queue_cur_table, queue_rotation_period,"
    " queue_switch_step1, queue_switch_step2, queue_switch_time, queue_external_ticker,"
    " queue_disable_insert, queue_ticker_paused, queue_ticker_max_count, queue_ticker_max_lag,"
    " queue_ticker_idle_period, queue_per_tx_limit, queue_data_pfx, queue_event_seq,"
    " queue_tick_seq, queue_extra_maint from pgq.queue order by 1",
    # A sequence that was never used says 1 to 3.5; 4.0 tells it from one that was used once.
    "select tick_queue, tick_id, tick_time, tick_snapshot::text, greatest(tick_event_seq, 1)"
    " from pgq.tick order by 1, 2",
    "select sub_id, sub_queue, sub_consumer, sub_last_tick, sub_active, sub_batch, sub_next_tick"
    " from pgq.subscription order by sub_queue, sub_consumer",
    "select tableoid::regclass::text, * from pgq.event_template order by ev_txid, ev_id",
    "select * from pgq.retry_queue order by ev_owner, ev_id",
    "select * from pgq.get_batch_info(3)",
    "select * from pgq.get_batch_events(3)",
    "select queue_name, consumer_name, last_tick, current_batch, next_tick, pending_events"
    " from pgq.get_consumer_info()",
    "select pgq.seq_getval(queue_event_seq), pgq.seq_getval(queue_tick_seq) from pgq.queue"
    " order by queue_id",
    "select last_value, is_called from pgq.batch_id_seq",
)


def state(db):
    rows = {query: db.query(query) for query in STATE}
    info = STATE[6]
    rows[info] = [row[:6] + row[7:] for row in rows[info]]  # without the lag, which goes on
    return rows


def fill(db):
    """Leave work of every kind behind; returns what consumer c, d and e still have to get."""
    for name in ("q", "paused", "external", "disabled"):
        make_queue(db, name)
    db.query("select pgq.set_queue_config('paused', 'ticker_paused', '1')")
    db.query("select pgq.set_queue_config('external', 'external_ticker', '1')")
    db.execute("update pgq.queue set queue_disable_insert = true where queue_name = 'disabled'")
    db.execute(
        "update pgq.queue set queue_per_tx_limit = 1000, queue_rotation_period = '0',"
        " queue_extra_maint = array['public.mine'] where queue_name = 'q'"
    )
    db.query("select pgq.register_consumer('q', name) from unnest(array['c', 'd', 'e']) name")
    old = insert(db, 5)
    tick(db)
    for consumer in ("c", "d"):
        assert list(read_all(db, consumer)) == old
    rotate(db)
    events = insert(db, 20, first=6)
    tick(db)
    db.query("select pgq.next_batch('q', 'c')")  # batch 3: stays open
    batch = db.value("select pgq.next_batch('q', 'd')")
    ids = [row[0] for row in db.query("select ev_id from pgq.get_batch_events(%s)", (batch,))]
    db.query("select pgq.event_retry(%s, %s, 0)", (batch, ids[0]))
    db.query("select pgq.event_retry(%s, %s, 3600)", (batch, ids[1]))
    db.query("select pgq.finish_batch(%s)", (batch,))
    db.execute("create table watched (id serial primary key, a text)")
    db.execute(
        "create trigger tr after insert or update or delete on watched for each row execute"
        " function pgq.logutriga('q', 'backup', 'ev_extra3=a')"
    )
    last = insert(db, 5, first=26)
    db.execute("insert into watched (a) values ('row')")
    last.append("id=1&a=row")
    return {"c": events + last, "d": [events[0], events[1], *last], "e": old + events + last}


def rotate(db):
    db.query("select pgq.maint_rotate_tables_step1('q')")
    db.query("select pgq.maint_rotate_tables_step2()")


def goes_on(db, expected):
    """Each consumer gets what it has not had, and the tables go on rotating."""
    open_batch = db.value("select current_batch from pgq.get_consumer_info('q', 'c')")
    assert db.value("select pgq.next_batch('q', 'c')") == open_batch
    db.execute("update pgq.retry_queue set ev_retry_after = now()")
    assert db.value("select pgq.maint_retry_events()") == 2
    tick(db)
    for consumer, data in expected.items():
        assert sorted(read_all(db, consumer)) == sorted(data), consumer
    for number in range(1, 5):
        before = db.value("select queue_cur_table from pgq.queue where queue_name = 'q'")
        rotate(db)
        assert db.value("select queue_cur_table from pgq.queue where queue_name = 'q'") != before
        more = insert(db, 3, first=100 * number)
        tick(db)
        for consumer in expected:
            assert list(read_all(db, consumer)) == more
    assert db.query("select * from pgq.ticker_round(null) where error is not null") == []


def catalog(server, db, *, extension):
    """Print the catalog of schema pgq as sql/mk/updatecheck.sh does, queues included."""
    words = ["-At", "-v", "schema=pgq", *(["-v", "extension=1"] if extension else [])]
    psql = [server.program("psql"), "-X", "-q", "-d", db.conninfo, *words]
    done = run(*psql, "-f", ROOT / "sql/mk/catalog.sql")
    assert done.code == 0, done.err
    return done.lines


def same_as_fresh(server, db, fresh, *, extension=True):
    for name in ("q", "paused", "external", "disabled"):
        fresh.query("select pgq.create_queue(%s)", (name,))
    theirs = catalog(server, fresh, extension=extension)
    ours = catalog(server, db, extension=extension)
    assert sorted(set(ours) - set(theirs)) == []
    assert sorted(set(theirs) - set(ours)) == []


def test_the_extension_is_updated(server, old_db, new_db):
    expected = fill(old_db)
    before = state(old_db)
    old_db.execute("alter extension pgq update to '4.0'")
    assert state(old_db) == before
    assert old_db.value("select pgq.version()") == "4.0"
    same_as_fresh(server, old_db, new_db)
    goes_on(old_db, expected)


def test_an_update_that_is_rolled_back_leaves_3_5(old_db):
    expected = fill(old_db)
    before = state(old_db)
    old_db.execute("begin")
    old_db.execute("alter extension pgq update to '4.0'")
    old_db.execute("rollback")
    assert state(old_db) == before
    assert old_db.value("select pgq.version()") == "3.5"
    old_db.execute("alter extension pgq update to '4.0'")
    goes_on(old_db, expected)


@pytest.mark.parametrize("script", ["pgq.sql", "pgq_pl_only.sql"])
def test_what_a_script_has_loaded_becomes_the_extension(server, make_old_db, new_db, script):
    db = make_old_db(script)
    expected = fill(db)
    before = state(db)
    db.execute("create extension pgq version 'unpackaged'")
    db.execute("alter extension pgq update to '4.0'")
    assert state(db) == before
    same_as_fresh(server, db, new_db)
    goes_on(db, expected)


@pytest.mark.parametrize("script", ["pgq.sql", "pgq_pl_only.sql"])
@pytest.mark.parametrize("ours", ["pgq.sql", "pgq_pl.sql"])
def test_what_a_script_has_loaded_is_brought_up_to_date_by_ours(
    server, make_old_db, make_new_db, script, ours
):
    """On either engine, from either engine; a second time changes nothing."""
    db = make_old_db(script)
    expected = fill(db)
    before = state(db)
    load_script(server, db, OURS / ours)
    assert state(db) == before
    same_as_fresh(server, db, make_new_db(ours), extension=False)
    once = catalog(server, db, extension=False)
    load_script(server, db, OURS / ours)
    assert state(db) == before
    assert catalog(server, db, extension=False) == once
    goes_on(db, expected)


@pytest.mark.slow
def test_clients_go_on_while_it_is_updated(
    old_db, start_pgqd35, start_peer, run_peer, server, wait_until
):
    """pgqd 3.5 ticks, a consumer of python3-pgq reads, producers insert; then ALTER EXTENSION."""
    make_queue(old_db, rotation_period="0.5 s")
    old_db.execute("create table ledger (id bigint, data text)")
    run_peer("plain.py", "--register", db=old_db.conninfo)
    pgqd = start_pgqd35(server, old_db.name)
    client = start_peer("plain.py", db=old_db.conninfo)
    with Producers(old_db) as producers:
        wait_until(lambda: len(ledger(old_db)) > 100)
        old_db.execute("set lock_timeout = '10 s'")
        old_db.execute("alter extension pgq update to '4.0'")
        count = len(ledger(old_db))
        wait_until(lambda: len(ledger(old_db)) > count + 100)
    wait_until(lambda: len(ledger(old_db)) >= len(producers.sent), 60)
    assert ledger(old_db) == sorted(producers.sent)
    assert producers.failed == []
    assert client.running
    assert pgqd.running
    assert old_db.value("select pgq.version()") == "4.0"


class Producers:
    """Two threads that insert until told to stop, in transactions of several statements.

    One call a statement: a statement that is in the midst of many calls when the language of the
    function changes under it fails (once, and is rolled back).
    """

    def __init__(self, db):
        self.sent, self.failed = [], []
        self._stop = threading.Event()
        self._conninfo = db.conninfo
        self._threads = [threading.Thread(target=self._work, args=(n,)) for n in (1, 2)]

    def _work(self, number):
        db = Database(f"producer{number}", self._conninfo)
        dice = random.Random(number)
        first = 0
        try:
            while not self._stop.wait(0.01):
                data = [f"p{number}-{n}" for n in range(first, first + dice.randint(1, 5))]
                for text in data:
                    db.query("select pgq.insert_event('q', 't', %s)", (text,))
                db.commit()
                self.sent += data
                first += len(data)
        except SkytoolsError as exc:
            self.failed.append(exc)
        finally:
            db.close()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc):
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
