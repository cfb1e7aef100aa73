# SPDX-License-Identifier: ISC
"""Every command of londiste about tables, with right and wrong input: exit codes and one line."""

from __future__ import annotations

import pytest

from tests.fixtures.process import run

TABLES = """
create table t (id serial primary key, name text);
create type mood as enum ('good', 'bad');
create table u (
    id int generated always as identity (start 5) primary key, t int references t,
    twice int generated always as (t * 2) stored, e text default 'x' not null check (e <> ''),
    m mood default 'good', f numeric(10, 2), g text collate "C", unique (t, e));
create index ui on u (lower(e)) where t > 0;
create index ux on u using hash (e);
comment on table u is 'it''s \\ so';
comment on column u.e is 'text';
create function noop() returns trigger language plpgsql as 'begin return new; end';
create trigger before_u before update on u for each row when (old.e <> new.e)
    execute function noop();
alter table u disable trigger before_u;
create trigger z_after after insert on u for each row execute function noop();
create rule keep as on delete to u where old.id = 1 do instead nothing;
grant select, insert on u to reader_role with grant option;
grant update (e) on u to public;
create table p (a int, b date not null, c text default 'c', primary key (a, b))
    partition by range (b);
create table p1 partition of p for values from ('2020-01-01') to ('2021-01-01');
create table p2 partition of p default;
create index on p (c);
create sequence loose increment 2 cache 3;
grant usage on sequence loose to reader_role;
alter table t owner to reader_role;
"""
FILL = """
insert into t (name) select 'n' || n from generate_series(1, 9) n;
insert into u (t) select id from t;
insert into p select n, '2020-12-01'::date + n from generate_series(1, 90) n
"""
ROLE = """do $$ begin create role reader_role; exception when duplicate_object then null; end $$"""


@pytest.fixture
def pair(tree, ticking, cli):
    """Give root -> leaf, both working; the leaf is empty."""
    root, leaf = tree.root(), tree.node("leaf", "leaf", "root")
    root.db.execute(ROLE)
    root.db.execute(TABLES)
    root.db.execute(FILL)
    leaf.db.execute("create type mood as enum ('good', 'bad')")
    leaf.db.execute("create function noop() returns trigger language plpgsql as 'begin end'")
    ticking(root.db)
    cli.start("root")
    cli.start("leaf")
    return tree


def schema(server, db):
    """Return what pg_dump says of the tables, without what each node has of its own."""
    tables = ("t", "u", "p", "p1", "p2", "loose")
    done = run(
        server.program("pg_dump"), "--schema-only",
        *(f"--table=public.{name}" for name in tables), "-d", db.conninfo,
    )  # fmt: skip
    assert done.code == 0, done.err
    lines = [line for line in done.lines if "restrict " not in line and "START WITH" not in line]
    return "\n".join(line for line in lines if "_londiste_" not in line)


def test_tables_are_created_as_they_are_at_the_provider(pair, cli, server, wait_until):
    """columns, defaults, identity, constraints, indexes, triggers, rules, grants, partitions."""
    assert "Table added: public.t" in cli("root", "add-table", "t", "u", "p").err
    assert "Sequence added: public.loose" in cli("root", "add-seq", "loose").err
    dry = cli("leaf", "add-table", "u", "t", "p", "--create-full", "--dry-run").err
    assert "[dry run] Table added: public.t" in dry
    assert pair["leaf"].db.value("select to_regclass('public.t')") is None
    # u comes before t, which it refers to: the key is made when both are in sync.
    cli("leaf", "add-table", "u", "t", "p", "--create-full", "--wait-sync")
    cli("leaf", "add-seq", "--all", "--create-full")
    assert cli.json("leaf", "missing") == []
    cli("leaf", "compare")
    pair["leaf"].db.execute("update londiste.table_info set table_attrs = 'handler=vtable'")
    for command in ("compare", "repair"):
        assert "no table was looked at" in cli("leaf", command, code=1).err
    pair["leaf"].db.execute("update londiste.table_info set table_attrs = null")

    def same():
        return schema(server, pair["root"].db) == schema(server, pair["leaf"].db)

    wait_until(same, what=lambda: schema(server, pair["leaf"].db))
    assert {row["state"] for row in cli.json("leaf", "fkeys")} == {"there"}
    listed = ["public.p", "public.t", "public.u"]
    assert sorted(row["table_name"] for row in cli.json("leaf", "tables")) == listed
    assert sorted(cli("leaf", "tables", "--names-only").lines) == listed
    assert [row["seq_name"] for row in cli.json("leaf", "seqs")] == ["public.loose"]


