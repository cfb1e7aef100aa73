# SPDX-License-Identifier: ISC
"""Debian's londiste 3.11 on pgq and pgq_node 4.0, alone and beside 3.5; with its SQL and ours."""

from __future__ import annotations

import random

import pytest

from tests.peers.conftest import PEERS, peer_env, write_ini
from tests.peers.work import make_queue

NODES = ("root", "branch", "leaf")

TABLES = """
create table people (id serial primary key, name text, born date, more jsonb);
create table "Odd ""name" (a int, b text, c numeric, primary key (b, a));
create table parents (id int primary key);
create table children (id int primary key, parent int references parents);
create sequence loose;
"""


RESTORED = """
select 1 from pg_constraint
 where contype = 'f' and conrelid = 'public.children'::regclass and convalidated"""


class Site:
    """root -> branch -> leaf, by londiste; with a user of his own, who also has the tables."""

    def __init__(self, databases, spawn, run_program, folder, new=(), user="postgres"):
        self.databases = databases
        self.workers = {}
        self._spawn = spawn
        self._run = run_program
        self.inis = {}
        self._conninfos = {
            name: db.conninfo.replace("user=postgres", f"user={user}")
            for name, db in databases.items()
        }
        for name, db in self.databases.items():
            db.execute("create extension londiste version %s", ("4.0" if name in new else "3.8",))
            db.execute("set role " + user)
            db.execute(TABLES)
            db.execute("reset role")
            self.inis[name] = write_ini(
                folder / f"{name}.ini",
                "londiste",
                {"job_name": f"{name}_w", "db": self._conninfos[name], "queue_name": "q",
                 "pidfile": folder / f"{name}.pid", "logfile": folder / f"{name}.log",
                 "loop_delay": 0.1, "exception_sleep": 0.3, "parallel_copies": 4},
            )  # fmt: skip

    def londiste(self, node, *words, code=0):
        """Run a command on one node's database."""
        done = self._run(
            PEERS / "usr/bin/londiste", self.inis[node], *words, env=peer_env(), timeout=120
        )
        assert done.code == code, done.out + done.err
        return done.out + done.err

    def create(self):
        above = None
        for name, conninfo in self._conninfos.items():
            more = [f"--provider={above}"] if above else []
            self.londiste(name, f"create-{name}", name, conninfo, *more)
            above = conninfo

    def start(self, name):
        self.workers[name] = self._spawn(
            PEERS / "usr/bin/londiste", "-v", self.inis[name], "worker", env=peer_env()
        )

    def state(self, name):
        return dict(
            self.databases[name].query("select table_name, merge_state from londiste.table_info")
        )

    def wait_synced(self, name, wait_until):
        wait_until(
            lambda: set(self.state(name).values()) == {"ok"},
            90,
            lambda: f"{name}: {self.state(name)}\n{self.workers[name].output[-3000:]}",
        )


def content(db):
    return {
        name: db.query(f"select * from {name} order by 1, 2")
        for name in ("people", '"Odd ""name"', "children")
    }


@pytest.fixture
def make_site(server, make_db, make_old_db, spawn, run_program, start_pgqd35, tmp_path):
    """Give a function that makes and starts a site.

    Nodes named `old` have pgq and pgq_node 3.5, those named `new` have londiste 4.0; `user` is
    whom programs connect as.
    """

    def make(old=(), new=(), user="postgres"):
        databases = {name: make_old_db() if name in old else make_db() for name in NODES}
        for name in old:
            databases[name].execute("create extension pgq_node version '3.5'")
        if user != "postgres":
            for db in databases.values():
                db.execute(f"grant create on schema public to {user}")
        made = Site(databases, spawn, run_program, tmp_path, new, user)
        made.create()
        make_queue(databases["root"])  # there already; sets its ticks
        start_pgqd35(server, *(db.name for db in databases.values()))
        for name in NODES:
            made.start(name)
        return made

    return make


def change(db, dice):
    """Some changes of each kind, in a transaction each."""
    db.execute(
        "insert into people (name, born, more) select 'n' || n, '2000-01-01'::date + n,"
        " jsonb_build_object('n', n) from generate_series(1, %s) n",
        (dice.randint(1, 20),),
    )
    db.execute("update people set name = null where id %% 7 = %s", (dice.randint(0, 6),))
    db.execute("delete from people where id %% 11 = %s", (dice.randint(0, 10),))
    db.execute(
        'insert into "Odd ""name" values (%s, %s, %s) on conflict (b, a) do update'
        ' set c = excluded.c + 1',
        (dice.randint(1, 5), dice.choice("xyz'\\\"\n"), dice.random()),
    )  # fmt: skip


