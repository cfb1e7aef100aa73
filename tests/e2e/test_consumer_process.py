# SPDX-License-Identifier: ISC
"""Consumers as users write and run them: real processes on a real queue."""

from __future__ import annotations

import ast
import re
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
HELLO = EXAMPLES / "hello_consumer.py"

GREETER = """
import resource
import time
from pathlib import Path

from skytools.pgq import Consumer, ConsumerConfig, option, run, settings


@settings
class GreeterConfig(ConsumerConfig):
    greeting: str = option("hello", "What to say.")
    hold: Path | None = option(None, "Wait in the handler while this file exists.")


class Greeter(Consumer):
    Config = GreeterConfig
    cfg: GreeterConfig

    def process_event(self, event):
        print(f"{self.cfg.greeting} {event.data} {time.time():.6f}", flush=True)
        while self.cfg.hold and self.cfg.hold.exists():
            time.sleep(0.005)
        if event.data == "poison":
            raise ValueError("cannot stand it")


if __name__ == "__main__":
    run(Greeter)
"""

COUNTER = """
import resource

from skytools.pgq import Consumer, run


class Counter(Consumer):
    def process_batch(self, batch):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        count = sum(1 for event in batch if event.data)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(f"count={count} grown_kb={grown}", flush=True)


run(Counter)
"""

KEEPER = """
from skytools.pgq import Consumer, run


class Keeper(Consumer):
    def process_event(self, event):
        self.db.execute("insert into done values (%s)", (event.id,))


run(Keeper)
"""


@pytest.fixture
def script(tmp_path):
    def script(text):
        path = tmp_path / "consumer.py"
        path.write_text(text, encoding="utf-8")
        return path

    return script


@pytest.fixture
def ini(tmp_path, db):
    """Write job.ini; more keys may be given, None takes one away."""

    def ini(**keys):
        given = {"db": db.conninfo, "queue_name": "q", "pidfile": tmp_path / "pid", **keys}
        path = tmp_path / "job.ini"
        lines = [f"{key} = {value}" for key, value in given.items() if value is not None]
        path.write_text("\n".join(["[job]", *lines, ""]), encoding="utf-8")
        return path

    return ini


def test_the_example_is_about_ten_lines():
    code = ast.parse(HELLO.read_text())
    docstrings = sum(
        1 for n in ast.walk(code) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)
    )
    lines = [s for s in HELLO.read_text().splitlines() if s.strip() and not s.startswith("#")]
    assert len(lines) - docstrings <= 10


def test_the_example_runs(queue, ini, spawn):
    program = spawn(sys.executable, HELLO, ini())
    program.wait_output("reading queue q, consumer job")
    queue.insert(2)
    queue.tick()
    output = program.wait_output("t: 2")
    assert re.findall(r"^(\d+): t: (\d)$", output, re.MULTILINE) == [("1", "1"), ("2", "2")]
    program.signal(signal.SIGTERM)
    assert program.wait() == 0


def test_the_examples_ini_files_are_good(run_program, tmp_path):
    for name in ("hello", "remote"):
        done = run_program(
            sys.executable, EXAMPLES / f"{name}_consumer.py", "--check", EXAMPLES / f"{name}.ini"
        )
        assert (done.code, done.err) == (0, "")


def test_a_tick_is_handled_within_milliseconds_of_its_notification(queue, ini, script, spawn):
    """Not by polling: the next look would come after a minute."""
    program = spawn(sys.executable, script(GREETER), ini(loop_delay=60))
    program.wait_output("reading queue")
    delays = []
    for n in range(50):
        queue.insert(1, kind="t")
        before = time.time()
        queue.tick()
        while len(said := re.findall(r"hello 1 ([\d.]+)\n", program.output)) <= n:
            assert time.time() - before < 50, program.output
        delays.append(float(said[n]) - before)
        if n >= 9 and min(delays) < 0.1:
            break  # a busy machine may need more tries to show how quick it can be
    assert min(delays) < 0.1, delays


def test_stop_ends_after_the_batch(queue, ini, script, spawn, tmp_path):
    hold = tmp_path / "hold"
    hold.touch()
    program = spawn(sys.executable, script(GREETER), ini(hold=hold))
    program.wait_output("reading queue")
    queue.insert(3)
    tick = queue.tick()
    program.wait_output("hello 1")
    program.signal(signal.SIGTERM)
    queue.insert(3, kind="later")
    queue.tick()
    hold.unlink()
    assert program.wait() == 0
    assert re.findall(r"hello (\d)", program.output) == ["1", "2", "3"]
    assert queue.position("job") == tick


def test_hup_reads_the_ini_again_and_keeps_the_old_one_when_it_is_bad(
    queue, ini, script, spawn, run_program
):
    path = script(GREETER)
    program = spawn(sys.executable, path, ini())
    program.wait_output("reading queue")
    ini(greeting="ciao")
    assert run_program(sys.executable, path, "-r", ini(greeting="ciao")).code == 0
    program.wait_output("configuration reloaded")
    queue.insert(1)
    queue.tick()
    program.wait_output("ciao 1")
    ini(greeting="salut", loop_delay="soon")
    program.signal(signal.SIGHUP)
    program.wait_output("[job] loop_delay: 'soon' is not a number")
    queue.insert(2)
    queue.tick()
    program.wait_output("ciao 2")


