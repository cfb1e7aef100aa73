# SPDX-License-Identifier: ISC
"""Checksums of rows: the same on both sides whatever the layout, and different for any change."""

from __future__ import annotations

import pytest

from skytools.core.errors import DatabaseError
from skytools.daemons.londiste.progress import Progress
from skytools.daemons.londiste.relation import describe
from skytools.daemons.londiste.verify import checksum
from skytools.daemons.londiste.verify.diff import Traffic, differences, fetch, overview
from skytools.daemons.londiste.verify.fixes import Fix, Writer, fixes
from skytools.daemons.londiste.verify.point import Frozen, Place, Point
from skytools.daemons.londiste.verify.scan import Readers, Scan, Side

MOOD = "create type mood as enum ('good', 'bad'); create domain pos as int check (value > 0)"
# Type, a value, another one, and one that a NULL must not be taken for.
TYPES = [
    ("int2", "1", "2", "0"),
    ("int4", "-7", "7", "0"),
    ("int8", "9223372036854775807", "1", "0"),
    ("bool", "true", "false", "false"),
    ("text", "a", "b", ""),
    ("varchar(10)", "a", "a ", ""),
    ("char(5)", "a", "b", ""),
    ("numeric", "1.0", "1.00", "0"),
    ("float8", "0.1", "0.10000000000000002", "0"),
    ("date", "2020-02-29", "2020-03-01", "1970-01-01"),
    ("timestamp", "2020-02-29 12:00:00.000001", "2020-02-29 12:00:00", "epoch"),
    ("timestamptz", "infinity", "2020-02-29 12:00:00+02", "epoch"),
    ("interval", "1 day", "24 hours", "0"),
    ("uuid", "12345678-1234-1234-1234-123456789abc", "12345678-1234-1234-1234-123456789abd",
     "00000000-0000-0000-0000-000000000000"),
    ("bytea", "\\x00ff", "\\x00fe", ""),
    ("json", '{"a": 1}', '{"a":1}', '""'),
    ("jsonb", '{"a": 1}', '{"a": 1.0}', '""'),
    ("mood", "good", "bad", "good"),
    ("pos", "1", "2", "1"),
    ("int4[]", "{1,NULL}", "{1}", "{}"),
    ("inet", "1.2.3.4", "1.2.3.4/31", "0.0.0.0"),
    ("int4range", "[1,5)", "[1,6)", "empty"),
    ("point", "(1,2)", "(1,3)", "(0,0)"),
    ("xml", "<a/>", "<b/>", ""),
]  # fmt: skip


@pytest.fixture
def sides(make_db):
    """Give two databases and a function that opens a table of both for reading."""
    a, b = make_db(empty=True), make_db(empty=True)
    for db in (a, b):
        for statement in MOOD.split("; "):
            db.execute(statement)
    # Types are not numbered alike: what is hashed must not depend on it.
    opened = []

    def scan(name="public.t", other="", jobs=2):
        while opened:
            opened.pop(0).close()
        point = Point(0, *(Frozen(Place(db.name, db.conninfo)) for db in (a, b)))
        point.src.freeze()
        point.dst.freeze()
        readers = Readers(point, jobs)
        opened.extend((readers, point))
        src, dst = describe(point.src.db, name), describe(point.dst.db, other or name)
        shape, notes = checksum.shape(src, dst, same_encoding=True)
        scan.notes = notes
        return Scan(readers, Side(src), Side(dst), shape, Progress(quiet=True))

    yield a, b, scan
    for one in opened:
        one.close()


