# SPDX-License-Identifier: ISC
"""The verdict, for people and as a file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from examples.demo.replica import Outcome as ReplicaOutcome
from examples.demo.standby import Outcome as StandbyOutcome
from examples.demo.verify import Verdict
from examples.demo.view import BOLD, GREEN, RED, View, count, milliseconds

Shown = ReplicaOutcome | StandbyOutcome


def report(  # noqa: PLR0917 - what there is to tell
    view: View,
    verdict: Verdict,
    drained: bool,
    restarts: Counter[str],
    shows: Mapping[str, Shown | None],
    state: Path,
) -> None:
    """Print the verdict, and write it to verdict.json in the state folder."""
    data = {**asdict(verdict), "good": verdict.good, "drained": drained, "restarts": restarts}
    data |= {name: None if shown is None else asdict(shown) for name, shown in shows.items()}
    again = ", ".join(f"{number} of {name}" for name, number in restarts.items()) or "none"
    (state / "verdict.json").write_text(json.dumps(data, indent=2) + "\n")
    wrong = verdict.altered + verdict.unknown
    view.say()
    view.say(
        f"  events    produced {count(verdict.produced)}   applied {count(verdict.applied)}"
        f"   lost {verdict.lost}   doubled {verdict.doubled}   altered {wrong}"
    )
    view.say(
        f"  history   {count(verdict.history_rows)} rows compared by hid,"
        f" {verdict.history_wrong} not equal"
    )
    view.say(
        f"  balances  {count(verdict.balances)} compared with their last update in the ledger,"
        f" {verdict.balances_wrong} not equal"
    )
    view.say(
        f"  latency   p50 {milliseconds(verdict.p50)}   p99 {milliseconds(verdict.p99)}"
        f"   max {milliseconds(verdict.worst)}   (commit at the source to the handler)"
    )
    view.say(f"  restarts  {again}")
    for name, shown in shows.items():
        view.say(f"  {name:9} {shown or 'the demo was too short for it'}")
    view.say(f"  files     inis and logs are in {shorten(str(state))}")
    for text in verdict.examples:
        view.say(f"  - {text}")
    view.say()
    if not drained:
        view.say(view.paint("NOT GOOD: the consumer had not caught up in time", RED))
    elif bad := [name for name, shown in shows.items() if shown is not None and not shown.good]:
        view.say(view.paint(f"NOT GOOD: the {bad[0]} has not all that was acknowledged", RED))
    elif verdict.good:
        view.say(view.paint("GOOD: nothing lost, nothing doubled", GREEN, BOLD))
    elif verdict.produced == 0:
        view.say(view.paint("NOT GOOD: there was no load, nothing to compare", RED))
    else:
        view.say(view.paint("NOT GOOD: the ledger does not equal the source", RED))


def shorten(text: str) -> str:
    """Return a path relative to the current folder where it is below."""
    path = Path(text)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else text
