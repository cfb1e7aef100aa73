# SPDX-License-Identifier: ISC
from __future__ import annotations

import pytest

from skytools.core.metrics import Metrics
from skytools.daemons.ticker import metrics as ticker_metrics
from skytools.daemons.ticker.api import ConsumerStats, QueueStats
from skytools.daemons.ticker.metrics import TickerMetrics


@pytest.fixture
def registry():
    return Metrics()


@pytest.fixture
def ours(registry):
    return TickerMetrics(registry)


def queue(name="q", last_tick=10, events=100, tick_lag=1.5):
    return QueueStats(name, tick_lag, 3, last_tick, events, 60.0, False)


def consumer(name, lag=2.0):
    return ConsumerStats("q", name, lag, 0.5, 7)


def series(registry, word):
    lines = registry.render().decode().splitlines()
    return {
        line.split(" ")[0]: float(line.split(" ")[1]) for line in lines if line.startswith(word)
    }


def test_queue_figures_come_and_go_with_the_queue(registry, ours):
    ours.set_queues("d", [queue("a"), queue("b")], count_ticks=False)
    assert series(registry, "skytools_pgq_queue_tick_lag_seconds") == {
        'skytools_pgq_queue_tick_lag_seconds{database="d",queue="a"}': 1.5,
        'skytools_pgq_queue_tick_lag_seconds{database="d",queue="b"}': 1.5,
    }
    ours.set_queues("d", [queue("b")], count_ticks=False)
    assert list(series(registry, "skytools_pgq_queue_tick_lag_seconds")) == [
        'skytools_pgq_queue_tick_lag_seconds{database="d",queue="b"}'
    ]
    assert len(series(registry, "skytools_pgq_queue_events_total")) == 1


def test_unknown_is_absent_and_not_zero(registry, ours):
    ours.set_queues("d", [queue("a", last_tick=None, tick_lag=None)], count_ticks=False)
    assert series(registry, "skytools_pgq_queue_tick_lag_seconds") == {}
    assert series(registry, "skytools_pgq_queue_last_tick_id") == {}


def test_events_follow_the_sequence_also_when_it_went_back(registry, ours):
    for events, shown in [(100, 100), (150, 150), (20, 20), (25, 25)]:
        ours.set_queues("d", [queue("a", events=events)], count_ticks=False)
        assert list(series(registry, "skytools_pgq_queue_events_total").values()) == [shown]


def test_ticks_of_an_old_pgq_are_counted_by_their_ids(registry, ours):
    for last_tick in (10, 12, 15):
        ours.set_queues("d", [queue("a", last_tick=last_tick)], count_ticks=True)
    assert list(series(registry, "skytools_ticker_ticks_total").values()) == [5]


def test_consumers_are_capped_over_all_databases(registry, ours, monkeypatch):
    monkeypatch.setattr(ticker_metrics, "MAX_CONSUMERS", 5)
    ours.set_consumers("d", [consumer(f"c{n}") for n in range(4)])
    ours.set_consumers("e", [consumer(f"c{n}") for n in range(4)])
    assert len(series(registry, "skytools_pgq_consumer_lag_seconds")) == 5
    assert series(registry, "skytools_pgq_consumers_cut") == {
        'skytools_pgq_consumers_cut{database="d"}': 0,
        'skytools_pgq_consumers_cut{database="e"}': 3,
    }
    ours.set_consumers("d", [])
    ours.set_consumers("e", [consumer(f"c{n}") for n in range(4)])
    assert len(series(registry, "skytools_pgq_consumer_lag_seconds")) == 4


def test_nothing_is_left_of_a_database_that_is_no_longer_served(registry, ours):
    ours.set_queues("gone", [queue("a")], count_ticks=False)
    ours.set_consumers("gone", [consumer("c")])
    ours.error("gone", "tick")
    ours.ticked("gone", "never read")
    ours.tick_seconds.labels(database="gone").observe(0.1)
    ours.maintenance_timer("gone", "vacuum").observe(0.1)
    ours.retried.labels(database="gone").inc()
    assert '"gone"' in registry.render().decode()
    ours.forget_database("gone")
    assert '"gone"' not in registry.render().decode()


def test_figures_vanish_when_they_are_no_longer_known_but_counters_stay(registry, ours):
    ours.set_queues("d", [queue("a")], count_ticks=False)
    ours.forget_figures("d")
    assert series(registry, "skytools_pgq_queue_tick_lag_seconds") == {}
    assert len(series(registry, "skytools_pgq_queue_events_total")) == 1


def test_every_state_of_databases_is_exported(registry, ours):
    ours.count_databases({"ticking": 3, "failed": 1, "starting": 9})
    assert series(registry, "skytools_ticker_databases") == {
        'skytools_ticker_databases{state="ticking"}': 3,
        'skytools_ticker_databases{state="waiting"}': 0,
        'skytools_ticker_databases{state="ignored"}': 0,
        'skytools_ticker_databases{state="failed"}': 1,
    }