REFUSED_AT_THE_ROOT = (
    (("add-table", "t", "--create"), "--create means nothing on the root"),
    (("add-table",), "Give names"),
    (("add-table", "t", "--all"), "not both"),
    (("add-table", "t", "u", "--dest-table=x"), "exactly one table"),
    (("add-table", "t", "--handler=nosuch"), "handler nosuch is not known"),
    (("add-table", "t", "--handler=bulk", "--handler-arg=what=1"), "unknown argument what"),
    (("add-table", "t", "--handler-arg=a"), "KEY=VALUE expected"),
    (("add-table", "t", "--trigger-flags=IX"), "X means nothing"),
    (("add-table", "t", "--trigger-arg=backup", "--trigger-arg=x"), "would refuse all changes"),
    (("add-table", "t", "--merge-all", "--no-merge"), "exclude each other"),
    (("add-table", "t", "--max-parallel-copy=0"), "1 or more"),
    (("resync", "t"), "this node is the root"),
    (("compare",), "is the root"),
    (("worker", "--rewind"), "is the root"),
)


def test_adding_and_removing(pair, cli):
    """What is done already is no error; what cannot be done changes nothing."""
    root, leaf = pair["root"].db, pair["leaf"].db
    root.execute("create table plain (a int)")
    assert "not available" in cli("root", "add-table", "nosuch", code=1).err
    assert "Cannot proceed" in cli("root", "add-table", "t", "nosuch", code=1).err
    assert cli.json("root", "tables") == []
    cli("root", "add-table", "t", "nosuch", "--skip-non-existing")
    assert "already" in cli("root", "add-table", "t").err
    assert "nothing matches" in cli("root", "add-table", "x*").err
    assert "no primary key" in cli("root", "add-table", "pla?n").err
    assert {row["obj_name"] for row in cli.json("root", "missing")} >= {"public.u", "public.loose"}
    cli("root", "add-table", "--all")
    assert "public.p1" in cli("root", "tables", "--names-only").lines
    for words, text in REFUSED_AT_THE_ROOT:
        assert text in cli("root", *words, code=2).err, words
    leaf.execute("create table t (id int primary key, name text)")
    assert "Table does not exist: public.u" in cli("leaf", "add-table", "u", code=1).err
    assert "the set has no such table" in cli("leaf", "add-table", "zzz", code=1).err
    shown = cli("leaf", "add-table", "t", "--expect-sync", "--handler=bulk",
                "--handler-arg=method=1").err  # fmt: skip
    assert "Table added: public.t" in shown
    assert cli.json("leaf", "tables")[0]["table_attrs"] == "handler=bulk%28method%3D1%29"
    same = cli("leaf", "change-handler", "t", "--handler=bulk", "--handler-arg=method=1").err
    assert "Handler is already set to desired value, nothing done" in same
    cli("leaf", "change-handler", "t")
    assert cli.json("leaf", "tables")[0]["table_attrs"] == ""
    assert "not available" in cli("leaf", "resync", "u", code=1).err
    assert "state set to NULL" in cli("leaf", "resync", "t", "--dry-run").err
    assert cli.json("leaf", "tables")[0]["merge_state"] == "ok"
    cli("leaf", "resync", "--all")
    cli("leaf", "wait-sync", "--timeout=120")
    assert leaf.value("select count(*) from t") == 9
    assert cli.json("leaf", "remove-table", "t", "--dry-run")[0]["table"] == "public.t"
    cli("leaf", "remove-table", "t")
    assert "already processed" in cli("leaf", "remove-table", "t").err
    assert "not in the set" in cli("leaf", "remove-table", "zzz", code=1).err
    assert cli.json("leaf", "tables") == []
    assert "not available" in cli("leaf", "add-seq", "loose", code=1).err
    cli("leaf", "add-seq", "loose", "--skip-non-existing")
    cli("root", "add-seq", "loose")
    assert "already" in cli("root", "add-seq", "loose").err
    assert "does not exist here" in cli("leaf", "add-seq", "loose", code=1).err
    assert "Sequence added" in cli("leaf", "add-seq", "loose", "--create").err
    assert "Sequence removed" in cli("leaf", "remove-seq", "loose").err
    assert "already processed" in cli("leaf", "remove-seq", "loose").err


