# SPDX-License-Identifier: ISC
"""The two databases and the ini files of the demo, made anew at each start."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from skytools.core.db import Database, sql
from skytools.core.errors import SkytoolsError
from skytools.core.pgserver import PrivateServer

QUEUE = "tpcb"
CONSUMER = "ledger"
SOURCE_DB = "bank"
TARGET_DB = "ledger"
# Every table of the load with its key.
TABLES = {
    "pgbench_accounts": "aid",
    "pgbench_branches": "bid",
    "pgbench_tellers": "tid",
    "pgbench_history": "hid",
}

# pgbench makes its history without a key; with one each row can be looked for in the ledger.
HISTORY_KEY = "alter table pgbench_history add column hid bigserial primary key"

# The whole queue is compared with the ledger at the end, so nothing may be rotated away before.
KEEP_EVENTS = "1 year"

# No unique key on ev_id on purpose: an event that is applied twice must be seen, not refused.
LEDGER = """
create table ledger (
    pos bigserial primary key,
    ev_id bigint not null,
    ev_txid bigint not null,
    ev_type text not null,
    ev_table text not null,
    ev_data text not null,
    ev_time timestamptz not null,
    applied_at timestamptz not null default clock_timestamp()
);
create index on ledger (ev_id);
"""

MANAGER_INI = """\
[scriptmgr]
config_list = {state}/jobs/*.ini
runtime_dir = {state}/run
log_dir = {state}/log
metrics_listen = 127.0.0.1:{port}
"""

TICKER_INI = """\
[pgqd]
job_name = ticker
base_connstr = {source}
database_list = bank
"""

CONSUMER_INI = """\
[ledger]
job_name = ledger
script = {script}
queue_name = {queue}
consumer_name = {consumer}
src_db = {source}
dst_db = {target}
"""


@dataclass(frozen=True)
class Settings:
    """What the caller may choose."""

    rate: float
    seconds: float | None
    state: Path


def scale(rate: float) -> int:
    """Return pgbench's scale: it is the number of rows for whose lock transactions compete."""
    return max(1, min(20, round(rate / 100)))


def open_source(server: PrivateServer) -> Database:
    """Connect to the database that the load works on."""
    return Database("source", server.conninfo(SOURCE_DB), autocommit=True)


def open_target(server: PrivateServer) -> Database:
    """Connect to the database that holds the ledger."""
    return Database("target", server.conninfo(TARGET_DB), autocommit=True)


def make_bank(server: PrivateServer, rate: float) -> None:
    """Fill the source by pgbench and capture every change of its tables into the queue."""
    server.createdb(SOURCE_DB)
    words = [server.program("pgbench"), "-i", "-q", "-s", str(scale(rate))]
    done = subprocess.run(
        [*words, server.conninfo(SOURCE_DB)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SkytoolsError(f"pgbench -i failed: {done.stderr.strip().splitlines()[-1]}")
    database = open_source(server)
    try:
        database.execute(HISTORY_KEY)
        database.execute("create extension pgq")
        database.execute("select pgq.create_queue(%s)", [QUEUE])
        database.execute(
            "select pgq.set_queue_config(%s, 'rotation_period', %s)", [QUEUE, KEEP_EVENTS]
        )
        for table in TABLES:
            database.execute(
                sql.SQL(
                    "create trigger capture after insert or update or delete on {}"
                    " for each row execute function pgq.logutriga({})"
                ).format(sql.Identifier(table), sql.Literal(QUEUE))
            )
        database.execute("select pgq.register_consumer(%s, %s)", [QUEUE, CONSUMER])
    finally:
        database.close()


def make_ledger(server: PrivateServer) -> None:
    """Make the table that the consumer fills, and the tracking that makes it exactly once."""
    server.createdb(TARGET_DB)
    database = open_target(server)
    try:
        database.execute("create extension pgq_ext")
        database.execute(LEDGER)
    finally:
        database.close()


def write_inis(state: Path, source: PrivateServer, target: PrivateServer, port: int) -> Path:
    """Write the manager's ini, which is returned, and one ini per job."""
    jobs = state / "jobs"
    jobs.mkdir()
    base = source.conninfo(SOURCE_DB).rsplit(" dbname=", 1)[0]
    (jobs / "ticker.ini").write_text(TICKER_INI.format(source=base))
    (jobs / "ledger.ini").write_text(
        CONSUMER_INI.format(
            script=Path(__file__).with_name("ledger_consumer.py"),
            queue=QUEUE,
            consumer=CONSUMER,
            source=source.conninfo(SOURCE_DB),
            target=target.conninfo(TARGET_DB),
        )
    )
    manager = state / "scriptmgr.ini"
    manager.write_text(MANAGER_INI.format(state=state, port=port))
    return manager
