# SPDX-License-Identifier: ISC
"""Commands about the list of members: drop-node, tag-dead, tag-alive, rename-node."""

from __future__ import annotations

from functools import partial

from skytools.core.errors import SkytoolsError, UsageError
from skytools.pgq import node as pgq_node
from skytools.pgq.admin import calls
from skytools.pgq.admin.guard import exclusive
from skytools.pgq.admin.job import Job
from skytools.pgq.admin.members import Node
from skytools.pgq.admin.move import refuse, subscribed, unsubscribe_consumer
from skytools.pgq.admin.plan import Plan, Step

RENAME = "pgq_node.rename_node(text,text,text)"


def drop_node(job: Job) -> int:
    """Command: take a node out of the cascade, with its queue."""
    name = job.opts.node
    job.cascade.widen()
    job.cascade.member(name)
    answering = [one for one in job.cascade.alive() if job.cascade.reachable(one.name)]
    node = job.cascade.reachable(name)  # it may answer though it was tagged as dead
    others = [one for one in answering if one.name != name]
    refuse(_drop_objections(job, name, node, others))
    with exclusive(job, [*others, *([node] if node else [])]):
        Plan(job, f"drop-node {name}", _drop_steps(job, name, node, others)).carry_out()
    return 0


def _drop_objections(job: Job, name: str, node: Node | None, others: list[Node]) -> list[str]:
    found = [
        f"node {one.name} reads from {name}: give it another provider first"
        for one in others
        if one.info.provider_node == name
    ]
    if node is not None:
        # Also those that are dead or do not answer; the gravestone of a former root too.
        gone = subscribed(node) - {one.name for one in others}
        found += [
            f"node {other} is subscribed to {name}: give it another provider, or drop it"
            for other in sorted(gone)
            if other in job.cascade.locations
        ]
    return found


def _drop_steps(job: Job, name: str, node: Node | None, others: list[Node]) -> list[Step]:
    """Tell the root last, as it tells all others: who is told does not know the name any more.

    The node itself is last when the command was given there, else first.
    """
    local = job.cascade.local
    steps = _leaving(node, others) if node is not None else []
    places = [node] if node is not None and node is not local else []
    places += sorted(others, key=lambda one: (one.info.is_root, one is local))
    places += [node] if node is local else []
    for one in places:
        text = f"drop the queue of {name}" if one is node else f"forget {name} on {one.name}"
        if one is not node and one.info.is_root:
            text = f"let root {one.name} forget {name}, and tell all nodes"
        steps.append(Step(f"drop-on-{one.name}", text, partial(_drop, one, name, one is node)))
    return steps


def _leaving(node: Node, others: list[Node]) -> list[Step]:
    """Unsubscribe the node's other consumers: nobody would read what is kept for them."""
    found = calls.consumers(node.db, node.queue)
    node.db.rollback()
    above = {one.name: one for one in others}
    return [
        Step(f"leave-{one.name}", f"unsubscribe {one.name} of {node.name} from {one.provider}",
             partial(unsubscribe_consumer, above[one.provider], one.name))
        for one in found
        if one.name != node.info.worker_name and one.provider in above
    ]  # fmt: skip


def _drop(one: Node, name: str, itself: bool) -> str | None:
    try:
        calls.drop_node(one.db, one.queue, name)
        one.db.commit()
    except SkytoolsError as exc:
        one.db.rollback()
        if itself:
            raise
        return f"not done: {exc}"
    return None


def tag_dead(job: Job) -> int:
    """Command: let all nodes know that a node is dead."""
    return _tag(job, dead=True)


def tag_alive(job: Job) -> int:
    """Command: let all nodes know that a node is alive."""
    return _tag(job, dead=False)


def _tag(job: Job, *, dead: bool) -> int:
    name, word = job.opts.node, "dead" if dead else "alive"
    job.cascade.widen()
    job.cascade.member(name)
    if dead and name == job.cascade.local.name:
        raise UsageError(f"node {name} is where you are, and it is alive")
    if dead:
        job.cascade.dead.add(name)
    places = job.cascade.alive()
    if not dead and all(one.name != name for one in places):
        places.append(job.cascade.node(name))
    steps = [
        Step(f"{word}-on-{one.name}", f"tag {name} as {word} on {one.name}",
             partial(_tag_on, one, name, dead))
        for one in places
    ]  # fmt: skip
    Plan(job, f"tag-{word} {name}", steps).carry_out()
    return 0


def _tag_on(one: Node, name: str, dead: bool) -> str | None:
    try:
        pgq_node.register_location(one.db, one.queue, name, None, dead=dead)
        one.db.commit()
    except SkytoolsError as exc:
        one.db.close()
        return f"not done: {exc}"
    return None


def rename_node(job: Job) -> int:
    """Command: give a node another name, on all members."""
    old, new = job.opts.old, job.opts.new
    job.cascade.widen()
    known = job.cascade.locations
    if old not in known and new not in known:
        job.cascade.member(old)
    if not new or new == old:
        raise UsageError("the new name must be another one")
    places = job.cascade.alive()
    refuse(_rename_objections(job, places, old, new))
    with exclusive(job, places):
        Plan(job, f"rename-node {old} to {new}", _rename_steps(job, places, old, new)).carry_out()
    return 0


def _rename_objections(job: Job, places: list[Node], old: str, new: str) -> list[str]:
    found = []
    here, there = job.cascade.locations.get(old), job.cascade.locations.get(new)
    if here is not None and there is not None and here.location != there.location:
        found.append(f"the cascade has a node {new} already, at {there.location}")
    for one in places:
        try:
            able = calls.has_function(one.db, RENAME)
            one.db.rollback()
        except SkytoolsError as exc:
            found.append(f"{exc}: every node must answer; leave a dead one out with --dead")
            continue
        if not able:
            found.append(f"node {one.name}: its pgq_node cannot rename; run there:"
                         " alter extension pgq_node update")  # fmt: skip
    return found


def _rename_steps(job: Job, places: list[Node], old: str, new: str) -> list[Step]:
    root = next((one for one in places if _is_root(one)), None)
    steps = [
        Step(f"rename-on-{one.name}", f"call {old} {new} on {one.name}",
             partial(_rename, job, one, old, new))
        for one in places
    ]  # fmt: skip
    if root is not None:
        # An event with the old name may still be on its way, and would bring it back.
        text = f"let {root.name} tell of it in the queue"
        steps.append(Step("announce", text, partial(_announce, job, root, old, new)))
    return steps


def _is_root(node: Node) -> bool:
    return node.look().is_root


def _rename(job: Job, one: Node, old: str, new: str) -> None:
    calls.rename_node(one.db, one.queue, old, new)
    job.site.hooks.on_rename(one, old, new)
    one.db.commit()


def _announce(job: Job, root: Node, old: str, new: str) -> None:
    known = job.cascade.locations
    place = known.get(old) or known[new]
    pgq_node.register_location(root.db, root.queue, new, place.location, dead=place.dead)
    pgq_node.unregister_location(root.db, root.queue, old)
    root.db.commit()
