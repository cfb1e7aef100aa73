# SPDX-License-Identifier: ISC
"""Commands of qadmin against a real server."""

from __future__ import annotations

import io
import json

import pytest

from skytools.core.cli import Output
from skytools.core.errors import DatabaseError, SkytoolsError, UsageError
from skytools.daemons.qadmin.complete import Completer
from skytools.daemons.qadmin.language import grammar
from skytools.daemons.qadmin.lexer import split
from skytools.daemons.qadmin.session import Exit, Session
from tests.fixtures.cascade import add_node, make_root
from tests.fixtures.queue import Queue


class Console:
    """A session whose output is text."""

    def __init__(self, conninfo):
        self.session = Session(conninfo, Output(stream=io.StringIO()), grammar())

    def __call__(self, text):
        """Run statements and return what they print."""
        self.session.out.stream = io.StringIO()
        statements, rest = split(text + ";")
        assert not rest.strip()
        for one in statements:
            self.session.execute(one)
        return self.session.out.stream.getvalue()

    def json(self, text):
        """Run one statement and return its JSON."""
        self.session.out.as_json = True
        try:
            return json.loads(self(text))
        finally:
            self.session.out.as_json = False


@pytest.fixture
def console(db):
    one = Console(db.conninfo)
    yield one
    one.session.close()


def refused(console, text, told, kind=SkytoolsError):
    with pytest.raises(kind) as error:
        console(text)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_queues_are_created_changed_and_dropped(console, db):
    assert console("create queue a; create queue a") == (
        "queue a created\nqueue a was there already\n"
    )
    console("create queue 'B c'")
    console("alter queue * set max_lag='5 s', paused=1; alter queue a set paused=0")
    (row,) = console.json("show queue a")
    assert (row["queue_ticker_max_lag"], row["queue_ticker_paused"]) == ("0:00:05", False)
    assert [row["queue_name"] for row in console.json("show queue")] == ["B c", "a"]
    assert "(2 rows)" in console("show queue *")
    console("register consumer c on a")
    refused(console, "drop queue a", "consumer", DatabaseError)
    console('drop queue a force; drop queue "B c"')
    assert console.json("show queue") == []
    refused(console, "show queue a", "queue a does not exist; queues: none")
    refused(console, "alter queue * set paused=1", "there are no queues")


def test_settings_of_all_queues_are_changed_together_or_not_at_all(console, db):
    console("create queue a; create queue b")
    refused(console, "alter queue * set max_count=7, max_lag=often", "often", DatabaseError)
    assert {row["queue_ticker_max_count"] for row in console.json("show queue")} == {500}


def test_consumers(console, queue):
    console("register consumer c on q")
    queue.insert(3)
    last = queue.tick()
    refused(console, "register consumer c on q", "is registered on queue q; to move it say at")
    refused(console, "register consumer d", "which queue? Name it in the command")
    console("connect queue=q; register consumer d copy c")
    assert queue.position("d") == queue.position("c") < last
    console(f"register consumer d at {last}")
    assert queue.position("d") == last
    refused(console, "register consumer d at 99999", "queue q has no tick 99999; it has ticks 1")
    refused(console, "register consumer d at x", "tick: 'x' is no number", UsageError)
    refused(console, "register consumer e at 1 copy d", "exclude each other", UsageError)
    refused(console, "register consumer e copy f", "queue q has no consumer f; consumers: c, d")
    assert [row["consumer_name"] for row in console.json("show consumer")] == ["c", "d"]
    refused(console, "show consumer x on q", "no consumer x on queue q")
    console("unregister consumer c")
    refused(console, "unregister consumer c", "has no consumer c")


def test_the_star_leaves_the_consumers_of_a_cascade_alone(console, db):
    """In Skytools 3 it took .global_watermark too, and rotation lost what nodes still need."""
    make_root(db)
    console("register consumer c on q; register consumer d on q")
    assert console("unregister consumer * from q") == (
        "unregistered from queue q: c, d; kept for the cascade: .global_watermark\n"
    )


