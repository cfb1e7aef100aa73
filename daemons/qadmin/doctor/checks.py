# SPDX-License-Identifier: ISC
"""What a check is, and what it may ask.

Most are queries with a row for each finding: subject, what is seen, advice, mend. A mend is
statements of the console, ready to be run; advice is for what only people can do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from skytools.core.db import Database


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault that was found."""

    fault: str
    subject: str
    seen: str
    advice: str | None
    mend: str | None


@dataclass(slots=True)
class Look:
    """What checks look with. `age`: seconds that things may take; `free`: percent of the disk.

    `extensions` has the versions of our schemas that are there.
    """

    db: Database
    age: float
    free: float
    extensions: Mapping[str, str] = field(default_factory=dict)

    @property
    def arguments(self) -> dict[str, Any]:
        """Return the values that queries know."""
        return {"age": f"{self.age:f} seconds", "branches": self.branches}

    @property
    def branches(self) -> list[str]:
        """Return the queues whose ticks and events come from another node."""
        if "pgq_node" not in self.extensions:
            return []
        query = "select queue_name from pgq_node.node_info where node_type = 'branch'"
        return [row[0] for row in self.db.query(query)]


Rows = Iterable[tuple[str, str, str | None, str | None]]


@dataclass(frozen=True, slots=True)
class Check:
    """One fault: its name, what it means, the schema it is about, and how it is found."""

    fault: str
    means: str
    schema: str
    find: str | Callable[[Look], Rows]

    def findings(self, look: Look) -> list[Finding]:
        """Return what is found. Raises SkytoolsError when it cannot be looked at."""
        if isinstance(self.find, str):
            rows: Rows = [
                (row[0], row[1], row[2], row[3]) for row in look.db.query(self.find, look.arguments)
            ]
        else:
            rows = self.find(look)
        return [Finding(self.fault, *row) for row in rows]
