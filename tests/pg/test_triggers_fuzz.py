# SPDX-License-Identifier: ISC
"""Triggers on any table, with any data and arguments: what they write must be the rows."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skytools.core.db import sql
from tests.fixtures.captured import TRANSITIONS, TRIGGERS, Column, Row, Table, check, literal
from tests.fixtures.pgtypes import OWN_SAMPLES, OWN_TYPES, SAMPLES, WITHOUT_VALUES, array_text


@pytest.fixture
def work(db):
    db.execute("select pgq.create_queue('q')")
    db.execute("create schema work")
    db.execute("set search_path = work")
    db.execute(OWN_TYPES)
    db.execute(FAILS)
    db.execute("set timezone = 'Europe/Tallinn'")
    return db


def test_there_are_samples_of_every_type(db):
    found = db.query(
        """select typname::text from pg_type
            where typnamespace = 'pg_catalog'::regnamespace and typtype in ('b', 'r', 'm')
              and typcategory <> 'A'"""
    )
    assert {name for (name,) in found} - set(SAMPLES) - WITHOUT_VALUES == set()


@pytest.mark.parametrize("level", ["row", "statement"])
def test_every_type_and_its_array(work, level):
    """One table of them all: each sample, NULL, and arrays of both."""
    samples = {**SAMPLES, **OWN_SAMPLES}
    columns = [Column("id", "int4"), *(Column(f"c_{name}", name) for name in samples)]
    columns += [Column(f"a_{name}", f"{name}[]") for name in samples]
    table = Table(work, columns, ["id"], level, backup=True)
    table.create()

    def row(number: int) -> Row:
        one: Row = {"id": str(number)}
        for name, values in samples.items():
            value = values[number % len(values)]
            one[f"c_{name}"] = None if number % 11 == 10 else value
            one[f"a_{name}"] = array_text(name, [value, None, values[0]], number)
        return one

    # Each sample is in one of the rows that stay as they were inserted.
    table.insert([row(number) for number in range(30)])
    table.update({k: v for k, v in row(1).items() if k != "id"}, sql.SQL("id in (2, 3)"))
    table.update({k: v for k, v in row(4).items() if k != "id"}, sql.SQL("id < 2"))
    work.execute("delete from work.t where id in (3, 5, 7)")
    check(table)


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
# What an option can name: no commas, no blanks at the ends; not too long in bytes.
names = (
    st.text(
        st.characters(exclude_characters="\0,", exclude_categories=["Cs"]), min_size=1, max_size=12
    )
    .filter(lambda name: name == name.strip() and not name.startswith("_pgq_ev_"))
    .filter(lambda name: name.isascii() or name == name.strip("\u0085"))
)
KINDS = [
    *("text", "varchar", "bpchar", "bool", "int4", "int8", "numeric", "float8", "date", "interval"),
    *(
        "timestamptz",
        "json",
        "jsonb",
        "bytea",
        "uuid",
        "mood",
        "pair",
        "text[]",
        "int4[]",
        "mood[]",
    ),
]
kinds = st.sampled_from(KINDS)


def values_of(kind: str) -> st.SearchStrategy[str | None]:
    base = kind.removesuffix("[]")
    some: st.SearchStrategy[str]
    if base in {"text", "varchar", "bpchar"}:
        some = texts
    elif base == "json":
        some = st.recursive(texts, lambda inner: st.lists(inner, max_size=3)).map(
            lambda value: json.dumps(value).replace("\\u0000", "")
        )
    elif base in {"int4", "int8"}:
        some = st.integers(-(2**31), 2**31 - 1).map(str)
    else:
        some = st.sampled_from({**SAMPLES, **OWN_SAMPLES}[base])
    if kind != base:
        some = st.lists(st.none() | some, max_size=3).map(lambda v: array_text(base, v, 0) or "{}")
    return st.none() | some


@st.composite
def scenarios(draw: st.DrawFn) -> tuple[list[Column], list[str], list[Row], list[Row], bool, str]:
    """Columns, ignored columns, rows to insert, changes (by key, None deletes), backup, level."""
    unique = draw(st.lists(names, min_size=2, max_size=5, unique=True))
    key = Column(unique[0], draw(st.sampled_from(["int4", "text", "numeric"])))
    others = [Column(name, draw(kinds)) for name in unique[1:]]
    ignored = draw(st.lists(st.sampled_from(unique[1:]), max_size=2, unique=True))
    keys = draw(st.lists(st.integers(0, 10**6).map(str), min_size=1, max_size=4, unique=True))
    rows = [{key.name: k, **draw(row_of(others))} for k in keys]
    changes = [
        {key.name: k, **({} if draw(st.booleans()) else draw(row_of(others)))}
        for k in draw(st.lists(st.sampled_from(keys), max_size=4))
    ]
    level = draw(st.sampled_from(["row", "statement"]))
    return [key, *others], ignored, rows, changes, draw(st.booleans()), level


def row_of(columns: list[Column]) -> st.SearchStrategy[Row]:
    return st.fixed_dictionaries({c.name: values_of(c.type) for c in columns})


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(scenarios())
def test_what_triggers_write_is_what_the_table_has(work, scenario):
    columns, ignored, rows, changes, backup, level = scenario
    table = Table(work, columns, [columns[0].name], level, ignored, backup)
    table.create()
    table.insert(rows)
    for change in changes:
        key = columns[0]
        where = sql.SQL("{} = {}").format(
            sql.Identifier(key.name), literal(change.pop(key.name), key)
        )
        if change:
            table.update(change, where)
        else:
            work.execute(sql.SQL("delete from work.t where {}").format(where))
    check(table)


options = st.sampled_from(
    ["SKIP", "backup", "deny", "skip", "", "=", "nonsense", "when=", "ev_type=", "ignore", "pkey"]
) | st.builds(
    "{}={}".format,
    st.sampled_from(["ignore", "pkey", "when", "ev_type", "ev_data", "ev_extra1", "ev_extra4"]),
    st.sampled_from(
        [
            *("true", "false", "id", "v", "null", "id > 0", "v || 'x'", "$1", "(", "'", "$$", "/*"),
            *("true; drop table work.t", "true from work.t", "pg_sleep(0) is null"),
        ]
    )
    | texts,
)


FAILS = """
    create function work.fails(statement text) returns bool language plpgsql as $$
    begin
        execute statement;
        return false;
    exception when others then
        return true;
    end $$