def test_scripts_are_checked_before_anything_is_done(pair, cli):
    """execute: one transaction, known by base name, refused elsewhere than on the root."""
    good, bad, broken = (cli.folder / name for name in ("good.sql", "bad.sql", "broken.sql"))
    good.write_text("--*-- Local-Table: public.t\nalter table @public.t@ add column x int;\n")
    bad.write_text("--*-- Foo: x\nselect 1;\n")
    broken.write_text("create table made (a int);\nselect 'a;\n")
    cli("root", "add-table", "t")
    assert "Node is not root node: q" in cli("leaf", "execute", good, code=1).err
    assert "Foo" in cli("root", "execute", good, bad, code=2).err
    assert "unterminated" in cli("root", "execute", broken, code=1).err
    assert pair["root"].db.value("select to_regclass('made')") is None
    assert "No such file" in cli("root", "execute", cli.folder / "none.sql", code=2).err
    assert "given twice" in cli("root", "execute", good, good, code=2).err
    failing = cli.folder / "failing.sql"
    failing.write_text("select 1/0;\n")
    assert "division by zero" in cli("root", "execute", good, failing, code=1).err
    assert cli.json("root", "execute", good, "--dry-run")[0]["outcome"] == "executed"
    assert cli.json("root", "execute", good)[0]["outcome"] == "executed"
    assert cli.json("root", "execute", good)[0]["outcome"] == "skipped"
    leaf = pair["leaf"].db
    cli("leaf", "wait-root")
    # The leaf does not have the table, so the script is done here without being run.
    assert leaf.value("select count(*) from londiste.applied_execute") == 1


def test_a_new_node_leaves_out_scripts_that_its_tables_have_already(pair, cli, make_db, spawn):
    """Its events begin at the watermark, which may be long before it was made."""
    script = cli.folder / "more.sql"
    script.write_text("alter table t add column more int;\n")
    cli("root", "add-table", "t")
    cli("root", "execute", script)
    new = make_db()
    ini = cli.folder / "new.ini"
    ini.write_text(f"[londiste]\njob_name = new\ndb = {new.conninfo}\nqueue_name = q\n")
    above = pair["root"].db.conninfo
    cli.raw(ini, "create-leaf", "new", new.conninfo, f"--provider={above}")
    assert new.value("select execute_file from londiste.applied_execute") == "more.sql"
    spawn("londiste", ini, "worker")
    added = cli.raw(ini, "add-table", "t", "--create", "--merge-all", "--wait-sync")
    assert "public.t: no other queue of this database brings it yet" in added.err
    cli.raw(ini, "compare", "t")


def test_handlers_are_a_line_each_until_one_is_named(tree, cli):
    tree.root()
    listed = cli("root", "show-handlers").out.splitlines()
    assert listed[-1] == "show-handlers NAME tells what one does, and its arguments."
    lines = [line for line in listed if " - " in line]
    assert len(lines) == len(listed) - 2
    assert sum(line.startswith("dispatch - ") for line in lines) == 1
    assert "    part_mode: " in cli("root", "show-handlers", "dispatch").out
    assert "arguments" in cli.json("root", "show-handlers")[0]


