# SPDX-License-Identifier: ISC
"""The doctor: each fault is made for real, found by its name, and gone after what mends it."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from skytools.core.cli import Output
from skytools.core.db import Database
from skytools.core.errors import DatabaseError
from skytools.daemons.qadmin.doctor.report import CHECKS, examine
from skytools.daemons.qadmin.language import grammar
from skytools.daemons.qadmin.lexer import split, statement
from skytools.daemons.qadmin.session import Session, Told
from tests.fixtures.cascade import Node, add_node, make_root
from tests.fixtures.queue import Queue
from tests.fixtures.wait import wait_until

AGE = 300.0


@dataclass
class Patient:
    """A healthy database: a queue with a tick a moment ago, a captured table, a consumer."""

    db: Database
    queue: Queue
    make_db: Callable[..., Database]
    sessions: list[Database]

    def run(self, text: str) -> None:
        self.db.execute(text)

    def session(self, name: str = "someone") -> Database:
        """Return one more connection, with a transaction."""
        one = Database(name, self.db.conninfo, application_name=name)
        self.sessions.append(one)
        return one

    def age_ticks(self, interval: str = "1 hour") -> None:
        """Let all that has happened so far have happened earlier."""
        self.run(
            f"""update pgq.tick set tick_time = tick_time - interval '{interval}';
                update pgq.subscription set sub_active = sub_active - interval '{interval}';
                update pgq.queue
                   set queue_switch_time = queue_switch_time - interval '{interval}'"""
        )

    def age_then_tick(self) -> None:
        """Let consumers be behind, and the ticker be well."""
        self.queue.insert(1)
        self.queue.tick()
        self.queue.insert(1)
        self.queue.tick()
        self.age_ticks()
        self.queue.insert(1)
        self.queue.tick()


HEALTHY = """
    select pgq.create_queue('q'), pgq.register_consumer('q', 'c');
    create table captured (id int primary key);
    create trigger capture after insert on captured
        for each row execute function pgq.logutriga('q');
    insert into captured values (1);
