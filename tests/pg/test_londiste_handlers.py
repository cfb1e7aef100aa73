# SPDX-License-Identifier: ISC
"""What every handler must do, and what each is for."""

from __future__ import annotations

import json
import sys
import types

import pytest

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError, UsageError
from skytools.daemons.londiste import names
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.apply import Applier, ApplyOptions
from skytools.daemons.londiste.config import LondisteConfig
from skytools.daemons.londiste.handlers import Handler, format_call, handlers, make, parse_call
from skytools.pgq import Event
from tests.fixtures.handlers import COLUMNS, FUNCTIONS, OBFUSCATION, ODD_NAME
from tests.fixtures.londiste import fail_step, run_workers

# The least each handler needs to be told; others need nothing.
NEEDED = {
    "qsplitter": {"queue": "other"},
    "applyfn": {"func_name": "public.take"},
    "multimaster": {"timefield": "day"},
    "shard": {"key": "id"},
    "part": {"key": "id"},
    **{name: {"part_field": "day"} for name in handlers() if name.endswith("_field")},
}
ALL = sorted(handlers())


def given(name):
    return format_call(name, NEEDED.get(name, {}))


@pytest.mark.parametrize("name", ALL)
def test_every_handler_is_made_from_what_is_stored(name, londiste_cfg):
    handler = make(TableInfo(ODD_NAME, attrs={"handler": given(name)}), londiste_cfg)
    assert handler.name == name
    assert handler.__doc__
    assert all(handler.args.values())
    assert handler.trigger_args(["backup"])[0] == "backup"
    with pytest.raises(UsageError, match="unknown argument nonsense"):
        call = format_call(name, {**NEEDED.get(name, {}), "nonsense": "1"})
        make(TableInfo(ODD_NAME, attrs={"handler": call}), londiste_cfg)


def test_calls_are_read_as_they_are_written():
    args = {"a": "x&y=%, (z)", "b": ""}
    assert parse_call(format_call("h", args)) == ("h", args)
    assert parse_call("plain") == ("plain", {})
    with pytest.raises(UsageError, match="parenthesis"):
        parse_call("h(a=1")


def test_an_unknown_handler_is_told_with_those_known(londiste_cfg):
    with pytest.raises(UsageError, match=r"handler nope is not known.*londiste"):
        make(TableInfo("public.t", attrs={"handler": "nope"}), londiste_cfg)


def test_handlers_of_a_module(londiste_cfg):
    class Mine(Handler):
        """Nothing."""

        name = "mine"

    module = types.ModuleType("my_handlers")
    module.HANDLERS = [Mine]
    sys.modules["my_handlers"] = module
    try:
        assert handlers(("my_handlers",))["mine"] is Mine
        module.HANDLERS = ["no class"]
        handlers.cache_clear()
        with pytest.raises(UsageError, match="is no handler"):
            handlers(("my_handlers",))
        with pytest.raises(UsageError, match="handler_modules: not_there"):
            handlers(("not_there",))
    finally:
        del sys.modules["my_handlers"]
        handlers.cache_clear()


# Those that keep the table as it is at the root.
PLAIN = {name for name, cls in handlers().items() if cls.needs_table} - {
    "applyfn", "obfuscate", "shard", "part"
}  # fmt: skip


ODD = {name: f'public.Odd "{name}' for name in ALL}
INTO_ALL = """
insert into {t} select n, date '2020-02-01' + n, n from generate_series(1, 6) n;
update {t} set t = 'it''s \\ %' where id in (2, 3);
delete from {t} where id = 4"""
TRUNCATED_BETWEEN = """
insert into {t} values (7, '2020-02-07', null); truncate {t};
insert into {t} values (8, '2020-02-08', null);
update {t} set day = '2020-02-09'"""


def test_every_handler_takes_every_kind_of_event(handler_lab, cfg_keys):
    cfg_keys["obfuscator_map"].write_text(json.dumps({ODD["obfuscate"]: OBFUSCATION}))
    for table in ODD.values():
        handler_lab.publish(table, "ev_extra3='hash='||partconf.get_hash_raw(id)")
    handler_lab.run()
    for name, table in ODD.items():
        handler_lab.add(table, given(name))

    def on_all(statements):
        for table in ODD.values():
            handler_lab.root.execute(statements.format(t=names.quote(table)))
        handler_lab.run()
        return {name: [row[0] for row in handler_lab.rows(ODD[name])] for name in PLAIN}

    assert on_all(INTO_ALL) == {name: [1, 2, 3, 5, 6] for name in PLAIN}
    # Nothing breaks when a batch has only TRUNCATE.
    assert on_all("truncate {t}") == {name: [] for name in PLAIN}
    # The newest row is looked for in the partition of its new time: with a column, the old stays.
    both = [f"{prefix}{period}_field" for prefix in ("", "bulk_") for period in ("daily", "hourly")]
    moved = {name: [8, 8] if name in both else [8] for name in PLAIN}
    assert on_all(TRUNCATED_BETWEEN) == moved


