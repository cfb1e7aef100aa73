# SPDX-License-Identifier: ISC
"""What administrators have done, in the database of the node where they did it.

It is for people: a command that was interrupted looks at the nodes themselves, and not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError

_THERE = "select to_regclass('pgq_node.admin_journal') is not null"
_BEGIN = "insert into pgq_node.admin_journal (queue_name, command) values (%s, %s) returning id"
_STEP = "update pgq_node.admin_journal set step = %s, step_time = now() where id = %s"
_END = "update pgq_node.admin_journal set outcome = %s, ended = now() where id = %s"
_OPEN = """select command, by_whom, started, step from pgq_node.admin_journal
    where queue_name = %s and outcome is null order by id"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A command that is at work, or was interrupted."""

    command: str
    by_whom: str
    started: datetime
    step: str | None


class Journal:
    """One command. pgq_node 3.x keeps no journal; nor does it matter when one cannot be written."""

    def __init__(self, db: Database, queue: str) -> None:
        self._db = db
        self._queue = queue
        self._id: int | None = None

    def begin(self, command: str) -> None:
        """Note that a command begins. Commits."""
        self._db.rollback()
        if self._db.query_alone(_THERE)[0][0]:
            # A command that was given again has taken the place of what was interrupted.
            self._db.query_alone(
                """update pgq_node.admin_journal set outcome = 'interrupted', ended = now()
                    where queue_name = %s and command = %s and outcome is null returning id""",
                (self._queue, command),
            )
            self._id = self._db.query_alone(_BEGIN, (self._queue, command))[0][0]

    def step(self, name: str) -> None:
        """Note that a step begins. Commits."""
        self._write(_STEP, name)

    def end(self, outcome: str) -> None:
        """Note how it ended. Commits."""
        self._write(_END, outcome)

    def _write(self, statement: str, text: str) -> None:
        if self._id is None:
            return
        self._db.rollback()
        try:
            self._db.query_alone(f"{statement} returning id", (text, self._id))
        except SkytoolsError:
            self._db.close()  # the journal must not stop what it is about


def interrupted(db: Database, queue: str) -> list[Entry]:
    """Return commands without an end. Ends the transaction."""
    try:
        if not db.value(_THERE):
            return []
        return [Entry(*row) for row in db.query(_OPEN, (queue,))]
    finally:
        db.rollback()
