# SPDX-License-Identifier: ISC
"""Takeover of the root's place: by a branch, with the root alive.

close the old root -> its last tick -> the successor has that -> promote it -> demote the old root.
From the first to the promotion nobody can write. Before it all can be taken back; it is one commit
on the successor, with the old root's subscription; after it the command can only be completed.
"""

from __future__ import annotations

import time
from functools import partial

from skytools.core.errors import SkytoolsError, TransientError
from skytools.pgq import node as pgq_node
from skytools.pgq.admin import calls, waiting
from skytools.pgq.admin.job import Job
from skytools.pgq.admin.members import Node
from skytools.pgq.admin.merges import MergeWorkers
from skytools.pgq.admin.move import FORCED_WAIT, subscribed, unsubscribe
from skytools.pgq.admin.plan import Step

# A root's worker has no data in its hands; this long is waited for its answer. Seconds.
ROOT_WORKER_WAIT = 5.0


class Downtime:
    """Measures for how long nobody could write."""

    def __init__(self) -> None:
        self.seconds: float | None = None
        self._began: float | None = None

    def begin(self) -> None:
        """Note that writers are about to be refused."""
        self._began = time.monotonic()

    def end(self) -> None:
        """Note that writers are welcome again."""
        if self._began is not None:
            self.seconds = time.monotonic() - self._began


