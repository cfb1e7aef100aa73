# SPDX-License-Identifier: ISC
"""compare and repair against a root and a branch, while everybody works."""

from __future__ import annotations

import random

import pytest

from skytools.core.db import Database

NODES = ("root", "branch", "leaf")
TABLES = """
create table acc (id int primary key, balance numeric not null, note text);
create table "Odd ""name" (a int, b text, c timestamptz, d jsonb, primary key (b, a))
"""
FILL = """
insert into acc select n, n, 'note ' || n from generate_series(1, 20000) n;
insert into "Odd ""name" select n, 'b' || n, '2020-01-01'::timestamptz + n * interval '1 s',
       jsonb_build_object('n', n) from generate_series(1, 500) n
"""
ODD = 'public.Odd "name'


@pytest.fixture
def chain(tree, ticking, cli, wait_until):
    """Give root -> branch -> leaf, working, with two filled tables; another name on the leaf."""
    tree.root()
    tree.node("branch", "branch", "root")
    tree.node("leaf", "leaf", "branch")
    tree.each(TABLES + ";" + FILL)
    tree["leaf"].db.execute("create schema x; alter table acc set schema x")
    for name in NODES:
        dest = "x.acc" if name == "leaf" else None
        if name != "root":
            wait_until(lambda name=name: register(tree[name]))
        tree[name].add_table("public.acc", dest=dest)
        tree[name].add_table(ODD)
    # Few ticks of many events: the workers shall keep up on a busy machine, too.
    for key, value in (("ticker_max_lag", "200 ms"), ("ticker_max_count", "100000")):
        tree["root"].db.query("select pgq.set_queue_config('q', %s, %s)", (key, value))
    ticking(tree["root"].db)
    for name in NODES:
        cli.start(name)
    return tree


def register(node):
    for table in ("public.acc", ODD):
        node.db.query("select londiste.global_add_table('q', %s)", (table,))
    return True


def write(db, number):
    """Change, add and take away rows; own keys for each writer, so that none waits."""
    dice = random.Random()
    key = dice.randrange(1, 10000) * 2 + number % 2
    db.execute("update acc set balance = balance + 1, note = note || 'x' where id = %s", (key,))
    new = 20001 + dice.randrange(100) * 2 + number % 2
    db.execute("insert into acc values (%s, 0, null) on conflict do nothing", (new,))
    db.execute("delete from acc where id = %s", (20001 + dice.randrange(100) * 2 + number % 2,))
    db.execute(
        "update acc set id = -id where id between 10000 and 15000 and id %% 500 = %s", (number,)
    )
    db.execute("update acc set id = -id where id < -10000 and id %% 500 = %s", (-number,))


def behind_replication(db, *statements):
    """Change rows as nobody should: without events."""
    db.execute("set session_replication_role to replica")
    for statement in statements:
        db.execute(statement)
    db.execute("set session_replication_role to origin")


BREAK = (
    "update {acc} set note = 'wrong' where id between 101 and 110",
    "delete from {acc} where id between 201 and 207",
    "insert into {acc} select -n, n, 'extra' from generate_series(1, 3) n",
)


def broken(node):
    acc = "x.acc" if node.name == "leaf" else "acc"
    behind_replication(node.db, *(one.format(acc=acc) for one in BREAK))


def test_compare_is_exact_under_load_and_keeps_nobody_out(chain, cli, load, wait_until):
    """A tick is made with the snapshot that is read, or both are at the same tick: exactly.

    A transaction that stays open for long holds up neither compare nor other writers.
    """
    running = load(chain["root"].db, write)
    for _ in range(2):
        for name in ("branch", "leaf"):
            shown = cli.json(name, "compare")
            assert [one["equal"] for one in shown] == [True, True], shown
    open_one = Database("open", chain["root"].db.conninfo)
    open_one.execute("update acc set note = 'open' where id = 1")
    assert cli.json("leaf", "compare", "acc")[0]["equal"]
    before = running.count
    assert cli.json("branch", "compare", "acc")[0]["equal"]
    assert running.count > before
    open_one.close()
    running.stop()
    # A worker that does not come: one line that says where it is and why.
    cli("leaf", "pause")
    cli.ini("leaf", lock_timeout=1)
    chain["root"].db.execute("update acc set note = 'new' where id = 1")
    note = "select note from acc where id = 1"
    wait_until(lambda: chain["branch"].db.value(note) == "new")
    shown = cli("leaf", "compare", code=1).err
    assert "Consumer lagging too much" in shown
    assert "paused; resume it" in shown


