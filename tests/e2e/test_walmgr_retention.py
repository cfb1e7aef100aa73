# SPDX-License-Identifier: ISC
"""Sets that are kept for days, weeks and months, and the hooks around backups and removals."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from skytools.walmgr.wal import Segment, parse_lsn
from tests.fixtures.walmgr import Hosts
from tests.fixtures.walmgr_sets import Copy, sets, switch


def test_an_old_set_stays_without_the_wal_after_it_and_hooks_decide(archived: Hosts) -> None:
    archived.write_ini(keep_backups="3")
    database = archived.sql(archived.primary)
    database.execute("create table t (id int)")
    for number in range(3):
        database.execute("insert into t values (%s)", [number])
        archived.good("backup")
        database.execute("insert into t values (10)")
        switch(database)
    early, month, newest = names(archived)
    middle = (datetime.now(UTC) - timedelta(days=62)).replace(day=15).timestamp()
    _make_older(archived, early, middle - 60)
    _make_older(archived, month, middle)
    archived.write_ini(keep_backups="1", keep_monthly="3", hook_tries="2", hook_pause="0.01")

    _a_dry_run_explains_each_decision(archived, {early: False, month: True, newest: True})
    new = _hooks_decide(archived, early, newest)
    assert names(archived) == [month, new]
    floor = min(path.name.split(".")[0] for path in archived.completed.glob("0*[0-9A-F]*"))
    assert floor >= start_of(archived, new)
    assert Copy(archived, 1).restore(month) == [0, 1, 10]
    assert Copy(archived, 2).restore() == [0, 1, 2, 10, 10, 10]


def names(hosts: Hosts) -> list[str]:
    """Return the sets in the order in which they were made."""
    return sorted(path.name for path in hosts.data.glob("data.master.*"))


def start_of(hosts: Hosts, name: str) -> str:
    """Return the segment that a set begins in."""
    (start,) = [str(one["start"]) for one in sets(hosts) if one["name"] == name]
    return Segment.at(1, parse_lsn(start)).name


def _make_older(hosts: Hosts, name: str, finished: float) -> None:
    path = hosts.data / name / "set.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps({**facts, "finished": finished}))


def _a_dry_run_explains_each_decision(hosts: Hosts, wanted: dict[str, bool]) -> None:
    before = names(hosts)
    plan = json.loads(hosts.good("expire", "--plan", "--json").out)
    assert {one["name"]: one["keep"] == "keep" for one in plan["sets"]} == wanted
    assert [one["wal"] for one in plan["sets"]] == ["its own", "its own", "from it on"]
    assert all(one["why"] for one in plan["sets"])
    assert (plan["wal_removed"]["files"] > 0, plan["wal_removed"]["bytes"] > 0) == (True, True)
    told = hosts.good("expire", "--plan").out
    assert "the newest of " in told
    assert "one of the newest 1" in told
    assert "goes: " in told
    assert names(hosts) == before


def _hooks_decide(hosts: Hosts, *gone: str) -> str:
    """Each is tried again; one that keeps failing forbids what it stands before.

    Returns the set that was made meanwhile.
    """
    log = hosts.folder("hooks") / "log"
    before = names(hosts)

    def failing(text: str) -> str:
        return f"echo {text} >> {log}; exit 1"

    hosts.write_ini(expire_pre_hook=failing("$SETS"))
    failed = hosts.walmgr("expire")
    assert (failed.code, "expire_pre_hook failed: " in failed.err) == (1, True)
    assert names(hosts) == before
    assert log.read_text() == f"{gone[0]}\n" * 2
    log.unlink()

    hosts.write_ini(expire_pre_hook="", backup_pre_hook=failing("pre"))
    failed = hosts.walmgr("backup")
    assert (failed.code, "backup_pre_hook failed: " in failed.err) == (1, True)
    assert names(hosts) == before

    # The set is there, the old ones stay until somebody has looked.
    hosts.write_ini(backup_pre_hook="", backup_post_hook=failing("$RESULT $BACKUPDIR"))
    failed = hosts.walmgr("backup")
    assert (failed.code, "backup_post_hook failed: " in failed.err) == (1, True)
    (*same, new) = names(hosts)
    assert same == before
    assert log.read_text().split("\n")[2:] == [f"ok {hosts.data}/{new}"] * 2 + [""]
    assert sets(hosts)[-1]["state"] == "verified"
    hosts.write_ini(backup_post_hook=f"echo $RESULT >> {log}", slave_bin="/nowhere", master_bin="")
    assert hosts.walmgr("backup").code == 2
    assert log.read_text().endswith("failed\n")
    hosts.write_ini(slave_bin=str(hosts.primary.bindir), backup_post_hook="")

    once = f"echo tried >> {log}; test $(grep -c tried {log}) = 2"
    hosts.write_ini(expire_pre_hook=once, expire_post_hook=f"echo gone $SETS >> {log}")
    assert "expire_pre_hook failed, once more in 0.01 s" in hosts.good("expire").out
    assert log.read_text().endswith(f"tried\ntried\ngone {' '.join(gone)}\n")
    hosts.write_ini(expire_pre_hook="", expire_post_hook="")
    return new
