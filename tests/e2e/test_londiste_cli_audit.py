# SPDX-License-Identifier: ISC
"""The audit in the worker, the exit code of compare, queries of one's own, checks of takeover."""

from __future__ import annotations

import pytest

from skytools.core.errors import SkytoolsError
from skytools.core.metrics import Metrics, parse_families
from skytools.daemons.londiste.config import LondisteConfig
from skytools.daemons.londiste.verify.audit import Audit
from skytools.daemons.londiste.verify.compare import Comparison, exit_code
from tests.e2e.test_londiste_cli_compare import behind_replication

TABLES = """
create table one (id int primary key, name text);
create table two (id int primary key, name text);
insert into one select n, 'n' || n from generate_series(1, 1000) n;
create sequence loose;
"""


@pytest.fixture
def pair(tree, ticking, cli):
    """Give root -> branch, both working, with two tables."""
    root, branch = tree.root(), tree.node("branch", "branch", "root")
    tree.each(TABLES)
    ticking(root.db, branch.db)
    for name in ("root", "branch"):
        cli.start(name)
    cli("root", "add-table", "one", "two")
    cli("branch", "add-table", "one", "two", "--expect-sync")
    return tree


def values(metrics):
    found = {}
    for family in parse_families(metrics.render().decode()):
        for sample in family.samples:
            found[sample.name, sample.labels.get("table")] = sample.value
    return found


def test_audit_tells_what_was_verified_up_to_which_tick(pair, wait_until):
    """And which table differs, until it does not any more."""
    metrics = Metrics()
    audit = Audit(metrics, LondisteConfig(**pair.keys("branch", audit_period=0.05)))
    audit.start()
    name = "skytools_londiste_audit_"
    for table in ("public.one", "public.two"):
        wait_until(lambda one=table: values(metrics).get((name + "verified_tick", one)))
    assert values(metrics)[name + "differs", "public.one"] == 0
    behind_replication(pair["branch"].db, "delete from one where id = 7")
    wait_until(lambda: values(metrics)[name + "differs", "public.one"] == 1)
    assert values(metrics)[name + "differs", "public.two"] == 0
    pair["root"].db.execute("delete from one where id = 7")
    wait_until(lambda: values(metrics)[name + "differs", "public.one"] == 0)
    audit.close()
    assert values(metrics)[name + "failures_total", None] == 0
    assert values(metrics)[name + "rounds_total", None] >= 2


def test_queries_of_ones_own(pair, cli):
    """compare_sql with its names, compare_fmt; what does not fit is one line."""
    cli("branch", "wait-root")
    query = "select count(1) as cnt, max(length((_COLS_)::text)) as len from only _TABLE_"
    cli.ini("branch", compare_sql=query, compare_fmt="%%(cnt)d rows of %%(len)s")
    assert "srcdb: 1000 rows of " in cli("branch", "compare", "one").err
    behind_replication(pair["branch"].db, "update one set name = repeat('x', 50) where id = 1")
    assert "Results do not match!" in cli("branch", "compare", code=1).err
    cli.ini("branch", compare_sql=query, compare_fmt="%%(what)s")
    assert "does not fit the columns cnt, len" in cli("branch", "compare", "one", code=2).err


def test_the_exit_code_does_not_wrap():
    """Finding 15: 256 differing tables looked like none."""
    differing = [Comparison("t", 1, "", "", equal=False, rows=0, seconds=0.0)] * 256
    assert exit_code(differing) == 250
    assert exit_code(differing[:3]) == 3
    assert exit_code([]) == 0


def test_takeover_is_refused_before_anything_is_touched(pair, cli):
    """Finding 14: the new root must have all tables, in sync, and the sequences."""
    root, branch = pair["root"].db, pair["branch"].db
    cli("root", "add-seq", "loose")
    root.execute("create table three (id int primary key)")
    cli("root", "add-table", "three")
    shown = cli("branch", "takeover", "root", code=1).err
    assert "does not have public.three" in shown
    assert "does not have sequence public.loose" in shown
    assert root.value("select pgq_node.is_root_node('q')")
    cli("root", "remove-table", "three")
    cli("branch", "wait-root")
    cli("branch", "add-seq", "loose")
    branch.execute("update londiste.table_info set merge_state = 'catching-up'"
                   " where table_name = 'public.two'")  # fmt: skip
    assert "public.two is not in sync" in cli("branch", "takeover", "root", code=1).err
    branch.execute("update londiste.table_info set merge_state = 'ok'")
    root.execute("select setval('loose', 20000)")
    cli("branch", "takeover", "root")
    assert branch.value("select nextval('loose')") > 20000
    branch.execute("insert into two values (1, 'on the new root')")
    cli("root", "wait-root")
    assert root.value("select name from two") == "on the new root"
    with pytest.raises(SkytoolsError):
        root.execute("insert into two values (2, 'refused')")