def test_subconsumers(console, queue):
    console("connect queue=q; register subconsumer s1 for c; register subconsumer s2 for c")
    queue.insert(2)
    queue.tick()
    assert queue.db.value("select pgq_coop.next_batch('q', 'c', 's1')")
    refused(console, "unregister subconsumer s1 for c", "active batch", DatabaseError)
    console("unregister subconsumer s1 for c from q close batch")
    refused(console, "unregister subconsumer s1 for c", "no subconsumer s1; subconsumers: s2")
    console("unregister subconsumer * for c")
    assert [row["consumer_name"] for row in console.json("show consumer")] == ["c"]


def test_batches(console, queue):
    console("connect queue=q; register consumer c")
    queue.insert(3)
    queue.tick()
    refused(console, "show batch c", "consumer c of queue q has no batch open")
    batch = queue.db.value("select pgq.next_batch('q', 'c')")
    assert [row["ev_data"] for row in console.json(f"show batch {batch}")] == ["1", "2", "3"]
    assert console(f"show batch {batch}") == console("show batch c")
    event = console.json("show batch c")[0]["ev_id"]
    console(f"retry event {event} of batch {batch} in 3600; finish batch {batch}")
    assert [row["ev_id"] for row in console.json("show retry c on q")] == [event]
    assert console("retry now c") == "consumer c of queue q: 1 events are due now\n"
    refused(console, f"finish batch {batch}", f"batch {batch} is not open")
    refused(console, "show batch 999999", "batch not found", DatabaseError)
    assert len(console.json("show ticks limit 2")) == 2


def test_events_now_and_later(console, queue):
    console("connect queue=q; insert event type=a data='x y' extra4=z")
    assert queue.db.query("select ev_type, ev_data, ev_extra4 from pgq.event_template") == [
        ("a", "x y", "z")
    ]
    console("insert event type=b at='2100-01-01 12:00+00'")
    (row,) = console.json("show delayed on q")
    assert row["ev_type"] == "b"
    console(f"drop delayed {row['ev_id']}")
    refused(console, f"drop delayed {row['ev_id']}", "queue q has no delayed event")
    refused(console, "insert event type=b at=soon", "soon", DatabaseError)


def kill_events(queue, count):
    """Make dead letters of that many events."""
    queue.db.query("select pgq.register_consumer('q', 'c')")
    queue.insert(count)
    queue.tick()
    batch = queue.db.value("select pgq.next_batch('q', 'c')")
    queue.db.query(
        """select pgq.event_failed(%s, ev_id, 'reason ' || ev_data)
             from pgq.get_batch_events(%s)""",
        (batch, batch),
    )
    queue.db.query("select pgq.finish_batch(%s)", (batch,))


def test_dead_letters(console, queue):
    kill_events(queue, 4)
    console("connect queue=q")
    assert [(row["consumer"], row["letters"]) for row in console.json("show dead")] == [("c", 4)]
    ids = [row["ev_id"] for row in console.json("show dead c")]
    assert len(console.json("show dead c on q limit 2")) == 2
    assert console(f"redrive {ids[0]}, {ids[1]} of c") == "2 dead letters of c are events again\n"
    assert console("purge all of c on q where reason='%4'") == "1 dead letters of c deleted\n"
    refused(console, f"purge {ids[0]} of c", "0 of 1 are dead letters of c on queue q")
    refused(console, "purge one of c", "event: 'one' is no number", UsageError)
    refused(console, f"purge {ids[2]} of c where type=t", "narrows down all", UsageError)
    console("redrive all of c")
    assert console.json("show dead") == []


