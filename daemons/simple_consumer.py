# SPDX-License-Identifier: ISC
"""simple_consumer: runs one statement for each row event of a queue."""

from __future__ import annotations

from typing import ClassVar

from skytools.core.config import DaemonConfig, settings
from skytools.core.db import Database
from skytools.core.program import main as run_main
from skytools.pgq import Batch, Consumer, ConsumerConfig
from skytools.pgq.batch import BatchReader
from skytools.pgq.statement import filter_option, run_for_each, statement_option, target_option


@settings
class SimpleConfig(ConsumerConfig):
    """Keys of simple_consumer."""

    dst_db: str = target_option()
    dst_query: str = statement_option()
    consumer_filter: str = filter_option()


class SimpleConsumer(Consumer):
    """No position is kept in dst_db: when an event fails, those before it are done again."""

    Config: ClassVar[type[DaemonConfig]] = SimpleConfig
    service_name = "simple_consumer"
    description = "Run a statement in another database for each row event of a queue."
    cfg: SimpleConfig

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
        target = self.target
        target.check_lifetime()
        run_for_each(batch, lambda row: target.execute(self.cfg.dst_query, row).close())


def main() -> None:
    """Run simple_consumer as a program."""
    run_main(SimpleConsumer)