@pytest.mark.parametrize("name", [name for name in ALL if name in ("shard", "part")])
def test_conditions_of_copies_divide_rows(handler_lab, name):
    handler_lab.root.execute(
        "create table t (id int); insert into t select n from generate_series(1, 8) n"
    )
    handler = make(TableInfo("public.t", attrs={"handler": given(name)}), handler_lab.worker.cfg)
    found = []
    for number in (0, 1):
        handler_lab.leaf.execute("update partconf.conf set shard_nr = %s", (number,))
        condition = handler.copy_condition(handler_lab.leaf)
        found.append(
            [row[0] for row in handler_lab.root.query(f"select id from t where {condition}")]
        )
    assert found == [[2, 4, 6, 8], [1, 3, 5, 7]]


def test_a_batch_that_failed_leaves_nothing_with_handlers(handler_lab):
    for name in ("bulk", "applyfn", "qsplitter", "daily_field", "shard"):
        handler_lab.publish(f"public.{name}", "ev_extra3='hash='||partconf.get_hash_raw(id)")
    handler_lab.run()
    for name in ("bulk", "applyfn", "qsplitter", "daily_field", "shard"):
        handler_lab.add(f"public.{name}", given(name))
        handler_lab.root.execute(
            f"insert into {name} select n, '2020-02-02', n from generate_series(1, 4) n"
        )
    handler_lab.leaf.execute("alter table shard add check (id < 4)")
    handler_lab.tree.tick()
    for _ in range(2):
        fail_step(handler_lab.worker, r"event \d+ cannot be applied: .*shard_id_check")
    handler_lab.leaf.execute("alter table shard drop constraint shard_id_check")
    handler_lab.run()
    assert [len(handler_lab.rows(f"public.{n}")) for n in ("bulk", "daily_field", "shard")] == [
        4,
        4,
        2,
    ]
    assert len(handler_lab.rows("public.taken")) == 4
    assert handler_lab.leaf.value("select count(*) from pgq.event_template") == 4


def test_bulk_methods_and_order_of_truncate(handler_lab):
    for method in ("0", "1", "2"):
        handler_lab.publish(f"public.m{method}")
    handler_lab.run()
    for method in ("0", "1", "2"):
        handler_lab.add(f"public.m{method}", f"bulk(method={method})")
        handler_lab.root.execute(
            f"""insert into m{method} select n, null, n from generate_series(1, 900) n;
            update m{method} set t = t || '!' where id % 2 = 0;
            delete from m{method} where id % 3 = 0;
            truncate m{method};
            insert into m{method} select n, null, n from generate_series(1, 900) n"""
        )
    handler_lab.run()
    for method in ("0", "1", "2"):
        handler_lab.root.execute(
            f"""update m{method} set t = t || '!' where id % 2 = 0;
            delete from m{method} where id % 3 = 0"""
        )
    handler_lab.run()
    for method in ("0", "1", "2"):
        assert handler_lab.rows(f"public.m{method}") == handler_lab.tree["root"].rows(
            f"m{method}"
        ), method
        assert len(handler_lab.rows(f"public.m{method}")) == 600


def test_merged_replaces_rows_that_are_there(handler_lab):
    handler_lab.publish("public.m")
    handler_lab.run()
    handler_lab.add("public.m", "bulk(method=2)")
    handler_lab.leaf.execute(
        "set session_replication_role = replica; insert into m values (1, null, 'old')"
    )
    handler_lab.root.execute("insert into m values (1, null, 'new')")
    handler_lab.run()
    assert handler_lab.rows("public.m", "t") == [("new",)]


def test_applyfn_is_told_of_tick_and_event_in_order(tree, cfg_keys):
    tree.root()
    tree.node("branch", "branch", "root")
    for node in tree.nodes.values():
        node.db.execute(f"create table t ({COLUMNS}); {FUNCTIONS}")
    tree["root"].add_table("public.t")
    worker = tree.worker("branch", **cfg_keys)
    tree.tick()
    run_workers(worker)
    tree["branch"].add_table("public.t", handler="applyfn(func_name=take&func_conf=c%26d)")
    tree["root"].db.execute("insert into t values (1, null, 'it''s'); delete from t")
    tick = tree.tick()
    run_workers(worker)
    rows = tree["branch"].db.query("select * from taken order by id::int")
    assert [(row[0], row[1], row[3], row[5]) for row in rows] == [
        ("c&d", str(tick), "I:id", "public.t"), ("c&d", str(tick), "D:id", "public.t")
    ]  # fmt: skip