def test_repair_is_safe_while_replay_goes_on(chain, cli, load):
    """Differences go, whatever replay does meanwhile to the same rows; nothing of it is lost."""
    root = chain["root"]
    cli("leaf", "wait-root")

    def touch(db, number):
        write(db, number)
        # The very rows that are wrong there, too.
        key = random.choice([*range(101, 111), *range(201, 208)])
        db.execute("update acc set balance = balance + 1 where id = %s", (key,))

    broken(chain["branch"])
    broken(chain["leaf"])
    # The leaf is compared with the branch, its provider, which is as wrong.
    assert cli.json("leaf", "compare", "acc")[0]["equal"]
    assert cli("branch", "compare", "acc", code=1).err.count("Results do not match!") == 1
    running = load(root.db, touch, writers=1)
    for name in ("branch", "leaf"):
        done = cli.json(name, "repair", "acc", "--apply")
        assert done[0]["script"] is None
        assert done[0]["deletes"] == 3
        assert cli.json(name, "compare", "acc")[0]["equal"]
    running.stop()
    for name in ("branch", "leaf"):
        assert cli.json(name, "compare", "acc")[0]["equal"]


def test_repair_writes_a_script_that_makes_equal(chain, cli):
    """The script takes the rows it was made for, and moves little to find them.

    Then only rows for which a condition holds; names, texts and times come out right.
    """
    leaf = chain["leaf"]
    cli("leaf", "wait-root")
    broken(leaf)
    done = cli.json("leaf", "repair", "acc")[0]
    assert (done["inserts"], done["updates"], done["deletes"]) == (7, 10, 3)
    assert done["src_rows"] == 20000
    assert done["dst_rows"] == 19996
    assert done["bytes_moved"] < 20000
    script = (cli.folder / "fix.public.acc.sql").read_text()
    cli("leaf", "compare", "acc", code=1)
    leaf.db.execute(script)
    leaf.db.close()  # the script leaves settings behind
    cli("leaf", "compare")
    behind_replication(
        leaf.db,
        """update "Odd ""name" set b = b || '%s', d = null where a < 10""",
        """update "Odd ""name" set c = c + interval '1 us' where a between 20 and 25""",
    )
    shown = cli("leaf", "repair", ODD, "--apply", "--repair-where=a >= 20").err
    assert "missed: 0 inserts, 6 updates, 0 deletes" in shown
    shown = cli("leaf", "repair", "--all", "--apply", "--sort-bufsize=30%").err
    assert f"finished {ODD}: src: 500 rows, dst: 500 rows, missed: 9 inserts, 0 updates, 9" in shown
    cli("leaf", "compare")


def test_repair_of_a_merged_table_does_not_delete_what_other_queues_bring(chain, cli):
    leaf = chain["leaf"].db
    leaf.query("select pgq_node.register_location('more', %s, 'dbname=x', false)", ("leaf",))
    leaf.query("select pgq_node.register_location('more', %s, 'dbname=y', false)", ("top",))
    leaf.query("select pgq_node.create_node('more', 'leaf', 'leaf', 'w', 'top', 1, null)")
    leaf.execute(
        "insert into londiste.table_info (queue_name, table_name, dest_table, local,"
        " merge_state)"
        " values ('more', 'public.acc', 'x.acc', true, 'ok')"
    )
    leaf.execute("set session_replication_role = replica")
    leaf.execute("insert into x.acc values (-1, 0, 'of the other queue')")
    told = cli("leaf", "compare", "acc", code=1).err
    assert "has rows of queue more too; say by --where which are those of queue q" in told
    assert "--where" not in cli("leaf", "compare", "acc", "--where=id > 0").err
    told = cli("leaf", "repair", "--all", "--apply", code=1).err
    assert f"finished {ODD}" in told, "one that cannot be repaired kept another from it"
    assert "has rows of queue more too, which would be deleted" in told
    assert "--repair-where" in told
    cli("leaf", "repair", "acc", "--apply", "--repair-where=id > 0")
