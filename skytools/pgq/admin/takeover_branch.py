# SPDX-License-Identifier: ISC
"""Takeover of the place of a branch or leaf: nodes get other providers, writers notice nothing."""

from __future__ import annotations

from functools import partial

from skytools.core.errors import SkytoolsError
from skytools.pgq import node as pgq_node
from skytools.pgq.admin import waiting
from skytools.pgq.admin.job import Job
from skytools.pgq.admin.members import Node
from skytools.pgq.admin.move import Move, is_below, subscribed
from skytools.pgq.admin.plan import Step


class BranchTakeover:
    """`new` takes the place of a node that is not the root.

    If `new` is below the old node it goes to that one's provider, then the old one goes below
    `new`. With `everyone`, or when the old node is dead, its other subscribers go to `new`.
    """

    def __init__(self, job: Job, old_name: str, new: Node, *, dead: bool, everyone: bool) -> None:
        self.job = job
        self.queue = job.cascade.queue
        self.old_name = old_name
        self.new = new
        self.dead = dead
        if dead:
            job.cascade.dead.add(old_name)
        self.old = None if dead else job.cascade.node(old_name)
        self.silent: list[str] = []
        self.others: list[Node] = []
        for one in job.cascade.alive():
            if one.name in (new.name, old_name):
                continue
            if job.cascade.reachable(one.name) is None:
                self.silent.append(one.name)
            else:
                self.others.append(one)
        self.everyone = everyone or dead
        self.moves = self._moves()

    def _moves(self) -> list[Move]:
        moves = []
        above = self._above()
        if above is not None and is_below(self.job.cascade, self.new, self.old_name):
            moves.append(Move(self.job, self.new, above))
        if self.everyone:
            children = [one for one in self.others if one.info.provider_node == self.old_name]
            moves += [Move(self.job, one, self.new) for one in children]
        if self.old is not None and self.old.info.provider_node != self.new.name:
            moves.append(Move(self.job, self.old, self.new))
        return moves

    def _above(self) -> Node | None:
        """Return the provider of the old node."""
        if self.old is not None:
            return self.job.cascade.node(self.old.info.provider_node)
        for one in self.others:
            if self.old_name in subscribed(one):
                return one
        return None

    def objections(self) -> list[str]:
        """Tell what speaks against it; nothing is changed to find out."""
        found = [
            f"node {name} does not answer: bring it back, or leave it out with --dead={name}"
            for name in self.silent
        ]
        if self.new.info.is_root:
            found.append(f"node {self.new.name} is the root: it needs no other place")
        for move in self.moves:
            # `new` is below the old node until it has moved.
            if move.node is not self.old:
                found += move.objections()
            elif self.new.info.is_leaf:
                found.append(f"node {self.new.name} is a leaf: nobody can read from it")
        return found

    def rehearse(self) -> None:
        """Find out whether the workers are there."""
        for move in self.moves:
            waiting.ask(move.node, move.consumer, self.job.timeout)

    def steps(self) -> list[Step]:
        """Return what is left to do."""
        steps = []
        if self.dead:
            for one in (self.new, *self.others):
                text = f"tag {self.old_name} as dead on {one.name}"
                steps.append(Step(f"dead-on-{one.name}", text, partial(self._tag, one)))
        for move in self.moves:
            steps += move.steps()
        return steps

    def _tag(self, one: Node) -> str | None:
        try:
            pgq_node.register_location(one.db, self.queue, self.old_name, None, dead=True)
            one.db.commit()
        except SkytoolsError as exc:
            one.db.rollback()
            return f"not done: {exc}"
        return None
