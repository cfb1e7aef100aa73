# SPDX-License-Identifier: ISC
"""One change of a cascade at a time: a lock on every node that is involved, while we live."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

from skytools.core.errors import SkytoolsError
from skytools.pgq.admin.job import Job
from skytools.pgq.admin.members import Node

GRACE = 2.0  # seconds
_LOCK = "select pg_try_advisory_lock(hashtext('pgq_node admin'), hashtext(%s))"
_UNLOCK = "select pg_advisory_unlock(hashtext('pgq_node admin'), hashtext(%s))"
_HOLDER = """select pid from pg_catalog.pg_locks
    where locktype = 'advisory' and granted and objsubid = 2
      and database = (select oid from pg_catalog.pg_database where datname = current_database())
      and classid::int8 = hashtext('pgq_node admin')::int8 & 4294967295
      and objid::int8 = hashtext(%s)::int8 & 4294967295"""


@contextlib.contextmanager
def exclusive(job: Job, nodes: Sequence[Node]) -> Iterator[None]:
    """Keep other administrators' changes away. Raises SkytoolsError when one is under way.

    The lock is of the session: it goes when we are killed. A node that is only looked at
    (--dry-run) is not locked.
    """
    held = []
    try:
        if not job.switch("dry-run"):
            for node in nodes:
                _lock(node)
                held.append(node)
        yield
    finally:
        for node in held:
            if node.db.connected:
                with contextlib.suppress(SkytoolsError):
                    node.db.rollback()
                    node.db.value(_UNLOCK, (node.queue,))
                    node.db.rollback()


def _lock(node: Node) -> None:
    # The session of a command that was killed ends when the server notices that.
    deadline = time.monotonic() + GRACE
    while not _try(node):
        if time.monotonic() > deadline:
            pid = node.db.value(_HOLDER, (node.queue,))
            node.db.rollback()
            raise SkytoolsError(
                f"another command is changing the cascade: pid {pid} on node {node.name};"
                " wait for it, or end it"
            )
        time.sleep(0.05)


def _try(node: Node) -> bool:
    try:
        return bool(node.db.value(_LOCK, (node.queue,)))
    finally:
        node.db.rollback()
