# SPDX-License-Identifier: ISC
"""Takeover of a combined queue: the workers that merge partitions into it change sides too.

Beside the old root they copy into its queue, beside the successor they follow it. Before the
switch both sides must be at the same tick of each partition, or events would be lost or doubled.
"""

from __future__ import annotations

from functools import partial

from skytools.pgq.admin import waiting
from skytools.pgq.admin.job import Job
from skytools.pgq.admin.members import Node
from skytools.pgq.admin.plan import Step


class MergeWorkers:
    """The leaves of partitions in the databases of the old root and of its successor."""

    def __init__(self, job: Job, old: Node, new: Node) -> None:
        self._job = job
        self._old = old
        self._new = new
        self.queues = old.info.target_for

    def objections(self) -> list[str]:
        """Tell whether one side merges partitions that the other does not."""
        here, there = set(self.queues), set(self._new.info.target_for)
        if here == there:
            return []
        only = [f"{self._old.name} {', '.join(sorted(here - there)) or 'none'}",
                f"{self._new.name} {', '.join(sorted(there - here)) or 'none'}"]  # fmt: skip
        return [f"the nodes merge different queues; only on {' and only on '.join(only)}"]

    def pause_steps(self) -> list[Step]:
        """Return the steps that bring both sides to the same ticks."""
        steps = []
        for queue in self.queues:
            leaf = self._leaf(self._old, queue)
            name = leaf.info.worker_name
            steps.append(
                Step(f"merge-{queue}-pause", f"pause {name}, which merges {queue} on {leaf.name}",
                     partial(self._pause, leaf, name), undo=partial(self._resume, leaf, name))
            )  # fmt: skip
        for queue in self.queues:
            text = f"wait until {self._new.name} has all of {queue}"
            steps.append(Step(f"merge-{queue}-level", text, partial(self._level, queue)))
        return steps

    def resume_steps(self) -> list[Step]:
        """Return the steps that let the old side go on, as followers."""
        steps = []
        for queue in self.queues:
            leaf = self._leaf(self._old, queue)
            name = leaf.info.worker_name
            resume = partial(self._resume, leaf, name)
            steps.append(Step(f"merge-{queue}-resume", f"resume {name} of {leaf.name}", resume))
        return steps

    def _leaf(self, node: Node, queue: str) -> Node:
        """Return the leaf of a partition in the database of a node; it shares the connection."""
        leaf = Node("", queue, node.db)
        leaf.name = leaf.look().node_name
        return leaf

    def _pause(self, leaf: Node, name: str) -> None:
        waiting.set_paused(leaf, name, paused=True)
        waiting.await_answer(leaf, name, self._job.timeout, paused=True)

    def _resume(self, leaf: Node, name: str) -> None:
        waiting.set_paused(leaf, name, paused=False)

    def _level(self, queue: str) -> str:
        here, there = self._leaf(self._old, queue), self._leaf(self._new, queue)
        tick = waiting.worker_state(here).completed_tick
        waiting.wait_until(
            lambda: waiting.worker_state(there).completed_tick >= tick,
            self._job.timeout,
            f"{there.name} has not come to tick {tick} of {queue} within"
            f" {self._job.timeout:g} s: does the worker of {self._new.name} run?",
        )
        return f"tick {tick}"
