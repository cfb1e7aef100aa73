# SPDX-License-Identifier: ISC
"""Timelines three deep, each left before its end: every one of them can be gone to."""

from __future__ import annotations

import json
import subprocess

import pytest

from skytools.core.pgserver import PrivateServer
from tests.fixtures.wait import wait_until
from tests.fixtures.walmgr import Hosts
from tests.fixtures.walmgr_sets import switch


class Branch:
    """A server that began where another was at some point; it archives too."""

    def __init__(self, hosts: Hosts, timeline: int, point: str) -> None:
        folder = hosts.folder(f"branch{timeline}")
        self.hosts = hosts
        self.server = PrivateServer(folder / "data")
        hosts.good(
            "restore", "--to", self.server.datadir, "--start", "--lsn", point,
            "--timeline", timeline - 1, "--setting", f"unix_socket_directories={folder}",
        )  # fmt: skip
        self.database = hosts.sql(self.server)
        wait_until(lambda: not self.database.value("select pg_is_in_recovery()"))
        self.database.execute("alter system set archive_mode = on")
        self.database.close()
        # A server that did not archive when it was promoted never archives its history.
        history = self.server.datadir / "pg_wal" / f"{timeline:08X}.history"
        hosts.good("xarchive", history, history.name)
        words = [self.server.program("pg_ctl"), "-D", self.server.datadir, "-w", "restart"]
        log = folder / "log"
        subprocess.run(hosts.words(*words, "-l", log), check=True, stdout=subprocess.DEVNULL)
        self.database = hosts.sql(self.server)

    def close(self) -> None:
        switch(self.database)
        self.database.close()
        self.hosts.crash(self.server)


def reached(hosts: Hosts, name: str, *options: object) -> list[int]:
    """Restore and return the rows."""
    folder = hosts.folder(f"to-{name}")
    server = PrivateServer(folder / "data")
    hosts.good(
        "restore", "--to", server.datadir, "--start", *options,
        "--setting", f"unix_socket_directories={folder}",
    )  # fmt: skip
    database = hosts.sql(server)
    try:
        wait_until(lambda: not database.value("select pg_is_in_recovery()"))
        return [row[0] for row in database.query("select id from t order by id")]
    finally:
        hosts.crash(server)


@pytest.mark.chaos
def test_every_timeline_can_be_gone_to_and_a_missing_history_is_told(archived: Hosts) -> None:
    database = archived.sql(archived.primary)
    database.execute("create table t (id int)")
    archived.good("backup")
    points = {}
    branch = None
    for timeline in range(1, 5):
        if timeline > 1:
            branch = Branch(archived, timeline, points[timeline - 1])
            database = branch.database
        database.execute("insert into t values (%s)", [timeline])
        points[timeline] = database.value("select pg_current_wal_insert_lsn()")
        database.execute("insert into t values (%s)", [timeline * 10])
        if branch is not None:
            branch.close()
        else:
            switch(database)

    assert reached(archived, "latest") == [1, 2, 3, 4, 40]
    assert reached(archived, "one", "--timeline", 1) == [1, 10]
    assert reached(archived, "two", "--timeline", 2) == [1, 2, 20]
    assert reached(archived, "three", "--timeline", 3) == [1, 2, 3, 30]
    assert reached(archived, "point", "--lsn", points[2]) == [1, 2]
    assert reached(archived, "within", "--lsn", points[3], "--timeline", 3) == [1, 2, 3]

    lost = archived.completed / "00000004.history"
    kept = lost.rename(archived.root / lost.name)
    refused = archived.walmgr("restore", "--to", archived.root / "never")
    assert (refused.code, refused.err.count("\n")) == (3, 1), refused.err
    assert "00000004.history is missing in the archive, which has WAL of timeline 4" in refused.err
    assert not (archived.root / "never").exists()
    found = json.loads(archived.walmgr("check", "--json").out)
    assert [one["level"] for one in found if "00000004.history" in one["text"]] == ["CRITICAL"]
    archived.good("restore", "--plan", "--to", archived.root / "never", "--timeline", 3)
    kept.rename(lost)
    archived.good("restore", "--plan", "--to", archived.root / "never")
