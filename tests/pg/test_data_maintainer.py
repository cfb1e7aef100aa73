# SPDX-License-Identifier: ISC
"""data_maintainer: rows from a query or a file, throttle, transactions, failures."""

from __future__ import annotations

import logging
import time

import pytest

from skytools.core.config import load
from skytools.core.errors import ConfigError, DatabaseError, SkytoolsError
from skytools.core.service import Context
from skytools.daemons.data_maintainer import DataMaintainer


@pytest.fixture
def table(db):
    db.execute(
        """create table work (id int primary key, cnt int, done text);
           insert into work select n, 2 from generate_series(1, 25) n;
           create table notes (nr serial, note text)"""
    )
    return db


@pytest.fixture
def run(table, tmp_path):
    """Write an ini and run once; keys with value None are left out."""
    contexts = []

    def run(**keys):
        path = tmp_path / "m.ini"
        given = {
            "dbread": table.conninfo,
            "sql_get_pk_list": "select id, cnt from work order by id",
            "dbwrite": table.conninfo,
            "sql_modify": "update work set done = 'yes' where id = %%(id)s",
            **keys,
        }
        lines = [f"{key} = {value}" for key, value in given.items() if value is not None]
        path.write_text("\n".join(["[data_maintainer3]", *lines, ""]), encoding="utf-8")
        cfg = load(DataMaintainer.Config, path, "data_maintainer").config
        ctx = Context(job_name="m")
        contexts.append(ctx)
        DataMaintainer(ctx, cfg).step()
        return ctx

    yield run
    for ctx in contexts:
        ctx.close_databases()
        ctx.signals.close()


def done(db):
    return db.value("select count(*) from work where done is not null")


@pytest.mark.parametrize("with_hold", [0, 1])
@pytest.mark.parametrize("autocommit", [0, 1])
def test_each_row_is_worked_on_once(table, run, with_hold, autocommit, caplog):
    with caplog.at_level(logging.INFO):
        run(
            with_hold=with_hold, autocommit=autocommit, fetchcnt=10,
            sql_modify="update work set done = 'yes' where id = %%(id)s"
            " returning 'changed=1&other=2' as stats",
        )  # fmt: skip
    assert done(table) == 25
    assert "{changed: 25, count: 50, other: 50}" in caplog.text


def test_a_block_is_one_transaction_without_autocommit(table, run):
    run(
        autocommit=0, fetch_count=10,
        sql_modify="insert into notes (note) values (txid_current()::text || %%(id)s * 0)",
    )  # fmt: skip
    assert table.value("select count(distinct note) from notes") == 3


def test_before_and_after_know_the_columns(table, run):
    run(
        dbbefore=table.conninfo, sql_before_run="select 'tag' as tag, 99 as id",
        sql_modify="update work set done = %%(tag)s where id = %%(id)s",
        dbafter=table.conninfo, sql_after_run="insert into notes (note) values (%%(tag)s||%%(id)s)",
    )  # fmt: skip
    assert table.query("select distinct done from work") == [("tag",)]
    assert table.query("select note from notes") == [("tag25",)]


@pytest.mark.parametrize(("zero", "notes"), [(1, 1), (0, 0)])
def test_after_zero_rows(table, run, zero, notes):
    run(
        sql_get_pk_list="select 1 where false", after_zero_rows=zero, dbafter=table.conninfo,
        sql_after_run="insert into notes (note) values ('after')",
    )  # fmt: skip
    assert table.value("select count(*) from notes") == notes


def test_rows_of_a_file(table, run, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("id;word\n1;'a;b'\n2;ü\n", encoding="utf-8")
    run(
        dbread=None, sql_get_pk_list=None, fileread=path, csv_delimiter=";", csv_quotechar="'",
        sql_modify="update work set done = %%(word)s where id = %%(id)s::int",
    )  # fmt: skip
    assert table.query("select id, done from work where done is not null order by 1") == [
        (1, "a;b"),
        (2, "ü"),
    ]
    with pytest.raises(SkytoolsError, match="No such file"):
        run(dbread=None, sql_get_pk_list=None, fileread=tmp_path / "none")


def test_the_throttle_is_asked_until_it_lets_go(table, run):
    table.execute("create sequence asked")
    begin = time.monotonic()
    run(
        fetch_count=100, dbthrottle=table.conninfo,
        sql_throttle="select case when nextval('asked') < 4 then 0.05 else 0 end",
    )  # fmt: skip
    assert time.monotonic() - begin > 0.15
    assert done(table) == 25
    assert table.value("select last_value from asked") >= 4


def test_a_failure_is_told_and_the_next_run_begins_anew(table, run):
    fail = "update work set done = 'x' where id = %%(id)s and 1 / (13 - %%(id)s) is not null"
    with pytest.raises(DatabaseError, match="division by zero"):
        run(
            sql_modify=fail, dbcrash=table.conninfo,
            sql_on_crash="insert into notes (note) values ('crash at ' || %%(id)s)",
        )  # fmt: skip
    assert table.query("select note from notes") == [("crash at 13",)]
    assert done(table) == 12
    with pytest.raises(SkytoolsError, match="wants column nome"):
        run(sql_modify="select %%(nome)s")


def test_it_ends_unless_it_has_a_loop_delay(run):
    assert run().stopping
    assert run(loop_delay=0).stopping
    assert not run(loop_delay=5).stopping


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"dbread": None}, "dbread: set either dbread or fileread"),
        ({"fileread": "/tmp/x"}, "dbread: set either dbread or fileread"),
        ({"sql_get_pk_list": None}, "sql_get_pk_list: goes together with dbread"),
        ({"sql_throttle": "select 1"}, "sql_throttle: goes together with dbthrottle"),
        ({"dbbefore": "dbname=x"}, "sql_before_run: goes together with dbbefore"),
        ({"csv_delimiter": "ab"}, "csv_delimiter: must be one character"),
        ({"sql_modify": "select %%s"}, "sql_modify: a parameter has no name"),
        ({"sql_modify": None}, "sql_modify: must be set"),
        ({"dbwrite": "host"}, "dbwrite: is no connect string"),
    ],
)
def test_keys_that_do_not_fit_together_are_told(run, keys, told):
    with pytest.raises(ConfigError) as error:
        run(**keys)
    assert told in str(error.value)
