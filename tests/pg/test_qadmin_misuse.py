# SPDX-License-Identifier: ISC
"""Every command of qadmin with names and numbers that are not there: one line, no traceback."""

from __future__ import annotations

import io

import pytest

from skytools.core.cli import Output
from skytools.core.errors import SkytoolsError, UsageError
from skytools.daemons.qadmin.language import ALL, grammar
from skytools.daemons.qadmin.lexer import statement
from skytools.daemons.qadmin.session import Exit, Session, Told
from skytools.daemons.qadmin.syntax import Either, Leaf, Many, Row, Settings

# Commands that would wait, or end the console.
SYNTAXES = sorted(command.syntax for command in ALL if command.syntax not in ("exit", "quit"))
WRONG = {"number": "0.01", "word": "nosuch", "quoted": "'no such; \"thing\" % \\ ü'", "empty": "''"}


def sample(node, value, *, full):
    """Return a statement of a syntax: the shortest, or one with all that may be left out."""
    if isinstance(node, Leaf):
        return value if node.is_value else node.text
    if isinstance(node, Row):
        return " ".join(sample(part, value, full=full) for part in node.parts)
    if isinstance(node, Many):
        return f"{value}, {value}" if full else value
    if isinstance(node, Either):
        if node.optional and not full:
            return ""
        return sample(node.choices[0], value, full=full)
    assert isinstance(node, Settings)
    leaves = node.leaves if full else node.leaves[:1]
    return " ".join(
        key.text if kind is None else f"{key.text}={sample(kind, value, full=full)}"
        for key, kind in leaves
    )


@pytest.fixture
def sessions(make_db):
    made = []
    for db in (make_db(), make_db(empty=True)):
        session = Session(db.conninfo, Output(stream=io.StringIO()), grammar(), "nosuch")
        made.append(session)
    yield made
    for session in made:
        session.close()


def test_values_that_are_not_there(sessions, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = 0
    for command in ALL:
        if command.syntax not in SYNTAXES:
            continue
        for session in sessions:
            home = session.db.conninfo
            for kind, value in WRONG.items():
                for full in (False, True):
                    text = sample(command.node, value, full=full)
                    told += attempt(session, text, f"{kind} in {command.syntax}")
                    if session.db.conninfo != home:
                        session.reconnect(home)
    assert told > 300


@pytest.fixture
def powerless(db):
    """Give a session of a role that may do nothing, where there is a queue named q."""
    db.query("select pgq.create_queue('q'), pgq.register_consumer('q', 'q')")
    db.execute("create role powerless login; create table q (q int)")
    conninfo = db.conninfo.replace("user=postgres", "user=powerless")
    session = Session(conninfo, Output(stream=io.StringIO()), grammar(), "q")
    yield session
    session.close()
    db.execute("drop role powerless")


def test_names_that_are_there_without_the_right_to_them(powerless, db, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    home = powerless.db.conninfo
    state = "select (select count(*) from pgq.queue), (select count(*) from pgq.subscription)"
    before = db.query(state)
    told = 0
    for command in ALL:
        if command.syntax in SYNTAXES:
            for full in (False, True):
                text = sample(command.node, "q", full=full)
                told += attempt(powerless, text, text)
                if powerless.db.conninfo != home:
                    powerless.reconnect(home)
    assert told > 40
    assert db.query(state) == before


def attempt(session, text, where):
    """Run a statement; what it raises must be an error of ours, in one line."""
    error = failure(session, text)
    if error is None:
        return 0
    assert str(error).strip(), where
    assert "\n" not in str(error), f"{where}: {error}"
    assert error.exit_code in (1, 2), where
    return 1


def failure(session, text):
    try:
        session.execute(statement(text))
    except (Told, Exit):
        return None
    except SkytoolsError as exc:
        return exc
    return None


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_word_too_many(syntax):
    (command,) = (one for one in ALL if one.syntax == syntax)
    text = sample(command.node, "x", full=True) + " and so on"
    with pytest.raises(UsageError, match="expected"):
        grammar().parse(statement(text))
