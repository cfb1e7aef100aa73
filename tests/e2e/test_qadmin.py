# SPDX-License-Identifier: ISC
"""qadmin as a process: scripts, wrong input, and the prompt on a real terminal."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest

from tests.fixtures.process import environment
from tests.fixtures.wait import wait_until

SYSTEM_QUEUES = "show queue"


def test_statements_from_everywhere(run_program, queue, tmp_path):
    conninfo = queue.db.conninfo
    done = run_program("qadmin", "--json", conninfo, "-c", "show queue")
    assert (done.code, done.err) == (0, "")
    assert [row["queue_name"] for row in json.loads(done.out)] == ["q"]
    path = tmp_path / "script"
    path.write_text("register consumer c on q; -- a comment\nshow\n consumer c;\nexit; select 1/0;")
    done = run_program("qadmin", "-d", conninfo, "-f", path)
    assert (done.code, done.err) == (0, "")
    assert "consumer c registered" in done.lines[0]
    done = run_program("qadmin", conninfo, stdin="show version;\nselect 1 as one")
    assert done.lines[-3:] == ["one", "1", "(1 row)"]
    done = run_program("qadmin", conninfo, "-Q", "q", "unregister", "consumer", "c")
    assert (done.code, done.out) == (0, "consumer c unregistered from queue q\n")


def test_switches_win_over_the_connect_string(run_program, queue, server):
    done = run_program(
        *("qadmin", "-h", server.socket_dir, "-p", server.port, "-U", "postgres"),
        *("-d", queue.db.name, "-c", "select current_user as u, current_database() as d"),
    )
    assert done.lines[1].split() == ["postgres", queue.db.name]
    done = run_program("qadmin", "dbname=nowhere", "-h", server.socket_dir, "-U", "postgres", "-c",
        "select 1")  # fmt: skip
    assert done.code == 1
    assert 'database "nowhere" does not exist' in done.err


@pytest.mark.parametrize(
    ("argv", "code", "told"),
    [
        (["-c", "show queue", "-f", "x"], 2, "-c and -f exclude each other"),
        (["-c", "show queues"], 1, 'unrecognized configuration parameter "queues"'),
        (["-c", "shw queue"], 1, "did you mean show queue? help; lists the commands"),
        (["-c", "create queue"], 2, "the end: expected QUEUE"),
        (["-c", "select 'a"], 2, "' is opened and not closed"),
        (["-c", "create queue a; show queue a b; create queue c"], 2, "-c: line 1: b: expected"),
        (["-f", "/nowhere"], 2, "/nowhere: No such file or directory"),
        (["-f", "/"], 2, "/: Is a directory"),
        (["show", "queue", "zzz"], 1, "queue zzz does not exist; queues: q"),
        (["-c", "select 1; select 1/0; create queue never"], 1, "-c: line 1: server: division by"),
        (["-c", "connect node=x"], 2, "node= needs a queue"),
        (["-c", "doctor age=soon"], 2, "age: 'soon' is no positive number"),
        (["-c", "doctor free=101"], 2, "free: 101 is more than 100 percent"),
        (["-c", "node takeover"], 2, "expected"),
        (["-c", "redrive all of c on q"], 1, "consumer not registered"),
        (["-c", "watch zzz"], 1, "queue zzz does not exist"),
        (["-c", "show batch 0"], 1, "batch"),
    ],
)
def test_wrong_input_is_one_line(run_program, queue, argv, code, told):
    done = run_program("qadmin", "-d", queue.db.conninfo, *argv)
    assert (done.code, done.err.count("\n")) == (code, 1), done
    assert told in done.err
    assert queue.db.value("select count(*) from pgq.queue") == 1, "something was done all the same"


def test_wrong_switches(run_program):
    assert run_program("qadmin", "-h").lines[0].startswith("usage: qadmin")
    done = run_program("qadmin", "a=b", "-c", "select 1")
    assert (done.code, done.err.count("\n")) == (2, 1)
    done = run_program("qadmin", "postgres://[", "-c", "select 1")
    assert (done.code, done.err.count("\n")) == (2, 1)
    done = run_program("qadmin", "host=/nowhere", "-c", "show queue")
    assert (done.code, done.err.count("\n")) == (1, 1)


def test_the_doctor_has_exit_code_3(run_program, queue):
    queue.db.query("select pgq.set_queue_config('q', 'ticker_paused', '1')")
    done = run_program("qadmin", queue.db.conninfo, "doctor", "free=0.001")
    assert done.code == 3
    assert done.lines[0] == "queue-paused: a queue makes no ticks on purpose"
    assert "    => alter queue 'q' set paused=0;" in done.lines


def test_without_prompt_toolkit_scripts_work_and_the_prompt_says_what_is_missing(queue):
    hidden = (
        "import sys; sys.modules['prompt_toolkit'] = None; sys.argv[0] = 'qadmin'\n"
        "from skytools.daemons.qadmin.cli import main; sys.exit(main())"
    )
    argv = [sys.executable, "-c", hidden, queue.db.conninfo]
    script = [*argv[:3], queue.db.conninfo, "-c", "show queue"]
    subprocess.run(script, env=environment(), stdout=subprocess.DEVNULL, check=True)
    with terminal(argv) as screen:
        screen.wait("Debian: python3-prompt-toolkit")
        assert screen.end() == 1


def test_a_script_is_ended_on_the_server_too(spawn, queue):
    program = spawn("qadmin", queue.db.conninfo, "-c", "select pg_sleep(100); create queue never")
    wait_for_query(queue.db, "pg_sleep(100)")
    program.signal(signal.SIGINT)
    assert program.wait() == 130
    assert "Traceback" not in program.output
    assert queue.db.value("select count(*) from pgq.queue") == 1


class Screen:
    """A program on a terminal of its own."""

    def __init__(self, argv, home):
        self.text = ""
        self._asked = b""  # the last bytes, in which a question may begin
        self.fd, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
        self.popen = subprocess.Popen(
            ["setsid", "--ctty", *argv],
            env={**environment(), "TERM": "xterm", "HOME": str(home), "PAGER": "cat"},
            stdin=inside,
            stdout=inside,
            stderr=inside,
        )
        os.close(inside)

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait(self, text, timeout=120.0):
        """Wait until a text has been shown since the last wait."""
        deadline = time.monotonic() + timeout
        while text not in self.text:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} is not on the screen: {self.text!r}"
            if select.select([self.fd], [], [], left)[0]:
                try:
                    part = os.read(self.fd, 65536)
                except OSError:
                    part = b""
                assert part, f"it ended before {text!r}: {self.text!r}"
                self._asked += part
                for _ in range(self._asked.count(b"\x1b[6n")):
                    os.write(self.fd, b"\x1b[1;1R")  # where is the cursor? As terminals answer.
                self._asked = self._asked.rpartition(b"\x1b[6n")[2][-3:]
                self.text += part.decode(errors="replace")
        seen, self.text = self.text.split(text, 1)
        return seen

    def end(self):
        """Read on until the program ends; its exit code."""
        with contextlib.suppress(OSError):
            while os.read(self.fd, 65536):
                pass
        return self.popen.wait(30)


@contextlib.contextmanager
def terminal(argv, home="/nonexistent"):
    screen = Screen(list(map(str, argv)), home)
    try:
        yield screen
    finally:
        os.close(screen.fd)
        screen.popen.kill()
        screen.popen.wait(30)


def test_the_prompt_completes_helps_and_goes_on_after_errors(queue, tmp_path):
    queue.db.query("select pgq.create_queue('orders')")
    with terminal(["qadmin", queue.db.conninfo], tmp_path) as screen:
        screen.wait(f"(noqueue)@{queue.db.name}>")
        screen.type("create queue")
        screen.wait("create queue QUEUE")  # below the line: the syntax
        screen.type(" x y;\r")
        screen.wait("error: y: expected the end")
        screen.wait(f"(noqueue)@{queue.db.name}>")
        screen.type("connect queue=ord\t")
        screen.wait("ers")
        screen.type(";\r")
        screen.wait("queue orders")
        screen.wait(f"orders@{queue.db.name}>")
        screen.type("select 'a\r")
        screen.wait("...")
        screen.type("b';\r")
        screen.wait("(1 row)")
        screen.wait(f"orders@{queue.db.name}>")
        screen.type("select pg_sleep(100);\r")
        wait_for_query(queue.db, "pg_sleep(100)")
        screen.type("\x03")
        screen.wait("cancelled")
        screen.wait(f"orders@{queue.db.name}>")
        screen.type("select 'password = secret';\r")
        screen.wait("(1 row)")
        screen.wait(f"orders@{queue.db.name}>")
        screen.type("exit\r")
        assert screen.end() == 0
    history = (tmp_path / ".qadmin_history").read_text()
    assert "+connect queue=orders;" in history
    assert "secret" not in history


def wait_for_query(db, text):
    query = "select count(*) from pg_stat_activity where query like %s and state = 'active'"
    wait_until(lambda: db.value(query, (f"select {text}%",)), what=text)


def test_watch_draws_on_a_terminal_until_interrupted(queue, tmp_path):
    queue.db.query("select pgq.register_consumer('q', 'somebody')")
    argv = ["qadmin", queue.db.conninfo, "watch", "every", "0.1"]
    with terminal(argv, tmp_path) as screen:
        for _ in range(3):
            screen.wait("somebody")
        screen.type("\x03")
        assert screen.end() == 0
