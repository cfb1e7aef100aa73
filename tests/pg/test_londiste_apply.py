# SPDX-License-Identifier: ISC
"""Changes read from a queue and applied to a table give what the source has, whatever the way."""

from __future__ import annotations

import random

import pytest

from skytools.core.db import Database
from skytools.daemons.londiste.apply import writer
from skytools.daemons.londiste.apply.changes import ApplyError
from skytools.pgq import Event

TYPES = """a int, b text, c numeric(10,2), d timestamptz, e jsonb, f bytea, g int[], h text[],
    i point, j bool, k inet, l interval, m "char", n uuid, o int4range, p float8, q date, r xml"""
SAMPLES = [
    "1, 'x', 1.5, '2020-02-02 02:02:02.123456+02', '{\"a\": [1, \"\\\\\"]}', '\\x0001ff',"
    " '{1,NULL,3}', '{\"a,b\",\"\\\\\\\\\",NULL}', '(1,2)', true, '10.0.0.1/8', '1 day 02:00', 'x',"
    " 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '[1,5)', 'NaN', 'infinity', '<a>&amp;</a>'",
    "null, e'\\t\\n\\r\\\\ ''\" & = + % \\\\N ü 𝄞', null, null, 'null', '', '{}', '{}', null, null,"
    " null, null, '', null, 'empty', '-0', '0044-03-15 BC', null",
]


@pytest.mark.parametrize("trigger", ["logutriga", "jsontriga", "sqltriga"])
@pytest.mark.parametrize("small", [0, 500])
def test_values_of_every_type_arrive(lab, trigger, small, monkeypatch):
    monkeypatch.setattr(writer, "VALUES_ROWS", small)
    lab.tables(f"id serial primary key, {TYPES}", trigger)
    names = "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r"
    for sample in SAMPLES:
        lab.db.execute(f"insert into s ({names}) values ({sample})")
    lab.db.execute("set timezone to 'Asia/Kathmandu'")
    lab.db.execute("update s set b = b || '!' where id = 2")
    lab.apply()
    lab.db.execute(f"update s set ({names}) = row({SAMPLES[1]}) where id = 1")
    lab.db.execute("insert into s select id + 10, " + names + " from s")
    lab.db.execute("delete from s where id = 2")
    lab.apply()
    columns = "id, a, b, c, d, e, f, g, h, i::text, j, k, l, m, n, o, p, q::text, r::text"
    assert lab.rows("d", columns) == lab.rows("s", columns)
    assert len(lab.rows("d", "id")) == 3


def churn(lab, dice, rounds):
    """Change the source at random, many times the same rows."""
    db = lab.db
    for _ in range(rounds):
        key, other = dice.randint(1, 12), dice.randint(1, 12)
        action = dice.randint(0, 7)
        if action < 3:
            db.execute(
                "insert into s (id, u, t) values (%s, %s, %s) on conflict (id) do update"
                " set t = excluded.t || '+'",
                (key, key * 100 + lab.seen + dice.randint(0, 10**6), dice.choice("abc\t\\%")),
            )
        elif action < 5:
            db.execute("update s set t = t || %s where id = %s", (dice.choice("xyz&="), key))
        elif action < 6:
            db.execute("delete from s where id = %s", (key,))
        elif action < 7:
            # Two rows exchange a unique value, by way of a third one.
            db.execute(
                """do $$ declare x int; y int; begin
                select u into x from s where id = %(a)s; select u into y from s where id = %(b)s;
                if x <> y then
                  update s set u = -1 where id = %(a)s; update s set u = x where id = %(b)s;
                  update s set u = y where id = %(a)s; end if; end $$""",
                {"a": key, "b": other},
            )
        elif dice.random() < 0.1:
            db.execute("truncate s")


