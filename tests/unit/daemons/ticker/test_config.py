# SPDX-License-Identifier: ISC
"""Keys of pgqd.ini: those of pgqd 3.5 mean what they meant, and faults are one line each."""

from __future__ import annotations

from pathlib import Path

import pytest

from skytools.core.config import load
from skytools.core.errors import ConfigError
from skytools.core.template import render_ini
from skytools.daemons.ticker.config import TickerConfig
from skytools.daemons.ticker.discovery import conninfo

EXAMPLE = Path(__file__).parents[4] / "examples" / "pgqd.ini"


@pytest.fixture
def load_text(tmp_path):
    def read(body):
        path = tmp_path / "t.ini"
        path.write_text(body, encoding="utf-8")
        return load(TickerConfig, path, "pgqd")

    return read


def test_defaults_are_those_of_pgqd_3_5(load_text):
    cfg = load_text("[pgqd]\n").config
    assert (cfg.base_connstr, cfg.initial_database, cfg.database_list) == ("", "template1", ())
    assert (cfg.syslog, cfg.syslog_ident, cfg.syslog_facility) == (True, "pgqd", "daemon")
    assert (cfg.check_period, cfg.maint_period, cfg.retry_period) == (60, 120, 30)
    assert (cfg.ticker_period, cfg.stats_period, cfg.connection_lifetime) == (1, 30, 3600)


def test_a_3_5_ini_loads_without_a_warning(load_text):
    loaded = load_text(
        "[pgqd]\nlogfile = ~/log/pgqd.log\npidfile = ~/pid/pgqd.pid\nbase_connstr = host=/tmp\n"
        "initial_database = postgres\ndatabase_list = a, b,c\nsyslog = 0\nsyslog_ident = x\n"
        "syslog_facility = local0\ncheck_period = 60\nmaint_period = 120.5\nretry_period = 30\n"
        "ticker_period = 0.5\nstats_period = 10\nconnection_lifetime = 0\n"
    )
    assert loaded.warnings == ()
    assert loaded.config.database_list == ("a", "b", "c")
    assert loaded.config.logfile == Path("~/log/pgqd.log").expanduser()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tiker_period = 1", ["tiker_period", "unknown key", "ticker_period"]),
        ("ticker_period = fast", ["ticker_period", "'fast' is not a number"]),
        ("ticker_period = -1", ["ticker_period", "too small"]),
        ("base_connstr = host = = x", ["base_connstr", "is no connect string"]),
        ("syslog_facility = demon", ["syslog_facility", "no syslog facility"]),
        ("syslog = perhaps", ["syslog", "neither yes"]),
    ],
)
def test_a_bad_line_is_one_clear_problem(load_text, line, words):
    with pytest.raises(ConfigError) as caught:
        load_text(f"[pgqd]\n{line}\n")
    (problem,) = str(caught.value).splitlines()
    assert all(word in problem for word in ["t.ini", "[pgqd]", *words]), problem


def test_the_template_and_the_example_load(tmp_path):
    path = tmp_path / "t.ini"
    path.write_text(render_ini(TickerConfig, "pgqd"))
    assert load(TickerConfig, path, "pgqd").warnings == ()
    assert load(TickerConfig, EXAMPLE, "pgqd").warnings == ()


def test_a_database_name_is_quoted_and_replaces_one_in_base_connstr(load_text):
    cfg = load_text("[pgqd]\nbase_connstr = host=/tmp dbname=other\n").config
    assert conninfo(cfg, "it's \\odd") == "dbname='it\\'s \\\\odd' host=/tmp"