def test_replay(console, queue):
    console("connect queue=q; register consumer c")
    start = queue.position("c")
    queue.insert(1)
    queue.tick()
    console(f"register consumer c at {queue.last_tick()}; replay c at {start}")
    assert queue.position("c") == start
    later = queue.db.value("select now() + interval '1 s'")
    refused(console, f"replay c since '{later}'", "it has nothing to read again")
    console(f"register consumer c at {queue.last_tick()}; replay c since '{later}'")
    assert queue.position("c") == queue.last_tick()
    refused(console, "replay c since '2000-01-01'", "queue q goes back to ")
    refused(console, "replay d at 1", "has no consumer d")


def test_connect(console, db, make_db, server):
    other = make_db()
    assert other.name in console(f"connect dbname={other.name}")
    assert console("select current_database()").splitlines()[1] == other.name
    refused(console, "connect dbname=nowhere", "nowhere")
    assert console("select current_database()").splitlines()[1] == other.name
    refused(console, "connect node=n", "node= needs a queue", UsageError)
    refused(console, "connect node=n host=x", "excludes", UsageError)


def test_connect_to_a_node(console, db, make_db):
    root = make_root(db)
    add_node(root, root, make_db(), "branch", "second")
    console("connect queue=q node=second")
    assert console.json("show local")[0]["node"] == "second"
    rows = console.json("show node")
    assert [(row["node"], row["here"]) for row in rows] == [("root", None), ("second", "branch")]
    refused(console, "connect node=third", "queue q has no node third; nodes: root, second")
    refused(console, "show node x on q", "no node x of queue q")
    assert "second" in console("node members on q")


def test_installing(make_db):
    console = Console(make_db(empty=True).conninfo)
    try:
        refused(console, "show queue", "install pgq; makes it")
        assert "extension pgq_coop created" in console("install pgq")
        assert "extension pgq is there" in console("install pgq")
        versions = {row["part"]: row["version"] for row in console.json("show version")}
        assert versions["pgq"] == "4.0"
        assert "[ show ] help;" in console("show help")
    finally:
        console.session.close()


def test_the_statements_that_make_a_table_make_it_again(console, make_db):
    console(
        """create type mood as enum ('a', 'b');
           create table "T x" (id bigserial, a text not null default 'it''s; $', b numeric(9,2)[],
               m mood, g int generated always as (1 + 1) stored,
               i int generated by default as identity, primary key (id), check (a <> ''),
               unique (m));
           create index on "T x" (lower(a)) where b is null;
           create function f() returns trigger language plpgsql as 'begin return new; end';
           create trigger trg before insert on "T x" for each row execute function f();
           create sequence s increment 3 start 5; select nextval('s')"""
    )
    first = console('show table "T x"')
    copy = Console(make_db().conninfo)
    try:
        copy("create type mood as enum ('a', 'b');"
             "create function f() returns trigger language plpgsql as 'begin return new; end';"
             'create sequence "T x_id_seq"')  # fmt: skip
        copy(first)
        assert copy('show table "T x"') == first
        copy(console("show sequence s"))
        assert copy("show sequence s") == console("show sequence s")
    finally:
        copy.session.close()
    refused(console, "show table nothing", "there is no table nothing")
    refused(console, 'show sequence "T x"', "there is no sequence T x")


def test_sql_goes_to_the_server_as_it_is(console):
    assert console("select 'a;b' as x, null as y") == "x    y\na;b  -\n(1 row)\n"
    assert console("create table t (a int)") == "CREATE TABLE\n"
    assert console.json("select 1 as a") == [{"a": 1}]
    refused(console, "select * from nothing", 'relation "nothing" does not exist', DatabaseError)
    assert console("select '100%' as p, $$it's$$ as d").splitlines()[1] == "100%  it's"
    with pytest.raises(Exit):
        console("exit")


def test_londiste_without_its_extension_says_so(console, queue):
    for text in ("londiste add table t", "londiste remove sequence s"):
        refused(console, f"connect queue=q; {text}", "does this database have the extension")
    refused(console, "connect queue=q; londiste tables", "no node of queue q")


