# SPDX-License-Identifier: ISC
"""Takeover of the place of a root that is gone.

What no other node has got is lost to the cascade. The successor first gets what another branch has
and it has not. In the place of the dead root a gravestone subscribes at the last tick: it keeps
what resurrect needs there, until the old root is resurrected or dropped.
"""

from __future__ import annotations

from functools import partial

from skytools.core.errors import SkytoolsError
from skytools.pgq import node as pgq_node
from skytools.pgq.admin import calls, waiting
from skytools.pgq.admin.job import Job
from skytools.pgq.admin.members import Node
from skytools.pgq.admin.move import FORCED_WAIT, Move, subscribed, unsubscribe
from skytools.pgq.admin.plan import Step
from skytools.pgq.admin.takeover import closed, rights
from skytools.pgq.node import NodeType
from skytools.pgq.succession import GRAVESTONE


class DeadRootTakeover:
    """`new` becomes root in the place of the node of that name."""

    def __init__(self, job: Job, old_name: str, new: Node) -> None:
        self.job = job
        self.queue = job.cascade.queue
        self.old_name = old_name
        self.new = new
        job.cascade.dead.add(old_name)
        self.old = job.cascade.reachable(old_name)
        self.silent: list[str] = []
        self.others = self._others()
        # Where each node is.
        self.ticks = {one.name: waiting.worker_state(one).completed_tick for one in self.others}
        self.ticks[new.name] = waiting.worker_state(new).completed_tick
        self.best = self._best()

    def _others(self) -> list[Node]:
        found = []
        for one in self.job.cascade.alive():
            if one.name == self.new.name:
                continue
            if self.job.cascade.reachable(one.name) is None:
                self.silent.append(one.name)
            else:
                found.append(one)
        return found

    def _best(self) -> Node | None:
        """Return the branch that has more than the successor, None when none has."""
        branches = [one for one in self.others if one.info.node_type is NodeType.BRANCH]
        best = max(branches, key=lambda one: self.ticks[one.name], default=None)
        if best is None or self.ticks[best.name] <= self.ticks[self.new.name]:
            return None
        return best

    @property
    def switched(self) -> bool:
        """Whether an earlier run has come past the point of no return."""
        return self.new.info.is_root

    @property
    def children(self) -> list[Node]:
        """Nodes that read the dead root."""
        return [one for one in self.others if one.info.provider_node == self.old_name]

    def objections(self) -> list[str]:
        """Tell what speaks against it; nothing is changed to find out."""
        new = self.new
        if self.old is not None and not self.old.info.is_root:
            return [f"node {self.old_name} answers, and is no root but a {self.old.info.node_type}"]
        roots = [one.name for one in self.others if one.info.is_root]
        if roots:
            return [f"node {roots[0]} is the root, not {self.old_name}"]
        if new.info.is_leaf:
            return [f"node {new.name} is a leaf: only a branch has the events that a root needs"]
        found = [
            f"node {name} does not answer: bring it back, or leave it out with --dead={name}"
            for name in self.silent
        ]
        found += rights(new)
        if self.switched:
            return found
        top = self.ticks[self.best.name if self.best else new.name]
        found += [
            f"node {one.name} is at tick {self.ticks[one.name]}, which no branch has: it must be"
            f" made anew after the takeover; leave it out with --dead={one.name}"
            for one in self.others
            if self.ticks[one.name] > top
        ]
        return found + self.job.site.hooks.takeover_objections(None, new)

    def rehearse(self) -> None:
        """Find out whether the successor's worker is there."""
        waiting.ask(self.new, self.new.info.worker_name, self.job.timeout)

    def steps(self) -> list[Step]:
        """Return what is left to do."""
        return [*self._fence(), *([] if self.switched else self._switch()), *self._after()]

    def _fence(self) -> list[Step]:
        steps = []
        if self.old is not None and not closed(self.old):
            text = f"close {self.old_name} for writing: it answers"
            steps.append(Step("fence", text, self._close_old))
        for one in (self.new, *self.others):
            known = {place.node: place.dead for place in pgq_node.locations(one.db, self.queue)}
            one.db.rollback()
            if known.get(self.old_name) is False:
                text = f"tag {self.old_name} as dead on {one.name}"
                steps.append(Step(f"dead-on-{one.name}", text, partial(self._tag, one)))
        return steps

    def _switch(self) -> list[Step]:
        new = self.new.name
        steps = []
        if self.best is not None:
            tick = self.ticks[self.best.name]
            if self.new.info.provider_node != self.best.name:
                steps += Move(self.job, self.new, self.best).steps()
            text = f"wait until {new} has what {self.best.name} has"
            steps.append(Step("catch-up", text, partial(self._catch_up, tick)))
        worker = self.new.info.worker_name
        return [
            *steps,
            Step("pause-new", f"pause {worker} of {new}", self._pause_new, undo=self._resume_new),
            Step("promote", f"promote {new}: it is open for writing", self._promote, final=True),
        ]

    def _after(self) -> list[Step]:
        new = self.new
        steps: list[Step] = []
        left = [one for one in self.others if new.name in subscribed(one)]
        if self.best is not None and self.best not in left:
            left.append(self.best)
        for one in self.children:
            steps += Move(self.job, one, new).steps()
        steps += [
            Step(f"leave-{one.name}", f"unsubscribe {new.name} from {one.name}",
                 partial(unsubscribe, one, new.name))
            for one in left
        ]  # fmt: skip
        return [*steps, Step("complete", "complete what hangs on the root", self._complete)]

    def _close_old(self) -> str | None:
        assert self.old is not None
        try:
            calls.lock_timeout(self.old.db, FORCED_WAIT)
            calls.demote_root(self.old.db, self.queue, 1, self.new.name)
            self.old.db.commit()
        except SkytoolsError as exc:
            self.old.db.close()
            return f"not done: {exc}. Keep writers away from it by other means"
        return None

    def _tag(self, one: Node) -> None:
        pgq_node.register_location(one.db, self.queue, self.old_name, None, dead=True)
        one.db.commit()

    def _catch_up(self, tick: int) -> None:
        worker = self.new.info.worker_name
        if waiting.state(self.new, worker).paused:
            waiting.set_paused(self.new, worker, paused=False)
        waiting.await_tick(self.new, tick, self.job.timeout)

    def _pause_new(self) -> str | None:
        worker = self.new.info.worker_name
        force = bool(self.job.switch("force"))
        waiting.set_paused(self.new, worker, paused=True)
        try:
            waiting.await_answer(self.new, worker, FORCED_WAIT if force else self.job.timeout,
                                 paused=True)  # fmt: skip
        except waiting.NotInTime as exc:
            if not force:
                raise waiting.NotInTime(
                    f"{exc}; when it is sure that it does not run: --force"
                ) from exc
            return "no answer, going on all the same"
        return None

    def _resume_new(self) -> None:
        waiting.set_paused(self.new, self.new.info.worker_name, paused=False)

    def _promote(self) -> str:
        db, queue, old = self.new.db, self.queue, self.old_name
        if calls.lock_node(db, queue) != "branch":
            raise SkytoolsError(
                f"node {self.new.name} is no branch any more: somebody else was here"
            )
        self.job.site.hooks.before_promote(None, self.new)
        calls.promote_branch(db, queue)
        tick = pgq_node.worker_state(db, queue).completed_tick
        calls.register_subscriber(db, queue, old, GRAVESTONE.format(old), tick)
        # In one commit: who repeats the command could not know whose pause it is.
        calls.set_paused(db, queue, self.new.info.worker_name, paused=False)
        db.commit()
        return f"what {old} had after tick {tick} is lost to the cascade until it is resurrected"

    def _complete(self) -> None:
        self.job.site.hooks.after_promote(None, self.new)
        self.new.db.commit()