def test_multimaster_keeps_the_newest(handler_lab):
    handler_lab.publish("public.t")
    handler_lab.run()
    handler_lab.add("public.t", "multimaster(timefield=day)")
    handler_lab.leaf.execute("set session_replication_role = replica")
    handler_lab.leaf.execute(
        "insert into t values (1, '2020-03-01', 'here'), (2, '2020-01-01', 'here')"
    )
    handler_lab.root.execute(
        "insert into t select n, '2020-02-01', 'there' from generate_series(1, 3) n"
    )
    handler_lab.run()
    assert handler_lab.rows("public.t", "t") == [("here",), ("there",), ("there",)]


def test_qsplitter_hands_events_to_another_queue(handler_lab):
    handler_lab.publish("public.t")
    handler_lab.run()
    handler_lab.add("public.t", "qsplitter(queue=other)")
    handler_lab.root.execute(
        "insert into t values (1, null, 'a'); update t set t = 'b'; truncate t"
    )
    handler_lab.run()
    query = "select ev_type, ev_data, ev_extra1 from pgq.event_template order by ev_id"
    assert handler_lab.leaf.query(query) == [
        ("I:id", "id=1&day&t=a", "public.t"), ("U:id", "id=1&day&t=b", "public.t"),
        ("R", "", "public.t"),
    ]  # fmt: skip
    assert handler_lab.rows("public.t") == []


def test_shards_divide_rows_also_for_those_below(tree, cfg_keys):
    tree.root()
    tree.node("branch", "branch", "root")
    for node in tree.nodes.values():
        node.db.execute(f"create table t ({COLUMNS}); {FUNCTIONS}")
    tree["root"].add_table("public.t", "ev_extra3='hash='||partconf.get_hash_raw(id)")
    worker = tree.worker("branch", **cfg_keys)
    tree.tick()
    run_workers(worker)
    tree["branch"].add_table("public.t", handler="shard(key=id)")
    tree["root"].db.execute("insert into t select n, null, n from generate_series(1, 10) n")
    tree["root"].db.execute("delete from t where id > 8")
    tree.tick()
    run_workers(worker)
    assert tree["branch"].rows("t", "id") == [(2,), (4,), (6,), (8,)]
    query = "select distinct ev_data from pgq.event_template where ev_extra1 = 'public.t'"
    assert len(tree["branch"].db.query(query)) == 5
    tree["branch"].db.execute("drop table partconf.conf")
    tree["branch"].db.execute(
        "create table partconf.conf as select 1 as part_nr, 1 as max_part"  # as Skytools 3.2
    )
    tree["root"].db.execute("update t set t = 'x'")
    tree["root"].db.execute("delete from t where id = 1")
    tree.tick()
    run_workers(worker)  # its rows are on another node: none is touched here
    assert tree["branch"].rows("t", "id, t") == [(2, "2"), (4, "4"), (6, "6"), (8, "8")]


def test_a_shard_that_is_none_is_refused(handler_lab):
    handler_lab.leaf.execute("update partconf.conf set shard_count = 3, shard_mask = 2")
    handler = make(
        TableInfo("public.t", attrs={"handler": "shard(key=id)"}), handler_lab.worker.cfg
    )
    with pytest.raises(SkytoolsError, match="power of two"):
        handler.copy_condition(handler_lab.leaf)


@pytest.mark.parametrize("name", ["londiste", "direct"])
def test_encoding_repairs_bytes(db, name):
    handler = make(TableInfo("public.t", attrs={"handler": f"{name}(encoding=utf8)"}),
                   LondisteConfig(db="", queue_name="q"))  # fmt: skip
    db.execute("create table t (id int primary key, t text)")
    target = Database("target", db.conninfo)
    out = Applier(target, ApplyOptions())
    event = Event(1, "now", 1, None, "I:id", "id=1&t=a%ffb", "public.t", None, None, None)
    handler.bind(None, out)(event)
    out.batch_ends()
    target.commit()
    assert db.value("select t from t") == "a\ufffdb"
    target.close()
    with pytest.raises(UsageError, match="only utf8 is known"):
        make(TableInfo("public.t", attrs={"handler": f"{name}(encoding=latin1)"}),
             LondisteConfig(db="", queue_name="q"))  # fmt: skip
