# SPDX-License-Identifier: ISC
"""The end of a copy: its consumer goes, foreign keys come back."""

from __future__ import annotations

import logging

from skytools.core.db import Database
from skytools.core.errors import DatabaseError, SkytoolsError, TransientError
from skytools.core.faultpoint import reach
from skytools.daemons.londiste import api, copies
from skytools.daemons.londiste.config import LondisteConfig
from skytools.daemons.londiste.copy.connections import Connections
from skytools.daemons.londiste.states import State
from skytools.pgq import api as pgq
from skytools.pgq import node

log = logging.getLogger("skytools")

LOCK_TIMEOUT = "500ms"
LOCK_TRIES = 20

_CONSUMERS = """
select consumer_name, provider_node from pgq_node.local_state
 where queue_name = %s and starts_with(consumer_name, %s)"""


def unregister_at(
    local: Database, cfg: LondisteConfig, there: Connections, provider_node: str, consumer: str
) -> None:
    """Forget a consumer at a node. A node that is away keeps it: that is said in the log."""
    members = {one.node: one for one in node.locations(local, cfg.queue_name)}
    local.rollback()
    member = members.get(provider_node)
    if member is None or member.dead:
        return
    db = there.beside(provider_node, f"{member.location} {cfg.remote_extra_connstr}".strip())
    try:
        pgq.unregister_consumer(db, cfg.queue_name, consumer)
    except SkytoolsError as exc:
        log.warning(
            "consumer %s stays registered at node %s, and keeps its queue: %s",
            consumer, provider_node, exc,
        )  # fmt: skip


def consumers_over(local: Database, cfg: LondisteConfig) -> list[tuple[str, str]]:
    """Return (consumer, node it reads from) of copies that are over."""
    copying = {
        one.name for one in copies.under_way(local, cfg.queue_name)
        if State.parse(one.state).copying
    }  # fmt: skip
    prefix = f"{cfg.consumer}.copy."
    found = local.query(_CONSUMERS, (cfg.queue_name, prefix))
    return [(row[0], row[1]) for row in found if row[0].removeprefix(prefix) not in copying]


def drop_consumers(
    local: Database, cfg: LondisteConfig, there: Connections, only: str | None = None
) -> None:
    """Forget the consumers of copies that are over, or one of them. Commits."""
    over = consumers_over(local, cfg)
    local.rollback()
    for consumer, provider_node in over:
        if only in {None, consumer}:
            unregister_at(local, cfg, there, provider_node, consumer)
            reach("copy-unregistered")
            node.unregister_consumer(local, cfg.queue_name, consumer)
            local.commit()


def restore_fkeys(local: Database, queue: str) -> list[str]:
    """Bring back the foreign keys whose tables are in sync; return what is wrong with others.

    They are made without looking at the rows, then validated: nobody is locked out for long.
    Commits each step.
    """
    wrong = []
    for fkey in api.valid_pending_fkeys(local, queue):
        local.rollback()
        try:
            _restore(local, fkey.from_table, fkey.name)
        except (DatabaseError, TransientError) as exc:
            local.rollback()
            wrong.append(f"foreign key {fkey.name} of {fkey.from_table} is not back: {exc}")
    local.rollback()
    for text in wrong:
        log.error("%s", text)
    return wrong


def _restore(local: Database, table: str, name: str) -> None:
    tries = 0
    while True:
        try:
            local.execute(f"set local lock_timeout to '{LOCK_TIMEOUT}'").close()
            statement = api.restore_table_fkey(local, table, name, lazy=True)
            if statement:
                log.info("%s", statement)
                local.execute(statement).close()
            local.commit()
            reach("copy-fkey-step")
            if not statement:
                return
        except TransientError:
            local.rollback()
            tries += 1
            if tries > LOCK_TRIES:
                raise
