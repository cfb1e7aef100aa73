# SPDX-License-Identifier: ISC
"""Command: resurrect. A former root, whose place was taken while it was away, becomes a branch.

What it had and nobody else has is written to a file and taken out of its queue. Its tables are
left as they are: the file says what to do about them.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from skytools.core.errors import SkytoolsError
from skytools.pgq import api
from skytools.pgq import node as pgq_node
from skytools.pgq.admin import calls, lost, waiting
from skytools.pgq.admin.guard import exclusive
from skytools.pgq.admin.job import Job
from skytools.pgq.admin.members import Node
from skytools.pgq.admin.move import FORCED_WAIT, refuse
from skytools.pgq.admin.plan import Plan, Step
from skytools.pgq.admin.takeover import closed, rights
from skytools.pgq.succession import GRAVESTONE

FILE = Path("resurrect-lost-events.json")


class Resurrection:
    """The local node comes back below the node that has its gravestone."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.queue = job.cascade.queue
        self.node = job.cascade.local
        self.worker = self.node.info.worker_name
        # Set when an earlier run has come to the point where only the members are to be told.
        self.replaced: tuple[Node, int] | None = None
        self.keeper, self.tick = self._find_gravestone()
        self.counts: Counter[str] = Counter()

    def _find_gravestone(self) -> tuple[Node, int]:
        """Return the node that has it, and the tick."""
        name = GRAVESTONE.format(self.node.name)
        found = []
        silent = []
        for place in self.job.cascade.locations.values():
            if place.node == self.node.name or place.node in self.job.cascade.dead:
                continue
            one = self.job.cascade.reachable(place.node)
            if one is None:
                silent.append(place.node)
            elif not one.info.is_leaf:
                found += [(one, info.last_tick)
                          for info in api.consumer_info(one.db, self.queue, name)]  # fmt: skip
                one.db.rollback()
        if len(found) == 1:
            return found[0]
        if not found and not self.node.info.is_root and self.node.info.worker_paused:
            self.replaced = self._subscription()
            if self.replaced is not None:
                return self.replaced
        if found:
            names = " and ".join(one.name for one, _ in found)
            raise SkytoolsError(
                f"gravestones of {self.node.name} are on {names}: there must be one"
            )
        more = f"; no answer from {', '.join(silent)}" if silent else ""
        raise SkytoolsError(
            f"no node has a gravestone of {self.node.name}: nobody has taken its place by"
            f" takeover --dead-root{more}"
        )

    def _subscription(self) -> tuple[Node, int] | None:
        """Return the node's provider and its tick there, None when it is not subscribed."""
        one = self.job.cascade.reachable(self.node.info.provider_node)
        if one is None:
            return None
        info = api.consumer_info(one.db, self.queue, self.worker)
        one.db.rollback()
        return (one, info[0].last_tick) if info else None

    def objections(self) -> list[str]:
        """Tell what speaks against it."""
        node = self.node
        found = rights(node) + rights(self.keeper)
        if not lost.may_delete(node.db, self.queue):
            found.append(
                f"node {node.name}: the user of node_db may not delete events; run this as the"
                " owner of the extension pgq"
            )
        if not api.tick_exists(node.db, self.queue, self.tick):
            found.append(
                f"node {node.name} does not have tick {self.tick}, at which its place was taken:"
                " it must be made anew"
            )
        node.db.rollback()
        if FILE.exists() and not self._is_ours():
            found.append(f"{FILE} exists in this folder: move it away, its events may be needed")
        return found

    def _is_ours(self) -> bool:
        """Whether an earlier run wrote the file, and was interrupted before all was done."""
        return lost.marked(FILE, self.node.db, self.queue, self.tick)

    def steps(self) -> list[Step]:
        """Return what is left to do."""
        name, keeper = self.node.name, self.keeper.name
        alive = Step("alive", f"tag {name} as alive", self._alive)
        if self.replaced is not None:
            return [alive]
        steps = []
        if self.node.info.is_root:
            if not closed(self.node):
                steps.append(Step("close", f"close {name} for writing", self._close))
            steps += [
                Step("last-tick", f"make the last tick of {name}", self._last_tick),
                Step("demote", f"make {name} a paused branch below {keeper}", self._demote),
            ]
        else:
            steps.append(Step("pause", f"pause {self.worker} of {name}", self._pause))
        return [
            *steps,
            Step("unsubscribe", f"end all subscriptions to {name}", self._unsubscribe),
            Step("dump", f"write what nobody else has to {FILE}", self._dump),
            Step("delete", "take it out of the queue", self._delete),
            Step("subscribe", f"subscribe {name} to {keeper} at tick {self.tick}", self._subscribe),
            alive,
        ]

    def _close(self) -> None:
        calls.demote_root(self.node.db, self.queue, 1, self.keeper.name)
        self.node.db.commit()

    def _last_tick(self) -> str:
        calls.lock_timeout(self.node.db, self.job.timeout)
        tick = calls.demote_root(self.node.db, self.queue, 2, self.keeper.name)
        self.node.db.commit()
        return f"tick {tick}"

    def _demote(self) -> None:
        db, keeper = self.node.db, self.keeper
        calls.note_location(db, self.queue, keeper.name, keeper.location)
        calls.demote_root(db, self.queue, 3, keeper.name)
        calls.set_paused(db, self.queue, self.worker, paused=True)
        db.commit()

    def _pause(self) -> str | None:
        waiting.set_paused(self.node, self.worker, paused=True)
        try:
            waiting.await_answer(self.node, self.worker, FORCED_WAIT, paused=True)
        except waiting.NotInTime:
            return "no answer; it will pause when it runs"
        return None

    def _unsubscribe(self) -> str | None:
        """Drop what reads the old root's queue: all of it goes on elsewhere, or has to."""
        db = self.node.db
        dropped = []
        for one in calls.subscribers(db, self.queue):
            calls.unregister_subscriber(db, self.queue, one.node)
        for info in api.consumer_info(db, self.queue):
            if not info.name.startswith("."):
                dropped.append(info.name)
                api.unregister_consumer(db, self.queue, info.name)
        db.commit()
        return f"consumers dropped: {', '.join(dropped)}" if dropped else None

    def _dump(self) -> str:
        hooks = self.job.site.hooks
        if not lost.any_tick_after(self.node.db, self.queue, self.tick):
            return "an earlier run has done it"
        for event in lost.dump(self.node.db, self.queue, self.node.name, self.tick, FILE):
            self.counts[hooks.lost_event(event)] += 1
        return f"{sum(self.counts.values())} events"

    def _delete(self) -> str:
        db = self.node.db
        count = lost.delete(db, self.queue, self.tick)
        pgq_node.set_completed(db, self.queue, self.worker, self.tick)
        db.commit()
        return f"{count} events"

    def _subscribe(self) -> None:
        """Put a real subscription in the place of the gravestone, in one transaction."""
        keeper, name = self.keeper, self.node.name
        location = self.job.cascade.locations[name].location
        calls.unregister_subscriber(keeper.db, self.queue, name)
        pgq_node.register_location(keeper.db, self.queue, name, location, dead=False)
        calls.register_subscriber(keeper.db, self.queue, name, self.worker, self.tick)
        keeper.db.commit()

    def _alive(self) -> str | None:
        db = self.node.db
        pgq_node.register_location(db, self.queue, self.node.name, None, dead=False)
        mark = self.keeper.look().global_watermark
        if mark is not None and api.tick_exists(db, self.queue, mark):
            pgq_node.set_global_watermark(db, self.queue, mark)
        db.commit()
        silent = []
        for place in self.job.cascade.locations.values():
            if place.node == self.node.name or self.job.cascade.is_dead(place.node):
                continue
            one = self.job.cascade.reachable(place.node)
            if one is None:
                silent.append(place.node)
                continue
            pgq_node.register_location(one.db, self.queue, self.node.name, None, dead=False)
            one.db.commit()
        return f"no answer from {', '.join(silent)}" if silent else None


def resurrect(job: Job) -> int:
    """Bring the local node, a former root, back into the cascade as a branch."""
    node = job.cascade.local
    if node.info.is_leaf:
        job.say(f"node {node.name} is a leaf: there is nothing to do")
        return 0
    job.cascade.widen()
    task = Resurrection(job)
    refuse(task.objections())
    with exclusive(job, [node, task.keeper]):
        plan = Plan(job, f"resurrect {node.name}", task.steps())
        plan.carry_out()
    if job.switch("dry-run"):
        return 0
    for heading, count in sorted(task.counts.items()):
        job.out.line(f"lost: {count:6} {heading}")
    job.out.line(
        f"{task.worker} of {node.name} is paused: mend the tables first, see {FILE}, then: resume"
    )
    if job.out.as_json:
        job.out.data({"node": node.name, "provider": task.keeper.name, "tick": task.tick,
                      "lost": dict(task.counts), "file": str(FILE)})  # fmt: skip
    return 0
