# SPDX-License-Identifier: ISC
"""Series that exist only while there is trouble."""

from __future__ import annotations

import logging

import pytest

from skytools.core.metrics import Metrics
from skytools.daemons.ticker.api import Blocker, GoneConsumer
from skytools.daemons.ticker.trouble import MAX_SERIES, TroubleMetrics


@pytest.fixture
def registry():
    return Metrics()


@pytest.fixture
def ours(registry):
    return TroubleMetrics(registry)


def series(registry):
    text = registry.render().decode().splitlines()
    return [line for line in text if not line.startswith("#") and "skytools_pgq_" in line]


def test_blockers_are_named_and_vanish(registry, ours):
    ours.set_blockers("d", [Blocker("q", 5.0, "consumer", "c"), Blocker("r", 7.0, "reader", "77")])
    ours.set_blockers("e", [Blocker("q", 1.0, "maintenance", None)])
    ours.set_blockers("d", [Blocker("q", 6.0, "consumer", "c")])
    name = "skytools_pgq_rotation_overdue_seconds"
    assert series(registry) == [
        f'{name}{{database="d",queue="q",reason="consumer",who="c"}} 6.0',
        f'{name}{{database="e",queue="q",reason="maintenance",who=""}} 1.0',
    ]
    ours.forget("d")
    ours.set_blockers("e", [])
    assert series(registry) == []


def test_there_are_never_many(registry, ours):
    ours.set_blockers("d", [Blocker(f"q{n}", 5.0, "reader", "77") for n in range(MAX_SERIES + 9)])
    assert len(series(registry)) == MAX_SERIES


def test_a_consumer_that_is_gone_is_logged_once(registry, ours, caplog):
    for unread in (10.0, 20.0):
        with caplog.at_level(logging.WARNING):
            ours.set_gone("d", [GoneConsumer("q", "c", unread, detached=False)])
    assert [r.getMessage() for r in caplog.records] == [
        "d: consumer c of queue q is gone: it has left events unread for 10 s"
    ]
    [shown] = series(registry)
    assert shown.startswith("skytools_pgq_consumer_gone_seconds{")
    assert 'consumer="c"' in shown
    assert shown.endswith(" 20.0")
    ours.set_gone("d", [])
    assert series(registry) == []
