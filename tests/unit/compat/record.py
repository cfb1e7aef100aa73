# SPDX-License-Identifier: ISC
"""Writes recorded.json: what the helpers of Debian's python3-skytools 3.8.1 return.

Run it where that package can be imported; the tests compare ours with the file:

    apt-get download python3-skytools python3-psycopg2; dpkg-deb -x each of them to /tmp/old
    PYTHONPATH=/tmp/old/usr/lib/python3/dist-packages python3 record.py > recorded.json
"""

from __future__ import annotations

import datetime
import json
import random
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

TEXTS = [
    *("", "a", "A", "abc", "a b", "a.b", "a'b", "a''b", 'a"b', 'a""b', "a\\b", "a\\'b", "\\", "'"),
    *("a\tb", "a\nb", "a\rb", "\\N", "null", "NULL", "Null", "é", "日本", "$1", "a+b", "a%20b"),
    *("a=b&c=d", "a&b", "/", "</x>", "\x01\x1f", "select", "user", "Table", "offset", "between"),
    *("a1", "1a", "_x", "x$y", "public.t", "a.b.c", ".a", "a.", "Foo.Bar", "x-y", "name", "text"),
    *(
        "timestamp",
        "int",
        "values",
        "order",
        "group",
        "left",
        "over",
        "window",
        "returning",
        "natural",
    ),
    *(
        "do",
        "type",
        "key",
        "none",
        "interval",
        "xmlparse",
        "variadic",
        "lateral",
        "fetch",
        "public",
    ),
]
LITERALS = [
    *("'a'", "'a''b'", "'a\\'b'", "E'a\\nb'", "e'a\\tb'", "E'\\\\'", "E'a''b'", "'a\\\\b'", "null"),
    *("NULL", "abc", "$$x$$", "$q$it's$q$", "$q$a$x$", "123", "''", "E''", "E'\\x41\\101'", "$a"),
    *("E'\\b\\f\\r'", "'\\n'", "E'\\101\\60'", "Null", "$$", "$$$$", "'", "E'", "N'a'", "'a"),
    *("E'a\\", "E'\\q'", "E'\\7'", "E'\\1234'"),
]
STATEMENTS = [
    "select 1",
    "select 'a''b', E'a\\'b', $$x;y$$, $q$ 1 $q$ from \"T\" -- note\n where a = $1 and b >= 3e1;",
    "a.b.\"C\" := x::int4 /* c /* nested */ */ <> 'x'",
    "insert into t values (1, ';');\nupdate t set a = 2;\n\n",
    "create function f() returns int as $$ begin; end; $$ language plpgsql; select 1;",
    "begin; select (1; 2); commit",
    "select 1); select 2",
    "copy t from stdin; 1\n\\.\n",
    "copy t (a) to stdout; select 2",
    "select %(a)s, {b}, {c:int}, %s",
    "select 'unfinished",
    "select e'\\n' || U&'x' || x'1f' || b'01', .5, 5., 1e5, $12, $a",
    "a<=b!=c||d->e#>>f @> g",
    "-- only a note",
    "",
    "  \n ",
    "select 'a\\'; select 2",
    "select 1;;select 2",
    "$1$2",
    "é 'é' \"é\"",
    "\\i file.sql\nselect 1;",
    "a . b",
    "x.y.z.*",
    "select array[1,2][1], a[1:2]",
    "select :v, :'q', ?",
]
NATURAL = [
    *("a1", "a10", "a2", "a02", "a002", "a", "", "1", "01", "001", "10", "1.0~rc1", "1.0", "1.0.1"),
    *("B", "b", "a~", "a~1", "a-1", "a_1", "A1", "a1b", "a1b2", "a1b10", "~", "0", "00", "0.1"),
    *("0.01", "1.10", "1.9", "9a", "99", "a0", "a00", "a 1", "a.1", "A~"),
]
TIMES = [
    *("2020-01-02", "2020-01-02 03:04", "2020-01-02 03:04:05", "2020-01-02T03:04:05"),
    *("2020-01-02 03:04:05.123456", "2020-01-02 03:04:05.1", "2020-01-02 03:04:05.1234567"),
    *("2020-01-02 03:04:05Z", "2020-01-02 03:04:05+02", "2020-01-02 03:04:05-0330"),
    *("2020-01-02 03:04:05+05:30", "2020-01-02 03:04:05 +02", "x", "", "2020-13-01", "20200102"),
    *("2020-01-02 03:04:05,5", "2020-1-2", "2020-01-02 03", "2020-01-02 03:04Z", "2020-01-02Z"),
    *("2020-01-02 03:04:05.5+02:00", "2020-01-02 24:00:00", "2020-02-30 00:00:00"),
]
CONNECT = [
    *(
        "",
        "dbname=a",
        "dbname=a host=b",
        "dbname = a  host= b",
        "dbname='a b' host=c",
        "a='it\\'s'",
    ),
    *(
        "a=b\\ c",
        "a='\\\\'",
        "dbname",
        "a=''",
        "a='x",
        "host=/tmp port=5432  user=x",
        "a=b c",
        "=x",
    ),
    *("a='b'c=d", "dbname=a  "),
]
ARRAYS = [
    *("{}", "{a}", "{a,b}", '{"a b",c}', "{NULL,null}", '{"NULL"}', '{"a\\"b","c\\\\d"}', "{a b}"),
    *("{,}", "{a,}", "{", "}", "", "abc", '{"a}', "{{a}}", "{ a , b }", "{1,2,3}", '{""}', "{é}"),
    *("[0:1]={a,b}", '{a"b}', '{"a"b}'),
]
SIZES = [
    "1",
    "10",
    "1K",
    "1k",
    "4MB",
    "4 MB",
    "2g",
    "1T",
    "1.5K",
    "x",
    "",
    "1B",
    "7b",
    "1KiB",
    "-1",
]
URLS = [
    *("", "a=1", "a=1&b=2", "a", "a=", "a&b=x", "a=1&a=2", "a=%41%42", "a=x+y", "a=%e3%81%82"),
    *("A%20b=c", "a=b=c", "&", "a=1&", "&a=1", "a=%zz", "a=%4", "a=\t", "a=é", "=x", "a=%00"),
]
ROWS: list[dict[str, Any]] = [
    {"id": 1, "data": "x'y", "n": None},
    {"id": "7", "data": "a\\b", "n": 5},
    {"id": 1},
    {"id": None, "data": "z"},
    {"Id": 1, "select": "q", "n": 1.5},
]
TNET: list[Any] = [
    *(b"", b"abc", "", "abc", "é", 0, 12, -5, 10**20, 1.5, -0.25, True, False, None, [], [1, "a"]),
    *({}, {"a": 1}, {"a": [None, {"b": b"c"}]}, (1, 2), [[], [[]]], {"k": True}, 1e100),
]
TNET_BYTES = [
    *(b"0:,", b"3:abc,", b"1:1#", b"4:true!", b"5:false!", b"0:~", b"0:]", b"0:}", b"3:1.5^"),
    *(b"8:1:1#1:a,]", b"8:1:a,1:1#}", b"3:abc", b"x", b"", b"3:ab,", b"1:x#", b"4:trux!", b"1:a~"),
    *(b"4:1:1#}", b"9999999999:a,", b"2:\xc3\xa9,", b"1:\xff,", b"0:,x", b"01:a,", b"-1:a,"),
]
BYTES = [b"", b"abc", b"a\\b", b"'", b"\x00\x01\xff", bytes(range(256)), b"\xc3\xa9", b"\xc3"]
UTF8 = [
    *(b"abc", b"\xc3\xa9", b"\xc3", b"\xff", b"a\xe2\x82", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80"),
    *(
        b"\xc0\x80",
        b"\xf8\x88",
        b"\x00a",
        b"\xe2\x82\xac\xe2",
        b"",
        b"\xf4\x90\x80\x80x",
        b"a\xc3b",
    ),
]
JSONS: list[Any] = [*TEXTS, "a\u2028b", "\x7f", "\x08\x0c"]
LOGTRIGA = [
    ("I", "(id,data) values ('1','x')"),
    ("I", "(id,data,n) values ('1',E'x\\'y',null)"),
    ("I", "(\"Id\",\"select\") values ('1','a, b')"),
    ("U", "data='x' where id='1'"),
    ("U", "data='x',n=null where id='1' and k='2'"),
    ("D", "id='1'"),
    ("D", "id='1' and \"K\"='a and b'"),
    ("I", "(id) values ('1','2')"),
    ("I", "(id,data) values ('1')"),
    ("U", "data='x'"),
    ("X", "id='1'"),
    ("I", "bogus"),
    ("U", ""),
]
SQLTRIGA = [
    ("I", "insert into t (id,data) values ('1','x');", None),
    ("U", "update only public.t set data='x' where id='1'", ["id"]),
    ("U", "data='x' where id='1'", ["id"]),
    ("I", "(id,data) values ('1','x')", ["id"]),
    ("D", "id='1' and data='y'", ["id"]),
    ("D", "delete from only t where id='1'", ["id"]),
    ("I", "(id,data) values ('1','x')", []),
]
TABBED = [
    "a|b\n-+-\n1|2\n",
    "a\tb\n1\t2\n3\t4\n",
    "a b\n1 2\n",
    " a  b\n 1  2\n\n",
    "",
    "#x\na|b\n1|2\n",
]
ACLS = ["user=arwd/owner", "=r/postgres", "x", "a=b", '"a b"=r/"o o"', "group g=r/o", "a=r*w/b", ""]
DOCS = [
    "One.\n\n  two\n   three\n",
    "\n    a\n      b\n\n    c\n    ",
    "a",
    "",
    "  a\n b",
    "\ta\n\tb",
    "Head\n    a\n\n    b\n",
    "\n\n  x  \n",
]
SNAPSHOTS = ["10:20:12,15", "10:10:", "1:5:1,2,3,4", "100:101:100"]


def plain(value: Any) -> Any:
    """Return a value that a Python literal can express."""
    if isinstance(value, datetime.datetime):
        return ("datetime", value.isoformat())
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, tuple):
        return tuple(plain(v) for v in value)
    if isinstance(value, types.GeneratorType | filter | map | zip):
        return [plain(v) for v in value]
    return value