class RootTakeover:
    """`new` becomes root in the place of `old`, which answers."""

    def __init__(self, job: Job, old: Node, new: Node) -> None:
        self.job = job
        self.queue = job.cascade.queue
        self.old = old
        self.new = new
        self.downtime = Downtime()
        self.last_tick = 0
        self.was_closed = old.info.is_root and closed(old)
        self.old_worker = old.info.worker_name
        self.merges = MergeWorkers(job, old, new)
        # Where `new` is subscribed until it is root.
        self.former = new.info.provider_node

    @property
    def switched(self) -> bool:
        """Whether an earlier run has come past the point of no return."""
        return self.new.info.is_root

    # what speaks against it

    def objections(self) -> list[str]:
        """Tell what speaks against it; nothing is changed to find out."""
        old, new = self.old, self.new
        if self.switched:
            return self._objections_to_completion()
        if not old.info.is_root:
            return [f"node {old.name} is not the root"]
        if new.info.is_leaf:
            return [f"node {new.name} is a leaf: only a branch has the events that a root needs"]
        found = []
        for node, other in ((old, new), (new, old)):
            if other.name not in {one.node for one in pgq_node.locations(node.db, self.queue)}:
                found.append(
                    f"node {node.name} does not know where {other.name} is: has its worker stopped?"
                )
            found += rights(node)
        found += self.merges.objections()
        found += self.job.site.hooks.takeover_objections(old, new)
        for node in (old, new):
            node.db.rollback()
        return found

    def _objections_to_completion(self) -> list[str]:
        old, new = self.old, self.new
        if old.info.is_root and not self.was_closed:
            return [
                f"nodes {old.name} and {new.name} are both root and take writes: run resurrect on"
                " the one that was declared dead"
            ]
        return rights(old) + rights(new)

    def rehearse(self) -> None:
        """Find out without cost for writers whether the successor is there and keeps up."""
        timeout = self.job.timeout
        waiting.ask(self.new, self.new.info.worker_name, timeout)
        self._catch_up()
        for pid, age in writers(self.old):
            if age > 1:
                self.job.say(
                    f"pid {pid} on {self.old.name} has been writing for {age:.0f} s:"
                    " a takeover waits for it, with all other writers"
                )

    # the steps

    def steps(self) -> list[Step]:
        """Return what is left to do."""
        return [*([] if self.switched else self._before()), *self._after()]

    def _before(self) -> list[Step]:
        old, new = self.old.name, self.new.name
        return [
            *self.merges.pause_steps(),
            Step("catch-up", f"wait until {new} is close behind {old}", self._catch_up),
            Step("pause-old", f"pause {self.old_worker} of {old}", self._pause_old,
                 undo=self._resume_old),
            Step("close", f"close {old} for writing", self._close, undo=self.reopen),
            Step("last-tick", f"make the last tick of {old}", self._make_last_tick),
            Step("wait", f"wait until {new} has everything", self._wait),
            Step("promote", f"promote {new}: it is open for writing", self._promote, final=True),
        ]  # fmt: skip

    def _after(self) -> list[Step]:
        old, new = self.old.name, self.new.name
        steps = []
        if self.old.info.is_root:
            text = f"make {old} a branch below {new}, and let it go on"
            steps.append(Step("demote", text, self._demote))
        if self.switched:
            left = [one for one in self.job.cascade.alive() if one.name != new]
            left = [one for one in left if self.new.name in subscribed(one)]
        else:
            left = [self.job.cascade.node(self.former)]
        steps += [
            Step(
                f"leave-{one.name}",
                f"unsubscribe {new} from {one.name}",
                partial(unsubscribe, one, new),
            )
            for one in left
        ]
        text = f"wait until {self.old_worker} of {old} has seen that"
        steps.append(Step("answer", text, self._await_answer))
        return [
            *steps,
            *self.merges.resume_steps(),
            Step("complete", "complete what hangs on the root", self._complete),
        ]

    def _catch_up(self) -> str | None:
        if self.was_closed:
            return "an earlier run has closed it"
        worker = self.new.info.worker_name
        waiting.ask(self.new, worker, self.job.timeout)
        top = waiting.worker_state(self.old).top_tick or 0
        self._let_run(self.new, worker)
        waiting.await_tick(self.new, top, self.job.timeout)
        return f"tick {top}"

    def _let_run(self, node: Node, worker: str) -> None:
        if waiting.state(node, worker).paused:
            waiting.set_paused(node, worker, paused=False)

    def _pause_old(self) -> str | None:
        limit = min(self.job.timeout, FORCED_WAIT if self.job.switch("force") else ROOT_WORKER_WAIT)
        waiting.set_paused(self.old, self.old_worker, paused=True)
        try:
            waiting.await_answer(self.old, self.old_worker, limit, paused=True)
        except waiting.NotInTime:
            return "no answer; a root's worker has no data, so this does no harm"
        return None

    def _resume_old(self) -> None:
        waiting.set_paused(self.old, self.old_worker, paused=False)

    def _close(self) -> None:
        calls.lock_timeout(self.old.db, self.job.timeout)
        calls.demote_root(self.old.db, self.queue, 1, self.new.name)
        # Writers go on until this commit, however long the row of the queue was waited for.
        self.downtime.begin()
        self.old.db.commit()

    def _make_last_tick(self) -> str:
        db = self.old.db
        calls.lock_timeout(db, self.job.timeout)
        try:
            tick = calls.demote_root(db, self.queue, 2, self.new.name)
        except TransientError as exc:
            db.rollback()
            pids = ", ".join(str(pid) for pid, _ in writers(self.old)) or "unknown"
            raise SkytoolsError(
                f"{exc}: transactions that have written are still open on {self.old.name}, pid"
                f" {pids}; end them, or give more time with --timeout"
            ) from exc
        assert tick is not None
        calls.wake_readers(db, self.queue, tick)
        db.commit()
        self.last_tick = tick
        self._let_run(self.new, self.new.info.worker_name)
        calls.wake_worker(self.new.db, self.queue)
        self.new.db.commit()
        return f"tick {tick}"

    def _wait(self) -> None:
        waiting.await_tick(self.new, self.last_tick, self.job.timeout, urgent=True)

    def _promote(self) -> str:
        """Promote and subscribe the old root, in one transaction."""
        db, queue = self.new.db, self.queue
        if calls.lock_node(db, queue) != "branch":
            raise SkytoolsError(
                f"node {self.new.name} is no branch any more: somebody else was here"
            )
        if not closed(self.old):
            raise SkytoolsError(f"node {self.old.name} was opened again by somebody else")
        self.job.site.hooks.before_promote(self.old, self.new)
        calls.promote_branch(db, queue)
        calls.register_subscriber(db, queue, self.old.name, self.old_worker, self.last_tick)
        db.commit()
        self.downtime.end()
        self.old.db.rollback()
        calls.wake_worker(db, queue)
        db.commit()
        if self.downtime.seconds is None:
            return "writers were refused since an earlier run"
        return f"writers were refused for {self.downtime.seconds:.3f} s"

    def _demote(self) -> None:
        db = self.old.db
        calls.demote_root(db, self.queue, 3, self.new.name)
        # In one commit: who repeats the command could not know whose pause it is.
        calls.set_paused(db, self.queue, self.old_worker, paused=False)
        db.commit()

    def _await_answer(self) -> str | None:
        try:
            waiting.await_answer(self.old, self.old_worker, ROOT_WORKER_WAIT, paused=False)
        except waiting.NotInTime:
            return f"it has not answered yet: see to it that it runs on {self.old.name}"
        return None

    def _complete(self) -> None:
        self.job.site.hooks.after_promote(self.old, self.new)
        self.old.db.commit()
        self.new.db.commit()

    # the way back

    def reopen(self) -> None:
        """Open the old root again. Raises SkytoolsError when the successor is root, or may be."""
        db = self.new.db
        db.close()  # whatever is under way there
        try:
            kind = calls.lock_node(db, self.queue)
        except SkytoolsError as exc:
            raise SkytoolsError(
                f"{self.old.name} stays closed, since {self.new.name} may be root: {exc}. Repeat"
                " the command when it answers"
            ) from exc
        try:
            if kind == "root":
                raise SkytoolsError(
                    f"{self.new.name} is root: give the command again to complete it"
                )
            calls.reopen_root(self.old.db, self.queue)
            self.old.db.commit()
        finally:
            db.rollback()


def closed(node: Node) -> bool:
    """Tell whether a root refuses writes, as it is about to be demoted. Ends the transaction."""
    try:
        return calls.is_closed(node.db, node.queue)
    finally:
        node.db.rollback()


def rights(node: Node) -> list[str]:
    """Tell whether we may change a node."""
    if calls.may_administer(node.db):
        return []
    return [f"node {node.name}: the user of {node.db.name} is no member of pgq_admin"]


def writers(node: Node) -> list[tuple[int, float]]:
    """Return (pid, age in seconds) of transactions that hold event tables. Ends the transaction."""
    try:
        return calls.event_writers(node.db, node.queue)
    finally:
        node.db.rollback()