def same_everywhere(site, wait_until, root="root"):
    expected = content(site.databases[root])
    for name, db in site.databases.items():
        wait_until(
            lambda db=db: content(db) == expected,
            60,
            lambda name=name: f"{name} is as {root}\n{site.workers[name].output[-3000:]}",
        )


ALL = ("people", 'Odd "name', "parents", "children")


@pytest.mark.slow
def test_londiste_copies_and_replicates(make_site, wait_until):
    """add-table with a copy, changes while workers are killed, compare, repair."""
    site = make_site()
    root = site.databases["root"]
    dice = random.Random(1)
    for _ in range(5):
        change(root, dice)
    root.execute("insert into parents values (1), (2)")
    root.execute("insert into children values (1, 1), (2, 2)")
    for name in NODES:
        site.londiste(name, "add-table", *ALL)
        site.londiste(name, "add-seq", "loose")
        if name != "root":
            site.wait_synced(name, wait_until)
    same_everywhere(site, wait_until)
    for _ in range(6):
        for _ in range(5):
            change(root, dice)
        root.execute("insert into children select max(id) + 1, 1 from children")
        name = dice.choice(NODES)
        site.workers[name].kill()
        site.start(name)
    same_everywhere(site, wait_until)
    for name in ("branch", "leaf"):
        db = site.databases[name]
        wait_until(lambda db=db: db.query(RESTORED), 90, f"{name} has its foreign key back")
    site.londiste("branch", "compare")
    # a row of the branch is lost, and found by compare and repair
    branch = site.databases["branch"]
    branch.execute("set session_replication_role = replica")
    branch.execute("delete from people where id = (select max(id) from people)")
    assert "do not match" in site.londiste("branch", "compare", "people", code=1)
    site.londiste("branch", "repair", "--apply", "people")
    same_everywhere(site, wait_until)


@pytest.mark.slow
def test_londiste_executes_truncates_and_switches_over(make_site, wait_until, tmp_path):
    """DDL through the queue, TRUNCATE, remove-table, takeover of the root by the branch."""
    site = make_site()
    root, branch = site.databases["root"], site.databases["branch"]
    for name in NODES:
        site.londiste(name, "add-table", "people", "--expect-sync")
    script = tmp_path / "ddl.sql"
    script.write_text("alter table people add column extra text default 'x';\n")
    site.londiste("root", "execute", script)
    root.execute("insert into people (name) select 'n' || n from generate_series(1, 10) n")
    same_everywhere(site, wait_until)
    root.execute("truncate people")
    same_everywhere(site, wait_until)
    root.execute("insert into people (name, extra) values ('after', 'y')")
    same_everywhere(site, wait_until)
    site.londiste("branch", "takeover", "root")
    assert branch.value("select pgq_node.is_root_node('q')")
    branch.execute("insert into people (id, name) values (100, 'on the new root')")
    for name in ("root", "leaf"):
        db = site.databases[name]
        wait_until(lambda db=db: db.query("select name from people where id = 100"), 60)
    with pytest.raises(Exception, match=r"change not allowed|disallowed"):
        root.execute("insert into people (name) values ('refused')")
    status = site.londiste("leaf", "status")
    assert all(name in status for name in NODES), status
    site.londiste("leaf", "remove-table", "people")
    site.londiste("leaf", "drop-node", "leaf")


