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


class Shards:
    """Databases one and two, and whole, into which both are merged, under queue qw."""

    def __init__(self, databases, run_program, folder):
        self.databases = databases
        self.whole = databases["whole"]
        self.inis = {}
        self._run = run_program
        self._folder = folder
        for db in databases.values():
            db.execute("create extension londiste")
            db.execute(TABLES)

    def londiste(self, node, *words):
        done = self._run(
            PEERS / "usr/bin/londiste", self.inis[node], *words, env=peer_env(), timeout=120
        )
        assert done.code == 0, done.out + done.err

    def _job(self, node, queue, database):
        self.inis[node] = write_ini(
            self._folder / f"{node}.ini",
            "londiste",
            {"job_name": f"{node}_w", "db": database.conninfo, "queue_name": queue,
             "pidfile": self._folder / f"{node}.pid", "logfile": self._folder / f"{node}.log",
             "loop_delay": 0.1, "exception_sleep": 0.3, "parallel_copies": 4},
        )  # fmt: skip

    def create(self):
        self._job("whole", "qw", self.whole)
        self.londiste("whole", "create-root", "whole", self.whole.conninfo)
        make_queue(self.whole, "qw")
        for number, name in enumerate(("one", "two")):
            db, part = self.databases[name], f"part_{name}"
            self._job(name, f"q_{name}", db)
            self._job(part, f"q_{name}", self.whole)
            self.londiste(name, "create-root", name, db.conninfo)
            self.londiste(part, "create-leaf", part, self.whole.conninfo,
                          f"--provider={db.conninfo}", "--merge=qw")  # fmt: skip
            make_queue(db, f"q_{name}")
            db.execute(
                "insert into parents select n * 2 + %s, 'p' from generate_series(1, 100) n",
                (number,),
            )
            db.execute("insert into children select id, id, 'c' from parents")
            self.londiste(name, "add-table", "parents", "children")

    def known(self):
        rows = self.whole.query("select 1 from londiste.table_info where queue_name ~ 'q_'")
        return len(rows) == 4

    def states(self):
        return {row[0] for row in self.whole.query("select merge_state from londiste.table_info")}

    def merged(self):
        parts = [self.databases[name].query("select * from children") for name in ("one", "two")]
        return sorted(self.whole.query("select * from children")) == sorted(parts[0] + parts[1])


@pytest.mark.slow
def test_two_roots_are_merged(
    server, make_db, spawn, run_program, start_pgqd35, tmp_path, wait_until
):
    """--merge-all: copies are coordinated, indexes and foreign keys come back, changes follow."""
    site = Shards({name: make_db() for name in ("one", "two", "whole")}, run_program, tmp_path)
    site.create()
    whole = site.whole
    catalog = sorted(whole.query(CATALOG))
    start_pgqd35(server, *(db.name for db in site.databases.values()))
    workers = [
        spawn(PEERS / "usr/bin/londiste", "-v", ini, "worker", env=peer_env())
        for ini in site.inis.values()
    ]

    def logs():
        return "".join(worker.output[-2000:] for worker in workers)

    wait_until(site.known, 60, logs)
    site.londiste("part_one", "add-table", "parents", "children", "--merge-all")
    wait_until(lambda: site.states() == {"ok"}, 120, logs)
    for name in ("one", "two"):
        site.databases[name].execute("update children set v = id::text where id % 3 = 0")
        site.databases[name].execute("delete from children where id % 7 = 0")
    wait_until(site.merged, 60, logs)
    wait_until(lambda: sorted(whole.query(CATALOG)) == catalog, 90, logs)
    events = "select count(*) from pgq.event_template where ev_extra1 = 'public.children'"
    assert whole.value(events) > 0, "the combined queue has the changes"
    with pytest.raises(Exception, match="change not allowed"):
        whole.execute("insert into children values (-1, 2)")
