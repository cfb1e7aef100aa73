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
from tests.fixtures.londiste import fail_step, run_workers

NAME = 'public.Odd "näme'
COLUMNS = "id int primary key, day timestamptz, t text"
OBFUSCATION = {"id": "keep", "day": "keep", "t": "hash"}
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
FUNCTIONS = """
create table taken (conf text, tick text, id text, kind text, data text, tab text);
create function take(conf text, tick text, id text, at text, txid text, retry text, kind text,
    data text, e1 text, e2 text, e3 text, e4 text) returns text language sql as
    'insert into taken values (conf, tick, id, kind, data, e1) returning id';
create schema partconf;
create table partconf.conf (shard_nr int, shard_mask int, shard_count int);
insert into partconf.conf values (0, 1, 2);
create function partconf.get_hash_raw(int) returns int language sql immutable as 'select $1';
"""


def given(name):
    return format_call(name, NEEDED.get(name, {}))


@pytest.fixture
def cfg_keys(tmp_path):
    path = tmp_path / "map.json"
    path.write_text(json.dumps({NAME: OBFUSCATION, "public.t": OBFUSCATION}), encoding="utf-8")
    return {"obfuscator_map": path, "obfuscator_key": "secret"}


@pytest.fixture
def cfg(cfg_keys):
    return LondisteConfig(db="dbname=x", queue_name="q", **cfg_keys)


@pytest.mark.parametrize("name", ALL)
def test_every_handler_is_made_from_what_is_stored(name, cfg):
    handler = make(TableInfo(NAME, attrs={"handler": given(name)}), cfg)
    assert handler.name == name
    assert handler.__doc__
    assert all(handler.known_args().values())
    assert handler.trigger_args(["backup"])[0] == "backup"
    with pytest.raises(UsageError, match="unknown argument nonsense"):
        call = format_call(name, {**NEEDED.get(name, {}), "nonsense": "1"})
        make(TableInfo(NAME, attrs={"handler": call}), cfg)


def test_calls_are_read_as_they_are_written():
    args = {"a": "x&y=%, (z)", "b": ""}
    assert parse_call(format_call("h", args)) == ("h", args)
    assert parse_call("plain") == ("plain", {})
    with pytest.raises(UsageError, match="parenthesis"):
        parse_call("h(a=1")


def test_an_unknown_handler_is_told_with_those_known(cfg):
    with pytest.raises(UsageError, match=r"handler nope is not known.*londiste"):
        make(TableInfo("public.t", attrs={"handler": "nope"}), cfg)


def test_handlers_of_a_module(cfg):
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


class Lab:
    """A root, and a leaf whose tables are at handlers."""

    def __init__(self, site, keys):
        self.site = site
        self.keys = keys
        site.root()
        site.node("leaf", "leaf", "root")
        self.root, self.leaf = site["root"].db, site["leaf"].db
        for db in (self.root, self.leaf):
            db.execute(FUNCTIONS)
        self.leaf.query("select pgq.create_queue('other')")
        self.worker = site.worker("leaf", **keys)

    def publish(self, name, *words, columns=COLUMNS, leaf_table=""):
        """Make a table on both sides and add it to the set."""
        quoted = names.quote(name)
        self.root.execute(f"create table {quoted} ({columns})")
        self.leaf.execute(leaf_table or f"create table {quoted} ({columns})")
        self.site["root"].add_table(name, *words)

    def add(self, name, handler="", *, dest=None, **attrs):
        """Subscribe to a table, with what its handler wants of the trigger."""
        self.site["leaf"].add_table(name, handler=handler, dest=dest, **attrs)

    def run(self):
        self.site.tick()
        run_workers(self.worker)

    def rows(self, name, columns="*"):
        return self.site["leaf"].rows(names.quote(name), columns)


@pytest.fixture
def lab(site, cfg_keys):
    return Lab(site, cfg_keys)


