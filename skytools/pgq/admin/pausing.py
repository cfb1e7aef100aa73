# SPDX-License-Identifier: ISC
"""Commands: pause and resume of a worker or consumer."""

from __future__ import annotations

from skytools.pgq.admin import waiting
from skytools.pgq.admin.job import Job
from skytools.pgq.admin.move import chosen


def pause(job: Job) -> int:
    """Ask a consumer to pause, and wait until it does."""
    return _set(job, paused=True)


def resume(job: Job) -> int:
    """Let a consumer go on, and wait until it has seen that."""
    return _set(job, paused=False)


def _set(job: Job, *, paused: bool) -> int:
    node, name = chosen(job)
    consumer = name or node.info.worker_name
    word = "paused" if paused else "resumed"
    before = waiting.state(node, consumer)
    waiting.set_paused(node, consumer, paused=paused)
    if before.paused != paused:
        job.say(f"{consumer} of node {node.name}: tagged as {word}")
    try:
        waiting.await_answer(node, consumer, job.timeout, paused=paused)
    except waiting.NotInTime as exc:
        raise waiting.NotInTime(
            f"{exc}. The tag stays: it will be {word} when it gets there"
        ) from exc
    job.say(f"{consumer} of node {node.name}: {word}")
    if job.out.as_json:
        job.out.data({"node": node.name, "consumer": consumer, "paused": paused})
    return 0
