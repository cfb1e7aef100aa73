# SPDX-License-Identifier: ISC
"""Commands that only look: members, node-info, node-status, and the waits."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from typing import Any

from skytools.core.errors import SkytoolsError
from skytools.pgq.admin import calls, waiting
from skytools.pgq.admin.job import Job
from skytools.pgq.admin.journal import interrupted
from skytools.pgq.admin.members import Node
from skytools.pgq.admin.takeover import closed


def members(job: Job) -> int:
    """List the nodes as the local one knows them."""
    job.out.line(f"Member info on {job.cascade.local.name}@{job.cascade.queue}:")
    rows = [
        {"node_name": one.node, "dead": one.dead, "node_location": one.location}
        for one in sorted(job.cascade.locations.values(), key=lambda one: one.node)
    ]
    job.out.table(
        rows, {"node_name": "node_name", "dead": "dead", "node_location": "node_location"}
    )
    return 0


def node_info(job: Job) -> int:
    """Show all that the local node says of itself."""
    facts = asdict(job.cascade.local.info)
    if job.out.as_json:
        job.out.data(facts)
        return 0
    for key, value in facts.items():
        job.out.line(f"{key}: {'-' if value is None else value}")
    return 0


def node_status(job: Job) -> int:
    """Show the local node, its consumers, its subscribers, and commands that were interrupted."""
    node = job.cascade.local
    facts = _node_facts(node)
    shut = node.info.is_root and closed(node)
    if job.out.as_json:
        job.out.data({"closed": shut, **facts})
        return 0
    out, info = job.out, node.info
    out.line(f"Node: {node.name} ({info.node_type})   Queue: {node.queue}")
    if shut:
        out.line("Closed for writing: a takeover is under way, or was interrupted")
    provider = "" if info.is_root else f"   Provider: {info.provider_node}"
    out.line(f"Worker: {info.worker_name}   Tick: {info.worker_last_tick}{provider}")
    out.line(f"Watermark: local {info.local_watermark}, global {info.global_watermark}")
    for key, value in job.site.hooks.status(node).items():
        out.line(f"{key}: {value}")
    node.db.rollback()
    for heading, key in (("Consumers", "consumers"), ("Subscribers", "subscribers")):
        if facts[key]:
            out.line(f"{heading}:")
            out.table(facts[key], {name: name for name in facts[key][0]})
    for one in facts["interrupted"]:
        out.line(f"Not ended: {one['command']}, since {one['started']}, at step {one['step']}")
    return 0


def _node_facts(node: Node) -> dict[str, list[dict[str, Any]]]:
    db, queue = node.db, node.queue
    return {
        "node": [asdict(node.info)],
        "consumers": [asdict(one) for one in calls.consumers(db, queue)],
        "subscribers": [asdict(one) for one in calls.subscribers(db, queue)],
        "interrupted": [asdict(one) for one in interrupted(db, queue)],
    }


def wait_root(job: Job) -> int:
    """Wait until the local node has what is on the root now."""
    node = job.cascade.local
    seen = set()
    while not node.info.is_root:
        seen.add(node.name)
        node = job.cascade.node(node.info.provider_node)
        if node.look() and node.name in seen:
            raise SkytoolsError(f"node {node.name}: the way up to the root is a circle")
    return _wait(job, node)


def wait_provider(job: Job) -> int:
    """Wait until the local node has what is on its provider now."""
    local = job.cascade.local
    if local.info.is_root:
        return _wait(job, local)
    provider = job.cascade.node(local.info.provider_node)
    provider.look()
    return _wait(job, provider)


def _wait(job: Job, node: Node) -> int:
    local = job.cascade.local
    if node is local:
        job.say(f"node {local.name} is the root: there is nothing to wait for")
        return 0
    tick = _tick_after_now(node)
    limit = job.switch("timeout")
    job.say(f"waiting until {local.name} has tick {tick} of {node.name}")
    started = time.monotonic()
    waiting.await_tick(local, tick, sys.maxsize if limit is None else limit)
    job.say(f"node {local.name} has it, after {time.monotonic() - started:.1f} s")
    if job.out.as_json:
        job.out.data({"node": local.name, "of": node.name, "tick": tick})
    return 0


def _tick_after_now(node: Node) -> int:
    """Return a tick that covers all that is on a node now.

    The root is asked to make one, or an idle queue would make us wait for its next.
    """
    top = waiting.worker_state(node).top_tick or 0
    if node.info.is_root:
        try:
            calls.force_tick(node.db, node.queue)
            node.db.commit()
        except SkytoolsError:
            node.db.rollback()
    return top + 1
