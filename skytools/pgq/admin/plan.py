# SPDX-License-Identifier: ISC
"""A change of the cascade as a list of steps, made before the first is done.

Each step is one commit on one node, or a wait. A plan is made from what the nodes say, so a
command that was killed is completed by giving it again: steps that were done are not in the new
plan, or do no harm. Until its point of no return a plan that fails takes its steps back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from skytools.core.errors import SkytoolsError
from skytools.core.faultpoint import reach
from skytools.pgq.admin.job import Job
from skytools.pgq.admin.journal import Journal

Action = Callable[[], str | None]


@dataclass(frozen=True, slots=True)
class Step:
    """`run` returns what is worth telling beside the text. `undo` takes the step back.

    `final`: from here on the plan can only go forward.
    """

    name: str
    text: str
    run: Action
    undo: Callable[[], None] | None = None
    final: bool = False


class Plan:
    """Steps of one command."""

    def __init__(self, job: Job, command: str, steps: Iterable[Step]) -> None:
        self.job = job
        self.command = command
        self.steps = list(steps)
        self.told: list[dict[str, object]] = []

    def carry_out(self) -> None:
        """Do all steps; with --dry-run only print them."""
        if self.job.switch("dry-run"):
            self.print()
            return
        journal = Journal(self.job.cascade.db, self.job.cascade.queue)
        journal.begin(self.command)
        try:
            self._walk(journal)
        except BaseException as exc:
            journal.end(f"failed: {exc}")
            raise
        journal.end("done")

    def print(self) -> None:
        """Print what would be done."""
        out = self.job.out
        if out.as_json:
            out.data([{"step": one.name, "text": one.text} for one in self.steps])
        for number, one in enumerate(self.steps, 1):
            out.line(f"{number:3} {one.text}")
        if not self.steps:
            out.line("nothing to do")

    def _walk(self, journal: Journal) -> None:
        done: list[Step] = []
        for number, step in enumerate(self.steps, 1):
            journal.step(step.name)
            started = time.monotonic()
            try:
                result = step.run()
            except BaseException as exc:
                self._failed(step, done, exc)
                raise
            reach(f"admin-{step.name}")
            done = [] if step.final else [*done, step]
            self._tell(number, step, result, time.monotonic() - started)

    def _tell(self, number: int, step: Step, result: str | None, seconds: float) -> None:
        self.told.append({"step": step.name, "text": step.text, "result": result,
                          "seconds": round(seconds, 4)})  # fmt: skip
        more = f": {result}" if result else ""
        self.job.say(f"{number:3}/{len(self.steps)} {step.text}{more}")

    def _failed(self, step: Step, done: list[Step], exc: BaseException) -> None:
        """Take back what can be taken back, the step at fault first: it may be half done."""
        undoable = [one for one in [*done, step] if one.undo is not None]
        for one in reversed(undoable):
            assert one.undo is not None
            try:
                one.undo()
                self.job.say(f"taken back: {one.text}")
            except SkytoolsError as second:
                exc.add_note(f"not taken back: {one.text}: {second}")
