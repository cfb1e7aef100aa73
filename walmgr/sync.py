# SPDX-License-Identifier: ISC
"""Whether commits wait for the receiver: RPO 0, and what happens when the receiver is gone."""

from __future__ import annotations

import logging
import time

from skytools.core.db import Database, sql
from skytools.walmgr.config import WalmgrConfig

log = logging.getLogger(__name__)

RECEIVER = "walmgr_receiver"
REMOTE_APPLY = "remote_apply"


class SyncPolicy:
    """Keeps synchronous_standby_names as `synchronous` asks for; names of others stay alone."""

    def __init__(self, cfg: WalmgrConfig) -> None:
        self.cfg = cfg
        self._seen = time.monotonic()

    def apply(self, database: Database) -> str:
        """Look at the primary and change what must be; returns its present mode."""
        names = str(database.value("show synchronous_standby_names"))
        if names not in ("", RECEIVER):
            return names
        if self._wanted(database) != (names == RECEIVER):
            names = "" if names else RECEIVER
            query = sql.SQL("alter system set synchronous_standby_names = {}")
            database.execute(query.format(sql.Literal(names)))
            database.execute("select pg_reload_conf()")
            log.warning("commits %s for the receiver", "wait" if names else "no longer wait")
        return names

    def _wanted(self, database: Database) -> bool:
        if database.value("show synchronous_commit") == REMOTE_APPLY:
            return False  # the receiver never applies: no commit would ever end
        if self.cfg.synchronous != "degrade":
            return self.cfg.synchronous == "on"
        streaming = database.value(
            "select true from pg_stat_replication where application_name = %s"
            " and state = 'streaming'",
            [RECEIVER],
        )
        now = time.monotonic()
        if streaming:
            self._seen = now
        return bool(now - self._seen < self.cfg.degrade_after)
