# SPDX-License-Identifier: ISC
"""Scripts (EXECUTE) and copies, in order.

- A copy begins only when no script lies between what the worker has done and what is copied.
- It never passes a script that the worker has not done.
- When a script names or locks a table whose copy is under way, the worker gives the copy a
  little time to come to the tick before, then has the table copied anew, after the script.
"""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING

from skytools.core.errors import TransientError
from skytools.daemons.londiste import api, copies, names
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.copy.children import Children
from skytools.daemons.londiste.states import Stage, State
from skytools.pgq import Event

if TYPE_CHECKING:
    from skytools.daemons.londiste.worker import LondisteWorker

log = logging.getLogger("skytools")

SCRIPT_PATIENCE = 5.0
SCRIPT_LOCK_TIMEOUT = "1s"
SCRIPT_TRIES = 3

_LOCKED = """
select l.relation::int8 from pg_catalog.pg_locks l
 where l.pid = pg_backend_pid() and l.locktype = 'relation' and l.mode <> 'AccessShareLock'"""
_OID = """
select c.oid::int8 from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 where n.nspname = %s and c.relname = %s"""


class CopyInTheWay(TransientError):  # noqa: N818 # no error: it comes again
    """A script must wait for a copy."""


class Scripts:
    """Keeps scripts and copies in order."""

    def __init__(self, worker: LondisteWorker, children: Children) -> None:
        self._worker = worker
        self._children = children
        self._event = 0
        self._since = 0.0
        self._tries = 0
        self._touched: set[str] = set()

    def before(self, event: Event) -> None:
        """See to the copies of tables that the script names, or is known to touch."""
        target = self._worker.target
        under_way = copies.tables_in_copy(target)
        if event.id != self._event:
            self._event, self._since, self._tries = event.id, time.monotonic(), 0
            self._touched.clear()
        if not under_way:
            return
        self._tries += 1
        for queue, table in under_way:
            named = _names(event.data or "", table) or table.dest in self._touched
            if named or self._tries > SCRIPT_TRIES:
                self._give_way(queue, table, event)
        target.execute(f"set local lock_timeout to '{SCRIPT_LOCK_TIMEOUT}'").close()

    def _give_way(self, queue: str, table: TableInfo, event: Event) -> None:
        """Have a table copied anew after the script, unless its copy comes to an end soon."""
        target = self._worker.target
        shared = bool(copies.tables_sharing(target, queue, table.dest))
        loaded = State.parse(table.state).stage is not Stage.IN_COPY
        patient = time.monotonic() - self._since < SCRIPT_PATIENCE
        if shared or queue != self._worker.cfg.queue_name or (loaded and patient):
            raise CopyInTheWay(
                f"script {event.extra1} waits for the copy of {table.name} ({table.state})"
            )
        log.warning("%s: is copied anew after script %s", table.name, event.extra1)
        self._children.kill(table.name)
        api.set_table_state(target, queue, table.name, None, None)

    def after(self, event: Event) -> None:
        """See whether the script has locked a table that is being copied."""
        target = self._worker.target
        under_way = copies.tables_in_copy(target)
        if under_way:
            locked = {row[0] for row in target.query(_LOCKED)}
            for _, table in under_way:
                if target.value(_OID, names.split(table.dest)) in locked:
                    self._touched.add(table.dest)
            if self._touched & {table.dest for _, table in under_way}:
                raise CopyInTheWay(
                    f"script {event.extra1} waits for the copies of"
                    f" {', '.join(sorted(self._touched))}"
                )
        target.execute("set local lock_timeout to default").close()


def _names(text: str, table: TableInfo) -> bool:
    """Tell whether a script has the name of a table as a word anywhere."""
    words = {names.split(one)[1].replace('"', '""') for one in (table.name, table.dest)}
    return any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) for word in words)
