# SPDX-License-Identifier: ISC
"""Capped exponential back-off with jitter."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Waits of `first`, 2 x first, 4 x first ... up to `cap` seconds, each +-`jitter` of itself."""

    first: float = 1.0
    cap: float = 60.0
    jitter: float = 0.2
    rng: random.Random = field(default_factory=random.Random)
    failures: int = 0

    def next(self) -> float:
        """Count one more failure and return the seconds to wait after it."""
        exponent = min(self.failures, 30)  # beyond, the power only overflows
        self.failures += 1
        delay = min(self.first * 2.0**exponent, self.cap)
        return delay * (1 + self.rng.uniform(-self.jitter, self.jitter))

    def reset(self) -> None:
        """Forget the failures after a success."""
        self.failures = 0
