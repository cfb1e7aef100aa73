# SPDX-License-Identifier: ISC
"""Handlers that change rows on their way: partitions by time, values that nobody shall see."""

from __future__ import annotations

import json

import pytest

from skytools.core.errors import UsageError
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.apply import decode
from skytools.daemons.londiste.config import LondisteConfig
from skytools.daemons.londiste.handlers import format_call, make
from skytools.pgq import Event
from tests.fixtures.londiste import fail_step, run_workers

PARTED = """select c.relname, (select count(*) from only public.t)
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'public.t'::regclass order by 1"""


def parts(lab):
    return [row[0] for row in lab.leaf.query(PARTED)]


@pytest.mark.parametrize("native", [False, True])
def test_dispatch_divides_by_a_column(handler_lab, native):
    key = "id int, day timestamptz, t text, primary key (id, day)"
    leaf_table = f"create table t ({key}) partition by range (day)" if native else ""
    handler_lab.publish("public.t", columns=key, leaf_table=leaf_table)
    handler_lab.run()
    handler_lab.add("public.t", "monthly_field(part_field=day)")
    handler_lab.root.execute(
        "insert into t select n, '2020-01-15'::timestamp + n * interval '9 days', n"
        " from generate_series(1, 10) n"
    )
    handler_lab.root.execute("update t set t = 'x' where id < 5; delete from t where id = 9")
    handler_lab.run()
    assert parts(handler_lab) == ["t_2020_01", "t_2020_02", "t_2020_03", "t_2020_04"]
    assert handler_lab.rows("public.t") == handler_lab.tree["root"].rows("t")
    assert handler_lab.leaf.value("select count(*) from only t_2020_02") == 4
    handler_lab.root.execute("truncate t")
    handler_lab.run()
    assert handler_lab.rows("public.t") == []


def test_dispatch_uses_partitions_that_are_there(handler_lab):
    key = "id int, day timestamptz, t text, primary key (id, day)"
    handler_lab.publish("public.t", columns=key, leaf_table=f"""
        create table t ({key}) partition by range (day);
        create table old partition of t for values from (minvalue) to ('2021-01-01')
        """)  # fmt: skip
    handler_lab.run()
    handler_lab.add("public.t", "daily_field(part_field=day)")
    handler_lab.root.execute("insert into t values (1, '2020-05-05'), (2, '2022-05-05')")
    handler_lab.run()
    assert parts(handler_lab) == ["old", "t_2022_05_05"]
    assert len(handler_lab.rows("public.t")) == 2


def test_dispatch_row_modes_fields_and_names(handler_lab):
    handler_lab.publish("public.t", leaf_table="create table t (id int, day timestamptz, txt text)")
    handler_lab.run()
    handler_lab.add("public.t", format_call("dispatch", {
        "part_mode": "date_field", "part_field": "day", "period": "year", "row_mode": "keep_all",
        "part_name": "y%(year)s", "fields": "id,day,t:txt", "event_types": "I,U",
        "post_part": "comment on table %(part)s is 'made'",
    }))  # fmt: skip
    handler_lab.root.execute("insert into t values (1, '2020-01-01', 'a')")
    handler_lab.root.execute("update t set t = 'b'; delete from t")
    handler_lab.run()
    assert handler_lab.rows("public.y2020", "id, txt") == [(1, "a"), (1, "b")]
    assert handler_lab.leaf.value("select obj_description('y2020'::regclass)") == "made"


def test_dispatch_by_template_function_and_retention(handler_lab):
    handler_lab.publish("public.t")
    handler_lab.publish("public.u")
    handler_lab.run()
    handler_lab.leaf.execute(
        """create function make(parent text, part text, keys text, field text, at timestamptz,
            period text) returns int language plpgsql as $$ begin execute format(
            'create table public.%s () inherits (%s)', split_part(part, '.', 2), parent);
            return 1; end $$"""
    )
    handler_lab.add("public.t", format_call("yearly_field", {
        "part_field": "day", "retention_period": "3 years", "ignore_old_events": "1",
        "part_template": "create table _DEST_TABLE (primary key (_PKEY)) inherits (_PARENT)",
    }))  # fmt: skip
    handler_lab.add("public.u", "bulk_yearly_event(part_func=public.make)")
    handler_lab.leaf.execute("create table t_2001 () inherits (t)")
    handler_lab.root.execute("insert into t values (1, '2002-01-01'), (2, now())")
    handler_lab.root.execute("insert into u values (1)")
    handler_lab.run()
    year = handler_lab.root.value("select extract(year from now())::int")
    assert parts(handler_lab) == [f"t_{year}"]
    assert handler_lab.rows("public.t", "id") == [(2,)]
    assert handler_lab.rows(f"public.u_{year}", "id") == [(1,)]


def test_dispatch_stops_at_a_row_without_time(handler_lab):
    handler_lab.publish("public.t")
    handler_lab.run()
    handler_lab.add("public.t", "daily_field(part_field=day)")
    handler_lab.root.execute("insert into t values (1, null)")
    handler_lab.tree.tick()
    fail_step(handler_lab.worker, r"event \d+: table public.t: part_field day has no value")


MAP = """# what becomes of columns
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
"""


def test_obfuscation_is_the_same_in_copy_apply_and_events(tree, cfg_keys):
    cfg_keys["obfuscator_map"].write_text(MAP, encoding="utf-8")
    tree.root()
    tree.node("branch", "branch", "root")
    columns = "id int primary key, name text, mail text, big text, has text, doc jsonb, hidden text"
    tree.each(f"create table t ({columns}, other text)")
    tree["branch"].db.execute("alter table t drop hidden, drop other")
    tree["root"].add_table("public.t", "backup")
    worker = tree.worker("branch", **cfg_keys)
    tree.tick()
    run_workers(worker)
    tree["branch"].add_table("public.t", handler="obfuscate")
    doc = '{"a": [1], "b": "x", "more": {"c": 5, "d": 6}, "z": 1}'
    row = {"id": "1", "name": "Ann", "mail": "a@b", "big": "", "has": "", "doc": doc,
           "hidden": "h", "other": "o"}  # fmt: skip
    tree["root"].db.execute(
        f"insert into t ({', '.join(row)}) values ({', '.join(['%s'] * len(row))})",
        tuple(row.values()),
    )
    tree["root"].db.execute("update t set hidden = 'changed'")
    tree.tick()
    run_workers(worker)
    ((number, name, mail, big, has, doc),) = tree["branch"].rows("t")
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
    text = str(tree["branch"].db.query("select * from pgq.event_template"))
    assert name in text
    assert "Ann" not in text
    assert "changed" not in text


def test_an_obfuscated_event_keeps_the_key_before(londiste_cfg):
    handler = make(TableInfo("public.t", attrs={"handler": "obfuscate"}), londiste_cfg)

    def forwarded(key, data, before):
        event = Event(1, "now", 1, None, f"U:{key}", data, "public.t", before, None, None)
        return decode(handler.forward(event))

    change = forwarded("t", "id=1&t=new", "id=1&t=old")
    assert change.old_key == tuple(handler.copy_event({"t": "old"}).values())
    assert change.old_key != ("old",)
    assert forwarded("id", "id=1&t=new", "id=1&t=old").old_key is None
    truncate = Event(1, "now", 1, None, "R", "", "public.t", None, None, None)
    assert handler.forward(truncate) is truncate


def test_a_map_at_fault_is_told_with_its_line(tmp_path):
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
