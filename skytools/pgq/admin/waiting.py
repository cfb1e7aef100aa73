# SPDX-License-Identifier: ISC
"""Waiting for workers and other nodes, with a limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from skytools.core.errors import SkytoolsError, TransientError
from skytools.pgq import api
from skytools.pgq import node as pgq_node
from skytools.pgq.admin import calls
from skytools.pgq.admin.members import Node

T = TypeVar("T")

FIRST_PAUSE = 0.002
LONGEST_PAUSE = 0.05
LOOKS_TO_WAKE = 5


class NotInTime(SkytoolsError):  # noqa: N818 # says what was awaited, as an error does
    """What was awaited has not come."""


def wait_until(condition: Callable[[], T | None], timeout: float, otherwise: str) -> T:
    """Call until something true is returned. A node that is away for a while may come back."""
    deadline = time.monotonic() + timeout
    pause = FIRST_PAUSE
    last: TransientError | None = None
    while True:
        try:
            value = condition()
            last = None
        except TransientError as exc:
            value, last = None, exc
        if value:
            return value
        if time.monotonic() >= deadline:
            raise NotInTime(f"{otherwise} ({last})" if last else otherwise)
        time.sleep(pause)
        pause = min(pause * 1.3, LONGEST_PAUSE)


def state(node: Node, consumer: str) -> pgq_node.NodeState:
    """Return where a consumer of a node is. Ends the transaction."""
    try:
        return pgq_node.consumer_state(node.db, node.queue, consumer)
    finally:
        node.db.rollback()


def await_answer(node: Node, consumer: str, timeout: float, *, paused: bool | None = None) -> None:
    """Wait until a consumer has seen its state; `paused`: somebody else must not change that."""

    def answered() -> bool:
        now = state(node, consumer)
        if paused is not None and now.paused != paused:
            raise SkytoolsError(
                f"{consumer} of node {node.name} was {'resumed' if paused else 'paused'} by"
                " somebody else meanwhile: operation canceled"
            )
        return now.uptodate

    wait_until(answered, timeout, silent(node, consumer, timeout))


def silent(node: Node, consumer: str, timeout: float) -> str:
    """Return the text about a consumer that does not answer."""
    return (
        f"{consumer} of node {node.name} has not answered within {timeout:g} s: it does not run, or"
        " is in a long batch. Start it, or give it more time with --timeout"
    )


def ask(node: Node, consumer: str, timeout: float) -> None:
    """Find out whether a consumer is there and between two batches."""
    calls.ask(node.db, node.queue, consumer)
    node.db.commit()
    await_answer(node, consumer, timeout)


def set_paused(node: Node, consumer: str, *, paused: bool) -> None:
    """Tell a consumer to pause or to go on, without waiting for it."""
    calls.set_paused(node.db, node.queue, consumer, paused=paused)
    node.db.commit()


def await_tick(node: Node, tick: int, timeout: float, *, urgent: bool = False) -> None:
    """Wait until a node has done all up to a tick, and a branch has that tick itself.

    `urgent`: a worker that rests after an error, as when a server was away, is woken again and
    again. Commits then.
    """
    looks = 0

    def there() -> bool:
        nonlocal looks
        looks += 1
        now = worker_state(node)
        if urgent and looks % LOOKS_TO_WAKE == 0:
            calls.wake_worker(node.db, node.queue)
            node.db.commit()
        top = now.top_tick
        return now.completed_tick >= tick and (top is None or top >= tick)

    wait_until(
        there,
        timeout,
        f"node {node.name} has not come to tick {tick} within {timeout:g} s: does its worker"
        f" {node.info.worker_name} run, and can it reach {node.info.provider_node}?",
    )


def has_tick(node: Node, tick: int) -> bool:
    """Tell whether a node has a tick. Ends the transaction."""
    try:
        return api.tick_exists(node.db, node.queue, tick)
    finally:
        node.db.rollback()


def worker_state(node: Node) -> pgq_node.NodeState:
    """Return where the worker of a node is. Ends the transaction."""
    try:
        return pgq_node.worker_state(node.db, node.queue)
    finally:
        node.db.rollback()
