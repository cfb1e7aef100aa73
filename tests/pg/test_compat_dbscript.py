# SPDX-License-Identifier: ISC
"""DBScript and the SQL helpers of the old API on a real server."""

from __future__ import annotations

import select
import time

import pytest

import skytools
from skytools.compat.runtime import Runtime


@pytest.fixture
def curs(db):
    conn = skytools.connect_database(db.conninfo)
    yield conn.cursor()
    conn.close()


@pytest.fixture
def make(tmp_path, db):
    made = []

    def make(cls=skytools.DBScript, **keys):
        given = {"db": db.conninfo, **keys}
        path = tmp_path / f"job{len(made)}.ini"
        lines = ["[svc]", *(f"{key} = {value}" for key, value in given.items()), ""]
        path.write_text("\n".join(lines))
        script = cls("svc", ["-q", str(path)])
        script._runtime = Runtime("", 1.0)
        made.append(script)
        return script

    yield make
    for script in made:
        script._runtime.signals.close()
        script.reset()


# rows and the catalog


def test_rows_answer_to_index_and_name(curs):
    curs.execute("select 1 as a, 'x' as b")
    row = curs.fetchone()
    assert (row[0], row["a"], row["b"], row.get("c", 5)) == (1, 1, "x", 5)
    assert "b" in row
    assert "%(a)s %(b)s" % row == "1 x"  # noqa: UP031 - as scripts do
    assert list(row.keys()) == ["a", "b"]
    assert dict(row) == {"a": 1, "b": "x"}


def test_the_catalog_helpers(curs):
    curs.execute(
        """create schema s; create table s."T" (b int, a int, dropped int, c int,
             primary key (c, a) include (b)); alter table s."T" drop column dropped;
           create table p (a int) partition by range (a); create sequence s.q;
           create view v as select 1; create type s.ty as (a int); create temp table tmp (a int);
           create function s.f(int, int) returns int language sql as 'select 1'"""
    )
    assert skytools.get_table_pkeys(curs, "s.T") == ["c", "a"]
    assert skytools.get_table_columns(curs, "s.T") == ["b", "a", "c"]
    assert skytools.get_table_pkeys(curs, "p") == []
    with pytest.raises(LookupError, match="nothing"):
        skytools.get_table_oid(curs, "nothing")
    for function, good, bad in (
        (skytools.exists_schema, "s", "t"),
        (skytools.exists_table, "s.T", "s.t"),
        (skytools.exists_table, "p", "v"),
        (skytools.exists_sequence, "s.q", "q"),
        (skytools.exists_view, "v", "p"),
        (skytools.exists_type, "s.ty", "ty"),
        (skytools.exists_temp_table, "tmp", "p"),
        (skytools.exists_language, "plpgsql", "plnothing"),
    ):
        assert (function(curs, good), function(curs, bad)) == (1, 0), function.__name__
    assert skytools.exists_function(curs, "s.f", 2) == 1
    assert skytools.exists_function(curs, "s.f", 1) == 0
    assert skytools.exists_function(curs, "now", 0) == 1


def test_objects_are_made_once(curs, tmp_path):
    sql = tmp_path / "f.sql"
    sql.write_text("create function f(a int) returns int language sql as 'select 1;';select 1;")
    objects = [
        skytools.DBSchema("s", sql="create schema s"),
        skytools.DBTable("s.t", sql="create table s.t (a int)"),
        skytools.DBFunction("f", 1, sql_file=str(sql)),
        skytools.DBLanguage("plpgsql"),
    ]
    skytools.db_install(curs, objects)
    skytools.db_install(curs, objects)
    assert skytools.exists_table(curs, "s.t")
    with pytest.raises(LookupError, match="no SQL is given"):
        skytools.db_install(curs, [skytools.DBSchema("other")])


ROWS = [{"id": 1, "user": "a\tb\\c\n'd'"}, {"id": 2, "user": None}, {"id": 3, "user": "é"}]


@pytest.mark.parametrize("use_insert", [False, True])
def test_magic_insert_brings_rows_back(curs, use_insert):
    curs.execute('create table "T" (id int, "user" text)')
    skytools.magic_insert(curs, "T", ROWS, use_insert=use_insert)
    curs.execute('select * from "T" order by id')
    assert [dict(row) for row in curs.fetchall()] == ROWS
    curs.execute(skytools.mk_update_sql({"id": 2, "user": "\\'"}, "T", ["id"]))
    curs.execute(skytools.mk_delete_sql({"id": 1}, "T", ["id"]))
    curs.execute(skytools.mk_insert_sql({"id": 4, "user": None}, "T"))
    curs.execute('select * from "T" order by id')
    assert [list(row) for row in curs.fetchall()] == [[2, "\\'"], [3, "é"], [4, None]]


def test_full_copy_with_hooks_condition_and_small_portions(curs, db):
    curs.execute("create table a (id int, t text); create table b (t text, id int, x int)")
    curs.execute("insert into a select n, 'é' || n from generate_series(1, 5000) n")
    seen = []

    def write_hook(pipe, data):
        return data.replace("é", "e")

    curs.connection.commit()
    target = skytools.connect_database(db.conninfo)
    size, rows = skytools.full_copy(
        "a", curs, target.cursor(), ["id", "t"], "id > 10", "b", ["id", "t"],
        write_hook, lambda pipe: seen.append(pipe.total_rows),
    )  # fmt: skip
    target.commit()
    target.close()
    assert rows == 4990
    assert size > 4990
    assert seen
    curs.execute("select count(*), min(t), max(id) from b where x is null")
    assert list(curs.fetchone()) == [4990, "e100", 5000]
    pipe = skytools.CopyPipe(curs, "b", limit=10)
    for part in ("x\t1\t", "2\ny\t3\t4\nz\t", "5\t6\n"):
        pipe.write(part)
    pipe.flush()
    curs.execute("select t, id, x from b where x is not null order by id")
    assert [list(row) for row in curs.fetchall()] == [["x", 1, 2], ["y", 3, 4], ["z", 5, 6]]