HANDLED = """
create table s (id int primary key, name text);
create table o (id int primary key, name text, secret text, kept int);
create table d (id int, day date, primary key (id, day));
create table e (id int primary key);
insert into s select n, 'n' || n from generate_series(1, 100) n;
insert into o select n, 'n' || n, 's' || n, n from generate_series(1, 100) n;
"""


def test_handlers_decide_what_is_compared(tree, ticking, cli, tmp_path):
    """shard: the rows of this node; obfuscate: columns that are kept; dispatch: with partitions."""
    (tmp_path / "map.json").write_text(
        '{"public.o": {"id": "keep", "name": "hash", "secret": "skip", "kept": "keep"}}'
    )
    root, leaf = tree.root(), tree.node("leaf", "leaf", "root")
    root.db.execute(HANDLED)
    leaf.db.execute(HANDLED.partition("insert")[0])
    leaf.db.execute("alter table o drop column secret")
    ticking(root.db)
    cli.start("root")
    keys = {"shard_info_sql": "select 1, 3, 4", "obfuscator_map": tmp_path / "map.json",
            "obfuscator_key": "key"}  # fmt: skip
    tree.start("leaf", **keys)
    cli.ini("leaf", **keys)
    cli("root", "add-table", "s", "--handler=shard", "--handler-arg=hashexpr=id")
    cli("root", "add-table", "o", "d", "e")
    cli("leaf", "add-table", "s", "--handler=shard", "--handler-arg=hashexpr=id")
    cli("leaf", "add-table", "o", "--handler=obfuscate")
    cli("leaf", "add-table", "e", "--handler=bulk_monthly_event")
    cli("leaf", "add-table", "d", "--handler=bulk_monthly_field", "--handler-arg=part_field=day",
        "--wait-sync")  # fmt: skip
    assert leaf.db.value("select count(*) from s") == 25
    root.db.execute("insert into s select n, 'new' from generate_series(101, 120) n")
    root.db.execute("insert into d select n, '2020-01-01'::date + n from generate_series(1, 99) n")
    root.db.execute("insert into e select generate_series(1, 9)")
    root.db.execute("update o set name = 'changed' where id < 5")
    cli("leaf", "wait-root")
    assert leaf.db.value("select count(*) from only d") == 0
    shown = {one["table"]: one for one in cli.json("leaf", "compare")}
    assert {name: one["equal"] for name, one in shown.items()} == {
        "public.s": True, "public.o": True, "public.d": True, "public.e": True}  # fmt: skip
    assert shown["public.s"]["rows"] == 30
    assert shown["public.d"]["rows"] == 99
    hashed = leaf.db.value("select name from o where id = 2")
    behind_replication(leaf.db, "update s set name = 'x' where id = 5", "delete from s where id=9",
                       "update o set kept = 0 where id = 1", "delete from o where id = 2",
                       "delete from d where id between 30 and 35")  # fmt: skip
    assert cli("leaf", "compare", code=3).err.count("Results do not match!") == 3
    assert "has to write them: use --apply" in cli("leaf", "repair", "o").err
    cli("leaf", "repair", "s", "o", "d", "--apply")
    cli("leaf", "compare")
    assert leaf.db.value("select name from o where id = 2") == hashed
    assert leaf.db.value("select count(*) from only d") == 0
    assert leaf.db.value("select name from o where id = 1") != "changed"
    # The month of the event is not in the row: to guess it would be a row in a wrong partition.
    behind_replication(leaf.db, "delete from e where id = 5")
    refused = cli("leaf", "repair", "e", "--apply", code=1).err
    assert "only the row's event would tell: use resync" in refused
    assert leaf.db.value("select count(*) from e") == 8
