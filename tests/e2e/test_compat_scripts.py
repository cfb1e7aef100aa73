# SPDX-License-Identifier: ISC
"""Scripts written for Skytools 3 as real processes: alone, under the manager, killed."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.fixtures.process import run
from tests.fixtures.queue import Queue

OLD = Path(__file__).resolve().parents[2] / "examples" / "old_style"


def write_ini(folder, name, section, **keys):
    path = folder / f"{name}.ini"
    lines = [f"[{section}]", *(f"{key} = {value}" for key, value in keys.items()), ""]
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def watcher_ini(tmp_path, db, queue):
    db.execute("create table seen (id int8, kind text, data text)")

    def ini(**keys):
        given = {"watch_db": db.conninfo, "queue_name": "q", "loop_delay": 0.1, **keys}
        return write_ini(tmp_path, "watch", "watcher", **given)

    return ini


def seen(db):
    return sorted(int(row[0]) for row in db.query("select data from seen"))


def act(ini, *switches, script="watcher"):
    done = run(sys.executable, OLD / f"{script}.py", *switches, ini)
    assert done.code == 0, done.err
    return done


def feed(queue, rounds, count=50):
    """Insert and tick; returns what a table must hold in the end."""
    for _ in range(rounds):
        queue.insert(count)
        queue.tick()
    return sorted([*range(1, count + 1)] * rounds)


def test_a_consumer_runs_retries_and_stops(queue, db, watcher_ini, spawn, wait_until):
    ini = watcher_ini()
    refused = run(sys.executable, OLD / "watcher.py", ini, "--set", "loop_delay=-1")
    assert "Not subscriber" in refused.err
    assert "Traceback" not in refused.err
    assert refused.code == 1
    act(ini, "--register")
    act(ini, "--register")
    program = spawn(sys.executable, OLD / "watcher.py", "-v", ini)
    queue.insert(3)
    queue.insert(1, kind="later")
    queue.tick()
    program.wait_output("{noted: 3, retry-events: 1, count: 4")
    assert seen(db) == [1, 2, 3]
    db.query("select pgq.maint_retry_events()")
    queue.tick()
    wait_until(lambda: seen(db) == [1, 1, 2, 3])
    program.signal(signal.SIGINT)
    assert program.wait() == 0
    act(ini, "--unregister")
    assert queue.position("watch") is None


def test_a_tick_is_taken_at_once_however_long_loop_delay_is(queue, watcher_ini, spawn, db):
    ini = watcher_ini(loop_delay=300)
    act(ini, "--register")
    program = spawn(sys.executable, OLD / "watcher.py", "-vv", ini)
    program.wait_output("listens for ticks")
    queue.insert(2)
    queue.tick()
    program.wait_output("count: 2")
    program.signal(signal.SIGTERM)
    assert program.wait() == 0


def test_a_reload_takes_the_new_keys_and_refuses_bad_ones(
    queue, db, watcher_ini, spawn, wait_until
):
    db.execute("create table other (id int8, kind text, data text)")
    ini = watcher_ini(loop_delay=300)
    act(ini, "--register")
    program = spawn(sys.executable, OLD / "watcher.py", "-vv", ini)
    program.wait_output("listens for ticks")
    ini.write_text("nonsense")
    program.signal(signal.SIGHUP)
    program.wait_output("reload refused, the old configuration stays")
    watcher_ini(loop_delay=300, target="other")
    program.signal(signal.SIGHUP)
    program.wait_output("Config reloaded")
    queue.insert(1)
    queue.tick()
    wait_until(lambda: db.value("select count(*) from other") == 1)
    program.stop()


def test_daemon_pidfile_and_signals_by_switch(tmp_path, queue, watcher_ini, no_orphans, wait_until):
    ini = watcher_ini(pidfile=tmp_path / "pid", logfile=tmp_path / "log")
    act(ini, "--register")
    act(ini, "-d")
    pid = int(wait_until((tmp_path / "pid").read_text))
    os.kill(pid, 0)
    second = run(sys.executable, OLD / "watcher.py", ini)
    assert second.code == 1
    assert f"already running as pid {pid}" in second.err
    act(ini, "-r")
    wait_until(lambda: "Config reloaded" in (tmp_path / "log").read_text())
    act(ini, "-s")
    wait_until(lambda: not (tmp_path / "pid").exists())
    assert "No pidfile, process not running" in act(ini, "-s").err


def test_an_error_is_logged_and_tried_again(queue, db, watcher_ini, spawn, wait_until):
    ini = watcher_ini(target="missing")
    act(ini, "--register")
    program = spawn(sys.executable, OLD / "watcher.py", ini)
    queue.insert(1)
    queue.tick()
    program.wait_output("Job watch got error on connection 'watch_db'")
    assert "Query: insert into missing" in program.output
    db.execute("create table missing (id int8, kind text, data text)")
    wait_until(lambda: db.value("select count(*) from missing") == 1)
    program.stop()


def test_killed_again_and_again_under_the_manager(db, queue, site, watcher_ini, wait_until):
    ini = watcher_ini()
    act(ini, "--register")
    shutil.copy(OLD / "watcher.py", site.root / "watcher.py")
    job = write_ini(
        site.jobs, "watch", "watcher",
        script=site.root / "watcher.py", watch_db=db.conninfo, queue_name="q",
    )  # fmt: skip
    site.start()
    site.wait_ready("watch")
    expected = []
    for _ in range(3):
        expected += feed(queue, 2)
        pid = site.row("watch")["pid"]
        os.kill(pid, signal.SIGKILL)
        site.wait_for("watch", lambda row, pid=pid: row["ready"] and row["pid"] != pid)
    expected += feed(queue, 1)
    wait_until(lambda: len(seen(db)) >= len(expected))
    assert seen(db) == sorted(expected)
    # They are counted when the batch is done, a little later than the rows are there.
    for series in (
        'skytools_consumer_events_total{consumer="watch",queue="q"}',
        'skytools_script_stat_total{key="noted"}',
    ):
        wait_until(lambda one=series: one in scrape(site.runtime / "jobs" / "watch.sock"))
    assert job.exists()


def scrape(path):
    connection = http.client.HTTPConnection("localhost", timeout=60)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(path))
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def test_a_mover_killed_in_the_middle_moves_each_event_once(
    tmp_path, db, queue, make_db, spawn, wait_until
):
    target = make_db()
    target.query("select pgq.create_queue('hub')")
    hub = Queue(target, "hub")
    ini = write_ini(
        tmp_path, "mover", "old_mover",
        src_db=db.conninfo, dst_db=target.conninfo, queue_name="q", dst_queue_name="hub",
        loop_delay=0.01,
    )  # fmt: skip
    act(ini, "--register", script="mover")
    expected = []

    def moved():
        rows = target.query("select ev_data from pgq.event_template")
        return sorted(int(row[0]) for row in rows)

    for round_number in range(4):
        program = spawn(sys.executable, OLD / "mover.py", ini)
        before = len(expected)
        expected += feed(queue, 20)
        wait_until(lambda before=before: len(moved()) > before)
        if round_number < 3:
            program.kill()
    wait_until(lambda: len(moved()) >= len(expected))
    program.signal(signal.SIGTERM)
    assert program.wait() == 0
    assert moved() == sorted(expected)
    assert hub.last_tick() >= 1
    stored = target.value("select last_tick_id from pgq_ext.completed_tick")
    assert stored == queue.position("mover")


def test_a_mover_follows_its_target_when_told(tmp_path, db, queue, make_db):
    target = make_db()
    target.query("select pgq.create_queue('hub')")
    ini = write_ini(
        tmp_path, "mover", "old_mover",
        src_db=db.conninfo, dst_db=target.conninfo, queue_name="q", dst_queue_name="hub",
        loop_delay=0,
    )  # fmt: skip
    act(ini, "--register", script="mover")
    feed(queue, 2)
    act(ini, script="mover")
    db.query("select pgq.register_consumer_at('q', 'mover', 1)")
    lost = run(sys.executable, OLD / "mover.py", ini, "--set", "loop_delay=-1")
    assert lost.code == 1
    assert "Lost position" in lost.err
    act(ini, "--rewind", script="mover")
    feed(queue, 1)
    act(ini, script="mover")
    assert target.value("select count(*) from pgq.event_template") == 150


def test_a_script_for_cron(tmp_path, make_db):
    source, archive = make_db(), make_db()
    for one in (source, archive):
        one.execute('create table task (id int primary key, "user" text, done_at timestamptz)')
    source.execute(
        """insert into task select n, 'o''k' || n, now() - n * interval '10 days'
           from generate_series(1, 10) n"""
    )
    ini = write_ini(
        tmp_path, "cleaner", "cleaner",
        db=source.conninfo, archive_db=archive.conninfo, table="public.task",
    )  # fmt: skip
    done = act(ini, script="cleaner")
    assert "{moved: 8}" in done.err or "{moved: 7}" in done.err
    kept = source.value("select count(*) from task")
    moved = archive.value("select count(*) from task where \"user\" = 'o''k' || id")
    assert (kept, moved) in {(2, 8), (3, 7)}
    archive.execute("drop table task")
    refused = run(sys.executable, OLD / "cleaner.py", ini)
    assert refused.code == 1
    assert "no table public.task in archive_db" in refused.err
    assert "Traceback" not in refused.err


def test_an_admin_script(tmp_path, db):
    ini = write_ini(tmp_path, "tool", "queuetool", db=db.conninfo, pidfile=tmp_path / "pid")
    tool = [sys.executable, OLD / "queuetool.py", ini]
    assert run(*tool, "queues").out == "no queues\n"
    assert run(*tool, "add-queue", "mine", "1 hour").out == "added mine\n"
    assert "mine" in run(*tool, "queues").out
    for words, text in (
        ([], "need command"),
        (["nonsense"], "bad subcommand"),
        (["add-queue"], "wrong number of arguments; expected: NAME ROTATION"),
    ):
        done = run(*tool, *words)
        assert done.code == 1
        assert text in done.err
        assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["nothing.ini"], "cannot be read"),
        (["--set", "nonsense", "x.ini"], "KEY=VALUE expected"),
        ([], "need config file"),
    ],
)
def test_wrong_input_is_one_line(tmp_path, words, text):
    done = run(sys.executable, OLD / "watcher.py", *words, cwd=tmp_path)
    assert done.code == 1
    assert text in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ("watch_db = dbname=x", "queue_name"),
        ("queue_name = q\npgq_autocommit = 1", "pgq_lazy_fetch"),
        ("queue_name = q\nloop_delay = soon", "loop_delay"),
        ("queue_name = %(nothing)s", "nothing"),
    ],
)
def test_wrong_keys_are_told(tmp_path, keys, text):
    ini = tmp_path / "job.ini"
    ini.write_text(f"[watcher]\n{keys}\n")
    done = run(sys.executable, OLD / "watcher.py", ini)
    assert done.code == 1
    assert text in done.err
    assert "Traceback" not in done.err


def test_ini_prints_a_template_that_can_be_read(tmp_path):
    done = run(sys.executable, OLD / "watcher.py", "--ini", "--set", "watch_db=dbname=mine")
    assert "watch_db = dbname=mine" in done.lines
    for key in ("queue_name", "pgq_lazy_fetch", "loop_delay", "connection_lifetime", "target"):
        assert key in done.out
    path = tmp_path / "template.ini"
    path.write_text(done.out)
    checked = run(sys.executable, OLD / "watcher.py", path, "--set", "queue_name=q", "-s",
                  env={"HOME": str(tmp_path)})  # fmt: skip
    assert "logfile" in checked.err  # its folder ~/log is not there