def test_query_builder(curs):
    query = skytools.QueryBuilder("select {a:int} as x, {b} as y, '100%' as z", {"a": 5, "b": "t"})
    query.add("where {c} = 'n'")
    query.add("limit {n|1}")
    query.execute(curs)
    assert list(curs.fetchone()) == [5, "t", "100%"]
    assert skytools.run_lookup(curs, "select {a:int} + 1", a=2) == 3
    assert skytools.run_exists(curs, "select 1 where {a} = 'x'", {"a": "x"})
    assert skytools.run_query_row(curs, "select 1 as a where false") is None
    assert skytools.run_query(curs, "select '{{}}' as a")[0].a == "{}"
    with pytest.raises(KeyError):
        skytools.QueryBuilder("select {missing}", {})
    assert skytools.QueryBuilder("select 1 {a|+ 1}", {}).get_sql() == "select 1 + 1"


# connections of a script


def test_a_connection_is_kept_by_name(make, db):
    script = make()
    first = script.get_database("db")
    assert script.get_database("db") is first
    assert not first.autocommit
    other = script.get_database("db", cache="other", isolation_level=skytools.I_SERIALIZABLE)
    assert other is not first
    auto = script.get_database("auto", autocommit=1, connstr=db.conninfo)
    assert auto.autocommit
    with pytest.raises(skytools.UsageError, match="another isolation level"):
        script.get_database("auto", isolation_level=skytools.I_SERIALIZABLE)
    changed = script.get_database("auto", autocommit=1, connstr=db.conninfo + " options=''")
    assert changed is not auto
    assert auto.closed
    script.close_database("db")
    assert first.closed
    script.reset()
    assert other.closed
    count = db.value("select count(*) from pg_stat_activity where application_name = 'job0'")
    deadline = time.monotonic() + 120
    while count and time.monotonic() < deadline:
        count = db.value("select count(*) from pg_stat_activity where application_name = 'job0'")
    assert count == 0


def test_each_connection_is_opened_once(make, db):
    class Counts(skytools.DBScript):
        opened = 0

        def connection_hook(self, dbname, conn):
            self.opened += 1
            conn.cursor().execute("set statement_timeout = '5s'")

    script = make(Counts)
    before = db.value("select sessions from pg_stat_database where datname = current_database()")
    script.get_database("db")
    script.get_database("db").cursor().execute("select 1")
    assert script.opened == 1
    alive = db.value(
        """select count(*) from pg_stat_activity
           where datname = current_database() and application_name = 'job0'"""
    )
    assert alive == 1
    assert before is not None


def test_old_connections_are_dropped_between_rounds(make):
    class Works(skytools.DBScript):
        def work(self):
            self.conn = self.get_database("db")

    script = make(Works, connection_lifetime="0.01")
    script.run_once()
    first = script.conn
    assert select.select([], [], [], 0.02) == ([], [], [])
    script.run_once()
    assert first.closed
    assert not script.conn.closed


def test_defaults_and_profiles(make):
    script = make(remote_extra_connstr="application_name=fromprofile")
    script.set_database_defaults("db", autocommit=1, profile="remote")
    conn = script.get_database("db")
    assert conn.autocommit
    assert conn.info.dsn_parameters["application_name"] == "fromprofile"


def test_a_notification_ends_the_sleep_also_after_a_reconnect(make, db):
    script = make()
    script.listen("db", "Wake")
    for _ in range(2):
        db.execute("notify \"Wake\", 'x'")
        started = time.monotonic()
        script.sleep(300)
        assert time.monotonic() - started < 100
        assert script.get_database("db").notifies.pop().payload == "x"
        script.close_database("db")
        script.get_database("db")
    script.unlisten("db")
    db.execute('notify "Wake"')
    started = time.monotonic()
    script.sleep(0.05)
    assert time.monotonic() - started >= 0.05


def test_exec_cmd_looks_at_the_codes(make, db):
    db.execute(
        """create function f(code int, out ret_code int, out ret_note text) language plpgsql as
           $$ begin insert into did values (code); ret_code := code; ret_note := 'note'; end $$;
           create table did (code int)"""
    )
    script = make()
    conn = script.get_database("db")
    rows = script.exec_cmd(conn, "select * from f(%s)", [200])
    assert rows[0]["ret_note"] == "note"
    script.exec_cmd_many(conn, "select * from f(%s)", [], [301, 100])
    script.exec_cmd(conn.cursor(), "select * from f(%s)", [150])
    conn.rollback()
    with pytest.raises(SystemExit) as ended:
        script.exec_cmd_many(conn, "select * from f(%s)", [], [200, 404])
    assert ended.value.code == 1
    assert sorted(row[0] for row in db.query("select code from did")) == [100, 200, 301]


def test_a_statement_is_tried_again_when_wanted(make, db):
    db.execute("create sequence s")
    failing = "select 1 / (nextval('s') >= 3)::int"
    script = make(sql_retry=1, sql_retry_formula_a="0.01", sql_retry_formula_b=0)
    retries, cursor = script.execute_with_retry("db", failing, [])
    assert (retries, cursor.fetchone()[0]) == (2, 1)
    once = make()
    with pytest.raises(skytools.DBError):
        once.execute_with_retry("db", "select 1/0", [])
    few = make(sql_retry=1, sql_retry_max_count=2, sql_retry_formula_a=0, sql_retry_formula_b=0)
    with pytest.raises(skytools.DBError):
        few.execute_with_retry("db", "select 1/0", [])
