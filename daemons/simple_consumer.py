# SPDX-License-Identifier: ISC
"""simple_consumer: runs one statement for each row event of a queue."""

from __future__ import annotations

from typing import ClassVar

from skytools.core.config import REQUIRED, DaemonConfig, option, settings
from skytools.core.db import Database, check_conninfo
from skytools.core.program import main as run_main
from skytools.pgq import Batch, Consumer, ConsumerConfig
from skytools.pgq.batch import BatchReader
from skytools.pgq.rows import check_statement, is_row_change, query_arguments


@settings
class SimpleConfig(ConsumerConfig):
    """Keys of simple_consumer."""

    dst_db: str = option(
        REQUIRED,
        "Where the statement is run: libpq connect string.",
        check=check_conninfo,
        example="dbname=target host=127.0.0.1",
    )
    dst_query: str = option(
        REQUIRED,
        "Statement for each row event, in a transaction of its own. %(name)s (in the file:"
        " %%(name)s) is a column of the row; pgq.tick_id, pgq.ev_id, pgq.ev_time, pgq.ev_type,"
        " pgq.ev_data, pgq.ev_extra1 to 4 are of the event.",
        check=check_statement,
        example="select mail.welcome(%%(email)s, %%(pgq.ev_id)s)",
    )
    consumer_filter: str = option(
        "", "SQL condition over the columns of events, instead of table_filter."
    )


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
        for event in batch:
            if is_row_change(event):
                arguments = query_arguments(event, batch.tick.id)
                target.execute(self.cfg.dst_query, arguments).close()


def main() -> None:
    """Run simple_consumer as a program."""
    run_main(SimpleConsumer)