@pytest.mark.slow
@pytest.mark.parametrize("old", [("root",), ("branch",), ("leaf",), ("branch", "leaf")])
def test_nodes_of_3_5_and_4_0_in_one_cascade(make_site, wait_until, old):
    """And each of the old nodes is updated in place, while all work."""
    site = make_site(old)
    root = site.databases["root"]
    dice = random.Random(2)
    for name in NODES:
        site.londiste(name, "add-table", "people", 'Odd "name', "--expect-sync")
    for name in old:
        for _ in range(5):
            change(root, dice)
        same_everywhere(site, wait_until)
        db = site.databases[name]
        # londiste first: it works on pgq 3.5 too, a site may update in any order
        db.execute("alter extension londiste update to '4.0'")
        for _ in range(3):
            change(root, dice)
        same_everywhere(site, wait_until)
        db.execute("alter extension pgq update")
        db.execute("alter extension pgq_node update")
        version = db.value("select pgq.version() || pgq_node.version() || londiste.version()")
        assert version == "4.04.04.0"
    for _ in range(5):
        change(root, dice)
    same_everywhere(site, wait_until)
    site.londiste("branch", "takeover", "root")
    site.databases["branch"].execute("insert into people (id, name) values (1000, 'new root')")
    for name in ("root", "leaf"):
        db = site.databases[name]
        wait_until(lambda db=db: db.query("select name from people where id = 1000"), 60)


def add_all(site, wait_until):
    """Add tables and sequences everywhere, and wait until they are in sync."""
    for name in NODES:
        site.londiste(name, "add-table", *ALL)
        site.londiste(name, "add-table", *ALL)
        site.londiste(name, "add-seq", "loose", "people_id_seq")
        if name != "root":
            site.wait_synced(name, wait_until)
    same_everywhere(site, wait_until)


@pytest.mark.slow
@pytest.mark.parametrize("new", [("root",), ("leaf",), NODES])
def test_nodes_with_our_sql_in_one_cascade(make_site, wait_until, tmp_path, new):
    """The old program on the new schema: copies, sequences, DDL, resync, removal, takeover."""
    site = make_site(new=new)
    root, branch, leaf = (site.databases[name] for name in NODES)
    dice = random.Random(3)
    for _ in range(5):
        change(root, dice)
    root.execute("insert into parents values (1), (2)")
    root.execute("insert into children values (1, 1), (2, 2)")
    add_all(site, wait_until)
    assert "nosuch" in site.londiste("root", "add-table", "nosuch", code=1)

    # sequences run ahead of the root, foreign keys are back, nobody writes but the worker
    root.execute("select setval('loose', 100000)")
    for db in (branch, leaf):
        wait_until(lambda db=db: db.value("select last_value from loose") >= 130000, 60)
        wait_until(lambda db=db: db.query(RESTORED), 90)
        with pytest.raises(Exception, match=r"change not allowed|disallowed"):
            db.execute("insert into parents values (3)")

    script = tmp_path / "more.sql"
    script.write_text("alter table people add column extra text default 'x';\n")
    site.londiste("root", "execute", script)
    for _ in range(5):
        change(root, dice)
    root.execute('truncate "Odd ""name"')
    change(root, dice)
    same_everywhere(site, wait_until)
    site.londiste("leaf", "resync", "people")
    site.wait_synced("leaf", wait_until)
    for name in ("branch", "leaf"):
        site.londiste(name, "tables")
        site.londiste(name, "seqs")
    site.londiste("branch", "compare")

    site.londiste("leaf", "remove-table", "parents", "children")
    assert "public.parents" in site.londiste("leaf", "missing")
    leaf.execute("insert into parents values (1000)")
    used = root.value("select nextval('loose')")
    site.londiste("branch", "takeover", "root")
    assert branch.value("select nextval('loose')") > used
    branch.execute("insert into people (name) values ('on the new root')")
    for db in (root, leaf):
        wait_until(lambda db=db: db.query("select 1 from people where name = 'on the new root'"))


@pytest.mark.slow
def test_workers_need_no_superuser_on_our_sql(make_site, make_db, wait_until, tmp_path):
    """A member of londiste_writer, who has the tables, does all that a worker does."""
    admin = make_db()
    admin.execute("create extension londiste")  # makes the roles
    admin.execute(
        "drop role if exists lond_worker; create role lond_worker login in role londiste_writer"
    )
    site = make_site(new=NODES, user="lond_worker")
    root, leaf = site.databases["root"], site.databases["leaf"]
    dice = random.Random(4)
    change(root, dice)
    add_all(site, wait_until)
    for _ in range(5):
        change(root, dice)
    script = tmp_path / "ddl.sql"
    script.write_text("alter table people add column extra text default 'x';\n")
    site.londiste("root", "execute", script)
    change(root, dice)
    same_everywhere(site, wait_until)
    site.londiste("leaf", "remove-table", "people")
    site.londiste("branch", "takeover", "root")
    assert leaf.query("select 1 from pg_roles where rolname = 'lond_worker' and not rolsuper")
