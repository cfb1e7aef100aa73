# SPDX-License-Identifier: ISC
"""What consumers that run one statement for each row event have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from skytools.core.config import REQUIRED, option
from skytools.core.db import check_conninfo
from skytools.pgq.batch import Batch
from skytools.pgq.rows import check_statement, is_row_change, query_arguments


def target_option() -> Any:
    """Declare the key dst_db."""
    return option(
        REQUIRED,
        "Where the statement is run: libpq connect string.",
        check=check_conninfo,
        example="dbname=target host=127.0.0.1",
    )


def statement_option() -> Any:
    """Declare the key dst_query."""
    return option(
        REQUIRED,
        "Statement for each row event, in a transaction of its own. %(name)s (in the file:"
        " %%(name)s) is a column of the row; pgq.tick_id, pgq.ev_id, pgq.ev_time, pgq.ev_type,"
        " pgq.ev_data, pgq.ev_extra1 to 4 are of the event.",
        check=check_statement,
        example="select mail.welcome(%%(email)s, %%(pgq.ev_id)s)",
    )


def filter_option() -> Any:
    """Declare the key consumer_filter."""
    return option("", "SQL condition over the columns of events, instead of table_filter.")


def run_for_each(batch: Batch, execute: Callable[[Mapping[str, object]], None]) -> None:
    """Call `execute` for each event of logutriga's format; others are passed over."""
    for event in batch:
        if is_row_change(event):
            execute(query_arguments(event, batch.tick.id))