def test_watch_shows_queues_and_consumers(console, queue):
    console("register consumer c on q")
    queue.insert(5)
    queue.tick()
    (seen,) = console.json("watch q")
    assert (seen["queue"], seen["consumers"][0]["consumer"]) == ("q", "c")
    assert seen["consumers"][0]["pending"] >= 5
    lines = console("watch every 0.05 count 2").splitlines()
    assert [line.split()[0] for line in lines] == ["queue", "q", "c"] * 2
    refused(console, "watch nothing", "queue nothing does not exist")
    refused(console, "watch every -1", "every: '-1' is no positive number", UsageError)
    refused(console, "watch count 0", "count: 0 times is never", UsageError)


def texts(completer, text):
    return [one.text for one in completer.candidates(text)]


def test_names_are_completed_from_the_server(console, queue, make_db):
    Queue(queue.db, "q")
    console("create queue other; create queue 'Big one'; register consumer c1 on q")
    console("register consumer x on other; register subconsumer s for c1 on q; connect queue=q")
    completer = Completer(console.session)
    assert texts(completer, "show queue ") == ["'Big one'", "other", "q", "*", ";"]
    assert texts(completer, "select 1; show queue o") == ["other"]
    assert texts(completer, "show consumer c") == ["c1", "c1.s"]
    assert texts(completer, "unregister subconsumer s for c1 from ") == ["'Big one'", "other", "q"]
    assert texts(completer, "unregister subconsumer ") == ["*"]
    assert "replay" in texts(completer, "re")
    assert "localhost" in texts(completer, "connect host=lo")
    assert queue.db.name in texts(completer, "connect dbname=t")
    assert texts(completer, "show table pg") == []
    console("create queue opera")
    assert texts(completer, "show queue o") == ["other"], "names are asked for once a line"
    completer.forget()
    assert texts(completer, "show queue o") == ["opera", "other"]
    assert completer.syntax("create qu") == ["create queue QUEUE"]


def test_completion_keeps_quiet_without_a_server(console):
    console.session.db.close()
    console.session.db.conninfo = "host=/nowhere"
    assert texts(Completer(console.session), "show queue ") == ["*", ";"]


def test_a_cascade_is_made_and_looked_at(console, db, make_db):
    """The commands of setadm, from the same table."""
    other = make_db()
    made = console(f"node create-root top '{db.conninfo}' with worker=top_w on q")
    assert "top" in made
    second = Console(other.conninfo)
    try:
        second(
            f"connect queue=q; node create-branch next '{other.conninfo}'"
            f" with worker=next_w provider='{db.conninfo}'"
        )
        tree = second("node status")
        assert tree.index("top (root)") < tree.index("next (branch)")
        assert [row["node"] for row in second.json("show node")] == ["next", "top"]
        refused(second, "node drop-node nobody", "nobody")
        refused(second, "node pause with timeout=never node=next", "'never' is no positive number")
        second("node drop-node next with dry-run")
        assert second.json("show local")[0]["node"] == "next"
    finally:
        second.session.close()


def test_londiste_tables_and_sequences(console, db):
    make_root(db)
    console("connect queue=q; create extension londiste")
    console("create table t (id serial primary key, x text); create sequence s")
    missing = [(row["obj_kind"], row["obj_name"]) for row in console.json("londiste missing")]
    assert ("r", "public.t") in missing
    console("londiste add table t with skip_truncate, ev_ignore='x'; londiste add sequence s")
    assert [row["table_name"] for row in console.json("londiste tables")] == ["public.t"]
    assert "public.s" in [row["seq_name"] for row in console.json("londiste seqs")]
    trigger = db.value("select pg_get_triggerdef(oid) from pg_trigger where tgname = '_londiste_q'")
    assert "ignore=x" in trigger
    completer = Completer(console.session)
    assert texts(completer, "londiste remove table ") == ["public.t"]
    console("londiste remove table public.t; londiste remove sequence public.s")
    assert console.json("londiste tables") == []
    refused(console, "londiste add table nothing", "nothing")