def test_every_type_counts(sides):
    """A change of any value is seen, also from NULL to what stands for it and back."""
    a, b, scan = sides
    columns = ", ".join(f"c{i} {kind[0]}" for i, kind in enumerate(TYPES))
    marks = ", ".join(["%s"] * len(TYPES))
    # For each column: another value, NULL to what stands for it, and back.
    changes = []
    for i, (_, one, other, empty) in enumerate(TYPES):
        for before, after in ((one, other), (None, empty), (empty, None)):
            changes.append((len(changes), i, before, after))
    for db in (a, b):
        db.execute(f"create table t (id int primary key, {columns})")
        for number, i, before, _ in changes:
            row = [kind[1] for kind in TYPES]
            row[i] = before
            db.execute(f"insert into t values (%s, {marks})", (number, *row))
    src, dst = scan().totals()
    assert src == dst
    assert src.rows == len(changes)
    for number, i, _, after in changes:
        b.execute(f"update t set c{i} = %s where id = %s", (after, number))
    one = scan()
    found = [(d.key[0], d.in_src, d.in_dst) for d in differences(one, overview(one), Traffic())]
    assert found == [(str(number), True, True) for number, *_ in changes]
    b.execute("delete from t where id < 9")
    b.execute("insert into t (id) values (-1), (-2)")
    one = scan()
    keys = [d.key for d in differences(one, overview(one), Traffic())]
    assert len(keys) == len(changes) + 2
    point = one.readers.point
    rows = [fetch(db, side, one.shape, keys) for db, side in
            ((point.src.db, one.src), (point.dst.db, one.dst))]  # fmt: skip
    fixer = point.dst.place.connect()
    for statement in Writer(one.dst.relation, one.shape, only=True).together(
        list(fixes(keys, *rows))
    ):
        fixer.execute(statement).close()
    fixer.commit()
    fixer.close()
    src, dst = scan().totals()
    assert src == dst


def test_a_value_that_does_not_fit_is_not_cut(sides):
    a, b, scan = sides
    for db, size in ((a, 9), (b, 3)):
        db.execute(f"create table t (id int primary key, v varchar({size}), c char({size}))")
    for row in ((1, "long one", None), (2, None, "long one")):
        a.execute("insert into t values (%s, %s, %s)", row)
        one = scan()
        fix = Fix((str(row[0]),), tuple(None if v is None else str(v) for v in row), None)
        (statement,) = Writer(one.dst.relation, one.shape, only=True).together([fix])
        with pytest.raises(DatabaseError, match="value too long"):
            b.execute(statement)


def test_layout_does_not_matter(sides):
    """Order of rows and columns, types of integers and times, partitions, inherited rows."""
    a, b, scan = sides
    a.execute("create table t (id int primary key, n int, v varchar(9), w timestamptz)")
    b.execute("""create table t (w timestamp, v text, dead int, id bigint, n smallint not null,
              primary key (id)) partition by hash (id)""")
    b.execute("alter table t drop column dead")
    for i in range(3):
        b.execute(f"create table t{i} partition of t for values with (modulus 3, remainder {i})")
    a.execute("""insert into t select n, n % 100, 'v' || n,
              'epoch'::timestamptz + n * interval '1 s' from generate_series(1, 3000) n""")
    b.execute("""insert into t (id, n, v, w) select n, n % 100, 'v' || n,
              'epoch'::timestamp + n * interval '1 s' from generate_series(3000, 1, -1) n""")
    one = scan(jobs=3)
    src, dst = one.totals()
    assert src == dst
    seen = overview(one)
    assert seen.differing == {}
    assert (seen.src, seen.dst) == (src, dst)
    b.execute("update t set w = w + interval '1 us' where id in (7, 2900)")
    b.execute("delete from t where id = 8")
    b.execute("insert into t (id, n) values (99999, 1)")
    one = scan()
    traffic = Traffic()
    found = {d.key[0]: (d.in_src, d.in_dst) for d in differences(one, overview(one), traffic)}
    assert found == {"7": (True, True), "2900": (True, True), "8": (True, False),
                     "99999": (False, True)}  # fmt: skip
    assert traffic.keys < 100
    rows = fetch(one.readers.point.dst.db, one.dst, one.shape, [("7",), ("8",)])
    assert rows == {("7",): ("7", "7", "v7", "1970-01-01 00:00:07.000001+00")}


def test_a_table_without_key_is_compared_by_whole_rows(sides):
    """Rows that are there twice count twice; columns of one side only are told and left out."""
    a, b, scan = sides
    a.execute("create table t (x text, y int)")
    b.execute("create table t (y int, x text, z int, g int generated always as (y * 2) stored)")
    for db in (a, b):
        db.execute("insert into t (x, y) values ('a', 1), ('a', 1), (null, null), ('b', null)")
    one = scan()
    src, dst = one.totals()
    assert src == dst
    assert scan.notes == ["column z of the destination is missing in the source",
                          "column g of the destination is missing in the source"]  # fmt: skip
    b.execute("delete from t where ctid = (select min(ctid) from t where x = 'a')")
    b.execute("insert into t (x, y) values ('b', null)")
    one = scan()
    src, dst = one.totals()
    assert src.rows == dst.rows
    assert src != dst
    found = {(d.key, d.in_src) for d in differences(one, overview(one), Traffic())}
    assert found == {(("a", "1"), True), (("b", None), False)}
