# SPDX-License-Identifier: ISC
"""Schema pgq, function by function: 4.0 answers as 3.5 does, or the reason is in the table."""

from __future__ import annotations

import pytest

from tests.peers import calls, calls_batches
from tests.peers.differential import compare

SCRIPTS = {
    "queues": calls.QUEUES,
    "producing": calls.PRODUCING,
    "registration": calls.REGISTRATION,
    **calls_batches.SCRIPTS,
}


@pytest.mark.parametrize("script", sorted(SCRIPTS))
def test_both_answer_alike(old_db, make_db, script):
    new_db = make_db(empty=True)
    new_db.execute("create extension pgq")
    wrong = [text for call in SCRIPTS[script] if (text := compare(old_db, new_db, call))]
    assert not wrong, f"{len(wrong)} differences:\n" + "\n".join(wrong)


def test_every_function_of_3_5_is_called(old_db):
    """So that the tables above are complete."""
    text = " ".join(call.sql for script in SCRIPTS.values() for call in script)
    functions = old_db.query(
        "select distinct proname from pg_proc where pronamespace = 'pgq'::regnamespace"
        " and prorettype <> 'trigger'::regtype order by 1"
    )
    missing = [name for (name,) in functions if f"pgq.{name}(" not in text]
    assert missing == []
