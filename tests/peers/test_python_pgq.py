# SPDX-License-Identifier: ISC
"""Consumers written for python3-pgq 3.7, run by Debian's python on pgq, pgq_coop, pgq_ext 4.0."""

from __future__ import annotations

import random

import pytest

from tests.peers.conftest import CLIENTS, PYTHON, peer_env, write_ini
from tests.peers.work import insert, ledger, make_queue, tick

LEDGER = "create table ledger (id bigint, data text)"


def wait_ledger(db, expected, wait_until):
    wait_until(
        lambda: len(ledger(db)) >= len(expected),
        what=lambda: f"{len(expected)} entries, {len(ledger(db))} are there",
    )
    assert sorted(ledger(db)) == sorted(expected)


@pytest.fixture
def source(db):
    make_queue(db)
    db.execute(LEDGER)
    return db


def killed_at_random(source, start, done, wait_until, seed=11, rounds=8):
    """Kill the clients that `start` gives in the midst of their work, one after the other.

    `done` gives what they have done so far, as the data of events.
    """
    dice = random.Random(seed)
    sent = []
    running = start()
    for _ in range(rounds):
        before = len(sent)
        for _ in range(dice.randint(3, 8)):
            sent += insert(source, dice.randint(1, 60), first=len(sent) + 1)
            tick(source)
        wait_for(done, dice.randint(before, len(sent)), wait_until)
        dice.choice(running).kill()
        running = start()
    wait_for(done, len(sent), wait_until)
    assert sorted(done(), key=int) == sent
    assert len(sent) > 200


def wait_for(done, count, wait_until):
    wait_until(lambda: len(done()) >= count, what=lambda: f"{count} events, {len(done())} are done")


@pytest.mark.parametrize(
    ("script", "keys"),
    [
        ("plain.py", {}),
        ("plain.py", {"pgq_lazy_fetch": 0}),
        ("plain.py", {"pgq_lazy_fetch": 2}),
        ("whole.py", {"pgq_lazy_fetch": 7}),
        ("whole.py", {"pgq_lazy_fetch": 0}),
        ("plain.py", {"pgq_batch_collect_events": 50, "pgq_batch_collect_interval": "1 s"}),
        ("plain.py", {"pgq_keep_lag": "0.3 s"}),
        ("plain.py", {"table_filter": "t"}),
    ],
)
def test_a_consumer_reads_every_event(source, start_peer, run_peer, wait_until, script, keys):
    assert run_peer(script, "--register", db=source.conninfo, **keys).code == 0
    before = insert(source, 50)
    tick(source)
    client = start_peer(script, db=source.conninfo, **keys)
    if "table_filter" in keys:
        source.query("select pgq.insert_event('q', 'x', 'yes', 'public.t', null, null, null)")
        before = ["yes"]
    tick(source)
    if "pgq_batch_collect_interval" in keys or "pgq_keep_lag" in keys:
        insert_more = insert(source, 10, first=51)
        tick(source)
        before += insert_more
        wait_until(lambda: tick(source) or len(ledger(source)) >= len(before))
    wait_ledger(source, before, wait_until)
    client.stop()
    assert run_peer(script, "--unregister", db=source.conninfo, **keys).code == 0
    assert source.query("select * from pgq.get_consumer_info()") == []


@pytest.mark.parametrize("lazy", [0, 2, 300])
def test_retried_events_come_again(source, start_peer, run_peer, wait_until, lazy):
    run_peer("plain.py", "--register", db=source.conninfo)
    source.query("select pgq.insert_event('q', 'retry', 'again' || n) from generate_series(1, 5) n")
    expected = [*insert(source, 5), *(f"again{n}" for n in range(1, 6))]
    tick(source)
    start_peer("plain.py", db=source.conninfo, pgq_lazy_fetch=lazy)
    wait_until(lambda: len(ledger(source)) == 5)

    def brought_back():
        source.query("select pgq.maint_retry_events()")
        tick(source)
        return len(ledger(source)) >= 10

    wait_until(brought_back)
    assert sorted(ledger(source)) == sorted(expected)
    assert source.value("select max(id) - min(id) from ledger") == 9
    assert source.value("select count(*) from pgq.retry_queue") == 0


@pytest.mark.slow
@pytest.mark.parametrize(("script", "lazy"), [("plain.py", 7), ("whole.py", 0)])
def test_a_consumer_killed_at_random(source, start_peer, run_peer, wait_until, script, lazy):
    keys = {"db": source.conninfo, "pgq_lazy_fetch": lazy}
    run_peer(script, "--register", **keys)
    killed_at_random(
        source,
        lambda: [start_peer(script, **keys)],
        lambda: ledger(source),
        wait_until,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "keys", [{}, {"pgq_batch_collect_events": 4, "pgq_batch_collect_interval": "0.2 s"}]
)
def test_a_consumer_killed_at_random_gets_batches_within_the_limit(
    db, start_peer, run_peer, wait_until, keys
):
    make_queue(db, batch_max_events="5")
    db.execute("create table ledger (id bigint, data text, batch bigint default txid_current())")
    keys = {"db": db.conninfo, **keys}
    run_peer("plain.py", "--register", **keys)
    killed_at_random(
        db,
        lambda: [start_peer("plain.py", **keys)],
        lambda: db.query("select pgq.ticker('q')") and ledger(db),
        wait_until,
    )
    sizes = {size for (size,) in db.query("select count(*) from ledger group by batch")}
    assert 5 in sizes
    assert max(sizes) == 5