@pytest.mark.parametrize("unique", ["", "unique"])
@pytest.mark.parametrize("trigger", ["logutriga", "jsontriga", "sqltriga"])
def test_net_effect_equals_the_sum_of_changes(lab, trigger, unique, monkeypatch):
    dice = random.Random(f"{trigger}{unique}")
    lab.tables(f"id int primary key, u int {unique}, t text", trigger)
    for number in range(14):
        monkeypatch.setattr(writer, "VALUES_ROWS", dice.choice([0, 500]))
        churn(lab, dice, dice.choice([3, 60]))
        lab.apply(
            slice_rows=dice.choice([1, 7, 1000]),
            by_row=number % 7 == 6,
            method=dice.choice([0, 0, 1, 2]),
            on_missing="stop",
        )
        lab.same()


def test_only_the_net_effect_is_written(lab):
    lab.tables("id int primary key, t text")
    lab.db.execute("insert into s select n, 'a' from generate_series(1, 100) n")
    lab.db.execute("update s set t = 'b'")
    lab.db.execute("update s set t = 'c'")
    lab.db.execute("delete from s where id > 10")
    lab.db.execute("create table log (op text)")
    lab.db.execute(
        """create function note() returns trigger as
        'begin insert into log values (tg_op); return null; end' language plpgsql;
        create trigger n after insert or update or delete on d
            for each row execute function note()"""
    )
    lab.target.execute("set session_replication_role = replica")
    found = lab.apply()
    assert dict(found.applied) == {"I": 100, "U": 200, "D": 90}
    assert lab.same() == 10
    # The trigger is not of those that fire for replication; had it fired for each change, or had
    # the applier written each, versions of rows would tell.
    assert lab.rows("log") == []
    assert lab.db.value("select count(distinct xmin::text) from d") == 1
    assert lab.db.value("select max((ctid::text::point)[1]) from d") == 10


def test_triggers_that_fire_see_each_change_in_order(lab):
    lab.tables("id int primary key, t text")
    lab.db.execute(
        """create table log (nr serial, op text, t text);
        create function note() returns trigger as
        'begin insert into log (op, t) values (tg_op, new.t); return null; end' language plpgsql;
        create trigger n after insert or update on d for each row execute function note();
        alter table d enable always trigger n"""
    )
    lab.db.execute("insert into s values (1, 'a')")
    lab.db.execute("update s set t = 'b'")
    lab.db.execute("update s set t = 'c'")
    lab.apply()
    assert [row[1:] for row in lab.rows("log")] == [
        ("INSERT", "a"),
        ("UPDATE", "b"),
        ("UPDATE", "c"),
    ]


def test_rows_that_exchange_unique_values_are_written_row_by_row(lab):
    lab.tables("id int primary key, u int unique")
    lab.db.execute("insert into s select n, n from generate_series(1, 3) n")
    lab.apply()
    lab.db.execute("update s set u = 0 where id = 1")
    lab.db.execute("update s set u = 1 where id = 2")
    lab.db.execute("update s set u = 2 where id = 1")
    found = lab.apply()
    assert found.slow == 1
    assert lab.same() == 3


def test_a_change_at_fault_is_named(lab):
    lab.tables("id int primary key, t text")
    lab.db.execute("alter table d add check (t <> 'bad')")
    lab.db.execute("insert into s select n, 'good' from generate_series(1, 300) n")
    lab.db.execute("insert into s values (301, 'bad')")
    lab.db.execute("insert into s select n, 'good' from generate_series(302, 400) n")
    events = lab.events()
    with pytest.raises(ApplyError, match=rf"event {events[300].id} cannot be applied: .*check"):
        lab.apply(events=events)
    assert lab.rows("d") == []
    lab.db.execute("alter table d drop constraint d_t_check")
    lab.apply(events=events)
    assert lab.same() == 400


def test_a_slice_that_fails_beside_the_reading_fails_the_batch(lab):
    lab.tables("id int primary key, t text")
    lab.db.execute("alter table d add check (t <> 'bad')")
    lab.db.execute(
        "insert into s select n, case n when 7 then 'bad' end from generate_series(1, 90) n"
    )
    events = lab.events()
    with pytest.raises(ApplyError, match=rf"event {events[6].id} cannot be applied: .*check"):
        lab.apply(events=events, slice_rows=10)
    assert lab.rows("d") == []