"""


@pytest.fixture
def patient(db, make_db) -> Iterator[Patient]:
    db.execute(HEALTHY)
    queue = Queue(db, "q")
    queue.tick()
    batch = db.value("select pgq.next_batch('q', 'c')")
    db.query("select pgq.finish_batch(%s)", (batch,))
    sessions: list[Database] = []
    yield Patient(db, queue, make_db, sessions)
    for session in sessions:
        session.close()


@pytest.fixture
def doctor(patient):
    out = Output(stream=io.StringIO())
    session = Session(patient.db.conninfo, out, grammar())
    yield session
    session.close()


def found(
    session: Session, age: float = AGE, free: float = 0.001, only: str = ""
) -> dict[str, list]:
    checks = [check for check in CHECKS if check.fault == (only or check.fault)]
    findings, skipped = examine(session, age, free, checks)
    assert skipped == {}
    names: dict[str, list] = {}
    for one in findings:
        names.setdefault(one.fault, []).append(one)
    return names


# How each fault comes about. What is returned is called when the mend is for people.


def ticker_dead(patient):
    patient.age_ticks()


def ticker_stuck(patient):
    ticker = patient.session("pgqd")
    assert ticker.value("select pgq.ticker_lock()")
    ticker.commit()
    patient.age_ticks()


def trigger_missing(patient):
    patient.run("drop trigger capture on captured")


def trigger_no_queue(patient):
    patient.run(
        """create table lonely (id int primary key);
           create trigger t after insert on lonely for each row
           execute function pgq.logutriga('Nowhere')"""
    )


def sequence_behind(patient):
    patient.run("select setval('pgq.event_1_id_seq', 1); select setval('pgq.event_1_tick_seq', 1)")
    patient.queue.db.execute("update pgq.tick set tick_event_seq = 5000, tick_id = tick_id + 50")
    patient.run("update pgq.subscription set sub_last_tick = sub_last_tick + 50")


def snapshot_held(patient):
    holder = patient.session("reporting")
    holder.execute("set transaction isolation level repeatable read")
    holder.query("select * from pgq.queue")
    return holder.rollback


def rotate(patient):
    """Make two rotations, so that the next one needs what the table of the first holds."""
    for _ in range(2):
        patient.run(
            "update pgq.queue set queue_switch_time = now() - interval '1 year';"
            "select pgq.maint_rotate_tables_step1('q')"
        )
        patient.run("select pgq.maint_rotate_tables_step2()")
        patient.queue.tick()
    patient.run("update pgq.queue set queue_switch_time = now() - interval '1 year'")


def rotation_consumer(patient):
    rotate(patient)
    patient.queue.tick()


def rotation_late(patient):
    patient.run("select pgq.unregister_consumer('q', 'c')")
    patient.run("update pgq.queue set queue_switch_time = now() - interval '1 year'")


def rotation_reader(patient):
    patient.run("select pgq.unregister_consumer('q', 'c')")
    patient.run("update pgq.queue set queue_switch_time = now() - interval '1 year'")
    reader = patient.session("pg_dump")
    reader.query("select count(*) from pgq.event_1_1")


def batch_open(patient):
    patient.queue.insert(1)
    patient.queue.tick()
    assert patient.db.value("select pgq.next_batch('q', 'c')")
    patient.run("update pgq.subscription set sub_active = now() - interval '1 hour'")


def consumer_gone(patient):
    patient.age_then_tick()


def consumer_slow(patient):
    patient.age_then_tick()
    assert patient.db.value("select pgq.next_batch('q', 'c')")

    def catch_up():
        while batch := patient.db.value("select pgq.next_batch('q', 'c')"):
            patient.db.query("select pgq.finish_batch(%s)", (batch,))

    return catch_up


def consumer_lost(patient):
    patient.queue.insert(1)
    patient.queue.tick()
    patient.run("delete from pgq.tick where tick_id = (select sub_last_tick from pgq.subscription)")


def coop_dead(patient):
    patient.run("select pgq_coop.register_subconsumer('q', 'g', 's')")
    patient.queue.insert(1)
    patient.queue.tick()
    assert patient.db.value("select pgq_coop.next_batch('q', 'g', 's')")
    patient.run(
        """update pgq.subscription set sub_active = now() - interval '1 hour'
            where sub_batch is not null"""
    )


def coop_blocked(patient):
    patient.run("select pgq_coop.register_subconsumer('q', 'g', 's')")
    patient.queue.insert(1)
    patient.queue.tick()
    assert patient.db.value("select pgq.next_batch('q', 'g')")


def retry_blocked(patient):
    patient.run("select pgq.insert_event_at('q', now() + interval '1 day', 't', 'd')")
    patient.run("update pgq.retry_queue set ev_retry_after = now() - interval '1 day'")


def dead_letters(patient):
    patient.queue.insert(1)
    patient.queue.tick()
    batch = patient.db.value("select pgq.next_batch('q', 'c')")
    patient.db.query(
        "select pgq.event_failed(%s, ev_id, 'no such customer') from pgq.get_batch_events(%s)",
        (batch, batch),
    )
    patient.db.query("select pgq.finish_batch(%s)", (batch,))


def functions_replaced(patient):
    patient.run(
        """alter extension pgq drop function pgq.insert_event(text, text, text);
           create or replace function pgq.insert_event(queue_name text, ev_type text, ev_data text)
           returns bigint language sql as 'select 1::bigint'"""
    )
    return lambda: patient.run(
        "alter extension pgq add function pgq.insert_event(text, text, text)"
    )


def extension_old(patient):
    patient.run("update pg_extension set extversion = '3.5' where extname = 'pgq_ext'")
    return lambda: patient.run(
        "update pg_extension set extversion = '4.0' where extname = 'pgq_ext'"
    )


def replication_role(patient):
    patient.run(f"alter database {patient.db.name} set session_replication_role = replica")


def roles_wrong(patient):
    patient.run("revoke pgq_writer from pgq_admin")


def slot_unused(patient):
    patient.db.query("select pg_create_physical_replication_slot('forgotten', true)")


def node(patient: Patient, kind: str = "branch") -> tuple[Node, Node]:
    """Make the patient a node below a root elsewhere, of queue `cascade`."""
    root = make_root(patient.make_db(), queue="cascade")
    return root, add_node(root, root, patient.db, kind, "here")


def node_error(patient):
    _, here = node(patient)
    here.call("set_consumer_error", "cascade", here.worker, "duplicate key")
    return lambda: here.call("set_consumer_error", "cascade", here.worker, None)


def worker_paused(patient):
    _, here = node(patient)
    here.call("set_consumer_paused", "cascade", here.worker, True)


def worker_silent(patient):
    _, here = node(patient)
    here.call("set_consumer_uptodate", "cascade", here.worker, False)
    return lambda: here.call("set_consumer_uptodate", "cascade", here.worker, True)


def provider_unreachable(patient):
    root, here = node(patient)
    here.call("register_location", "cascade", "root", "host=/nowhere dbname=x", False)
    return lambda: here.add_location(root)


def provider_forgot(patient):
    root, here = node(patient)
    root.call("unregister_subscriber", "cascade", here.name)
    return lambda: root.call("register_subscriber", "cascade", here.name, here.worker, None)


def own_root(patient: Patient) -> tuple[Node, Node]:
    """Make the patient the root of a cascade with a branch below."""
    root = make_root(patient.db, queue="cascade")
    return root, add_node(root, root, patient.make_db(), "branch", "below")


def gravestone(patient):
    make_root(patient.db, queue="cascade")
    patient.db.query("select pgq.register_consumer('cascade', 'old.gravestone')")
    return lambda: patient.db.query("select pgq.unregister_consumer('cascade', 'old.gravestone')")


def watermark_orphan(patient):
    make_root(patient.db, queue="cascade")
    patient.db.query("select pgq.register_consumer('cascade', '.gone.watermark')")


def subscriber_dead(patient):
    root, below = own_root(patient)
    root.call("register_location", "cascade", below.name, None, True)


def sql(text: str) -> Callable[[Patient], None]:
    return lambda patient: patient.run(text)


FAULTS: dict[str, Callable[[Patient], Callable[[], object] | None]] = {
    "pgq-missing": sql("drop extension pgq cascade"),
    "extension-old": extension_old,
    "functions-replaced": functions_replaced,
    "roles-wrong": roles_wrong,
    "grants-missing": sql("revoke execute on function pgq.finish_batch(bigint) from pgq_reader"),
    "replication-role": replication_role,
    "ticker-dead": ticker_dead,
    "ticker-stuck": ticker_stuck,
    "queue-paused": sql("select pgq.set_queue_config('q', 'ticker_paused', '1')"),
    "external-ticker": sql("select pgq.set_queue_config('q', 'external_ticker', '1')"),
    "insert-disabled": sql("update pgq.queue set queue_disable_insert = true"),
    "insert-limit": sql("update pgq.queue set queue_per_tx_limit = 0"),
    "tick-missing": sql("select pgq.unregister_consumer('q', 'c'); delete from pgq.tick"),
    "txid-backwards": sql(
        """update pgq.tick set tick_snapshot = '99999999:99999999:'
            where tick_id = (select max(tick_id) from pgq.tick)"""
    ),
    "sequence-behind": sequence_behind,
    "sequence-missing": sql("drop sequence pgq.event_1_id_seq cascade"),
    "event-table-missing": sql("drop table pgq.event_1_2"),
    "rotation-step2": sql(
        """update pgq.queue set queue_switch_step2 = null,
                                queue_switch_time = now() - interval '1 hour'"""
    ),
    "rotation-late": rotation_late,
    "rotation-reader": rotation_reader,
    "rotation-consumer": rotation_consumer,
    "snapshot-held": snapshot_held,
    "slot-unused": slot_unused,
    "consumer-lost": consumer_lost,
    "consumer-gone": consumer_gone,
    "consumer-slow": consumer_slow,
    "batch-open": batch_open,
    "coop-dead": coop_dead,
    "coop-blocked": coop_blocked,
    "retry-blocked": retry_blocked,
    "dead-letters": dead_letters,
    "trigger-disabled": sql("alter table captured disable trigger capture"),
    "trigger-replica": sql("alter table captured enable replica trigger capture"),
    "trigger-no-queue": trigger_no_queue,
    "trigger-missing": trigger_missing,
    "node-error": node_error,
    "worker-paused": worker_paused,
    "worker-silent": worker_silent,
    "provider-unreachable": provider_unreachable,
    "provider-forgot": provider_forgot,
    "gravestone": gravestone,
    "watermark-orphan": watermark_orphan,
    "subscriber-dead": subscriber_dead,
}
# Nothing can be aged here: as if no time were allowed at all.
IMPATIENT = ("snapshot-held",)
# Tested in a way of its own.
APART = ("disk-full", "prepared-transaction")


def test_every_fault_is_tested():
    assert {check.fault for check in CHECKS} == {*FAULTS, *APART}
    assert len(CHECKS) >= 20


def test_nothing_is_wrong_with_a_healthy_database(doctor):
    assert found(doctor) == {}
    doctor.execute(statement("doctor free=0.001"))
    assert "nothing is wrong" in doctor.out.stream.getvalue()


@pytest.fixture
def undone(server):
    """Take back what concerns the whole server."""
    yield
    admin = Database("admin", server.conninfo(), autocommit=True)
    admin.execute("grant pgq_writer to pgq_admin")
    with contextlib.suppress(DatabaseError):
        admin.query("select pg_drop_replication_slot('forgotten')")
    admin.close()


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_found_and_mended(patient, doctor, undone, fault):
    age = 1e-6 if fault in IMPATIENT else AGE
    mend = FAULTS[fault](patient)
    seen = found(doctor, age)
    assert fault in seen, f"found instead: {seen}"
    for one in seen[fault]:
        assert one.subject
        assert one.seen
        assert "\n" not in one.seen + (one.advice or "")
        assert one.advice or one.mend
        run(doctor, one.mend)
    if mend is not None:
        mend()
    wait_until(lambda: not found(doctor, age, only=fault), 30, f"{fault} to be mended")


def run(session: Session, mend: str | None) -> None:
    """Run what mends a fault, as a user would paste it."""
    if mend is None:
        return
    statements, rest = split(mend)
    assert not rest.strip(), mend
    for one in statements:
        session.execute(one)


def test_prepared_transaction_on_a_server_that_has_them(make_server):
    server = make_server("prepared", max_prepared_transactions="2")
    server.createdb("x", "skytools_template")
    db = Database("x", server.conninfo("x"), autocommit=True)
    db.execute("begin; create table t (a int); prepare transaction 'left alone'")
    session = Session(db.conninfo, Output(stream=io.StringIO()), grammar())
    (one,) = found(session, 1e-6)["prepared-transaction"]
    assert one.subject == "left alone"
    run(session, one.mend)
    assert "prepared-transaction" not in found(session, 1e-6)
    session.close()
    db.close()


def test_the_disk_is_measured(doctor):
    (one,) = found(doctor, free=100)["disk-full"]
    assert "are free where /" in one.seen
    assert "disk-full" not in found(doctor)


def test_findings_end_with_their_exit_code_and_are_json_too(patient, doctor):
    patient.run("alter table captured disable trigger capture")
    with pytest.raises(Told) as told:
        doctor.execute(statement("doctor free=0.001"))
    assert told.value.exit_code == 3
    text = doctor.out.stream.getvalue()
    assert "trigger-disabled: a capture trigger is off" in text
    assert "=> alter table captured enable trigger capture;" in text
    doctor.out.as_json, doctor.out.stream = True, io.StringIO()
    with pytest.raises(Told):
        doctor.execute(statement("doctor free=0.001"))
    data = json.loads(doctor.out.stream.getvalue())
    assert [one["fault"] for one in data["findings"]] == ["trigger-disabled"]
    assert data["skipped"] == {}


def test_a_role_without_rights_is_told_what_was_not_looked_for(patient, server):
    patient.run("create role nobody_special login")
    info = f"{patient.db.conninfo} user=nobody_special"
    session = Session(info, Output(stream=io.StringIO()), grammar())
    try:
        session.execute(statement("doctor free=0.001"))
        text = session.out.stream.getvalue()
        assert "not looked for dead-letters: " in text
        assert "permission denied" in text
    finally:
        session.close()
        patient.run("drop role nobody_special")