ODD = {name: f'public.Odd "{name}' for name in ALL}
INTO_ALL = """
insert into {t} select n, date '2020-02-01' + n, n from generate_series(1, 6) n;
update {t} set t = 'it''s \\ %' where id in (2, 3);
delete from {t} where id = 4"""
TRUNCATED_BETWEEN = """
insert into {t} values (7, '2020-02-07', null); truncate {t};
insert into {t} values (8, '2020-02-08', null);
update {t} set day = '2020-02-09'"""


def test_every_handler_takes_every_kind_of_event(lab, cfg_keys):
    cfg_keys["obfuscator_map"].write_text(json.dumps({ODD["obfuscate"]: OBFUSCATION}))
    for table in ODD.values():
        lab.publish(table, "ev_extra3='hash='||partconf.get_hash_raw(id)")
    lab.run()
    for name, table in ODD.items():
        lab.add(table, given(name))

    def on_all(statements):
        for table in ODD.values():
            lab.root.execute(statements.format(t=names.quote(table)))
        lab.run()
        return {name: [row[0] for row in lab.rows(ODD[name])] for name in PLAIN}

    assert on_all(INTO_ALL) == {name: [1, 2, 3, 5, 6] for name in PLAIN}
    # Nothing breaks when a batch has only TRUNCATE.
    assert on_all("truncate {t}") == {name: [] for name in PLAIN}
    # The newest row is looked for in the partition of its new time: with a column, the old stays.
    both = [f"{prefix}{period}_field" for prefix in ("", "bulk_") for period in ("daily", "hourly")]
    moved = {name: [8, 8] if name in both else [8] for name in PLAIN}
    assert on_all(TRUNCATED_BETWEEN) == moved


@pytest.mark.parametrize("name", [name for name in ALL if name in ("shard", "part")])
def test_conditions_of_copies_divide_rows(lab, name):
    lab.root.execute("create table t (id int); insert into t select n from generate_series(1, 8) n")
    handler = make(TableInfo("public.t", attrs={"handler": given(name)}), lab.worker.cfg)
    found = []
    for number in (0, 1):
        lab.leaf.execute("update partconf.conf set shard_nr = %s", (number,))
        condition = handler.copy_condition(lab.leaf)
        found.append([row[0] for row in lab.root.query(f"select id from t where {condition}")])
    assert found == [[2, 4, 6, 8], [1, 3, 5, 7]]


def test_a_batch_that_failed_leaves_nothing_with_handlers(lab):
    for name in ("bulk", "applyfn", "qsplitter", "daily_field", "shard"):
        lab.publish(f"public.{name}", "ev_extra3='hash='||partconf.get_hash_raw(id)")
    lab.run()
    for name in ("bulk", "applyfn", "qsplitter", "daily_field", "shard"):
        lab.add(f"public.{name}", given(name))
        lab.root.execute(
            f"insert into {name} select n, '2020-02-02', n from generate_series(1, 4) n"
        )
    lab.leaf.execute("alter table shard add check (id < 4)")
    lab.site.tick()
    for _ in range(2):
        fail_step(lab.worker, r"event \d+ cannot be applied: .*shard_id_check")
    lab.leaf.execute("alter table shard drop constraint shard_id_check")
    lab.run()
    assert [len(lab.rows(f"public.{n}")) for n in ("bulk", "daily_field", "shard")] == [4, 4, 2]
    assert len(lab.rows("public.taken")) == 4
    assert lab.leaf.value("select count(*) from pgq.event_template") == 4


def test_bulk_methods_and_order_of_truncate(lab):
    for method in ("0", "1", "2"):
        lab.publish(f"public.m{method}")
    lab.run()
    for method in ("0", "1", "2"):
        lab.add(f"public.m{method}", f"bulk(method={method})")
        lab.root.execute(
            f"""insert into m{method} select n, null, n from generate_series(1, 900) n;
            update m{method} set t = t || '!' where id % 2 = 0;
            delete from m{method} where id % 3 = 0;
            truncate m{method};
            insert into m{method} select n, null, n from generate_series(1, 900) n"""
        )
    lab.run()
    for method in ("0", "1", "2"):
        lab.root.execute(
            f"""update m{method} set t = t || '!' where id % 2 = 0;
            delete from m{method} where id % 3 = 0"""
        )
    lab.run()
    for method in ("0", "1", "2"):
        assert lab.rows(f"public.m{method}") == lab.site["root"].rows(f"m{method}"), method
        assert len(lab.rows(f"public.m{method}")) == 600