"""


def state(work):
    """The rows of the table, which a statement that does not fail changes, and how many events."""
    return (
        work.query("select * from work.t order by id"),
        work.value("select count(*) from pgq.event_template"),
    )


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    arguments=st.lists(options, max_size=4),
    trigger=st.sampled_from(TRIGGERS),
    level=st.sampled_from(["row", "statement"]),
    queue=st.sampled_from(["q", "q", "q", "nowhere", ""]),
)
def test_any_argument_is_an_error_or_an_event(work, arguments, trigger, level, queue):
    """And never the end of the backend, nor a change of anything else."""
    work.execute("drop table if exists work.t; truncate pgq.event_1_0")
    work.execute(
        "create table work.t (id int primary key, v text); insert into work.t values (1, 'v')"
    )
    for operation, tables in TRANSITIONS.items():
        work.execute(
            sql.SQL(
                "create trigger {} after {} on work.t {} for each {} execute function {}({})"
            ).format(
                sql.Identifier(operation),
                sql.SQL(operation),
                sql.SQL(tables if level == "statement" else ""),
                sql.SQL(level),
                sql.Identifier("pgq", trigger),
                sql.SQL(", ").join(map(sql.Literal, [queue, *arguments])),
            )
        )
    pid = work.value("select pg_backend_pid()")
    for statement in (
        "insert into work.t values (2, 'w')",
        "update work.t set v = 'x'",
        "delete from work.t",
    ):
        before = state(work)
        failed = work.value("select work.fails(%s)", (statement,))
        assert (state(work) == before) == failed
    assert work.value("select pg_backend_pid()") == pid


@pytest.mark.parametrize("level", ["row", "statement"])
def test_long_values(work, level):
    """Far beyond a page, with bytes that become two or three."""
    columns = [Column("id", "int4"), Column("v", "text"), Column("w", "text[]")]
    table = Table(work, columns, ["id"], level)
    table.create()
    value = "é%'\\\n" * 60_000
    table.insert([{"id": "1", "v": value, "w": None}])
    table.update({"v": value[1:], "w": array_text("text", [value], 0)}, sql.SQL("true"))
    check(table)


@pytest.mark.chaos
@pytest.mark.parametrize("level", ["row", "statement"])
@pytest.mark.parametrize(
    ("trigger", "before", "unit", "after"),
    [
        ("logutriga", "id=1&v=", "%c3%a9%25", ""),
        ("jsontriga", '{"id":1,"v":"', "é%", '"}'),
        ("sqltriga", "(id,v) values ('1','", "é%", "')"),
    ],
)
def test_values_of_100_mb(work, trigger, before, unit, after, level):
    work.execute("create table work.t (id int primary key, v text)")
    tables = TRANSITIONS["insert"] if level == "statement" else ""
    work.execute(
        f"create trigger capture after insert on work.t {tables}"
        f" for each {level} execute function pgq.{trigger}('q')"
    )
    work.execute("insert into work.t values (1, repeat('é%%', 35000000))", ())
    same = work.value(
        "select ev_data = %s || repeat(%s, 35000000) || %s from pgq.event_template",
        (before, unit, after),
    )
    assert same, work.query("select left(ev_data, 60) from pgq.event_template")
