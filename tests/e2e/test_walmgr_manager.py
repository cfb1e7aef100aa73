# SPDX-License-Identifier: ISC
"""walmgr as a job of scriptmgr: kept running, seen by Prometheus; and what it refuses at once."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from pathlib import Path

from examples.demo.launcher import python_of
from skytools.core import processes
from skytools.core.metrics import parse_families
from tests.e2e.test_walmgr_failover import DURABLE, receiver_streams
from tests.fixtures.process import Program, Result, Spawn, run
from tests.fixtures.wait import wait_until
from tests.fixtures.walmgr import Hosts, MakeHosts, snapshot


class Manager:
    """A scriptmgr of the server's user, with one job: the ini of walmgr."""

    def __init__(self, hosts: Hosts, spawn: Spawn, port: int) -> None:
        self.port = port
        self.ini = hosts.root / "skytools.ini"
        for name in ("run", "log"):
            hosts.folder(name)
        self.ini.write_text(
            f"[scriptmgr]\nconfig_list = {hosts.ini}\nruntime_dir = {hosts.root}/run\n"
            f"log_dir = {hosts.root}/log\nmetrics_listen = 127.0.0.1:{self.port}\n"
            "backoff_first = 0.05\nstart_interval = 0\n"
        )
        python, path = python_of(hosts.program)
        self.words = hosts.words(
            "env", f"PYTHONPATH={path}", python, "-m", "skytools.scriptmgr", self.ini
        )
        self.program: Program = spawn(*self.words, "run", cwd=hosts.root)

    def status(self) -> Result:
        return run(*self.words, "status", "--json")

    def metrics(self) -> str:
        url = f"http://127.0.0.1:{self.port}/metrics"
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                text: str = answer.read().decode()
        except OSError:
            return ""
        return text


def test_the_service_lives_under_scriptmgr_and_prometheus_sees_it(
    make_hosts: MakeHosts, spawn: Spawn, free_port: int
) -> None:
    hosts = make_hosts(settings=DURABLE)
    textfile = hosts.folder("node-exporter") / "walmgr.prom"
    hosts.write_ini(job_name="archive", metrics_file=str(textfile))
    hosts.good("pair")
    manager = Manager(hosts, spawn, free_port)
    database = hosts.sql(hosts.primary)
    wait_until(lambda: receiver_streams(database), what=lambda: manager.program.output)
    job = 'job_name="archive"'
    for line in (
        f"skytools_walmgr_receiver_up{{{job}}} 1.0",
        f"skytools_walmgr_backups{{{job}}} 1.0",
        f"skytools_walmgr_standby_in_recovery{{{job}}} 1.0",
        f"skytools_job_ready{{{job}}} 1.0",
    ):
        wait_until(lambda line=line: line in manager.metrics(), what=manager.metrics)
    wait_until(textfile.exists)
    _is_for_node_exporter(textfile, job)
    written = hosts.root / "node-exporter" / "verb.prom"
    hosts.good("metrics", "--to", written)
    _is_for_node_exporter(written, job)
    assert hosts.walmgr("metrics", "--to", hosts.root / "nowhere" / "x.prom").code == 1
    _a_refused_segment_hinders_nothing_else(hosts)
    _a_pause_ends_by_itself(hosts)
    # A fork of it that has not become another program yet looks like it.
    (service,) = wait_until(lambda: found if len(found := services(hosts)) == 1 else [])
    os.kill(service, signal.SIGKILL)
    wait_until(lambda: services(hosts) not in ([], [service]))
    wait_until(lambda: receiver_streams(database))
    assert '"archive"' in manager.status().out
    manager.program.stop()
    assert services(hosts) == []


def _a_refused_segment_hinders_nothing_else(hosts: Hosts) -> None:
    """What the service has to do besides, after this, goes on at its usual pace."""
    database = hosts.sql(hosts.primary)
    database.execute("create table t (id int)")
    newest = database.value("select pg_walfile_name(pg_switch_wal())")
    wait_until((hosts.partials / newest).exists)
    name = min(path.name for path in hosts.completed.glob("0*") if len(path.name) == 24)
    assert name < newest
    refused = hosts.partials / name
    data = (hosts.completed / name).read_bytes()
    refused.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    hosts.give(refused)
    wait_until((hosts.completed / ".conflicts" / name).exists)


