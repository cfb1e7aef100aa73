# SPDX-License-Identifier: ISC
"""Databases with less than PgQ 4: the functions of 3.x, of a script, of plain SQL alone."""

from __future__ import annotations

import pytest

from skytools.core.db import Database

# What 4.0 adds. Without it a database has the function set of 3.5.
NEW = (
    "ticker_round(int4[])",
    "ticker_sleep(int4[])",
    "ticker_wake(int4[])",
    "ticker_lock()",
)


@pytest.fixture
def old_db(db: Database) -> Database:
    for function in NEW:
        db.execute(f"alter extension pgq drop function pgq.{function}")
        db.execute(f"drop function pgq.{function}")
    for name in ("good", "bad"):
        db.execute("select pgq.create_queue(%s)", (name,))
        db.execute("update pgq.queue set queue_ticker_max_lag = '0'")
    return db


def last_tick(database, queue):
    return database.value(
        "select max(tick_id) from pgq.tick join pgq.queue on tick_queue = queue_id"
        " where queue_name = %s",
        (queue,),
    )


def ticks_soon(database, queue, wait_until):
    before = last_tick(database, queue)
    database.execute("select pgq.insert_event(%s, 't', 'x')", (queue,))
    wait_until(lambda: last_tick(database, queue) > before, what=f"a tick of {queue}")


@pytest.mark.parametrize("version", ["'3.5'", "'10.0'", "null"])
def test_pgq_3_is_ticked_every_ticker_period_whatever_its_version(
    server, old_db, start_ticker, wait_until, version
):
    old_db.execute(f"create or replace function pgq.version() returns text language sql"
                   f" as 'select {version.replace(chr(39), chr(39) * 2)}::text'")  # fmt: skip
    ticker = start_ticker(server, old_db.name, ticker_period=0.05, stats_period=0.2)
    ticker.wait_status("1/1 databases ticking")
    for _ in range(3):
        ticks_soon(old_db, "good", wait_until)
    told = "installed by script" if version == "null" else version.strip("'")
    assert f"{old_db.name}: pgq version ok: {told}" in ticker.output
    series = f'skytools_ticker_ticks_total{{database="{old_db.name}",queue="good"}}'
    ticks_soon(old_db, "good", wait_until)
    wait_until(lambda: ticker.metrics().get(series, 0) >= 1, what="ticks to be counted")


def test_one_bad_queue_of_pgq_3_stops_no_other(server, old_db, start_ticker, wait_until):
    """There pgq.ticker() fails for all when it fails for one."""
    old_db.execute(
        "create or replace function pgq.ticker() returns bigint language plpgsql as $$"
        " begin return (select count(pgq.ticker(queue_name)) from pgq.queue); end $$"
    )
    old_db.execute("drop sequence pgq.event_2_tick_seq")
    ticker = start_ticker(server, old_db.name, ticker_period=0.05)
    ticker.program.wait_output("queue bad cannot be ticked")
    for _ in range(3):
        ticks_soon(old_db, "good", wait_until)
    assert ticker.output.count("queue bad cannot be ticked") == 1


def test_an_upgrade_is_noticed(server, old_db, start_ticker, wait_until):
    """After check_period, without a restart."""
    ticker = start_ticker(server, old_db.name, ticker_period=0.05, check_period=0.2)
    ticks_soon(old_db, "good", wait_until)
    old_db.execute("drop extension pgq cascade")
    ticker.wait_status("0/0 databases ticking")
    old_db.execute("create extension pgq")
    old_db.execute("select pgq.create_queue('good')")
    ticker.wait_status("1/1 databases ticking")
    wait_until(
        lambda: old_db.value(
            "select count(*) from pg_locks where locktype = 'advisory' and objid = 0"
            " and database = (select oid from pg_database where datname = current_database())"
        ),
        what="the ticker to take its lock",
    )
    ticks_soon(old_db, "good", wait_until)
