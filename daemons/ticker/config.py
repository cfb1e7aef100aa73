# SPDX-License-Identifier: ISC
"""Settings of pgqd: every key of pgqd 3.5 with its meaning and default, and a few new ones."""

from __future__ import annotations

import logging.handlers

from skytools.core.config import DaemonConfig, option, settings
from skytools.core.db import check_conninfo

_FACILITIES = logging.handlers.SysLogHandler.facility_names


def _check_facility(text: str) -> str | None:
    if text in _FACILITIES:
        return None
    return f"{text!r} is no syslog facility: {', '.join(sorted(_FACILITIES))}"


@settings
class TickerConfig(DaemonConfig):
    """The section [pgqd]."""

    base_connstr: str = option(
        "",
        "Connect string without dbname. The user should be superuser or a member of pgq_admin; "
        "vacuum of the queue tables needs their owner.",
        check=check_conninfo,
        example="host=/var/run/postgresql user=postgres",
    )
    initial_database: str = option(
        "template1",
        "Database to connect to for the list of databases, when database_list is empty.",
    )
    database_list: tuple[str, ...] = option(
        (), "Databases to serve, separated by commas; empty: every one of the server that has pgq."
    )
    check_period: float = option(
        60.0, "How often to look for new and dropped databases and for pgq in them.",
        unit="s", min=0.1,
    )  # fmt: skip
    ticker_period: float = option(
        1.0, "How often to call pgq.ticker() where pgq is older than 4.0.", unit="s", min=0.01
    )
    look_period: float = option(
        3.0, "How often to look for what nobody announced: events written by COPY, changed queues. "
        "Four times rarer where that finds nothing.",
        unit="s", min=0.1,
    )  # fmt: skip
    sleep_after: float = option(
        0.05, "After that long without events a queue is left alone until a producer wakes it.",
        unit="s", min=0.01,
    )  # fmt: skip
    maint_period: float = option(
        120.0, "How often to rotate and run the other maintenance.", unit="s", min=0.1
    )
    retry_period: float = option(
        30.0, "How often to put retry events back into their queues.", unit="s", min=0.1
    )
    stats_period: float = option(
        30.0, "How often to write the line of statistics and to read the queues' metrics.",
        unit="s", min=0.1,
    )  # fmt: skip
    connection_lifetime: float = option(
        3600.0, "Replace connections that are older; 0: never.", unit="s", min=0
    )
    syslog: bool = option(True, "Also log to syslog, where there is one.")
    syslog_ident: str = option("pgqd", "Name in syslog.")
    syslog_facility: str = option("daemon", "Facility in syslog.", check=_check_facility)
