# SPDX-License-Identifier: ISC
"""Which worker has which key, and what was done when there were more or fewer workers."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable

from skytools.pgq.types import ConsumerInfo

MAX_REMEMBERED = 50_000


def slot(key: str | None, workers: int) -> int:
    """Return the worker of a key, 0 to workers - 1. The same for ever: positions rely on it."""
    return zlib.crc32((key or "").encode("utf-8", "surrogateescape")) % workers


class Slots(dict[str | None, int]):
    """slot() of keys, remembered: keys come again and again."""

    def __init__(self, workers: int) -> None:
        super().__init__()
        self._workers = workers

    def __missing__(self, key: str | None) -> int:
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        number = self[key] = slot(key, self._workers)
        return number


def worker_name(consumer: str, number: int, workers: int) -> str:
    """Return the name under which a worker is registered; numbers begin at 1 there."""
    return f"{consumer}#{number + 1}/{workers}"


def positions(consumer: str, found: Iterable[ConsumerInfo]) -> dict[int, dict[int, int]]:
    """Return number of workers -> worker -> its last tick, of every layout that is registered."""
    layouts: dict[int, dict[int, int]] = {}
    pattern = re.compile(re.escape(consumer) + r"#(\d+)/(\d+)")
    for info in found:
        if match := pattern.fullmatch(info.name):
            layouts.setdefault(int(match[2]), {})[int(match[1]) - 1] = info.last_tick
    return layouts


class OldLayouts:
    """Says of events whether workers of former layouts have done them already."""

    def __init__(self, layouts: dict[int, dict[int, int]]) -> None:
        self._layouts = layouts
        self.until = max((max(ticks.values()) for ticks in layouts.values()), default=0)

    @property
    def numbers(self) -> list[int]:
        """The numbers of workers there were."""
        return list(self._layouts)

    def clear(self) -> None:
        """Forget them all."""
        self._layouts = {}
        self.until = 0

    def has_done(self, key: str | None, tick: int) -> bool:
        """Tell whether an event of the window that ends with `tick` was worked on before."""
        return any(
            ticks.get(slot(key, workers), 0) >= tick for workers, ticks in self._layouts.items()
        )
