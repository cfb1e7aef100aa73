# SPDX-License-Identifier: ISC
"""A process that loads pieces of a table, one after the other, as the copy tells it to.

Lines of JSON: an Order, then {"out": statement} for each piece. Answers: {"moved": bytes} while
it goes, with "rows" when a piece is committed; {"error": text, "transient": bool} at the end of
all. It dies with the copy.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from skytools.core.db import Database, sql
from skytools.core.errors import SkytoolsError, TransientError
from skytools.core.faultpoint import reach
from skytools.core.processes import die_with_parent
from skytools.daemons.londiste.copy import session
from skytools.daemons.londiste.copy.load import Order
from skytools.daemons.londiste.copy.pipe import copy_across

TELL_SECONDS = 0.25


class _Told:
    """Tells of bytes now and then."""

    def __init__(self) -> None:
        self._bytes = 0
        self._at = time.monotonic()

    def moved(self, count: int) -> None:
        self._bytes += count
        if time.monotonic() - self._at >= TELL_SECONDS:
            self.tell()

    def tell(self, **more: int) -> None:
        _say({"moved": self._bytes, **more})
        self._bytes, self._at = 0, time.monotonic()


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Load until the input ends."""
    die_with_parent()
    order = Order(**json.loads(sys.stdin.readline()))
    try:
        _load(order)
    except SkytoolsError as exc:
        _say({"error": str(exc), "transient": isinstance(exc, TransientError)})
        return 1
    return 0


def _load(order: Order) -> None:
    source = Database("source", order.source, application_name=order.name)
    dest = Database("db", order.dest, application_name=order.name)
    source.on_connect(session.for_reading)
    dest.on_connect(session.for_loading)
    session.open_source(source, order.snapshot)
    session.use_encoding(source, dest, order.encoding)
    for line in sys.stdin:
        told = _Told()
        out = sql.SQL(json.loads(line)["out"])
        rows = copy_across(source, out, dest, sql.SQL(order.into), moved=told.moved)
        reach("copy-stream-loaded")
        dest.commit()
        told.tell(rows=rows)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # Threads that wait for a server that is away must not keep us.
    os._exit(code)