def test_check_names_what_is_wrong_and_the_remedy(pair, cli):
    """Exit code 0, 1 or 2, as monitoring wants it; finding 6, 9 and the warning 301 of 3.x."""
    root, leaf = pair["root"].db, pair["leaf"].db
    cli("root", "add-table", "t", "u")
    cli("leaf", "add-table", "t", "u", "--create-full", "--wait-sync")
    cli("leaf", "wait-root")
    assert "LONDISTE OK" in cli("leaf", "check").out
    root.execute('create trigger "A_first" after insert on t for each row execute function noop()')
    shown = cli("root", "check", code=1).out
    assert "trigger A_first fires before _londiste_q" in shown
    assert "-> rename it" in shown
    root.execute("alter table t disable trigger _londiste_q")
    assert "_londiste_q is off" in cli("root", "check", code=2).out
    root.execute("drop trigger _londiste_q on t; drop trigger _londiste_q_truncate on t")
    assert "has no trigger" in cli("root", "check", code=2).out
    leaf.execute("alter table u drop column f; alter table u alter g type varchar(50)")
    leaf.execute("alter table u add column own int not null default 1")
    leaf.execute("insert into londiste.pending_fkeys values ('public.u', 'public.zzz', 'fk', 'x')")
    found = cli.json("leaf", "check", code=2)["findings"]
    texts = "\n".join(one["text"] for one in found)
    assert "column f of the provider is missing here" in texts
    assert "column g is character varying(50) here, text at the provider" in texts
    assert "column own is missing at the provider" in texts
    assert "and is not back: no copy is in its way" in texts
    assert all(one["remedy"] for one in found)
    dropped = [row for row in cli.json("leaf", "fkeys") if row["fkey_name"] == "fk"]
    assert "dropped" in dropped[0]["state"]
    leaf.execute("drop table t cascade")
    assert "table public.t does not exist here" in cli("leaf", "check", code=2).out
    cli("leaf", "pause")
    assert "-> londiste resume" in cli("leaf", "check", code=2).out


def test_why_a_copy_fails_is_told_wherever_somebody_looks(pair, cli, wait_until):
    """In tables, status, check and wait-sync; that one ends when it was told to."""
    leaf = pair["leaf"].db
    cli("root", "add-table", "t")
    leaf.execute("create table t (id int primary key, name text check (name = 'none'))")
    cli("leaf", "add-table", "t")
    why = "violates check constraint"
    wait_until(lambda: why in (cli.json("leaf", "tables")[0]["copy_error"] or ""))
    assert why in cli("leaf", "tables").out
    assert f'Copy fails: public.t: db: new row for relation "t" {why}' in cli("leaf", "status").out
    assert "its copy fails" in cli("leaf", "check", code=2).out
    ended = cli("leaf", "wait-sync", "--timeout", "0.5", code=1)
    assert ended.err.count(why) == 2
    assert "not in sync after 0.5 s: the copy fails of public.t" in ended.err
    leaf.execute("alter table t drop constraint t_name_check")
    cli("leaf", "resync", "t")
    cli("leaf", "wait-sync")
    assert "copy_error" not in cli("leaf", "tables").out


