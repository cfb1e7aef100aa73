# SPDX-License-Identifier: ISC
"""queue_loader: what is written where, for each mode of tables, rows and time."""

from __future__ import annotations

import logging

import pytest

from skytools.core.config import load
from skytools.core.errors import ConfigError, SkytoolsError
from skytools.core.service import Context
from skytools.daemons.queue_loader import QueueLoader
from tests.fixtures.cascade import add_node, make_root

SALE = "create table sale (id int primary key, name text, sold_at timestamp)"


@pytest.fixture
def nodes(db, make_db):
    """A root with table `sale`, and a leaf with its own."""
    root = make_root(db)
    leaf = add_node(root, root, make_db(), "leaf", "dwh")
    db.execute(SALE)
    db.execute(
        """create trigger t after insert or update or delete on sale
               for each row execute function pgq.logutriga('q')"""
    )
    return root, leaf


@pytest.fixture
def run(nodes, tmp_path):
    """Write an ini with sections of tables, and load what there is: run(text, key=value)."""
    contexts = []

    def run(text, **keys):
        root, leaf = nodes
        path = tmp_path / "loader.ini"
        given = {"db": leaf.db.conninfo, "queue_name": "q", "consumer_name": leaf.worker, **keys}
        lines = ["[queue_loader]", *(f"{key} = {value}" for key, value in given.items())]
        path.write_text("\n".join([*lines, text, ""]))
        loaded = load(QueueLoader.Config, path, "queue_loader")
        ctx = Context(job_name="loader")
        contexts.append(ctx)
        loader = QueueLoader(ctx, loaded.config)
        last = root.events.tick()
        for _ in range(10):
            loader.step()
            if leaf.state("completed_tick") == last:
                return
        raise AssertionError(f"at tick {leaf.state('completed_tick')}, not {last}")

    yield run
    for ctx in contexts:
        ctx.close_databases()
        ctx.signals.close()


def change(nodes, *statements):
    for statement in statements:
        nodes[0].db.execute(statement)


def rows(nodes, table="sale", columns="id, name"):
    return nodes[1].db.query(f"select {columns} from {table} order by 1, 2")


CHANGES = (
    "insert into sale select n, 'n' || n, '2026-01-30'::date + n from generate_series(1, 4) n",
    "update sale set name = 'a\tb\\' where id = 1",
    "update sale set name = null where id = 2",
    "delete from sale where id = 3",
    "insert into sale values (5, 'gone')",
    "delete from sale where id = 5",
    "insert into sale values (3, 'back')",
)
RESULT = [(1, "a\tb\\"), (2, None), (3, "back"), (4, "n4")]


@pytest.mark.parametrize(
    "keys",
    [
        "row_mode = plain",
        "row_mode = bulk",
        "row_mode = bulk\nbulk_mode = delete",
        "row_mode = bulk\nbulk_mode = merged",
    ],
)
def test_a_table_is_the_same_in_every_row_mode(nodes, run, keys):
    nodes[1].db.execute(SALE)
    change(nodes, *CHANGES)
    run(f"[public.sale]\ntable_mode = direct\n{keys}")
    assert rows(nodes) == RESULT
    change(nodes, "update sale set name = 'x'", "delete from sale where id < 3")
    run(f"[public.sale]\ntable_mode = direct\n{keys}", flush_rows=2)
    assert rows(nodes) == [(3, "x"), (4, "x")]


def test_bulk_writes_each_key_once(nodes, run):
    """As released in Skytools 3 the key never compared equal, so rows were not merged."""
    nodes[1].db.execute(SALE)
    nodes[1].db.execute(
        """create table writes (what text);
           create function note() returns trigger language plpgsql as $$
               begin insert into writes values (tg_op || new.name); return new; end $$;
           create trigger t before insert or update on sale for each row execute function note()"""
    )
    change(nodes, "insert into sale values (1, 'a')",
           *[f"update sale set name = '{n}'" for n in range(5)])  # fmt: skip
    run("[public.sale]\ntable_mode = direct\nrow_mode = bulk")
    assert nodes[1].db.query("select * from writes") == [("INSERT4",)]


def test_bulk_warns_of_rows_that_are_not_there(nodes, run, caplog):
    nodes[1].db.execute(SALE)
    change(nodes, "insert into sale values (1, 'a')", "alter table sale disable trigger t",
           "insert into sale values (2, 'b')", "alter table sale enable trigger t",
           "update sale set name = 'c'")  # fmt: skip
    with caplog.at_level(logging.WARNING):
        run("[public.sale]\ntable_mode = direct\nrow_mode = bulk")
    assert "table public.sale: bulk update of 1 rows met 0" in caplog.text
    assert rows(nodes) == [(1, "c")]


def test_keep_latest_and_keep_all_never_delete(nodes, run):
    nodes[1].db.execute(SALE + "; create table all_sales (like sale)")
    change(nodes, *CHANGES)
    run("[public.sale]\ntable_mode = direct\nrow_mode = keep_latest")
    assert rows(nodes) == [*RESULT[:2], (3, "back"), (4, "n4"), (5, "gone")]
    change(nodes, "update sale set name = 'u' where id = 4", "delete from sale where id = 4")
    run("[public.sale]\ntable_mode = direct\nrow_mode = keep_all\ndest_table = all_sales")
    assert rows(nodes, "all_sales") == [(4, "u")]


def test_tables_are_ignored_unless_told(nodes, run):
    # The node has no table sale: what is not left out fails.
    change(nodes, *CHANGES)
    run("")
    run("[DEFAULT]\ntable_mode = ignore\n[public.other]\ntable_mode = direct")


