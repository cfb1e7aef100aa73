# SPDX-License-Identifier: ISC
"""Named restore points: made, listed, restored to."""

from __future__ import annotations

import json
from typing import Any

from skytools.walmgr.wal import parse_lsn
from tests.fixtures.wait import wait_until
from tests.fixtures.walmgr import Hosts
from tests.fixtures.walmgr_sets import Copy, names, switch


def points(hosts: Hosts, *options: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(hosts.good("points", "--json", *options).out)
    return found


def test_points_are_made_found_again_and_restored_to(archived: Hosts) -> None:
    database = archived.sql(archived.primary)
    database.execute("create table t (id int)")
    for verb in (("point", "never"), ("pause",), ("continue",)):
        assert not json.loads(archived.good(*verb, "--plan", "--json").out)["done"]
    archived.good("point", "too early")
    archived.good("backup")  # takes away WAL that no set needs, and the point with it
    database.execute("insert into t values (1)")
    made = json.loads(archived.good("point", "one", "--json").out)
    database.execute("insert into t values (2)")
    told = database.value("select pg_create_restore_point('by hand')")
    moment = float(database.value("select extract(epoch from now())"))
    database.execute("insert into t values (3)")
    switch(database)

    before = points(archived)
    (name,) = names(archived)
    assert [(one["name"], one["from"]) for one in before["points"]] == [("one", name)]
    assert before["segments_not_read"] > 0
    after = points(archived, "--scan")
    assert after["segments_not_read"] == 0
    one, hand = after["points"]
    assert (one["name"], hand["name"]) == ("one", "by hand")
    assert 0 < parse_lsn(told) - parse_lsn(hand["lsn"]) < 200
    assert abs(float(hand["time"]) - moment) < 60
    assert (one["lsn"], one["timeline"], one["from"]) == (made["lsn"], 1, name)
    (window,) = after["windows"]
    assert (window["set"], window["timeline"]) == (name, 1)
    assert parse_lsn(window["begin_lsn"]) < parse_lsn(one["lsn"]) < parse_lsn(window["end_lsn"])
    assert "by hand" in archived.good("points").out

    # Nothing but the WAL is needed to know them.
    (archived.data / "points.json").unlink()
    found = points(archived, "--scan")["points"]
    assert [(one["name"], one["from"]) for one in found] == [("one", name), ("by hand", name)]
    assert Copy(archived, 1).restore("--point", "one") == [1]
    assert Copy(archived, 2).restore("--point", "by hand") == [1, 2]
    _what_is_refused(archived)
    _a_point_is_reachable_as_soon_as_its_segment_is_archived(archived)


def _what_is_refused(hosts: Hosts) -> None:
    taken = hosts.walmgr("point", "one")
    assert (taken.code, "there is a restore point 'one' already" in taken.err) == (3, True)
    assert hosts.walmgr("point", "x" * 64).code == 2
    refused = hosts.walmgr("restore", "--to", hosts.root / "x", "--point", "nowhere")
    assert refused.code == 3
    assert "Reachable is:" in refused.err
    assert "points: one, by hand" in refused.err
    database = hosts.sql(hosts.primary)
    database.value("select pg_create_restore_point('one')")
    switch(database)
    twice = hosts.walmgr("restore", "--to", hosts.root / "x", "--point", "one")
    assert (twice.code, "restore point one is there twice, at " in twice.err) == (3, True)


def _a_point_is_reachable_as_soon_as_its_segment_is_archived(hosts: Hosts) -> None:
    """Without a receiver the verb ends the segment: only whole ones are archived."""
    hosts.good("point", "now")

    def reachable() -> bool:
        return any(one["name"] == "now" and one["from"] for one in points(hosts)["points"])

    wait_until(reachable, what="the point is archived")