def test_a_column_that_is_not_here_is_named(lab):
    lab.tables("id int primary key, t text", source_only=", more int")
    lab.db.execute("insert into s values (1, 'x', 2)")
    with pytest.raises(
        ApplyError, match=r"table public.d has no column more, which event \d+ brings"
    ):
        lab.apply()


def test_columns_may_change_within_a_batch(lab):
    lab.tables("id int primary key, t text")
    lab.db.execute("alter table d add more int default 7, add extra int default 8")
    lab.db.execute("insert into s select n, 'x' from generate_series(1, 5) n")
    lab.db.execute("update s set t = 'y' where id = 1")
    lab.db.execute("alter table s add more int")
    lab.db.execute("update s set more = id where id < 3")
    lab.db.execute("insert into s values (6, 'z', null)")
    lab.apply()
    assert lab.rows("d") == [
        (1, "y", 1, 8), (2, "x", 2, 8), (3, "x", 7, 8), (4, "x", 7, 8), (5, "x", 7, 8),
        (6, "z", None, 8),
    ]  # fmt: skip


def test_large_values_arrive_and_slices_are_bounded_by_size(lab):
    lab.tables("id int primary key, t text, b bytea")
    lab.db.execute(
        "insert into s select n, repeat(chr(64 + n), 1 << 20) from generate_series(1, 6) n"
    )
    lab.db.execute("update s set b = decode(repeat('00ff', 10 << 20), 'hex') where id = 1")
    writes = []
    original = writer.Writer.write_all

    def counted(self, works):
        writes.append(sum(len(line) for work in works for _, line, _ in work.changes))
        original(self, works)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer.Writer, "write_all", counted)
        lab.apply(slice_bytes=2 << 20)
    assert len(writes) == 4
    query = "select id, md5(t), md5(b) from {} order by 1"
    assert lab.db.query(query.format("d")) == lab.db.query(query.format("s"))


def test_bytes_that_are_no_text_are_an_error(lab):
    lab.tables("id int primary key, t text")
    bad = Event(5, "now", 1, None, "I:id", "id=1&t=%ff%fe", "public.d", None, None, None)
    good = Event(4, "now", 1, None, "I:id", "id=2&t=x", "public.d", None, None, None)
    for events in ([good, bad], [bad]):
        with pytest.raises(ApplyError, match=r"event 5: table public\.d: its data are no UTF-8"):
            lab.apply(events=events)


def test_a_target_of_another_encoding(lab, server, monkeypatch):
    name = f"latin_{lab.db.value('select current_database()')}"
    lab.db.execute(
        f"create database {name} encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0"
    )
    lab.tables("id int primary key, t text")
    try:
        lab.target = Database("target", server.conninfo(name))
        lab.target.execute("create table d (id int primary key, t text)")
        for small in (0, 500):
            monkeypatch.setattr(writer, "VALUES_ROWS", small)
            lab.db.execute(
                "insert into s select %s + n, 'ü\\é' from generate_series(1, 3) n", (small,)
            )
            lab.db.execute("update s set t = t || 'ß' where id %% 2 = 0", ())
            lab.apply(on_missing="stop")
        assert lab.target.query("select * from d order by 1") == lab.db.query(
            "select * from s order by 1"
        )
        lab.target.commit()
        lab.db.execute("update s set t = '€' where id = 502")
        with pytest.raises(ApplyError, match=r"event \d+ cannot be applied: .*LATIN1"):
            lab.apply()
    finally:
        lab.target.close()
        server.dropdb(name)


def test_what_is_no_change_of_a_row_is_refused(lab):
    lab.tables("id int primary key, t text")
    odd = Event(5, "now", 1, None, "hello", "id=1", "public.d", None, None, None)
    with pytest.raises(ApplyError, match="event 5: type hello is no change of a row"):
        lab.apply(events=[odd])
    keyless = Event(6, "now", 1, None, "U:id", "t=1", "public.d", None, None, None)
    with pytest.raises(ApplyError, match="event 6: key column id is not in its data"):
        lab.apply(events=[keyless])
