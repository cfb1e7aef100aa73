# SPDX-License-Identifier: ISC
"""Colour and small graphics for terminals."""

from __future__ import annotations

from collections.abc import Sequence

BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"
BARS = "▁▂▃▄▅▆▇█"


def paint(text: str, *codes: str) -> str:
    """Return text with terminal attributes."""
    return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if codes else text


def sparkline(values: Sequence[float], width: int) -> str:
    """Return the last `width` values as bars, scaled to the highest of them."""
    shown = list(values)[-width:]
    top = max(shown, default=0.0)
    if top <= 0:
        return BARS[0] * len(shown)
    steps = len(BARS) - 1
    return "".join(BARS[round(max(value, 0.0) / top * steps)] for value in shown)
