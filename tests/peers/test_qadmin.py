# SPDX-License-Identifier: ISC
"""qadmin and its doctor on databases of pgq 3.5, and of the engine without C."""

from __future__ import annotations

import io

import pytest

from skytools.core.cli import Output
from skytools.daemons.qadmin.doctor.report import examine
from skytools.daemons.qadmin.language import grammar
from skytools.daemons.qadmin.lexer import split
from skytools.daemons.qadmin.session import Session


@pytest.fixture(params=["extension 3.5", "pgq.sql of 3.5", "4.0", "pgq_pl.sql of 4.0"])
def session(request, make_old_db, make_new_db):
    make = make_old_db if "3.5" in request.param else make_new_db
    script = request.param.split()[0] if ".sql" in request.param else ""
    db = make(script)
    session = Session(db.conninfo, Output(stream=io.StringIO()), grammar(), "q")
    session.old = "3.5" in request.param
    yield session
    session.close()


def run(session, text):
    for one in split(text)[0]:
        session.execute(one)


def test_the_doctor_looks_for_all_that_there_can_be(session):
    run(session, "create queue q; register consumer c; tick queue;")
    batch = session.db.value("select pgq.next_batch('q', 'c')")
    session.db.query("select pgq.finish_batch(%s)", (batch,))
    findings, skipped = examine(session, free=0.001)
    assert skipped == {}
    assert [one.fault for one in findings] == (["extension-old"] if session.old else [])
    session.db.execute("update pgq.tick set tick_time = tick_time - interval '1 hour'")
    names = {one.fault for one in examine(session, free=0.001)[0]}
    assert "ticker-dead" in names


def test_commands(session):
    run(
        session,
        """create queue q; alter queue q set max_count=7, max_lag='5 s', paused=1; show queue *;
           register consumer c; show consumer; watch; show ticks; insert event type=t data=d;
           alter queue q set paused=0; tick queue; register consumer d copy c;
           unregister consumer *; drop queue q;""",
    )
    assert session.db.value("select count(*) from pgq.queue") == 0
