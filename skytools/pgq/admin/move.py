# SPDX-License-Identifier: ISC
"""Giving a node, or a consumer of a node, another provider."""

from __future__ import annotations

from collections.abc import Callable

from skytools.core.db import Database
from skytools.core.errors import SkytoolsError, UsageError
from skytools.pgq import api
from skytools.pgq import node as pgq_node
from skytools.pgq.admin import calls, waiting
from skytools.pgq.admin.job import Job
from skytools.pgq.admin.members import Cascade, Node
from skytools.pgq.admin.plan import Plan, Step

# A worker that is said not to run gets this long to prove the opposite. Seconds.
FORCED_WAIT = 3.0


class Move:
    """A worker, or another consumer of a node, gets another provider.

    The position is the tick that the consumer has done; ticks are the same on all nodes. A
    consumer that pauses cannot move meanwhile. One that does not answer (`force`) can at most
    finish the batch that it has, which the next provider will deliver and it will skip.
    """

    def __init__(self, job: Job, node: Node, provider: Node, consumer: str = "") -> None:
        self.job = job
        self.node = node
        self.provider = provider
        self.worker = node.info.worker_name
        self.consumer = consumer or self.worker
        self.is_worker = self.consumer == self.worker
        self.former = waiting.state(node, self.consumer).provider_node

    def objections(self) -> list[str]:
        """Tell what speaks against it."""
        node, provider = self.node, self.provider
        found = []
        if self.is_worker and node.name == provider.name:
            found.append(f"node {node.name} cannot be its own provider")
        elif self.is_worker and node.info.is_root:
            found.append(f"node {node.name} is the root: it has no provider")
        elif provider.info.is_leaf:
            found.append(f"node {provider.name} is a leaf: nobody can read from it")
        elif self.is_worker and is_below(self.job.cascade, provider, node.name):
            found.append(f"node {provider.name} is below {node.name}: it cannot be its provider")
        elif self.is_worker:
            found += self.job.site.hooks.move_objections(node, provider)
        return found

    def steps(self) -> list[Step]:
        """Return what is left to do."""
        who = f"{self.consumer} of {self.node.name}"
        first = f"{self.node.name}-"
        above = self.provider.name
        if self.former == above:
            return self._rest(first, who)
        return [
            Step(f"{first}pause", f"pause {who}", self._pause, undo=self._resume_quietly),
            Step(f"{first}subscribe", f"subscribe {who} to {above}", self._subscribe),
            Step(f"{first}switch", f"let {who} read from {above}, and go on", self._switch,
                 final=True),
            Step(f"{first}answer", f"wait until {who} has seen that", self._await_answer),
            *self._rest(first, who),
        ]  # fmt: skip

    def _rest(self, first: str, who: str) -> list[Step]:
        return [self._leaving(first, who, one) for one in self._former_nodes()]

    def _leaving(self, first: str, who: str, one: Node) -> Step:
        text = f"unsubscribe {who} from {one.name}"
        return Step(f"{first}leave-{one.name}", text, lambda: self._leave(one))

    def _former_nodes(self) -> list[Node]:
        """Return the nodes where a subscription is left, or will be after the switch."""
        if not self.is_worker:
            moved = self.former != self.provider.name
            return [self.job.cascade.node(self.former)] if moved else []
        found = []
        for one in self.job.cascade.alive():
            if one.name in (self.provider.name, self.node.name):
                continue
            if one.name == self.former or self.node.name in subscribed(one):
                found.append(one)
        return found

    def _pause(self) -> str | None:
        force = bool(self.job.switch("force"))
        timeout = min(self.job.timeout, FORCED_WAIT) if force else self.job.timeout
        waiting.set_paused(self.node, self.consumer, paused=True)
        try:
            waiting.await_answer(self.node, self.consumer, timeout, paused=True)
        except waiting.NotInTime:
            if not force:
                raise
            return "no answer, going on all the same"
        return None

    def _resume_quietly(self) -> None:
        waiting.set_paused(self.node, self.consumer, paused=False)

    def _subscribe(self) -> str:
        tick = waiting.state(self.node, self.consumer).completed_tick
        above, queue = self.provider, self.node.queue
        waiting.wait_until(
            lambda: waiting.has_tick(above, tick),
            self.job.timeout,
            f"node {above.name} does not have tick {tick}, at which {self.node.name} is:"
            " it is behind, or has forgotten the tick",
        )
        if not self.is_worker:
            api.register_consumer_at(above.db, queue, self.consumer, tick)
        else:
            pgq_node.register_location(
                above.db, queue, self.node.name, self.node.location, dead=False
            )
            calls.register_subscriber(above.db, queue, self.node.name, self.worker, tick)
        above.db.commit()
        return f"tick {tick}"

    def _switch(self) -> None:
        db, queue = self.node.db, self.node.queue
        pgq_node.register_location(
            db, queue, self.provider.name, self.provider.location, dead=False
        )
        calls.change_provider(db, queue, self.consumer, self.provider.name)
        # In one commit: who repeats the command could not know whose pause it is.
        calls.set_paused(db, queue, self.consumer, paused=False)
        db.commit()

    def _await_answer(self) -> str | None:
        timeout = FORCED_WAIT if self.job.switch("force") else self.job.timeout
        try:
            waiting.await_answer(self.node, self.consumer, timeout, paused=False)
        except waiting.NotInTime as exc:
            return f"it goes on when it runs; {exc}"
        return None

    def _leave(self, one: Node) -> str | None:
        if self.is_worker:
            return unsubscribe(one, self.node.name)
        return unsubscribe_consumer(one, self.consumer)


