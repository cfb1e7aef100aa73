# SPDX-License-Identifier: ISC
"""Skytools 3 as Debian packs it: pgqd, python3-pgq, londiste and their SQL, run as black boxes.

bench/peers.sh unpacks the packages and lays their extensions beside ours; `make test-peers` does
that and names the tree in SKYTOOLS_PG_BINDIR.
"""

from __future__ import annotations

import itertools
import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from skytools.core.db import Database
from skytools.core.pgserver import PrivateServer, find_tree
from tests.fixtures.database import MakeDb
from tests.fixtures.process import Program, Result, Spawn, run

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "build" / "peers"
CONTRIB = PEERS / "usr/share/postgresql/15/contrib"
SHARE = find_tree().parents[3] / "share/postgresql/15"
OURS = SHARE / "skytools"
CLIENTS = Path(__file__).resolve().parent / "clients"
PYTHON = "/usr/bin/python3"

StartPeer = Callable[..., Program]
StartPgqd = Callable[..., Program]
RunPeer = Callable[..., Result]

_numbers = itertools.count(1)


@pytest.fixture(scope="session", autouse=True)
def _peers_are_there() -> None:
    if not (SHARE / "extension/pgq--3.5.sql").exists() or not (PEERS / "usr/bin/londiste").exists():
        pytest.fail("Debian's packages are not unpacked beside ours; run: make test-peers")


def peer_env() -> dict[str, str]:
    """Return what Debian's programs need to find their libraries."""
    return {
        "LD_LIBRARY_PATH": str(PEERS / f"usr/lib/{platform.machine()}-linux-gnu"),
        "PYTHONPATH": str(PEERS / "usr/lib/python3/dist-packages"),
    }


def load_script(server: PrivateServer, database: Database, path: Path) -> None:
    """Load a contrib-style script, as sites did before there were extensions."""
    psql = [server.program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database.conninfo]
    done = run(*psql, "-f", path)
    assert done.code == 0, done.err


@pytest.fixture
def make_old_db(server: PrivateServer, make_db: MakeDb) -> MakeDb:
    """Give a function that makes a database with pgq 3.5: make_old_db(), make_old_db("pgq.sql").

    With the name of a contrib script that one is loaded, else the extension is made.
    """

    def make(script: str = "", *, autocommit: bool = True) -> Database:
        database = make_db(empty=True, autocommit=autocommit)
        if script:
            load_script(server, database, CONTRIB / script)
        else:
            database.execute("create extension pgq version '3.5'")
        if not autocommit:
            database.commit()
        return database

    return make


@pytest.fixture
def old_db(make_old_db: MakeDb) -> Database:
    """Give a connection (autocommit) to a database with the extension pgq 3.5."""
    return make_old_db()


@pytest.fixture
def make_new_db(server: PrivateServer, make_db: MakeDb) -> MakeDb:
    """Give a function that makes a database with pgq 4.0: make_new_db(), make_new_db("pgq_pl.sql").

    With the name of a script that one is loaded (pgq_pl.sql: the engine without C), else the
    extension is made.
    """

    def make(script: str = "") -> Database:
        database = make_db(empty=True)
        if script:
            load_script(server, database, OURS / script)
        else:
            database.execute("create extension pgq")
        return database

    return make


@pytest.fixture
def new_db(make_new_db: MakeDb) -> Database:
    """Give a connection (autocommit) to a database with the extension pgq 4.0 and no other."""
    return make_new_db()


@pytest.fixture
def start_pgqd35(tmp_path: Path, spawn: Spawn) -> StartPgqd:
    """Give a function that starts Debian's pgqd: start_pgqd35(server, "db1", ticker_period=0.1).

    All its periods are short unless told otherwise.
    """

    def start(server: PrivateServer, *databases: str, **keys: object) -> Program:
        values: dict[str, object] = {
            "base_connstr": f"host={server.socket_dir} port={server.port} user=postgres",
            "initial_database": "postgres",
            "database_list": ", ".join(databases),
            "syslog": 0,
            "ticker_period": 0.1,
            "maint_period": 0.3,
            "retry_period": 0.3,
            "check_period": 1,
            **keys,
        }
        path = write_ini(tmp_path / f"pgqd35_{next(_numbers)}.ini", "pgqd", values)
        return spawn(PEERS / "usr/bin/pgqd", "-v", path, env=peer_env())

    return start


@pytest.fixture
def start_peer(tmp_path: Path, spawn: Spawn) -> StartPeer:
    """Give a function that starts a client of python3-pgq: start_peer("plain.py", db=..., ...).

    Keyword arguments are keys of its ini, section and job name are `peer`; `words` go to its
    command line.
    """

    def start(script: str, *words: str, job_name: str = "peer", **keys: object) -> Program:
        path = peer_ini(tmp_path, job_name, keys)
        return spawn(PYTHON, CLIENTS / script, "-v", *words, path, env=peer_env())

    return start


@pytest.fixture
def run_peer(tmp_path: Path, no_orphans: None) -> RunPeer:
    """Give a function that runs a client of python3-pgq to its end, as start_peer starts it."""

    def to_end(script: str, *words: str, job_name: str = "peer", **keys: object) -> Result:
        path = peer_ini(tmp_path, job_name, keys)
        return run(PYTHON, CLIENTS / script, *words, path, env=peer_env())

    return to_end


def peer_ini(folder: Path, job_name: str, keys: dict[str, object]) -> Path:
    values: dict[str, object] = {
        "job_name": job_name,
        "queue_name": "q",
        "loop_delay": 0.05,
        "exception_sleep": 0.2,
        **keys,
    }
    return write_ini(folder / f"{job_name}.ini", "peer", values)


def write_ini(path: Path, section: str, values: dict[str, object]) -> Path:
    lines = "".join(f"{key} = {value}\n" for key, value in values.items())
    path.write_text(f"[{section}]\n{lines}")
    return path