def _a_pause_ends_by_itself(hosts: Hosts) -> None:
    """The service goes on; `continue` and a pause without end take the end away."""
    standby = hosts.sql(hosts.standby)
    state = "select pg_get_wal_replay_pause_state()"
    assert hosts.walmgr("pause", "--for", "soon").code == 2
    told = json.loads(hosts.good("pause", "--for", "1h", "--json").out)
    assert 3500 < told["until"] - time.time() <= 3600
    assert "is paused until 2" in hosts.walmgr("check").out
    assert "goes on by itself" not in hosts.good("pause").out
    hosts.good("pause", "--for", "1h")
    hosts.good("continue")
    assert standby.value(state) == "not paused"
    assert "goes on by itself" not in hosts.good("pause").out
    hosts.good("pause", "--for", "1s")
    wait_until(lambda: standby.value(state) == "not paused", what="replay goes on")
    wait_until(lambda: not (hosts.data / "pause.json").exists())


def _is_for_node_exporter(path: Path, job: str) -> None:
    """It has our series only, each with the job: two inis may write to one folder."""
    assert path.stat().st_mode & 0o777 == 0o644
    samples = [sample for one in parse_families(path.read_text()) for sample in one.samples]
    assert {one.labels["job_name"] for one in samples} == {"archive"}
    assert all(one.name.startswith("skytools_walmgr_") for one in samples)
    text = path.read_text()
    assert f"skytools_walmgr_backups{{{job}}} 1.0" in text
    assert f"skytools_walmgr_disk_free_bytes{{{job}}} " in text


def services(hosts: Hosts) -> list[int]:
    found = []
    for one in processes.everyone():
        try:
            words = Path(f"/proc/{one.pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"walmgr" in words and str(hosts.ini).encode() in words:
            found.append(one.pid)
    return found


def test_what_cannot_be_is_refused_on_one_line_and_nothing_is_touched(hosts: Hosts) -> None:
    """Wrong host, key that cannot be read, other cluster, other major, folder in use."""
    before = snapshot(hosts.data)
    foreign = hosts.standby.datadir
    run("cp", "-a", hosts.primary.datadir, foreign)
    for name in ("postmaster.pid", "PG_VERSION"):
        (foreign / name).unlink()
    (foreign / "PG_VERSION").write_text("13\n")
    hosts.give(foreign / "PG_VERSION")
    _refused(hosts, "pair", code=2, told="PostgreSQL 1")
    (foreign / "PG_VERSION").write_text(f"{hosts.primary.bindir.parent.name}\n")
    hosts.write_ini(slave_bin=str(hosts.primary.bindir))
    run("rm", "-r", foreign)
    foreign.mkdir()
    hosts.give(foreign)
    (foreign / "precious").touch()
    _refused(hosts, "pair", code=3, told="is not empty and no standby of this primary")
    (foreign / "precious").unlink()
    for conninfo, told in (
        ("host=no.such.host.invalid dbname=postgres", "no.such.host.invalid"),
        ("host=127.0.0.1 port=1 dbname=postgres", "port 1"),
        (f"{hosts.primary.conninfo()} sslmode=nonsense", "sslmode"),
    ):
        hosts.write_ini(master_db=conninfo)
        result = hosts.walmgr("pair")
        assert result.code in (1, 2), result.err
        assert told in result.err
        assert "Traceback" not in result.err
    hosts.write_ini(
        master_db=hosts.primary.conninfo(), master_host="b.example",
        ssh_command="ssh -o BatchMode=yes -o ConnectTimeout=1 -i /no/such/key -p 1",
        master_data="/remote/data", slave_settings="",
    )  # fmt: skip
    hosts.folder("w/logs.complete")
    result = hosts.walmgr("sync")
    assert (result.code, result.err.count("\n")) == (1, 1), result.err
    assert "b.example" in result.err
    assert snapshot(hosts.data) == before


def _refused(hosts: Hosts, *words: str, code: int, told: str) -> None:
    result = hosts.walmgr(*words)
    assert (result.code, result.err.count("\n")) == (code, 1), result.err
    assert told in result.err
