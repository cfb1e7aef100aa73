# SPDX-License-Identifier: ISC
"""queue_mover, queue_splitter, simple_consumer, simple_local_consumer as real processes."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from skytools.core.db import Database
from skytools.core.registry import SERVICE_ALIASES
from tests.fixtures.queue import Queue

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PROGRAMS = ("queue_mover", "queue_splitter", "simple_consumer", "simple_local_consumer")
FIELDS = "ev_time, ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3, ev_extra4"


@pytest.fixture
def target(make_db):
    return make_db()


@pytest.fixture
def ini(tmp_path, db, target):
    """Write an ini as users of Skytools 3 have it: src_db, dst_db, queue_name and more keys."""

    def ini(section, **keys):
        given = {"src_db": db.conninfo, "dst_db": target.conninfo, "queue_name": "q",
                 "loop_delay": 0.1, **keys}  # fmt: skip
        path = tmp_path / "job.ini"
        lines = [f"{key} = {value}" for key, value in given.items() if value is not None]
        path.write_text("\n".join([f"[{section}]", *lines, ""]), encoding="utf-8")
        return path

    return ini


def finished(queue, wait_until, program, consumer="job"):
    last = queue.tick()
    wait_until(lambda: queue.position(consumer) == last, what=lambda: program.output)


def events(db, table="pgq.event_template"):
    return db.query(f"select {FIELDS} from {table} order by ev_id")


def insert(db, queue, *fields):
    padded = (*fields, *([None] * (6 - len(fields))))
    db.query("select pgq.insert_event(%s, %s, %s, %s, %s, %s, %s)", (queue, *padded))


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_template_and_the_example_are_good(run_program, tmp_path, name):
    done = run_program(name, "--check", EXAMPLES / f"{name}.ini")
    assert (done.code, done.err) == (0, "")
    template = run_program(name, "--ini")
    assert f"[{name}]" in template.out
    path = tmp_path / "x.ini"
    path.write_text(template.out.replace("/var/lib/skytools", str(tmp_path)))
    assert run_program(name, "--check", path).code == 0, template.out


def test_section_names_of_skytools_3():
    """Tested with a program in test_mover_carries_events_with_all_fields."""
    for name in PROGRAMS:
        assert SERVICE_ALIASES[f"{name}3"] == name


def test_mover_carries_events_with_all_fields(queue, target, ini, spawn, wait_until):
    target.query("select pgq.create_queue('filler'), pgq.create_queue('copy')")
    target.query("select pgq.insert_event('filler', 't', 'd')")
    queue.db.query("select pgq.register_consumer('q', 'job')")
    insert(queue.db, "q", "t", "d\t1\n\\", "a", "b", "c", "d")
    insert(queue.db, "q", None, None)
    insert(queue.db, "q", "", "", "")
    insert(queue.db, "q", "last", "ü")
    queue.tick()
    program = spawn("queue_mover", ini("queue_mover3", dst_queue_name="copy"))
    finished(queue, wait_until, program)
    parent = target.value("select queue_data_pfx from pgq.queue where queue_name = 'copy'")
    assert events(target, parent) == events(queue.db)
    assert target.value(f"select min(ev_id) from {parent}") == 1


@pytest.mark.slow
def test_mover_moves_each_event_once_whatever_dies(queue, target, ini, spawn, wait_until):
    target.query("select pgq.create_queue('copy')")
    queue.db.query("select pgq.register_consumer('q', 'job')")
    path = ini("queue_mover", dst_queue_name="copy")
    dice = random.Random(5)
    for _ in range(8):
        program = spawn("queue_mover", path)
        program.wait_output("reading queue")
        end, made = time.monotonic() + dice.uniform(0, 0.4), 0
        while time.monotonic() < end or made < 20:
            more = dice.randint(0, 30)
            queue.insert(more)
            queue.tick()
            made += more
        program.kill()
    program = spawn("queue_mover", path)
    finished(queue, wait_until, program)
    assert events(target) == events(queue.db)
    assert len(events(target)) > 100
    program.signal(signal.SIGTERM)
    assert program.wait() == 0


def test_mover_wakes_the_ticker_of_its_target(queue, target, ini, spawn, wait_until):
    """Its events come by COPY, which tells nobody."""
    target.query("select pgq.create_queue('copy')")
    other = Queue(target, "copy")
    queue.db.query("select pgq.register_consumer('q', 'job')")
    listener = Database("listener", target.conninfo, autocommit=True)
    listener.listen("pgq_wakeup")
    target.query("select pgq.ticker_sleep(null)")
    queue.insert(1)
    queue.tick()
    spawn("queue_mover", ini("queue_mover", dst_queue_name="copy"))
    notes = wait_until(listener.notifies, what="the ticker to be woken")
    assert [note.payload for note in notes] == [str(other.id)]
    listener.close()


def test_mover_without_its_target_queue_says_so(queue, ini, spawn):
    queue.db.query("select pgq.register_consumer('q', 'job')")
    queue.insert(1)
    queue.tick()
    program = spawn("queue_mover", ini("queue_mover", dst_queue_name="none"))
    output = program.wait_output("next try")
    assert "dst_db: Event queue not found" in output or "dst_db: No such" in output, output
    assert "Traceback" not in output


def test_splitter_sends_each_event_to_its_queue(queue, target, ini, spawn, wait_until):
    target.query("select pgq.create_queue('a'), pgq.create_queue('b')")
    queue.db.query("select pgq.register_consumer('q', 'job')")
    for number in range(9):
        insert(queue.db, "q", "t", str(number), "x", "ab"[number % 2])
    queue.tick()
    program = spawn("queue_splitter", ini("queue_splitter3", queue_field="ev_extra2"))
    finished(queue, wait_until, program)
    for name, wanted in (("a", "02468"), ("b", "1357")):
        parent = target.value("select queue_data_pfx from pgq.queue where queue_name = %s", (name,))
        assert "".join(row[2] for row in events(target, parent)) == wanted
        assert {row[0] for row in events(target, parent)} <= {row[0] for row in events(queue.db)}


@pytest.mark.parametrize(
    ("field", "told"),
    [(None, "event 2: extra1 names no queue"), ("nowhere", "dst_db: ")],
)
def test_splitter_fails_the_batch_without_a_queue(queue, target, ini, spawn, field, told):
    target.query("select pgq.create_queue('a')")
    queue.db.query("select pgq.register_consumer('q', 'job')")
    insert(queue.db, "q", "t", "1", "a")
    insert(queue.db, "q", "t", "2", field)
    queue.tick()
    program = spawn("queue_splitter", ini("queue_splitter"))
    output = program.wait_output("next try")
    assert told in output
    assert "Traceback" not in output
    assert events(target) == []


CUSTOMERS = """
    create table customer (id int primary key, email text, note text);
    create table other (id int primary key);
    create trigger t after insert or update or delete on customer
        for each row execute function pgq.logutriga('q');
    create trigger t after insert or update or delete on other
        for each row execute function pgq.logutriga('q');
    """
QUERY = "select note(%%(id)s, %%(email)s, %%(note)s, %%(pgq.ev_type)s, %%(pgq.tick_id)s)"
NOTE = """
    create table noted (id text, email text, note text, type text, tick bigint);
    create function note(text, text, text, text, bigint) returns void language sql as
        'insert into noted values ($1, $2, $3, $4, $5)';
    """


@pytest.fixture
def customers(queue, target):
    queue.db.execute(CUSTOMERS)
    target.execute(NOTE)
    queue.db.query("select pgq.register_consumer('q', 'job')")
    queue.db.execute("insert into customer values (1, 'a b@c', null), (2, 'x&y=z%', 'ü')")
    queue.db.execute("insert into other values (1)")
    queue.insert(1)
    queue.db.execute(
        "update customer set note = 'n' where id = 1; delete from customer where id = 2"
    )
    return queue


WANTED = [
    ("1", "a b@c", None, "I:id"),
    ("2", "x&y=z%", "ü", "I:id"),
    ("1", "a b@c", "n", "U:id"),
    ("2", "x&y=z%", "ü", "D:id"),
]


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ({"table_filter": "customer"}, WANTED),
        ({"consumer_filter": "ev_extra1 = 'public.customer' and ev_type like 'U%%'"}, WANTED[2:3]),
        ({"table_filter": "other", "consumer_filter": "ev_type = 'D:id'"}, WANTED[3:]),
    ],
)
def test_simple_consumer(customers, target, ini, spawn, wait_until, keys, wanted):
    tick = customers.tick()
    path = ini("simple_consumer3", dst_query=QUERY, **keys)
    program = spawn("simple_consumer", path)
    finished(customers, wait_until, program)
    assert target.query("select id, email, note, type from noted") == wanted
    assert target.query("select distinct tick from noted") == [(tick,)]


def test_simple_local_consumer(customers, target, ini, spawn, wait_until, tmp_path):
    customers.tick()
    file = tmp_path / "job.tick"
    path = ini("simple_local_consumer3", dst_query=QUERY, local_tracking_file=file,
               table_filter="customer")  # fmt: skip
    program = spawn("simple_local_consumer", path)
    finished(customers, wait_until, program)
    assert target.query("select id, email, note, type from noted") == WANTED
    assert int(file.read_text()) == customers.last_tick()


def test_simple_local_consumer_tries_a_statement_again(
    customers, target, ini, spawn, wait_until, tmp_path
):
    """Without the batch being begun anew: what was done is not done twice."""
    target.execute(
        """create sequence tries;
           create or replace function note(text, text, text, text, bigint) returns void
           language plpgsql as $$ begin
               if $4 = 'U:id' and nextval('tries') < 3 then
                   raise exception 'not yet' using errcode = 'deadlock_detected';
               end if;
               insert into noted values ($1, $2, $3, $4, $5); end $$"""
    )
    customers.tick()
    path = ini("simple_local_consumer", dst_query=QUERY, local_tracking_file=tmp_path / "f",
               table_filter="customer", sql_retry=1, sql_retry_formula_a=0.01,
               sql_retry_formula_b=0.01)  # fmt: skip
    program = spawn("simple_local_consumer", path)
    finished(customers, wait_until, program)
    assert target.query("select id, email, note, type from noted") == WANTED
    assert program.output.count("not yet") == 2


def test_simple_consumer_names_a_column_that_is_missing(customers, ini, spawn):
    customers.tick()
    program = spawn("simple_consumer", ini("simple_consumer", dst_query="select %%(nome)s"))
    output = program.wait_output("next try")
    assert "the statement wants column nome, which the event does not have" in output
    assert "Traceback" not in output
