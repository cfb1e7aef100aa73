# SPDX-License-Identifier: ISC
"""Every program of the package with wrong input: one line, an exit code, no traceback.

Programs are those of [project.scripts], each with the ini of examples/, so a new one is tested
with what is here; only what differs from a daemon with an ini of its own name is written down.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import re
import signal
import sys
import tomllib

import pytest

from tests.fixtures.process import ROOT, Result

PROGRAMS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
WITHOUT_INI = {"qadmin"}
# Programs that do one command and end -> one that looks into the database or at the manager.
COMMANDS = {"londiste": "status", "scriptmgr": "status", "setadm": "status", "walmgr": "status"}
EXAMPLES = {"scriptmgr": "skytools", "walmgr": "wal-master"}
WITHOUT_DATABASE = {"scriptmgr", "walmgr"}  # of queues
# Programs without a queue of their own -> what is no fault for them.
NO_FAULT = {
    "data_maintainer": ("no schema", "no queue", "no right"),
    "pgqd": ("no database", "no schema", "no queue"),
}
WITH_INI = sorted(PROGRAMS.keys() - WITHOUT_INI)
DAEMONS = [name for name in WITH_INI if name not in COMMANDS]
ON_QUEUES = sorted(PROGRAMS.keys() - WITHOUT_DATABASE)
WRONG = (1, 2, 78)


@pytest.fixture(autouse=True)
def _logging():
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def call(name, *words):
    """Run a program's entry point in this process."""
    module, _, function = PROGRAMS[name].partition(":")
    main = getattr(importlib.import_module(module), function)
    out, err = io.StringIO(), io.StringIO()
    before, sys.argv = sys.argv, [name, *map(str, words)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main()
            except SystemExit as exc:
                code = exc.code
    finally:
        sys.argv = before
    return Result(code, out.getvalue(), err.getvalue())


def refused(name, *words, told=""):
    """Call a program that has to refuse what it is given."""
    done = call(name, *words)
    lines = done.err.splitlines()
    assert len(lines) == 1, lines
    line = lines[0]
    assert line.startswith(f"{name}: "), line
    assert told in line
    assert done.code in WRONG
    assert done.out == ""


def example(name):
    text = (ROOT / "examples" / f"{EXAMPLES.get(name, name)}.ini").read_text()
    return re.sub(r"^(logfile|pidfile) = .*\n", "", text, flags=re.MULTILINE)


def command(name):
    return [COMMANDS[name]] if name in COMMANDS else []


@pytest.fixture
def ini(tmp_path):
    """Give a function that writes a program's ini, with other databases and keys if wanted."""

    def write(name, conninfo="", **keys):
        text = example(name)
        if conninfo:
            text = re.sub(r"^(\w+ = )dbname=.*$", rf"\1{conninfo}", text, flags=re.MULTILINE)
            text = re.sub(r"^base_connstr = .*$", f"base_connstr = {conninfo}", text, flags=re.M)
        for key, value in keys.items():
            if re.search(rf"^{key} = ", text, re.MULTILINE):
                text = re.sub(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.MULTILINE)
            else:
                text = re.sub(r"^(\[.*\]\n)", rf"\1{key} = {value}\n", text, count=1, flags=re.M)
        text = text.replace("/var/tmp/%(job_name)s", str(tmp_path / name))
        path = tmp_path / f"{name}.ini"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("name", PROGRAMS)
def test_switches_and_files(name, ini, tmp_path):
    """Nothing here needs a server."""
    refused(name, "x.ini", *command(name), "--nonsense", told="nonsense")
    if name in WITHOUT_INI:
        return
    words = command(name)
    refused(name)
    refused(name, ini(name), *words, "--set", "nonsense", told="KEY=VALUE expected")
    refused(name, ini(name), *words, "--set", "nonsense=1", told="nonsense: unknown key")
    refused(name, tmp_path / "none.ini", *words, told="none.ini: cannot be read: No such file")
    refused(name, f"{tmp_path}/", *words, told="Is a directory")
    path = tmp_path / "wrong.ini"
    for content, told in (
        (b"\xff\xfe\0", "UTF-8"),
        (b"no ini at all", "line 1: "),
        (b"", "section"),
        (b"[other]\n", "section"),
        (example(name).replace("]\n", "]\nnonsense = 1\n", 1).encode(), "nonsense: unknown key"),
    ):
        path.write_bytes(content)
        refused(name, path, *words, told=told)


@pytest.mark.parametrize("name", WITH_INI)
def test_the_template_has_the_section_of_the_example(name):
    done = call(name, "--ini")
    assert (done.code, done.err) == (0, "")
    section = re.search(r"^\[\w+\]$", example(name), re.MULTILINE)
    assert section is not None
    assert section[0] in done.out.splitlines()


@pytest.mark.parametrize("name", DAEMONS)
def test_files_that_cannot_be_written(name, ini):
    for key in ("pidfile", "logfile"):
        refused(name, ini(name, **{key: "/nowhere/x"}), told=f"{key} /nowhere/x")


@pytest.mark.parametrize("name", ON_QUEUES)
def test_a_connect_string_that_is_none(name, ini):
    wrong = "dbname=x nonsense=1"
    if name in WITHOUT_INI:
        refused(name, wrong, "show", "queue", told="nonsense")
    else:
        done = call(name, ini(name, wrong), *command(name))
        assert done.code == 2
        assert all("nonsense" in line for line in done.err.splitlines()), done.err
        assert done.err.startswith(f"{name}: ")


@pytest.fixture(params=["unreachable", "no database", "no schema", "no queue", "no right"])
def fault(request, db, make_db):
    """Give what is wrong, a connect string, the queue, and what has to be told."""
    conninfo = db.conninfo
    other = conninfo.replace(f"dbname={db.name}", "dbname=nowhere")
    db.execute("drop role if exists nobody_at_all; create role nobody_at_all login")
    nobody = conninfo.replace("user=postgres", "user=nobody_at_all")
    db.query("select pgq.create_queue('orders')")
    yield (
        request.param,
        *{
            "unreachable": ("dbname=x host=/nowhere", "orders", "/nowhere"),
            "no database": (other, "orders", "nowhere"),
            "no schema": (make_db(empty=True).conninfo, "orders", ""),
            "no queue": (conninfo, "missing", "missing"),
            "no right": (nobody, "orders", "ermission"),
        }[request.param],
    )
    db.execute("drop role nobody_at_all")


def test_commands_about_a_database(fault, ini):
    _, conninfo, queue, told = fault
    for name in ("londiste", "setadm"):
        refused(name, ini(name, conninfo, queue_name=queue), *command(name), told=told)
    refused("qadmin", conninfo, "-c", f"drop queue {queue}", told=told)


def test_daemons_go_on_trying(fault, ini, spawn, wait_until):
    """What is wrong with a database may be mended: a line that says it, and another try."""
    kind, conninfo, queue, told = fault
    names = [name for name in DAEMONS if kind not in NO_FAULT.get(name, ())]
    running = {}
    for name in names:
        keys = {} if name in NO_FAULT else {"queue_name": queue}
        running[name] = spawn(name, ini(name, conninfo, **keys))
    for name, program in running.items():
        wait_until(
            lambda program=program: is_told(program, told) or not program.running,
            what=lambda name=name, program=program: f"{name}: {program.output}",
        )
        assert is_told(program, told), f"{name}: {program.output}"
        program.signal(signal.SIGTERM)
    for name, program in running.items():
        assert program.wait() == 0, f"{name}: {program.output}"
        assert "Traceback" not in program.output, name


def is_told(program, text):
    """Tell whether something is wrong, and this text is in it."""
    lines = wrong(program)
    return bool(lines) and text in lines


def wrong(program):
    """Return the lines of a program's log that say that something is wrong."""
    lines = program.output.splitlines()
    return "\n".join(line for line in lines if re.search(r"ERROR|WARNING|CRITICAL", line))
