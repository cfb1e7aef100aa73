# SPDX-License-Identifier: ISC
"""Debian's londiste 3.11 on our schema: two roots are merged into one table of a third database."""

from __future__ import annotations

import pytest

from tests.peers.conftest import PEERS, peer_env, write_ini
from tests.peers.work import make_queue

TABLES = """
create table parents (id int primary key, v text);
create table children (id int primary key, parent int references parents, v text);
create index on children (v);
"""
CATALOG = """
select conname::text, pg_get_constraintdef(oid) from pg_constraint
 where conrelid::regclass::text in ('parents', 'children') and convalidated
union all select indexname, indexdef from pg_indexes where tablename in ('parents', 'children')"""


@pytest.mark.slow
def test_two_roots_are_merged(
    server, make_db, spawn, run_program, start_pgqd35, tmp_path, wait_until
):
    """--merge-all: copies are coordinated, indexes and foreign keys come back, changes follow."""
    databases = {name: make_db() for name in ("one", "two", "whole")}
    for db in databases.values():
        db.execute("create extension londiste")
        db.execute(TABLES)
    inis = {}

    def job(node, queue, database):
        inis[node] = write_ini(
            tmp_path / f"{node}.ini",
            "londiste",
            {"job_name": f"{node}_w", "db": databases[database].conninfo, "queue_name": queue,
             "pidfile": tmp_path / f"{node}.pid", "logfile": tmp_path / f"{node}.log",
             "loop_delay": 0.1, "exception_sleep": 0.3, "parallel_copies": 4},
        )  # fmt: skip

    def londiste(node, *words):
        done = run_program(
            PEERS / "usr/bin/londiste", inis[node], *words, env=peer_env(), timeout=120
        )
        assert done.code == 0, done.out + done.err
        return done.out + done.err

    job("whole", "qw", "whole")
    londiste("whole", "create-root", "whole", databases["whole"].conninfo)
    for number, name in enumerate(("one", "two")):
        job(name, f"q_{name}", name)
        job(f"part_{name}", f"q_{name}", "whole")
        db = databases[name]
        londiste(name, "create-root", name, db.conninfo)
        londiste(f"part_{name}", "create-leaf", f"part_{name}", databases["whole"].conninfo,
                 f"--provider={db.conninfo}", "--merge=qw")  # fmt: skip
        make_queue(db, f"q_{name}")
        db.execute(
            "insert into parents select n * 2 + %s, 'p' from generate_series(1, 100) n", (number,)
        )
        db.execute("insert into children select id, id, 'c' from parents")
        londiste(name, "add-table", "parents", "children")
    make_queue(databases["whole"], "qw")
    whole = databases["whole"]
    catalog = sorted(whole.query(CATALOG))
    start_pgqd35(server, *(db.name for db in databases.values()))
    workers = [
        spawn(PEERS / "usr/bin/londiste", "-v", ini, "worker", env=peer_env())
        for ini in inis.values()
    ]

    def known():
        rows = whole.query("select count(*) from londiste.table_info where queue_name ~ 'q_'")
        return rows == [(4,)]

    wait_until(known, 60)
    londiste("part_one", "add-table", "parents", "children", "--merge-all")

    def states():
        return {row[0] for row in whole.query("select merge_state from londiste.table_info")}

    wait_until(lambda: states() == {"ok"}, 120, lambda: "".join(w.output[-2000:] for w in workers))
    for name in ("one", "two"):
        databases[name].execute("update children set v = id::text where id % 3 = 0")
        databases[name].execute("delete from children where id % 7 = 0")

    def merged():
        parts = [databases[n].query("select * from children") for n in ("one", "two")]
        return sorted(whole.query("select * from children")) == sorted(parts[0] + parts[1])

    wait_until(merged, 60, lambda: "".join(worker.output[-2000:] for worker in workers))
    wait_until(lambda: sorted(whole.query(CATALOG)) == catalog, 90)
    events = "select count(*) from pgq.event_template where ev_extra1 = 'public.children'"
    assert whole.value(events) > 0, "the combined queue has the changes"
    with pytest.raises(Exception, match="change not allowed"):
        whole.execute("insert into children values (-1, 2)")