def test_wrong_command_lines_are_one_line_and_exit_2(cli, make_db, tmp_path):
    """Also for a database that is no node, or has no extension."""
    db = make_db(empty=True)
    ini = tmp_path / "x.ini"
    ini.write_text(f"[londiste]\ndb = {db.conninfo}\nqueue_name = nosuch\n")
    for words, text in (
        ((), "which ini?"),
        (("--bla",), "unrecognized arguments: --bla"),
        (("a.ini", "--bla"), "unrecognized arguments: --bla"),
        (("--count-only",), "which ini?"),
        ((ini,), "a command are needed"),
        ((ini, "bogus"), "unknown command bogus; there are: worker, "),
        ((ini, "bogus", "t"), "unknown command bogus; there are: worker, "),
        ((ini, "tables", "--bogus"), "unrecognized arguments"),
        ((ini, "compare", "--jobs=x"), "invalid int value"),
        ((ini, "copy"), "required: TABLE"),
        ((ini, "--set", "x", "tables"), "KEY=VALUE expected"),
        ((ini, "--set", "what=1", "tables"), "unknown key"),
        ((tmp_path / "none.ini", "tables"), "none.ini"),
        ((ini, "tables"), "londiste install"),
    ):
        shown = cli.raw(*words, code=2).err
        assert text in shown, shown
        assert len(shown.splitlines()) == 1, shown
    cli.raw(ini, "install")
    assert "is no node" in cli.raw(ini, "tables", code=2).err
    assert "[londiste]" in cli.raw("--ini").out
    assert "good" in cli.raw("--check", ini).out


def test_copies_from_other_nodes_by_hand_and_under_another_name(tree, ticking, cli):
    """--find-copy-node, --copy-node, --copy-condition, --dest-table, --skip-truncate, copy."""
    root, branch = tree.root(), tree.node("branch", "branch", "root")
    leaf = tree.node("leaf", "leaf", "branch")
    for name in ("t", "one", "two"):
        root.db.execute(f"create table {name} (id int primary key, name text)")
        root.db.execute(f"insert into {name} select n, 'n' || n from generate_series(1, 50) n")
    ticking(root.db, branch.db)
    for name in ("root", "branch"):
        cli.start(name)
    worker = cli.start("leaf")
    cli("root", "add-table", "t", "one", "two")
    cli("leaf", "wait-root")
    assert "--find-copy-node" in cli("leaf", "add-table", "t", "--create", code=1).err
    cli("leaf", "add-table", "t", "--create", "--find-copy-node", "--dest-table=other.renamed",
        "--wait-sync")  # fmt: skip
    assert leaf.db.value("select count(*) from other.renamed") == 50
    assert cli.json("leaf", "tables")[0]["table_attrs"] == "copy_node=root"
    leaf.db.execute("create table one (id int primary key, name text)")
    leaf.db.execute("insert into one values (-1, 'mine')")
    told = cli("leaf", "add-table", "one", "--copy-node=none", code=2).err
    assert "other nodes are branch, root" in told
    bad = ("--copy-node=root", "--copy-condition=id +")
    assert "syntax" in cli("leaf", "add-table", "one", *bad, code=2).err
    cli("leaf", "add-table", "one", "--copy-node=root", "--copy-condition=id % 5 = 0",
        "--skip-truncate", "--max-parallel-copy=2", "--wait-sync")  # fmt: skip
    assert leaf.db.value("select count(*) from one") == 11
    root.db.execute("insert into one values (60, 'new'), (61, 'new')")
    root.db.execute("update t set name = 'changed' where id = 1")
    cli("leaf", "wait-root")
    assert leaf.db.value("select count(*) from one") == 13
    # Of the table that was copied in part only those rows are compared, on both sides.
    shown = {one["table"]: one["rows"] for one in cli.json("leaf", "compare")}
    assert shown == {"public.t": 50, "public.one": 11}
    # Without its worker: the position is set by hand, and a table is copied by a process of ours.
    worker.stop()
    cli("leaf", "add-table", "two", "--create", "--copy-node=root")
    assert "wait-sync" not in cli("leaf", "resync", "two").err
    assert cli.json("leaf", "worker", "--rewind")["node"] == "branch"
    assert cli.json("leaf", "worker", "--reset")["node"] == "leaf"
    assert "not in sync after 0.1 s" in cli("leaf", "wait-sync", "--timeout=0.1", code=1).err
    assert "does not have it" in cli("leaf", "copy", "zzz", code=1).err
    cli.start("leaf")
    cli("leaf", "wait-sync", "--timeout=120")
    assert leaf.db.value("select count(*) from two") == 50
