# SPDX-License-Identifier: ISC
"""Schema pgq, function by function: 4.0 answers as 3.5 does, or calls/*.sql has the reason.

Both engines of 4.0 are held against the C functions of 3.5.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.peers.differential import compare, read_calls

SCRIPTS = sorted(Path(__file__).with_name("calls").glob("*.sql"))


@pytest.fixture(params=["", "pgq_pl.sql"], ids=["c", "pl"])
def new_db(request, make_new_db):
    return make_new_db(request.param)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_both_answer_alike(old_db, new_db, script):
    wrong = [text for call in read_calls(script) if (text := compare(old_db, new_db, call))]
    assert not wrong, f"{len(wrong)} differences:\n" + "\n".join(wrong)


def test_every_function_of_3_5_is_called(old_db):
    """So that the scripts are complete."""
    text = " ".join(call.sql for script in SCRIPTS for call in read_calls(script))
    functions = old_db.query(
        "select distinct proname from pg_proc where pronamespace = 'pgq'::regnamespace"
        " and prorettype <> 'trigger'::regtype order by 1"
    )
    missing = [name for (name,) in functions if f"pgq.{name}(" not in text]
    assert missing == []


TRIGGER_SCRIPTS = sorted(Path(__file__).with_name("calls").glob("triggers/*.sql"))


@pytest.mark.parametrize("triga", ["logutriga", "sqltriga", "jsontriga"])
@pytest.mark.parametrize("script", TRIGGER_SCRIPTS, ids=lambda path: path.stem)
def test_the_triggers_make_the_same_events(old_db, new_db, script, triga):
    calls = (replace(call, sql=call.sql.replace("TRIGA", triga)) for call in read_calls(script))
    wrong = [text for call in calls if (text := compare(old_db, new_db, call))]
    assert not wrong, f"{len(wrong)} differences:\n" + "\n".join(wrong)