def test_merged_replaces_rows_that_are_there(lab):
    lab.publish("public.m")
    lab.run()
    lab.add("public.m", "bulk(method=2)")
    lab.leaf.execute(
        "set session_replication_role = replica; insert into m values (1, null, 'old')"
    )
    lab.root.execute("insert into m values (1, null, 'new')")
    lab.run()
    assert lab.rows("public.m", "t") == [("new",)]


def test_applyfn_is_told_of_tick_and_event_in_order(site, cfg_keys):
    site.root()
    site.node("branch", "branch", "root")
    for node in site.nodes.values():
        node.db.execute(f"create table t ({COLUMNS}); {FUNCTIONS}")
    site["root"].add_table("public.t")
    worker = site.worker("branch", **cfg_keys)
    site.tick()
    run_workers(worker)
    site["branch"].add_table("public.t", handler="applyfn(func_name=take&func_conf=c%26d)")
    site["root"].db.execute("insert into t values (1, null, 'it''s'); delete from t")
    tick = site.tick()
    run_workers(worker)
    rows = site["branch"].db.query("select * from taken order by id::int")
    assert [(row[0], row[1], row[3], row[5]) for row in rows] == [
        ("c&d", str(tick), "I:id", "public.t"), ("c&d", str(tick), "D:id", "public.t")
    ]  # fmt: skip


def test_multimaster_keeps_the_newest(lab):
    lab.publish("public.t")
    lab.run()
    lab.add("public.t", "multimaster(timefield=day)")
    lab.leaf.execute("set session_replication_role = replica")
    lab.leaf.execute("insert into t values (1, '2020-03-01', 'here'), (2, '2020-01-01', 'here')")
    lab.root.execute("insert into t select n, '2020-02-01', 'there' from generate_series(1, 3) n")
    lab.run()
    assert lab.rows("public.t", "t") == [("here",), ("there",), ("there",)]


def test_qsplitter_hands_events_to_another_queue(lab):
    lab.publish("public.t")
    lab.run()
    lab.add("public.t", "qsplitter(queue=other)")
    lab.root.execute("insert into t values (1, null, 'a'); update t set t = 'b'; truncate t")
    lab.run()
    query = "select ev_type, ev_data, ev_extra1 from pgq.event_template order by ev_id"
    assert lab.leaf.query(query) == [
        ("I:id", "id=1&day&t=a", "public.t"), ("U:id", "id=1&day&t=b", "public.t"),
        ("R", "", "public.t"),
    ]  # fmt: skip
    assert lab.rows("public.t") == []


def test_shards_divide_rows_also_for_those_below(site, cfg_keys):
    site.root()
    site.node("branch", "branch", "root")
    for node in site.nodes.values():
        node.db.execute(f"create table t ({COLUMNS}); {FUNCTIONS}")
    site["root"].add_table("public.t", "ev_extra3='hash='||partconf.get_hash_raw(id)")
    worker = site.worker("branch", **cfg_keys)
    site.tick()
    run_workers(worker)
    site["branch"].add_table("public.t", handler="shard(key=id)")
    site["root"].db.execute("insert into t select n, null, n from generate_series(1, 10) n")
    site["root"].db.execute("delete from t where id > 8")
    site.tick()
    run_workers(worker)
    assert site["branch"].rows("t", "id") == [(2,), (4,), (6,), (8,)]
    query = "select distinct ev_data from pgq.event_template where ev_extra1 = 'public.t'"
    assert len(site["branch"].db.query(query)) == 5
    site["branch"].db.execute("drop table partconf.conf")
    site["branch"].db.execute(
        "create table partconf.conf as select 1 as part_nr, 1 as max_part"  # as Skytools 3.2
    )
    site["root"].db.execute("update t set t = 'x'")
    site["root"].db.execute("delete from t where id = 1")
    site.tick()
    run_workers(worker)  # its rows are on another node: none is touched here
    assert site["branch"].rows("t", "id, t") == [(2, "2"), (4, "4"), (6, "6"), (8, "8")]


