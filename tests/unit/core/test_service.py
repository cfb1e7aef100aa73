# SPDX-License-Identifier: ISC
"""Rests of the service loop after errors."""

from __future__ import annotations

from typing import NoReturn

from skytools.core.config import DaemonConfig
from skytools.core.errors import TransientError
from skytools.core.service import Context, Daemon, Service
from skytools.pgq import CascadedWorker


class Failing(Daemon):
    first_rest = 8.0

    def step(self) -> NoReturn:
        raise TransientError("db: away")


def test_a_daemon_says_how_long_it_rests_after_a_first_error():
    ctx, cfg = Context(job_name="job"), DaemonConfig(job_name="job")
    service = Service(Failing(ctx, cfg), ctx, lambda: cfg)
    rests = [service._step().seconds for _ in range(3)]
    ctx.signals.close()
    assert 6.4 <= rests[0] <= 9.6
    assert 12.8 <= rests[1] <= 19.2
    assert 25.6 <= rests[2] <= 38.4


def test_nodes_of_a_cascade_rest_less_as_writers_may_wait_for_them():
    assert CascadedWorker.first_rest < Daemon.first_rest
