# SPDX-License-Identifier: ISC
"""Functions that return ret_code and ret_note, and statements that are tried again."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from skytools.compat.config import Config

FAILED = 400
WARNED = 300
SAID = 200


def report(log: logging.Logger, rows: Sequence[Any], quiet: bool, prefix: str | None) -> bool:
    """Log the notes of rows; false when one of them failed."""
    good = True
    for row in rows:
        code, note = row["ret_code"], row["ret_note"]
        text = f"{prefix}: {note}" if prefix else str(note)
        if code >= FAILED:
            log.error("%s", text)
            good = False
        elif code >= WARNED:
            log.warning("%s", text)
        elif code >= SAID and not quiet:
            log.info("%s", text)
        else:
            log.debug("%s", text)
    return good


class Retries:
    """How often and after how long a statement is tried again, by the keys sql_retry*."""

    def __init__(self, cf: Config) -> None:
        self.count = 0
        self._wanted = cf.getboolean("sql_retry", False)
        self._max_count = cf.getint("sql_retry_max_count", 10)
        self._max_time = cf.getfloat("sql_retry_max_time", 300)
        self._a = cf.getfloat("sql_retry_formula_a", 1)
        self._b = cf.getfloat("sql_retry_formula_b", 5)
        self._cap = cf.getfloat("sql_retry_formula_cap", 60)
        self._since = time.monotonic()

    def next(self) -> float | None:
        """Return the seconds until the next try, None when enough is enough."""
        passed = time.monotonic() - self._since
        if not self._wanted or self.count >= self._max_count or passed >= self._max_time:
            return None
        delay = min(self._cap, self._a + self._b * self.count)
        self.count += 1
        return delay