def test_a_shard_that_is_none_is_refused(lab):
    lab.leaf.execute("update partconf.conf set shard_count = 3, shard_mask = 2")
    handler = make(TableInfo("public.t", attrs={"handler": "shard(key=id)"}), lab.worker.cfg)
    with pytest.raises(SkytoolsError, match="power of two"):
        handler.copy_condition(lab.leaf)


def test_obfuscation_is_the_same_in_copy_apply_and_events(site, cfg_keys):
    cfg_keys["obfuscator_map"].write_text(
        """# what becomes of columns
public.t:
    id: keep
    name: hash
    mail: hash32
    'big': hash64
    has: bool
    doc:
        a: keep
        b: hash
        more:
            c: bool
    hidden: skip
""", encoding="utf-8")  # fmt: skip
    site.root()
    site.node("branch", "branch", "root")
    columns = "id int primary key, name text, mail text, big text, has text, doc jsonb, hidden text"
    site.each(f"create table t ({columns}, other text)")
    site["branch"].db.execute("alter table t drop hidden, drop other")
    site["root"].add_table("public.t", "backup")
    worker = site.worker("branch", **cfg_keys)
    site.tick()
    run_workers(worker)
    site["branch"].add_table("public.t", handler="obfuscate")
    doc = '{"a": [1], "b": "x", "more": {"c": 5, "d": 6}, "z": 1}'
    row = {"id": "1", "name": "Ann", "mail": "a@b", "big": "", "has": "", "doc": doc,
           "hidden": "h", "other": "o"}  # fmt: skip
    site["root"].db.execute(
        f"insert into t ({', '.join(row)}) values ({', '.join(['%s'] * len(row))})",
        tuple(row.values()),
    )
    site["root"].db.execute("update t set hidden = 'changed'")
    site.tick()
    run_workers(worker)
    ((number, name, mail, big, has, doc),) = site["branch"].rows("t")
    assert (number, has, doc["a"], doc["more"]) == (1, "false", [1], {"c": True})
    assert len(name) == 36
    assert name != "Ann"
    assert int(mail)
    assert int(big)
    assert set(doc) == {"a", "b", "more"}
    copied = worker.replay.handler("public.t").copy_event(row)
    assert {**copied, "doc": json.loads(copied["doc"])} == {
        "id": "1", "name": name, "mail": mail, "big": big, "has": has, "doc": doc
    }  # fmt: skip
    text = str(site["branch"].db.query("select * from pgq.event_template"))
    assert name in text
    assert "Ann" not in text
    assert "changed" not in text


def test_a_map_at_fault_is_told_with_its_line(tmp_path, cfg):
    for text, told in (
        ("public.t:\n  id keep\n", "line 2"), ("a: {}\n", "says nothing of table"),
        ("public.t:\n  id: sha1\n", "'sha1' is none of"),
        ("public.t:\n  id: keep\n  id: keep", "second time"),
        ("{nope", "map.yaml"),
    ):  # fmt: skip
        path = tmp_path / f"{abs(hash(text))}map.yaml"
        path.write_text(text, encoding="utf-8")
        given = LondisteConfig(db="", queue_name="q", obfuscator_map=path)
        with pytest.raises(UsageError, match=told):
            make(TableInfo("public.t", attrs={"handler": "obfuscate"}), given)


# dispatch

PARTED = """select c.relname, (select count(*) from only public.t)
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'public.t'::regclass order by 1"""


def parts(lab):
    return [row[0] for row in lab.leaf.query(PARTED)]


