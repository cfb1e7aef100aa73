# SPDX-License-Identifier: ISC
"""The doctor: each fault is made for real, found by its name, and gone after what mends it."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator

import pytest

from skytools.core.cli import Output
from skytools.core.db import Database
from skytools.core.errors import DatabaseError, SkytoolsError
from skytools.daemons.qadmin.doctor.report import CHECKS, examine
from skytools.daemons.qadmin.language import grammar
from skytools.daemons.qadmin.lexer import split, statement
from skytools.daemons.qadmin.session import Session, Told
from tests.fixtures.faults import FAULTS, HEALTHY, Patient
from tests.fixtures.queue import Queue
from tests.fixtures.server import TEMPLATE
from tests.fixtures.wait import wait_until

AGE = 300.0


# What a database that may be used again has, and nothing else.
SAME = """
    select (select array_agg(queue_name) from pgq.queue),
           (select array_agg(co_name) from pgq.consumer),
           (select count(*) from pgq_node.node_location), (select count(*) from pgq.retry_queue),
           (select count(*) from pg_class where relnamespace = 'public'::regnamespace),
           (select count(*) from pg_trigger where not tgisinternal),
           (select queue_rotation_period from pgq.queue where queue_switch_step2 is not null)"""


class Ward:
    """Databases that are well after a test are used by the next: making one takes longest."""

    def __init__(self, server):
        self.server = server
        self.made = 0
        self.free = None

    def admit(self):
        if self.free is not None:
            db, self.free = self.free, None
            return db
        self.made += 1
        name = f"patient{self.made}"
        self.server.createdb(name, TEMPLATE)
        db = Database(name, self.server.conninfo(name), autocommit=True)
        db.execute(HEALTHY)
        self.recover(db)
        self.same = db.query(SAME)
        return db

    def recover(self, db):
        """Bring ticks and consumer up to now."""
        Queue(db, "q").tick()
        while batch := db.value("select pgq.next_batch('q', 'c')"):
            db.query("select pgq.finish_batch(%s)", (batch,))

    def discharge(self, db):
        with contextlib.suppress(SkytoolsError):
            self.recover(db)
            session = Session(db.conninfo, Output(stream=io.StringIO()), grammar())
            well = examine(session, AGE, 0.001)[0] == [] and db.query(SAME) == self.same
            session.close()
            if well:
                self.free = db
                return
        self.drop(db)

    def drop(self, db):
        db.close()
        self.server.dropdb(db.name)


@pytest.fixture(scope="module")
def ward(server):
    ward = Ward(server)
    yield ward
    if ward.free is not None:
        ward.drop(ward.free)


@pytest.fixture
def patient(ward, make_db) -> Iterator[Patient]:
    db = ward.admit()
    sessions: list[Database] = []
    yield Patient(db, Queue(db, "q"), make_db, sessions)
    for session in sessions:
        session.close()
    ward.discharge(db)


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
    wait_until(lambda: not found(doctor, age, only=fault), what=f"{fault} to be mended")


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
