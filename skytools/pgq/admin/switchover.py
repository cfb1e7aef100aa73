# SPDX-License-Identifier: ISC
"""Command: takeover, in all its forms."""

from __future__ import annotations

from skytools.core.errors import SkytoolsError, UsageError
from skytools.pgq.admin import waiting
from skytools.pgq.admin.guard import exclusive
from skytools.pgq.admin.job import Job
from skytools.pgq.admin.members import Node
from skytools.pgq.admin.move import Move, is_below, refuse
from skytools.pgq.admin.plan import Plan, Step
from skytools.pgq.admin.takeover import RootTakeover, closed
from skytools.pgq.admin.takeover_branch import BranchTakeover
from skytools.pgq.admin.takeover_dead import DeadRootTakeover

Takeover = RootTakeover | DeadRootTakeover | BranchTakeover


def takeover(job: Job) -> int:
    """Let a node take the place of another."""
    old_name = job.opts.old
    _check_switches(job)
    job.cascade.widen()
    job.cascade.member(old_name)
    new = _successor(job)
    if old_name == new.name:
        raise UsageError(f"node {new.name} cannot take its own place")
    with exclusive(job, [new]):
        if job.switch("abort"):
            return _abort(job, old_name, new)
        return _take(job, old_name, new)


def _check_switches(job: Job) -> None:
    given = [name for name in ("dead-root", "dead-branch", "abort") if job.switch(name)]
    if len(given) > 1:
        raise UsageError(f"--{given[0]} and --{given[1]} exclude each other")


def _successor(job: Job) -> Node:
    if job.switch("node"):
        node = job.cascade.node(job.switch("node"))
        node.look()
        return node
    node = job.cascade.local
    worker = job.switch("consumer") or job.site.worker
    if worker and worker != node.info.worker_name:
        raise UsageError(
            f"the worker of node {node.name} is {node.info.worker_name}, not {worker}: give the"
            " command there where its ini is, or name the successor with --node"
        )
    return node


def _take(job: Job, old_name: str, new: Node) -> int:
    plan, extra = _plan_of(job, old_name, new)
    others = _other_roots(job, old_name, new) if isinstance(plan, RootTakeover) else []
    refuse(others + plan.objections())
    if job.switch("rehearse"):
        plan.rehearse()
        job.say("rehearsed: nothing speaks against it; what would be done:")
        Plan(job, "", _join(plan, extra)).print()
        return 0
    with exclusive(job, [one for one in _involved(job, plan) if one is not new]):
        done = Plan(job, f"takeover {old_name} by {new.name}", _join(plan, extra))
        done.carry_out()
    seconds = plan.downtime.seconds if isinstance(plan, RootTakeover) else None
    if job.out.as_json and not job.switch("dry-run"):
        job.out.data({"old": old_name, "new": new.name, "steps": done.told, "downtime": seconds})
    return 0


def _plan_of(job: Job, old_name: str, new: Node) -> tuple[Takeover, list[Move]]:
    """Return what kind of takeover it is, and the moves of --all where they are not part of it."""
    if job.switch("dead-root"):
        return DeadRootTakeover(job, old_name, new), []
    everyone = bool(job.switch("all"))
    if job.switch("dead-branch"):
        return BranchTakeover(job, old_name, new, dead=True, everyone=everyone), []
    if job.cascade.is_dead(old_name):
        raise UsageError(f"node {old_name} is tagged as dead: say --dead-root or --dead-branch")
    old = job.cascade.node(old_name)
    try:
        old.look()
    except SkytoolsError as exc:
        raise SkytoolsError(
            f"{exc}; when {old_name} is gone for good: --dead-root or --dead-branch"
        ) from exc
    if not old.info.is_root and not (new.info.is_root and old.info.provider_node == new.name):
        return BranchTakeover(job, old_name, new, dead=False, everyone=everyone), []
    return RootTakeover(job, old, new), _followers(job, old, new) if everyone else []


def _followers(job: Job, old: Node, new: Node) -> list[Move]:
    """Return the moves of the other subscribers of the old root."""
    found = []
    for one in job.cascade.alive():
        if one.name in (old.name, new.name):
            continue
        one.look()
        if one.info.provider_node == old.name:
            found.append(Move(job, one, new))
    return found


def _join(plan: Takeover, extra: list[Move]) -> list[Step]:
    """Put the moves before the switch; of nodes that the successor is below, after it."""
    first: list[Step] = []
    last: list[Step] = []
    switched = not isinstance(plan, BranchTakeover) and plan.switched
    for move in extra:
        later = switched or is_below(move.job.cascade, plan.new, move.node.name)
        (last if later else first).extend(move.steps())
    return [*first, *plan.steps(), *last]


def _involved(job: Job, plan: Takeover) -> list[Node]:
    if isinstance(plan, RootTakeover):
        return [plan.old]
    return plan.others


def _other_roots(job: Job, old_name: str, new: Node) -> list[str]:
    """Object when a third node is root: the takeover of somebody else has to be completed first."""
    found = []
    for one in job.cascade.alive():
        if one.name in (old_name, new.name):
            continue
        seen = job.cascade.reachable(one.name)
        if seen is not None and seen.info.is_root:
            found.append(
                f"node {one.name} is root too: complete its takeover of {old_name} first, there"
            )
        elif seen is None and _is_closed_root(job, old_name):
            found.append(
                f"node {old_name} was closed by an earlier takeover and node {one.name}, which may"
                f" have become root by it, does not answer; when it is gone: --dead={one.name}"
            )
    return found


def _is_closed_root(job: Job, name: str) -> bool:
    node = job.cascade.reachable(name)
    return node is not None and node.info.is_root and closed(node)


def _abort(job: Job, old_name: str, new: Node) -> int:
    """Open the old root again."""
    old = job.cascade.node(old_name)
    if not old.look().is_root:
        raise SkytoolsError(f"node {old_name} is not the root: there is nothing to take back")
    refuse(_other_roots(job, old_name, new))
    if not closed(old):
        job.say(f"node {old_name} is open for writing: there is nothing to take back")
        return 0
    plan = RootTakeover(job, old, new)
    steps = [
        Step("reopen", f"open {old_name} for writing", plan.reopen),
        Step("resume-old", f"resume {plan.old_worker} of {old_name}",
             lambda: waiting.set_paused(old, plan.old_worker, paused=False)),
        *plan.merges.resume_steps(),
    ]  # fmt: skip
    Plan(job, f"takeover {old_name} --abort", steps).carry_out()
    return 0
