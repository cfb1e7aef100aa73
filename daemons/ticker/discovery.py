# SPDX-License-Identifier: ISC
"""Which databases there are: from the configuration, or asked of the server now and then."""

from __future__ import annotations

import logging
from collections.abc import Callable

from skytools.core.db import merge_conninfo
from skytools.core.errors import SkytoolsError
from skytools.core.service import Context
from skytools.daemons.ticker import api
from skytools.daemons.ticker.config import TickerConfig
from skytools.daemons.ticker.worker import Worker

log = logging.getLogger("skytools")


def conninfo(cfg: TickerConfig, database: str) -> str:
    """Return the connect string of one database."""
    return merge_conninfo(cfg.base_connstr, dbname=database)


class Discovery:
    """Lists the server's databases every check_period, in a thread: a connection may hang.

    `found` is the latest list, None before the first; `error` says why the last try failed.
    """

    def __init__(self, ctx: Context, cfg: TickerConfig, changed: Callable[[], None]) -> None:
        self.found: frozenset[str] | None = None
        self.error = ""
        self.cfg = cfg
        self._changed = changed
        name = cfg.initial_database
        database = ctx.new_database("initial_database", conninfo(cfg, name), autocommit=True)
        database.name = name
        self.worker = Worker("discovery", database, self._session, self._failed)
        self.worker.start()

    def _session(self, worker: Worker) -> None:
        log.debug("auto-detecting dbs")
        names = frozenset(api.database_names(worker.database))
        worker.database.close()
        worker.reconnect.reset()
        if self.error:
            log.info("%s: connected again", worker.database.name)
        changed = names != self.found or self.error
        self.found, self.error = names, ""
        if changed:
            self._changed()
        worker.pause(self.cfg.check_period)

    def _failed(self, exc: SkytoolsError, delay: float, lost: bool) -> None:
        text = str(exc)
        log.log(
            logging.DEBUG if text == self.error else logging.ERROR,
            "list of databases: %s; next try in %.1f s", text, delay,
        )  # fmt: skip
        if text != self.error:
            self.error = text
            self._changed()
