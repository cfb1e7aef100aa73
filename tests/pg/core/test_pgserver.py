# SPDX-License-Identifier: ISC
"""Private servers: they start anywhere, say why not, and leave no process."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from skytools.core import processes
from skytools.core.db import Database
from skytools.core.errors import SkytoolsError, UsageError
from skytools.core.pgserver import PrivateServer, find_tree, state_root
from tests.fixtures.process import Spawn
from tests.fixtures.wait import wait_until

OWNER = """
import sys
from pathlib import Path
from skytools.core.pgserver import PrivateServer
server = PrivateServer(Path(sys.argv[1]))
server.initdb()
server.start()
print("server", server.pid, flush=True)
sys.stdin.read()
import time
time.sleep(600)
"""


@pytest.fixture
def bare(server_root: Path) -> Iterator[PrivateServer]:
    """A cluster that is made but not started, without extensions."""
    one = PrivateServer(server_root / "bare" / "data")
    one.initdb()
    yield one
    one.destroy()


def test_kill_leaves_no_process_and_the_next_start_recovers(bare: PrivateServer) -> None:
    bare.start()
    db = Database("bare", bare.conninfo(), autocommit=True)
    db.execute("create table t as select 1 as a")
    db.execute("checkpoint")
    family = processes.servers_in(bare.datadir)
    assert len(family) > 3
    bare.kill()
    assert not [pid for pid in family if processes.is_running(pid)]
    assert bare.pid is None
    db.close()
    bare.start()
    assert db.query("select a from t") == [(1,)]
    db.close()


@pytest.mark.parametrize("mode", ["smart", "fast", "immediate"])
def test_stop_modes(bare: PrivateServer, mode: str) -> None:
    bare.start()
    bare.stop(mode)
    assert processes.servers_in(bare.datadir) == set()


def test_stop_mode_unknown(bare: PrivateServer) -> None:
    with pytest.raises(UsageError, match="'soon': use smart, fast, immediate"):
        bare.stop("soon")


def test_start_and_stop_repeat(bare: PrivateServer) -> None:
    bare.start()
    pid = bare.pid
    bare.start()
    assert bare.pid == pid
    bare.restart()
    assert bare.pid not in {None, pid}
    bare.stop()
    bare.stop()


def test_bad_setting_is_told(bare: PrivateServer) -> None:
    bare.settings["shared_buffers"] = "it's much"
    with pytest.raises(SkytoolsError, match=r"did not start: .*FATAL"):
        bare.start()
    assert processes.servers_in(bare.datadir) == set()


def test_databases_by_any_name(bare: PrivateServer) -> None:
    bare.start()
    bare.createdb('odd "name')
    bare.dropdb('odd "name')
    bare.dropdb('odd "name')


def test_socket_is_private(bare: PrivateServer) -> None:
    bare.start()
    assert bare.socket_dir.stat().st_mode & 0o777 == 0o700
    db = Database("bare", bare.conninfo())
    assert db.query("show listen_addresses") == [("",)]
    db.close()


def test_long_socket_path_is_refused(server_root: Path) -> None:
    with pytest.raises(UsageError, match="more than 107 bytes"):
        PrivateServer(server_root / ("long" * 20) / "data")


def test_server_ends_with_its_killed_owner(bare: PrivateServer, spawn: Spawn) -> None:
    owner = spawn(sys.executable, "-c", OWNER, bare.datadir)
    owner.wait_output("server ")
    assert processes.servers_in(bare.datadir)
    owner.kill()
    wait_until(lambda: not processes.servers_in(bare.datadir), what="server ended")


def test_start_takes_over_what_a_killed_postmaster_left(bare: PrivateServer) -> None:
    bare.start()
    left = processes.servers_in(bare.datadir) - {bare.pid}
    processes.send(left, signal.SIGSTOP)
    assert bare.pid is not None
    os.kill(bare.pid, signal.SIGKILL)
    wait_until(lambda: bare.pid is None)
    bare.start()
    assert not [pid for pid in left if processes.is_running(pid)]


def test_tree_by_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYTOOLS_PG_BINDIR", "/some/where")
    assert find_tree() == Path("/some/where")


def test_tree_of_a_version_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SKYTOOLS_PG_BINDIR", raising=False)
    with pytest.raises(UsageError, match=r"for PostgreSQL 9 .*run: make sql"):
        find_tree(9)


def test_state_root_moves_when_the_path_is_too_long(server_root: Path) -> None:
    assert state_root(server_root / "state") == server_root / "state"
    moved = state_root(server_root / ("long" * 20))
    try:
        assert moved.parent == Path("/var/tmp")
        assert state_root(server_root / ("long" * 20)) == moved
        assert state_root(server_root / ("other" * 20)) != moved
    finally:
        moved.rmdir()
        state_root(server_root / ("other" * 20)).rmdir()


@pytest.mark.root
def test_state_root_refuses_a_folder_of_somebody_else(server_root: Path) -> None:
    hidden = server_root / "hidden"
    hidden.mkdir(mode=0o700)
    moved = state_root(hidden / "state")
    assert moved.parent == Path("/var/tmp")
    try:
        os.chown(moved, 65534, 65534)
        with pytest.raises(UsageError, match="belongs to somebody else"):
            state_root(hidden / "state")
    finally:
        moved.rmdir()
