# SPDX-License-Identifier: ISC
"""Schema londiste, function by function: 4.0 answers as 3.8, or calls/londiste has the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.peers.conftest import OURS, load_script
from tests.peers.differential import compare, read_calls

SCRIPTS = sorted(Path(__file__).with_name("calls").glob("londiste/*.sql"))


@pytest.fixture
def old_londiste(old_db):
    """Give a connection to a database with Londiste 3.8 on pgq and pgq_node 3.5."""
    old_db.execute("create extension pgq_node version '3.5'")
    old_db.execute("create extension londiste version '3.8'")
    return old_db


@pytest.fixture(params=["c", "pl"])
def new_londiste(request, server, make_new_db):
    """Give one with Londiste 4.0 on pgq 4.0, with C or all of it loaded by scripts."""
    if request.param == "c":
        db = make_new_db()
        db.execute("create extension londiste cascade")
        return db
    db = make_new_db("pgq_pl.sql")
    for script in ("pgq_node.sql", "londiste.sql"):
        load_script(server, db, OURS / script)
    return db


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_both_answer_alike(old_londiste, new_londiste, script):
    calls = read_calls(script)
    wrong = [text for call in calls if (text := compare(old_londiste, new_londiste, call))]
    assert not wrong, f"{len(wrong)} differences:\n" + "\n".join(wrong)


def test_every_function_of_3_8_is_called(old_londiste):
    """So that the scripts are complete."""
    text = " ".join(call.sql for script in SCRIPTS for call in read_calls(script))
    functions = old_londiste.query(
        "select distinct proname from pg_proc where pronamespace = 'londiste'::regnamespace"
        " and prorettype <> 'trigger'::regtype order by 1"
    )
    # Called by get_table_list, by removing a table, and by every worker in test_londiste.py.
    indirect = {"_coordinate_copy", "drop_table_triggers", "set_session_replication_role"}
    missing = [name for (name,) in functions if f"londiste.{name}(" not in text]
    assert sorted(set(missing) - indirect) == []