@pytest.mark.parametrize("native", [False, True])
def test_dispatch_divides_by_a_column(lab, native):
    key = "id int, day timestamptz, t text, primary key (id, day)"
    leaf_table = f"create table t ({key}) partition by range (day)" if native else ""
    lab.publish("public.t", columns=key, leaf_table=leaf_table)
    lab.run()
    lab.add("public.t", "monthly_field(part_field=day)")
    lab.root.execute(
        "insert into t select n, '2020-01-15'::timestamp + n * interval '9 days', n"
        " from generate_series(1, 10) n"
    )
    lab.root.execute("update t set t = 'x' where id < 5; delete from t where id = 9")
    lab.run()
    assert parts(lab) == ["t_2020_01", "t_2020_02", "t_2020_03", "t_2020_04"]
    assert lab.rows("public.t") == lab.site["root"].rows("t")
    assert lab.leaf.value("select count(*) from only t_2020_02") == 4
    lab.root.execute("truncate t")
    lab.run()
    assert lab.rows("public.t") == []


def test_dispatch_uses_partitions_that_are_there(lab):
    key = "id int, day timestamptz, t text, primary key (id, day)"
    lab.publish("public.t", columns=key, leaf_table=f"""
        create table t ({key}) partition by range (day);
        create table old partition of t for values from (minvalue) to ('2021-01-01')
        """)  # fmt: skip
    lab.run()
    lab.add("public.t", "daily_field(part_field=day)")
    lab.root.execute("insert into t values (1, '2020-05-05'), (2, '2022-05-05')")
    lab.run()
    assert parts(lab) == ["old", "t_2022_05_05"]
    assert len(lab.rows("public.t")) == 2


def test_dispatch_row_modes_fields_and_names(lab):
    lab.publish("public.t", leaf_table="create table t (id int, day timestamptz, txt text)")
    lab.run()
    lab.add("public.t", format_call("dispatch", {
        "part_mode": "date_field", "part_field": "day", "period": "year", "row_mode": "keep_all",
        "part_name": "y%(year)s", "fields": "id,day,t:txt", "event_types": "I,U",
        "post_part": "comment on table %(part)s is 'made'",
    }))  # fmt: skip
    lab.root.execute("insert into t values (1, '2020-01-01', 'a')")
    lab.root.execute("update t set t = 'b'; delete from t")
    lab.run()
    assert lab.rows("public.y2020", "id, txt") == [(1, "a"), (1, "b")]
    assert lab.leaf.value("select obj_description('y2020'::regclass)") == "made"


def test_dispatch_by_template_function_and_retention(lab):
    lab.publish("public.t")
    lab.publish("public.u")
    lab.run()
    lab.leaf.execute(
        """create function make(parent text, part text, keys text, field text, at timestamptz,
            period text) returns int language plpgsql as $$ begin execute format(
            'create table public.%s () inherits (%s)', split_part(part, '.', 2), parent);
            return 1; end $$"""
    )
    lab.add("public.t", format_call("yearly_field", {
        "part_field": "day", "retention_period": "3 years", "ignore_old_events": "1",
        "part_template": "create table _DEST_TABLE (primary key (_PKEY)) inherits (_PARENT)",
    }))  # fmt: skip
    lab.add("public.u", "bulk_yearly_event(part_func=public.make)")
    lab.leaf.execute("create table t_2001 () inherits (t)")
    lab.root.execute("insert into t values (1, '2002-01-01'), (2, now())")
    lab.root.execute("insert into u values (1)")
    lab.run()
    year = lab.root.value("select extract(year from now())::int")
    assert parts(lab) == [f"t_{year}"]
    assert lab.rows("public.t", "id") == [(2,)]
    assert lab.rows(f"public.u_{year}", "id") == [(1,)]


def test_dispatch_stops_at_a_row_without_time(lab):
    lab.publish("public.t")
    lab.run()
    lab.add("public.t", "daily_field(part_field=day)")
    lab.root.execute("insert into t values (1, null)")
    lab.site.tick()
    fail_step(lab.worker, r"event \d+: table public.t: part_field day has no value")


def test_encoding_repairs_bytes(db):
    handler = make(TableInfo("public.t", attrs={"handler": "londiste(encoding=utf8)"}),
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
        make(TableInfo("public.t", attrs={"handler": "londiste(encoding=latin1)"}),
             LondisteConfig(db="", queue_name="q"))  # fmt: skip