def unsubscribe(provider: Node, node: str) -> str | None:
    """End the subscription of a node; what speaks against it is told only. Commits."""
    return _forget(provider, calls.unregister_subscriber, node)


def unsubscribe_consumer(provider: Node, consumer: str) -> str | None:
    """End the subscription of a consumer that is no worker, likewise."""
    return _forget(provider, api.unregister_consumer, consumer)


def _forget(
    provider: Node, unregister: Callable[[Database, str, str], object], name: str
) -> str | None:
    try:
        unregister(provider.db, provider.queue, name)
        provider.db.commit()
    except SkytoolsError as exc:
        provider.db.rollback()
        return f"not done, it holds back the watermark there until it is: {exc}"
    return None


def subscribed(node: Node) -> set[str]:
    """Return the nodes that are subscribed to a node; none when it does not answer."""
    try:
        found = {one.node for one in calls.subscribers(node.db, node.queue)}
        node.db.rollback()
    except SkytoolsError:
        node.db.close()
        return set()
    return found


def is_below(cascade: Cascade, node: Node, above: str) -> bool:
    """Tell whether the way from a node to the root leads over another one."""
    seen: set[str] = set()
    while not node.info.is_root and node.name not in seen:
        seen.add(node.name)
        if node.info.provider_node == above:
            return True
        try:
            node = cascade.node(node.info.provider_node)
            node.look()
        except SkytoolsError:
            return False
    return False


def change_provider(job: Job) -> int:
    """Command: give a node or a consumer another provider."""
    if not job.switch("provider"):
        raise UsageError("change-provider needs --provider=NODE")
    job.cascade.widen()
    node, consumer = chosen(job)
    provider = job.cascade.node(job.switch("provider"))
    provider.look()
    move = Move(job, node, provider, consumer)
    refuse(move.objections())
    steps = move.steps()
    if not steps:
        job.say(f"{move.consumer} of {node.name} reads from {provider.name} already")
    Plan(job, f"change-provider {node.name}/{move.consumer} to {provider.name}", steps).carry_out()
    return 0


def chosen(job: Job) -> tuple[Node, str]:
    """Return the node and consumer that --node and --consumer mean; "" is the worker."""
    consumer = job.switch("consumer", "")
    if job.switch("node"):
        node = job.cascade.node(job.switch("node"))
        node.look()
    elif not consumer:
        return job.cascade.local, ""
    else:
        node = find_consumer(job, consumer)
    if consumer and consumer not in {one.name for one in calls.consumers(node.db, node.queue)}:
        raise UsageError(f"node {node.name} knows no consumer {consumer}")
    node.db.rollback()
    return node, consumer


def find_consumer(job: Job, consumer: str) -> Node:
    """Return the node that keeps the position of a consumer: the local one is asked first."""
    silent = []
    for node in job.cascade.alive():
        try:
            names = {one.name for one in calls.consumers(node.db, node.queue)}
            node.db.rollback()
        except SkytoolsError:
            silent.append(node.name)
            continue
        if consumer in names:
            return node
    more = f"; not asked, as they do not answer: {', '.join(silent)}" if silent else ""
    raise UsageError(f"no node knows a consumer {consumer}{more}")


def refuse(objections: list[str]) -> None:
    """Raise SkytoolsError when there are objections; nothing has been changed."""
    if objections:
        raise SkytoolsError("\n".join(objections))
