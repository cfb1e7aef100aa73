# SPDX-License-Identifier: ISC
"""Consumers of the old API against a real queue: events, batches, tracking."""

from __future__ import annotations

import datetime
import logging

import pytest

import pgq
import skytools
from skytools.core.errors import LostPosition, SkytoolsError


@pytest.fixture(autouse=True)
def _root_logger():
    """Give the root logger back as it was: scripts set up logging."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in [h for h in root.handlers if h not in handlers]:
        root.removeHandler(handler)
        handler.close()
    for handler in handlers:
        if handler not in root.handlers:
            root.addHandler(handler)
    root.setLevel(level)


@pytest.fixture
def make(tmp_path, db, queue):
    """Make a script of a class, with keys; its connections are closed after the test."""
    made = []

    def make(cls, *dbs, **keys):
        given = {"src": db.conninfo, "queue_name": "q", "consumer_name": "c", **keys}
        path = tmp_path / f"job{len(made)}.ini"
        lines = ["[svc]", *(f"{key} = {value}" for key, value in given.items()), ""]
        path.write_text("\n".join(lines))
        script = cls("svc", "src", *dbs, [str(path)])
        made.append(script)
        return script

    yield make
    for script in made:
        script.reset()


class Collector(pgq.Consumer):
    def process_batch(self, db, batch_id, ev_list):
        self.batch_id = batch_id
        self.ev_list = ev_list
        self.events = list(ev_list)


def test_an_event_has_all_its_names(make, queue):
    script = make(Collector)
    assert script.register_consumer() == 1
    assert script.register_consumer() == 0
    queue.insert(1, kind="k", extra1="e1")
    tick = queue.tick()
    assert script.work() == 1
    (ev,) = script.events
    assert (ev.id, ev.ev_id, ev["ev_id"], ev.get("ev_id")) == (1, 1, 1, 1)
    assert (ev.type, ev.data, ev.extra1, ev.extra2) == ("k", "1", "e1", None)
    assert isinstance(ev.time, datetime.datetime)
    assert ev.time.tzinfo is not None
    assert ev.txid == ev.ev_txid > 0
    assert (ev.retry, ev.queue_name, ev.retry_time) == (None, "q", 60)
    assert "ev_data" in ev
    assert "data" not in ev
    assert dict(ev) == dict(ev.items())
    assert next(iter(ev.keys())) == "ev_id"
    assert "%(ev_type)s" % ev == "k"  # noqa: UP031 - as scripts do
    with pytest.raises(KeyError):
        ev["data"]
    with pytest.raises(KeyError):
        _ = ev.nonsense
    assert "data=1" in str(ev)
    info = script.batch_info
    assert info["batch_id"] == script.batch_id
    assert info["tick_id"] == info["cur_tick_id"] == tick
    assert info["prev_tick_id"] == tick - 1
    assert info["batch_end"] == info["cur_tick_time"] > info["batch_start"]
    assert info["seq_end"] == info["cur_tick_event_seq"]
    assert script.work() == 0
    assert script.batch_info is None


@pytest.mark.parametrize("count", [0, 1, 3, 4, 9])
def test_a_lazy_list_is_read_once_and_knows_its_length_afterwards(make, queue, count):
    script = make(Collector, pgq_lazy_fetch=3)
    script.register_consumer()
    queue.insert(count)
    queue.tick()
    script.work()
    assert [int(ev.data) for ev in script.events] == list(range(1, count + 1))
    assert len(script.ev_list) == count
    with pytest.raises(SkytoolsError, match="once only"):
        list(script.ev_list)


def test_without_lazy_fetch_it_is_a_list(make, queue):
    script = make(Collector, pgq_lazy_fetch=0, pgq_autocommit=1)
    script.register_consumer()
    queue.insert(5)
    queue.tick()
    script.work()
    assert isinstance(script.ev_list, list)
    assert len(script.ev_list) == 5
    assert script.source_db().autocommit


def test_work_on_the_queues_connection_commits_with_the_batch(make, queue, db):
    class Fails(pgq.Consumer):
        fail = True

        def process_event(self, conn, ev):
            conn.cursor().execute("insert into done values (%s)", [ev.id])
            if self.fail and ev.id == 2:
                raise RuntimeError("boo")

    db.execute("create table done (id int8)")
    script = make(Fails)
    script.register_consumer()
    queue.insert(3)
    queue.tick()
    with pytest.raises(RuntimeError, match="boo"):
        script.work()
    script.reset()
    assert db.value("select count(*) from done") == 0
    script.fail = False
    assert script.work() == 1
    assert db.value("select count(*) from done") == 3
    assert script.work() == 0


def test_what_a_script_left_open_is_committed_before_the_batch(make, queue, db):
    db.execute("create table notes (t text)")
    script = make(Collector)
    script.register_consumer()
    script.source_db().cursor().execute("insert into notes values ('x')")
    assert script.work() == 0
    assert db.value("select count(*) from notes") == 1


@pytest.mark.parametrize("lazy", [0, 2])
def test_retries(make, queue, db, lazy):
    class Retries(pgq.Consumer):
        def process_event(self, conn, ev):
            assert ev.get_status() == 1
            if ev.retry is None:
                ev.tag_retry(0)
                assert ev.get_status() == 0
            if ev.data == "2":
                ev.tag_done()

    script = make(Retries, pgq_lazy_fetch=lazy)
    script.register_consumer()
    queue.insert(5)
    queue.tick()
    script.work()
    assert script.stat_get("retry-events") == 4
    waiting = db.query("select ev_data from pgq.retry_queue order by 1")
    assert [row[0] for row in waiting] == ["1", "3", "4", "5"]
    db.query("select pgq.maint_retry_events()")
    queue.tick()
    script.work()
    assert script.stat_get("count") == 4


def test_a_table_filter(make, queue):
    script = make(Collector, table_filter="mine, other.yours")
    script.register_consumer()
    for table in ("public.mine", "other.yours", "public.other", None):
        queue.insert(1, extra1=table)
    queue.tick()
    script.work()
    assert [ev.extra1 for ev in script.events] == ["public.mine", "other.yours"]


def test_collecting_keys_hold_a_batch_back(make, queue):
    script = make(Collector, pgq_batch_collect_events=10**6)
    script.register_consumer()
    queue.insert(5)
    queue.tick()
    assert script.work() == 0
    script.pgq_min_count = None
    script.pgq_min_lag = "1 hour"
    assert script.work() == 0
    script.pgq_min_lag = None
    script.work()
    assert len(script.events) == 5


def test_older_key_names_win(make):
    script = make(Collector, pgq_queue_name="other", pgq_consumer_id="me")
    assert (script.queue_name, script.consumer_name) == ("other", "me")


def test_a_remote_consumer_does_a_batch_once(make, queue, make_db):
    class Remote(pgq.RemoteConsumer):
        def process_remote_batch(self, db, batch_id, ev_list, dst_db):
            curs = dst_db.cursor()
            for ev in ev_list:
                curs.execute("insert into done values (%s)", [ev.id])

        def finish_batch(self, db, batch_id):
            if self.fail:
                raise RuntimeError("killed here")
            super().finish_batch(db, batch_id)

    target = make_db()
    target.execute("create table done (id int8)")
    script = make(Remote, "dst", dst=target.conninfo)
    script.fail = True
    script.register_consumer()
    queue.insert(3)
    queue.tick()
    with pytest.raises(RuntimeError):
        script.work()
    script.reset()
    script.fail = False
    script.work()
    assert target.value("select count(*) from done") == 3


class Serial(pgq.SerialConsumer):
    fail = False

    def process_remote_batch(self, db, batch_id, ev_list, dst_db):
        skytools.magic_insert(dst_db.cursor(), "done", [[ev.id] for ev in ev_list], ["id"])

    def finish_batch(self, db, batch_id):
        if self.fail:
            raise RuntimeError("killed here")
        super().finish_batch(db, batch_id)


@pytest.fixture
def target(make_db):
    target = make_db()
    target.execute("create table done (id int8)")
    return target


def test_a_serial_consumer_does_a_batch_once_and_knows_when_it_is_lost(make, queue, db, target):
    script = make(Serial, "dst", dst=target.conninfo)
    script.register_consumer()
    queue.insert(3)
    queue.tick()
    script.fail = True
    with pytest.raises(RuntimeError):
        script.work()
    script.reset()
    script.fail = False
    script.work()
    assert target.value("select count(*) from done") == 3
    queue.insert(1)
    tick = queue.tick()
    script.work()
    assert target.value("select last_tick_id from pgq_ext.completed_tick") == tick
    db.query("select pgq.register_consumer_at('q', 'c', 1)")
    with pytest.raises(LostPosition):
        script.work()
    script.reset()
    script.rewind()
    assert queue.position("c") == tick
    assert script.work() == 0
    script.unregister_consumer()
    assert target.value("select count(*) from pgq_ext.completed_tick") == 0


def test_a_serial_consumer_must_not_retry(make, queue, target):
    class Retries(Serial):
        def process_remote_batch(self, db, batch_id, ev_list, dst_db):
            for ev in ev_list:
                ev.tag_retry()

    script = make(Retries, "dst", dst=target.conninfo)
    script.register_consumer()
    queue.insert(1)
    queue.tick()
    with pytest.raises(skytools.UsageError, match="order would be lost"):
        script.work()


class Local(pgq.LocalConsumer):
    def process_local_event(self, db, batch_id, ev):
        self.seen = [*getattr(self, "seen", []), ev.id]


def test_a_local_consumer_follows_its_file(make, queue, tmp_path):
    file = tmp_path / "position"
    script = make(Local, local_tracking_file=file)
    script.startup()
    assert file.read_text() == "1"
    queue.insert(2)
    tick = queue.tick()
    script.work()
    assert script.seen == [1, 2]
    assert file.read_text() == str(tick)
    file.write_text("1")
    script.work_state = -1
    script.work()
    assert script.seen == [1, 2, 1, 2]
    queue.db.query("select pgq.unregister_consumer('q', 'c')")
    script.check_queue()
    assert queue.position("c") == tick
    file.write_text("nonsense")
    with pytest.raises(SkytoolsError, match="holds no tick id"):
        script.check_queue()
    script.unregister_consumer()
    assert not file.exists()


def test_cooperating_consumers_share_the_batches(make, queue, db):
    db.execute("create extension if not exists pgq_coop")

    class Coop(pgq.CoopConsumer):
        def process_event(self, conn, ev):
            self.seen = [*getattr(self, "seen", []), ev.id]

    one, two = (make(Coop, subconsumer_name=name) for name in ("one", "two"))
    for script in (one, two):
        script.register_consumer()
    for _ in range(4):
        queue.insert(2)
        queue.tick()
    for script in (one, two, one, two):
        script.work()
    assert len(one.seen) == len(two.seen) == 4
    assert not set(one.seen) & set(two.seen)
    one.unregister_consumer()
    assert two.work() == 0


def test_a_batch_that_was_taken_over_is_not_committed(make, queue, db):
    db.execute("create extension if not exists pgq_coop")
    db.execute("create table done (id int8)")

    class Slow(pgq.CoopConsumer):
        def process_event(self, conn, ev):
            conn.cursor().execute("insert into done values (%s)", [ev.id])

        def finish_batch(self, conn, batch_id):
            db.execute("update pgq.subscription set sub_active = now() - interval '1 hour'")
            other.work()
            super().finish_batch(conn, batch_id)

    class Other(Slow):
        def finish_batch(self, conn, batch_id):
            pgq.CoopConsumer.finish_batch(self, conn, batch_id)

    slow = make(Slow, subconsumer_name="slow")
    other = make(Other, subconsumer_name="other", subconsumer_timeout="1 min")
    for script in (slow, other):
        script.register_consumer()
    queue.insert(2)
    queue.tick()
    with pytest.raises(SkytoolsError, match="taken over"):
        slow.work()
    slow.reset()
    assert db.value("select count(*) from done") == 2


def test_producers(make, queue, db):
    conn = skytools.connect_database(db.conninfo)
    curs = conn.cursor()
    assert pgq.insert_event(curs, "q", "t", "d", "1", extra4="4") == 1
    pgq.bulk_insert_events(curs, [{"type": "b", "data": "x\ty"}], ["type", "data"], "q")
    pgq.bulk_insert_events(
        curs, [[99, "2020-01-01", "c", None]], ["ev_id", "time", "type", "ev_extra2"], "q"
    )
    with pytest.raises(ValueError, match="nonsense"):
        pgq.bulk_insert_events(curs, [[1]], ["nonsense"], "q")
    conn.commit()
    conn.close()
    rows = db.query("select ev_id, ev_type, ev_data, ev_extra1, ev_extra4 from pgq.event_template")
    assert sorted(rows) == [
        (1, "t", "d", "1", "4"),
        (2, "b", "x\ty", None, None),
        (99, "c", None, None, None),
    ]


def test_status(tmp_path, queue, db, capsys):
    db.query("select pgq.register_consumer('q', 'reader')")
    ini = tmp_path / "status.ini"
    ini.write_text(f"[pgqadm]\ndb = {db.conninfo}\n")
    with pytest.raises(SystemExit) as ended:
        pgq.PGQStatus([str(ini)])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert "PgQ version: 4.0" in out
    assert "3/7200s" in out
    assert "reader" in out
