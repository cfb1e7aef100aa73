# SPDX-License-Identifier: ISC
"""simple_local_consumer: simple_consumer with its position in a file.

As the file's position wins, the job can follow a queue that has moved to another server.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import ClassVar

from skytools.core.config import DaemonConfig, option, settings
from skytools.core.db import Database
from skytools.core.errors import TransientError
from skytools.core.program import main as run_main
from skytools.pgq import Batch, LocalConsumer, LocalConsumerConfig
from skytools.pgq.batch import BatchReader
from skytools.pgq.statement import filter_option, run_for_each, statement_option, target_option

log = logging.getLogger("skytools")


@settings
class SimpleLocalConfig(LocalConsumerConfig):
    """Keys of simple_local_consumer."""

    dst_db: str = target_option()
    dst_query: str = statement_option()
    consumer_filter: str = filter_option()
    sql_retry: bool = option(
        False,
        "When the connection to dst_db fails, try the statement again instead of the batch, after"
        " sql_retry_formula_a + sql_retry_formula_b * TRIES seconds.",
    )
    sql_retry_max_count: int = option(10, "At most so often.", min=0)
    sql_retry_max_time: float = option(300, "At most for so long.", unit="s", min=0)
    sql_retry_formula_a: float = option(1, "See sql_retry.", unit="s", min=0)
    sql_retry_formula_b: float = option(5, "See sql_retry.", unit="s", min=0)
    sql_retry_formula_cap: float = option(60, "The longest pause.", unit="s", min=0)


class SimpleLocalConsumer(LocalConsumer):
    """Runs the statement for each row event, the position of the queue being its own."""

    Config: ClassVar[type[DaemonConfig]] = SimpleLocalConfig
    service_name = "simple_local_consumer"
    description = "Run a statement for each row event of a queue, with the position in a file."
    cfg: SimpleLocalConfig

    @property
    def target(self) -> Database:
        """Where the statement is run."""
        lifetime = self.cfg.connection_lifetime
        return self.ctx.database("dst_db", self.cfg.dst_db, autocommit=True, lifetime=lifetime)

    def make_reader(self, where: str | None) -> BatchReader:
        """Return the reader with consumer_filter, which wins over table_filter."""
        return super().make_reader(self.cfg.consumer_filter or where)

    def process_batch(self, batch: Batch) -> None:
        """Run the statement for each event of logutriga's format; others are passed over."""
        self.target.check_lifetime()
        run_for_each(batch, self._execute)

    def _execute(self, arguments: Mapping[str, object]) -> None:
        cfg, clock = self.cfg, self.ctx.clock
        deadline = clock.monotonic() + cfg.sql_retry_max_time
        tries = 0
        while True:
            try:
                self.target.execute(cfg.dst_query, arguments).close()
            except TransientError as exc:
                exhausted = tries >= cfg.sql_retry_max_count or clock.monotonic() >= deadline
                if not cfg.sql_retry or exhausted or self.ctx.stopping:
                    raise
                delay = cfg.sql_retry_formula_a + cfg.sql_retry_formula_b * tries
                tries += 1
                log.warning("%s; try %d of the statement failed", exc, tries)
                self.target.close()
                self.ctx.notify.watchdog()
                self.ctx.wait(min(delay, cfg.sql_retry_formula_cap))
            else:
                return


def main() -> None:
    """Run simple_local_consumer as a program."""
    run_main(SimpleLocalConsumer)