def test_a_failing_handler_is_tried_again_and_told_with_traceback(
    queue, ini, script, spawn, wait_until
):
    program = spawn(sys.executable, script(GREETER), ini())
    program.wait_output("reading queue")
    event = queue.db.value("select pgq.insert_event('q', 't', 'poison')")
    queue.tick()
    wait_until(lambda: program.output.count("hello poison") >= 2)
    where = f"queue q, consumer job: batch 1, event {event}"
    assert f"ERROR {where}: failed: cannot stand it" in program.output
    assert "ValueError: cannot stand it" in program.output
    assert program.running


def test_a_queue_that_is_made_later(db, ini, script, spawn):
    program = spawn(sys.executable, script(GREETER), ini())
    program.wait_output("db: queue q does not exist; make it: select pgq.create_queue('q')")
    assert "Traceback" not in program.output
    db.query("select pgq.create_queue('q')")
    program.wait_output("reading queue q, consumer job")


def test_register_and_unregister(queue, ini, script, run_program):
    path = script(GREETER)
    done = run_program(sys.executable, path, "--register", ini())
    assert done.code == 0
    assert "queue q, consumer job: registered" in done.err
    assert queue.position("job") == queue.last_tick()
    done = run_program(sys.executable, path, "--unregister", ini())
    assert done.code == 0
    assert queue.position("job") is None


def test_register_on_a_missing_queue_is_one_line(db, ini, script, run_program):
    done = run_program(sys.executable, script(GREETER), "--register", ini())
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "consumer: db: queue q does not exist; make it: select pgq.create_queue('q')\n"
    )


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"queue_name": None}, "queue_name: must be set, for example: myqueue"),
        ({"queue": "q"}, "queue: unknown key"),
        ({"db": "no such thing"}, "db: is no connect string"),
        ({"pgq_lazy_fetch": "many"}, "pgq_lazy_fetch: 'many' is not a whole number"),
    ],
)
def test_bad_ini_is_one_line(ini, script, run_program, keys, told):
    path = ini(**keys)
    done = run_program(sys.executable, script(GREETER), path)
    assert done.code == 2
    assert done.err.startswith(f"consumer: {path}: [job] {told}")
    assert done.err.count("\n") == 1


def test_metrics_are_served(queue, ini, script, spawn, tmp_path):
    address = tmp_path / "sock"
    program = spawn(sys.executable, script(GREETER), ini(metrics_socket=address))
    program.wait_output("reading queue")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(address))
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        text = b"".join(iter(lambda: client.recv(65536), b"")).decode()
    assert 'skytools_consumer_events_total{consumer="job",queue="q"} 0.0' in text
    assert 'skytools_db_connects_total{connection="db"} 1.0' in text


def test_two_processes_of_one_consumer_do_the_work_once(queue, ini, script, spawn, wait_until):
    queue.db.execute("create table done (id bigint)")
    path = script(KEEPER)
    for name in ("one", "two"):
        program = spawn(sys.executable, path, ini(consumer_name="same", pidfile=None))
        program.wait_output("reading queue")
        assert program.running, name
    for _ in range(30):
        queue.insert(20)
        queue.tick()
    last = queue.last_tick()
    wait_until(lambda: queue.position("same") == last)
    assert queue.db.query("select count(*), count(distinct id) from done") == [(600, 600)]


def test_the_example_as_a_job_of_the_manager(queue, ini, spawn, run_program, wait_until, tmp_path):
    """`script =` is all it takes: ready, working and stopped like any daemon."""
    short = Path(tempfile.mkdtemp(prefix="sm-", dir="/var/tmp"))  # unix sockets need short names
    (tmp_path / "jobs").mkdir()
    job = ini(script=HELLO, pidfile=None).rename(tmp_path / "jobs" / "hello.ini")
    manager_ini = tmp_path / "scriptmgr.ini"
    manager_ini.write_text(
        f"[scriptmgr]\nconfig_list = {job}\nruntime_dir = {short}\nlog_dir = {tmp_path}\n"
        "metrics_listen =\n",
        encoding="utf-8",
    )
    manager = spawn("scriptmgr", manager_ini, "run")

    def job_state():
        done = run_program("scriptmgr", manager_ini, "status", "--json")
        return done.out if '"ready": true' in done.out else ""

    wait_until(job_state, what=lambda: manager.output)
    queue.insert(1)
    tick = queue.tick()
    wait_until(lambda: queue.position("hello") == tick)
    manager.stop()
    assert manager.wait() == 0, manager.output
    shutil.rmtree(short)


@pytest.mark.slow
def test_a_batch_of_a_million_events_takes_little_memory(queue, ini, script, spawn):
    queue.db.query("select pgq.register_consumer('q', 'job')")
    queue.bulk(1_000_000, 100)
    queue.tick()
    program = spawn(sys.executable, script(COUNTER), ini(loop_delay=0))
    assert program.wait(400) == 0
    found = re.search(r"count=(\d+) grown_kb=(\d+)", program.output)
    assert found, program.output
    assert int(found[1]) == 1_000_000
    assert int(found[2]) < 16_000
