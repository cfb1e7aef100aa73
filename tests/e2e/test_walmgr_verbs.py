# SPDX-License-Identifier: ISC
"""Trial restores, and the verbs and layouts of walmgr3."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

from tests.fixtures.process import Result
from tests.fixtures.wait import wait_until
from tests.fixtures.walmgr import Hosts, MakeHosts
from tests.fixtures.walmgr_sets import sets


def test_a_drill_proves_the_newest_set_or_tells(make_hosts: MakeHosts) -> None:
    hosts = make_hosts(settings={"archive_mode": "on"}, drill_query="select count(*) = 3 from t")
    hosts.good("pair")
    database = hosts.sql(hosts.primary)
    database.execute("create table t as select generate_series(1, 3) id")
    name = database.value("select pg_walfile_name(pg_switch_wal())")
    wait_until((hosts.completed / name).exists, what=name)
    done = json.loads(_drill_during_which_the_set_is_kept(hosts).out)
    assert done["good"]
    (one,) = json.loads(hosts.good("listbackups", "--json").out)
    assert (one["state"], done["set"]) == ("drilled", one["name"])
    assert not list(hosts.data.glob(".drill-*"))

    hosts.write_ini(drill_query="select count(*) = 4 from t")
    failed = hosts.walmgr("drill")
    assert (failed.code, "drill_query found nothing" in failed.err) == (1, True)
    assert not json.loads((hosts.data / "drill.json").read_text())["good"]
    assert not list(hosts.data.glob(".drill-*"))

    _pause_and_continue(hosts)
    _a_set_of_walmgr3_is_restored(hosts)


def _drill_during_which_the_set_is_kept(hosts: Hosts) -> Result:
    """What another verb writes of a set while it is tried stays."""
    gate = hosts.root / "gate"
    query = hosts.keys["drill_query"]
    hosts.write_ini(
        drill_query=f"with recursive wait as (select pg_sleep(0.01)::text union all select "
        f"pg_sleep(0.01)::text from wait where pg_stat_file('{gate}', true) is null) "
        f"{query}, (select count(*) from wait) as waited"
    )
    with ThreadPoolExecutor(1) as pool:
        drilled = pool.submit(hosts.good, "drill", "--json")
        try:
            wait_until(lambda: bool(list(hosts.data.glob(".drill-*/data/postmaster.pid"))))
            hosts.good("keep", sets(hosts)[-1]["name"])
        finally:
            gate.touch()
        result = drilled.result()
    assert [one["pinned"] for one in sets(hosts)] == [True]
    return result


def _pause_and_continue(hosts: Hosts) -> None:
    refused = hosts.walmgr("pause", "--for", "5")
    assert (refused.code, "the service does not run" in refused.err) == (3, True)
    assert hosts.good("pause").out.startswith("replay: pause")
    texts = {one["text"] for one in json.loads(hosts.walmgr("check", "--json").out)}
    assert "replay on the standby is paused" in texts
    assert "replay: not paused" in hosts.good("continue").out


def _a_set_of_walmgr3_is_restored(hosts: Hosts) -> None:
    """Its sets are data folders named data.master, data.master.0 and so on."""
    (new,) = hosts.data.glob("data.master.*")
    old = hosts.data / "data.master"
    shutil.copytree(new / "data", old, symlinks=True)
    (old / "backup_manifest").unlink()
    for path in [old, *old.rglob("*")]:
        hosts.give(path)
    shutil.rmtree(new)
    (one,) = json.loads(hosts.good("listbackups", "--json").out)
    assert (one["name"], one["state"]) == ("data.master", "unverified")
    copy = hosts.folder("copy") / "data"
    done = hosts.good("restore", "data.master", copy)
    assert f"restored to {copy}" in done.out
    assert (copy / "recovery.signal").exists()


def test_setup_and_stop_of_3x(make_hosts: MakeHosts) -> None:
    """On the primary's host the master ini changes settings; the rest goes to the other host."""
    hosts = make_hosts(settings={"archive_mode": "on"})
    theirs = hosts.root / "wal-master.ini"
    theirs.write_text(
        f"[walmgr]\nmaster_db = {hosts.primary.conninfo()}\nmaster_bin = {hosts.primary.bindir}\n"
        f"master_data = {hosts.primary.datadir}\nslave = standby.example\nuse_skylog = 0\n"
        f"slave_config = {hosts.ini}\nssh_command = {hosts.loopback_ssh()}\n"
        f"walmgr_data = {hosts.data}\nslave_bin = {hosts.primary.bindir}\n"
    )
    hosts.good("setup")
    hosts.ini, ours = theirs, hosts.ini
    hosts.good("setup")
    database = hosts.sql(hosts.primary)
    name = database.value("select pg_walfile_name(pg_switch_wal())")
    wait_until((hosts.completed / name).exists, what=name)

    assert "verified" in hosts.good("backup").out
    assert len(json.loads(hosts.good("listbackups", "--json").out)) == 1
    refused = hosts.walmgr("synch-standby", "nobody")
    assert (refused.code, "commits would hang; connected: none" in refused.err) == (3, True)
    hosts.good("synch-standby", "")
    assert "done: primary: stop archiving" in hosts.good("stop").out
    assert "nothing to do" in hosts.good("stop").out
    wait_until(lambda: "walmgr stop" in database.value("show archive_command"))
    hosts.good("setup")
    wait_until(lambda: " xarchive " in database.value("show archive_command"))
    hosts.ini = ours