def outcome(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Return what a call gives, as text; an error by its class."""
    try:
        return repr(plain(function(*args, **kwargs)))
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is recorded
        return f"!{type(exc).__name__}"


def random_texts(seed: int, count: int) -> list[str]:
    dice = random.Random(seed)
    letters = "aZ09_.'\"\\ \t\n%&=+$,{}é~-/"
    return ["".join(dice.choices(letters, k=dice.randrange(1, 12))) for _ in range(count)]


Case = tuple[str, tuple[Any, ...], dict[str, Any]]


def each(name: str, values: Iterable[Any], **kwargs: Any) -> Iterator[Case]:
    for value in values:
        yield name, (value,), kwargs


def one_argument() -> Iterator[Case]:
    texts = [*TEXTS, *random_texts(1, 120)]
    values: list[Any] = [*texts, None, 5, -1.5, True, 10**20]
    yield from each("quote_literal", values)
    yield from each("quote_copy", values)
    for name in ("quote_ident", "quote_fqident", "fq_name", "fq_name_parts", "unquote_ident"):
        yield from each(name, texts)
    yield from each("unquote_fqident", [*texts, 'a."B.c"', '"A".b', '"a""b".c'])
    yield from each("unescape", texts + LITERALS)
    yield from each("unescape_copy", texts)
    yield from each("unquote_literal", texts + LITERALS)
    for text in texts + LITERALS:
        yield "unquote_literal", (text, True), {}
    yield from each("quote_json", [*JSONS, None])
    for name in ("quote_bytea_raw", "quote_bytea_literal", "quote_bytea_copy"):
        yield from each(name, [*BYTES, None])
    yield from each("db_urldecode", [*URLS, *random_texts(2, 60)])
    yield from each(
        "db_urlencode", [{}, {"a": None}, {"a": ""}, {"é": "a b"}, {"a": 1, "b": "x&y"}]
    )
    yield from each("db_urlencode", [{text: text} for text in texts])
    yield from each("parse_pgarray", [*ARRAYS, None, *random_texts(3, 40)])
    yield from each(
        "make_pgarray", [[], ["a"], ["a b", None, 'x"y', "a\\b"], ["NULL"], [""], [1, 2]]
    )
    yield from each("make_pgarray", [[text] for text in texts])
    yield from each("json_decode", ['{"a": 1}', "[1, null]", '"x"', "bogus"])
    yield from each("json_encode", [None, {"a": [1, None, "é"]}, "x", 1.5])
    yield from each("natsorted", [NATURAL, texts])
    yield from each("natsorted_icase", [NATURAL, texts])
    yield from each("parse_iso_timestamp", TIMES)
    yield from each("parse_connect_string", CONNECT)
    yield from each("hsize_to_bytes", SIZES)
    yield from each("dedent", DOCS)
    yield from each("parse_acl", ACLS)
    yield from each("parse_tabbed_table", TABBED)
    yield from each("tnetstrings.dumps", TNET)
    yield from each("tnetstrings.loads", TNET_BYTES)
    yield from each("safe_utf8_decode", UTF8)
    yield from each("hashtext_old", [*BYTES, *random_texts(4, 60), *TEXTS])
    yield from each("hashtext_new", [*BYTES, *random_texts(4, 60), *TEXTS])


def more_arguments() -> Iterator[Case]:  # noqa: C901, PLR0912 - one list
    for left in NATURAL:
        for right in NATURAL[::3]:
            yield "natsorted", ([left, right],), {}
    yield from each(
        "merge_connect_string", [[("a", "b")], [("a", "b c"), ("d", "")], [("a", "'\\")]]
    )
    for op, sql in LOGTRIGA:
        for split in (False, True):
            yield "parse_logtriga_sql", (op, sql, split), {}
    for op, sql, pkeys in SQLTRIGA:
        for split in (False, True):
            yield "parse_sqltriga_sql", (op, sql, pkeys, split), {}
    for sql in [*STATEMENTS, *random_texts(5, 60)]:
        for kwargs in (
            *({}, {"standard_quoting": True}, {"ignore_whitespace": True}, {"fqident": True}),
            {"show_location": True, "ignore_whitespace": True},
        ):
            yield "sql_tokenizer", (sql,), kwargs
        yield "parse_statements", (sql,), {}
        yield "parse_statements", (sql,), {"standard_quoting": True}
    for row in ROWS:
        yield "mk_insert_sql", (row, "t"), {}
        yield "mk_insert_sql", (row, "s.T", ["id"], {"id": "key", "data": "data"}), {}
        for pkeys in (["id"], ["id", "n"], []):
            yield "mk_update_sql", (row, "public.t", pkeys), {}
            yield "mk_delete_sql", (row, "public.t", pkeys), {}
        yield "mk_update_sql", (row, "t", ["id"], {"id": "key", "data": "d"}), {}
        yield "mk_delete_sql", (row, "t", ["id"], {"id": "key"}), {}
    for sql, args in (
        ("select %s, %s", (1, "a'b")),
        ("select %(a)s", {"a": None}),
        ("select %s", ()),
        ("x", ()),
        ("%(b)s", {"a": 1}),
        ("100%% %s", ["\\"]),
    ):
        yield "quote_statement", (sql, args), {}
    for kwargs in ({}, {"use_insert": True}, {"quoted_table": True}):
        for data, fields in (
            (ROWS[:4], ["id", "data", "n"]),
            (ROWS[:2], None),
            ([], None),
            ([(1, "a\tb"), (None, "c")], ["id", "select"]),
            ([(1, 2)], None),
            ([(1,)], ["a", "b"]),
        ):
            yield "magic_insert", (None, "public.Tbl", data, fields), kwargs


def snapshots(tool: Any) -> Iterator[list[str]]:
    for text in SNAPSHOTS:
        seen = [tool.Snapshot(text).contains(txid) for txid in range(25)]
        yield ["Snapshot.contains", repr((text,)), "{}", repr(seen)]


def find(tool: Any, name: str) -> Callable[..., Any]:
    for part in name.split("."):
        tool = getattr(tool, part)
    return tool  # type: ignore[no-any-return]


def main() -> None:
    import skytools
    import skytools.tnetstrings

    lines = [
        [name, repr(args), repr(kwargs), outcome(find(skytools, name), args, kwargs)]
        for cases in (one_argument(), more_arguments())
        for name, args, kwargs in cases
    ]
    lines += snapshots(skytools)
    text = ",\n".join(json.dumps(line, ensure_ascii=True) for line in lines)
    sys.stdout.write(f"[\n{text}\n]\n")


if __name__ == "__main__":
    main()
