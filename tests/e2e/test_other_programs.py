# SPDX-License-Identifier: ISC
"""queue_loader and data_maintainer as processes: templates, samples, wrong input, a whole run."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.fixtures.cascade import add_node, make_root

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LOADER = "db = dbname=x\nqueue_name = q"
PROGRAMS = ("queue_loader", "data_maintainer")


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_template_and_the_example_are_good(run_program, name):
    done = run_program(name, "--check", EXAMPLES / f"{name}.ini")
    assert (done.code, done.err) == (0, "")
    assert f"[{name}]" in run_program(name, "--ini").out


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("queue_loader", "db = dbname=x\nqueue = q", "queue: unknown key"),
        ("queue_loader", "db = dbname=x", "queue_name: must be set"),
        ("queue_loader", f"{LOADER}\n[public.t]\nrow_mode = x", "[public.t] row"),
        ("queue_loader", f"{LOADER}\nrename_tables = a", "'a' is not of the form"),
        ("data_maintainer", "sql_modify = select 1", "dbwrite: must be set"),
        ("data_maintainer", "dbwrite = dbname=x\nsql_modify = select 1", "dbread or fileread"),
    ],
)
def test_wrong_input_is_one_line_a_fault(run_program, tmp_path, name, text, told):
    path = tmp_path / "x.ini"
    path.write_text(f"[{name}]\n{text}\n")
    done = run_program(name, "--check", path)
    assert done.code == 2
    assert told in done.err
    assert "Traceback" not in done.err
    assert all(line.startswith(f"{name}: ") for line in done.err.splitlines())


def test_loader_goes_on_where_it_was_killed(spawn, db, make_db, wait_until, tmp_path):
    root = make_root(db)
    leaf = add_node(root, root, make_db(), "leaf", "dwh")
    for node in (root, leaf):
        node.db.execute("create table t (id serial primary key, at timestamptz default now())")
    db.execute(
        "create trigger t after insert on t for each row execute function pgq.logutriga('q')"
    )
    path = tmp_path / "loader.ini"
    path.write_text(
        f"[queue_loader]\ndb = {leaf.db.conninfo}\nqueue_name = q\nconsumer_name = {leaf.worker}\n"
        "loop_delay = 0.1\n[DEFAULT]\ntable_mode = direct\nrow_mode = bulk\n"
    )
    for _ in range(4):
        program = spawn("queue_loader", path)
        program.wait_output("reading queue")
        for _ in range(5):
            db.execute("insert into t select from generate_series(1, 50)")
            root.events.tick()
        program.kill()
    program = spawn("queue_loader", path)
    rows = "select * from t order by id"
    wait_until(lambda: leaf.db.query(rows) == db.query(rows), what=lambda: program.output)
    program.signal(signal.SIGTERM)
    assert program.wait() == 0


def test_maintainer_ends_by_itself(run_program, db, tmp_path):
    db.execute("create table t (id int); insert into t values (1), (2)")
    path = tmp_path / "m.ini"
    path.write_text(
        f"[data_maintainer]\ndbread = {db.conninfo}\nsql_get_pk_list = select id from t\n"
        f"dbwrite = {db.conninfo}\nsql_modify = delete from t where id = %%(id)s\n"
    )
    done = run_program("data_maintainer", path)
    assert done.code == 0, done.err
    assert "{count: 2}" in done.err
    assert db.value("select count(*) from t") == 0