@pytest.mark.slow
def test_a_consumer_of_the_engine_without_c_killed_at_random(
    make_new_db, start_peer, run_peer, wait_until
):
    source = make_new_db("pgq_pl.sql")
    make_queue(source)
    source.execute(LEDGER)
    run_peer("plain.py", "--register", db=source.conninfo)
    killed_at_random(
        source,
        lambda: [start_peer("plain.py", db=source.conninfo)],
        lambda: ledger(source),
        wait_until,
    )


@pytest.mark.slow
def test_siblings_of_a_coop_consumer_killed_at_random(source, start_peer, wait_until):
    running = {}

    def start():
        for name in ("one", "two", "three"):
            if name not in running or not running[name].running:
                running[name] = start_peer(
                    "coop.py",
                    job_name=name,
                    consumer_name="shared",
                    db=source.conninfo,
                    subconsumer_name=name,
                    subconsumer_timeout="2 s",
                )
        return list(running.values())

    source.query("select pgq_coop.register_subconsumer('q', 'shared', 'one')")
    killed_at_random(source, start, lambda: ledger(source), wait_until)


def test_a_coop_consumer_registers_and_leaves(source, run_peer):
    keys = {"db": source.conninfo, "consumer_name": "shared", "subconsumer_name": "one"}
    assert run_peer("coop.py", "--register", **keys).code == 0
    assert source.query("select consumer_name from pgq.get_consumer_info()") == [
        ("shared",),
        ("shared.one",),
    ]
    assert run_peer("coop.py", "--unregister", **keys).code == 0


@pytest.mark.slow
def test_a_local_consumer_killed_at_random(source, start_peer, run_peer, tmp_path, wait_until):
    out = tmp_path / "out"
    out.mkdir()
    keys = {
        "db": source.conninfo,
        "local_tracking_file": tmp_path / "position",
        "out": out,
    }
    assert run_peer("local.py", "--register", **keys).code == 0

    def written():
        return [line for path in out.iterdir() for line in path.read_text().split()]

    killed_at_random(source, lambda: [start_peer("local.py", **keys)], written, wait_until)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["serial", "batch"])
def test_a_remote_consumer_killed_at_random(
    source, make_db, start_peer, run_peer, wait_until, kind
):
    """Exactly once in the other database, by pgq_ext."""
    target = make_db()
    target.execute(LEDGER)
    keys = {"db": source.conninfo, "target": target.conninfo}
    assert run_peer("remote.py", kind, "--register", **keys).code == 0
    killed_at_random(
        source,
        lambda: [start_peer("remote.py", kind, **keys)],
        lambda: ledger(target),
        wait_until,
    )


def test_a_serial_consumer_is_rewound_and_reset(source, make_db, start_peer, run_peer, wait_until):
    target = make_db()
    target.execute(LEDGER)
    keys = {"db": source.conninfo, "target": target.conninfo}
    run_peer("remote.py", "serial", "--register", **keys)
    first = insert(source, 3)
    tick(source)
    client = start_peer("remote.py", "serial", **keys)
    wait_ledger(target, first, wait_until)
    client.stop()
    # the source goes back; the target knows better
    source.query("select pgq.register_consumer_at('q', 'peer', 1)")
    assert run_peer("remote.py", "serial", "--rewind", **keys).code == 0
    assert run_peer("remote.py", "serial", "--reset", **keys).code == 0
    assert target.value("select pgq_ext.get_last_tick('peer')") is None
    second = insert(source, 3, first=4)
    tick(source)
    start_peer("remote.py", "serial", **keys)
    wait_ledger(target, first + second, wait_until)


def test_producers_of_python3_pgq(source, run_program):
    source.query("select pgq.register_consumer('q', 'c')")
    done = run_program(PYTHON, CLIENTS / "produce.py", source.conninfo, "q", env=peer_env())
    assert done.code == 0, done.err
    rows = source.query("select ev_type, ev_data, ev_extra1 from pgq.event_template order by ev_id")
    assert rows == [("t", "single", "extra"), *(("t", f"bulk{n}", None) for n in range(5))]


def test_pgqstatus_prints_our_queues(source, run_program, tmp_path):
    source.query("select pgq.register_consumer('q', 'c')")
    insert(source, 3)
    tick(source)
    ini = write_ini(tmp_path / "status.ini", "pgqadm", {"db": source.conninfo, "job_name": "s"})
    done = run_program(PYTHON, CLIENTS / "status.py", ini, env=peer_env())
    assert done.code == 0, done.err
    words = done.out.split()
    assert {"q", "c"} <= set(words), done.out
    assert "4.0" in done.out