def test_default_is_for_all_tables_and_rename_for_some(nodes, run):
    nodes[1].db.execute("create schema w; create table w.sold (nr int primary key, name text)")
    change(nodes, *CHANGES)
    text = "[DEFAULT]\ntable_mode = direct\nfields = id:nr, name\nrow_mode = bulk"
    run(text, rename_tables="public.sale:w.sold, public.x:public.y")
    assert rows(nodes, "w.sold", "nr, name") == RESULT


TEMPLATE = "split_part_template = create table %%(part)s (like %%(dest)s including all)"


@pytest.mark.parametrize("mode", ["by-batch-time", "by-event-time", "by-date-field:sold_at"])
def test_split_makes_tables_by_time(nodes, run, mode):
    nodes[1].db.execute(SALE)
    change(nodes, "insert into sale values (1, 'a', '2026-01-31 23:59'), (2, 'b', '2026-02-01')")
    run(f"[public.sale]\ntable_mode = split\nsplit_mode = {mode}\n{TEMPLATE}")
    assert rows(nodes) == []
    if mode == "by-date-field:sold_at":
        assert rows(nodes, "sale_2026_01_31") == [(1, "a")]
        assert rows(nodes, "sale_2026_02_01") == [(2, "b")]
    else:
        today = nodes[0].db.value("select to_char(now(), 'YYYY_MM_DD')")
        assert len(rows(nodes, f"sale_{today}")) == 2


def test_a_missing_partition_without_template_is_told(nodes, run):
    nodes[1].db.execute(SALE)
    change(nodes, "insert into sale values (1, 'a', '2026-01-31')")
    with pytest.raises(SkytoolsError, match="2026_01_31 is missing"):
        run("[public.sale]\ntable_mode = split\nsplit_mode = by-date-field:sold_at")
    assert nodes[1].state("cur_error") is not None


@pytest.mark.parametrize(
    ("part", "bound"),
    [
        ("%%(year)s", "('2026-01-01 00:00:00') TO ('2027-01-01 00:00:00')"),
        ("%%(year)s_%%(month)s", "('2026-12-01 00:00:00') TO ('2027-01-01 00:00:00')"),
        ("%%(year)s%%(month)s%%(day)s", "('2026-12-31 00:00:00') TO ('2027-01-01 00:00:00')"),
        (
            "%%(year)s_%%(month)s_%%(day)s_%%(hour)s",
            "('2026-12-31 23:00:00') TO ('2027-01-01 00:00:00')",
        ),
    ],
)
def test_native_partitions_are_made(nodes, run, part, bound):
    nodes[1].db.execute(
        "create table sale (id int, name text, sold_at timestamp) partition by range (sold_at)"
    )
    change(nodes, "insert into sale values (1, 'a', '2026-12-31 23:30')",
           "update sale set name = 'b'")  # fmt: skip
    text = f"""[public.sale]
table_mode = partition
split_mode = by-date-field:sold_at
split_part = p_{part}
row_mode = bulk"""
    run(text)
    assert rows(nodes) == [(1, "b")]
    found = nodes[1].db.query(
        """select pg_get_expr(relpartbound, oid) from pg_class
            where relispartition and relkind = 'r'"""
    )
    assert found == [(f"FOR VALUES FROM {bound}",)]


def test_a_partition_column_gets_the_time_of_the_batch(nodes, run):
    """As cube_dispatcher kept a day's states, without a column for it in the source."""
    nodes[1].db.execute(
        "create table sale (id int, name text, loaded timestamptz) partition by range (loaded)"
    )
    change(nodes, "insert into sale values (1, 'a')", "update sale set name = 'b'")
    run("[public.sale]\ntable_mode = partition\nrow_mode = keep_all\nfields = id, name")
    assert rows(nodes) == [(1, "a"), (1, "b")]
    assert nodes[1].db.value("select count(distinct loaded) from sale") == 1


def test_a_table_that_is_not_partitioned_is_told(nodes, run):
    nodes[1].db.execute(SALE)
    change(nodes, "insert into sale values (1, 'a')")
    with pytest.raises(SkytoolsError, match="is not partitioned by the range"):
        run("[public.sale]\ntable_mode = partition")


def test_rows_without_a_key_can_be_inserted_only(nodes, run, db):
    for node in nodes:
        node.db.execute("create table log (line text)")
    db.execute(
        """create trigger t after insert on log
               for each row execute function pgq.logutriga('q')"""
    )
    change(nodes, "insert into log values ('a'), ('a')")
    run("[public.log]\ntable_mode = direct\nrow_mode = bulk")
    assert rows(nodes, "log", "line, 1") == [("a", 1), ("a", 1)]


def test_what_is_no_change_of_a_row_fails_the_batch(nodes, run):
    nodes[0].events.insert(1)
    with pytest.raises(SkytoolsError, match=r"event \d+: t is no change of a row"):
        run("")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[public.sale]\ntable_mod = direct", "unknown key; a table has"),
        ("[public.sale]\ntable_mode = both", "table_mode: 'both' is"),
        ("[public.sale]\nsplit_mode = by-date", "is unknown: by-batch-time, by-event-time or"),
        ("[DEFAULT]\nsplit_part = %%(week)s", "%(week)s is unknown; known: year"),
        ("[public.sale]\nsplit_part_template = %%(part)d", "has a bad %"),
        ("[public.sale]\nfields = a,,b", "write *, or columns with commas"),
    ],
)
def test_faults_of_table_sections_are_told_with_their_place(nodes, run, text, told):
    with pytest.raises(ConfigError) as error:
        run(text)
    assert told in str(error.value)
    assert "loader.ini: [" in str(error.value)
    assert "\n" not in str(error.value)
