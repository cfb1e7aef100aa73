# SPDX-License-Identifier: ISC
"""Commands that only look: members, node-info."""

from __future__ import annotations

from dataclasses import asdict

from skytools.pgq.admin.job import Job


def members(job: Job) -> int:
    """List the nodes as the local one knows them."""
    job.out.line(f"Member info on {job.cascade.local.name}@{job.cascade.queue}:")
    rows = [
        {"node_name": one.node, "dead": one.dead, "node_location": one.location}
        for one in sorted(job.cascade.locations.values(), key=lambda one: one.node)
    ]
    job.out.table(rows, {"node_name": "node_name", "dead": "dead",
                         "node_location": "node_location"})  # fmt: skip
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
