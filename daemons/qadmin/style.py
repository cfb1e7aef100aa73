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


def duration(seconds: float | None) -> str:
    """Return a length of time with two units at most: 0.3s, 12s, 3m10s, 5h2m, 3d4h."""
    if seconds is None:
        return "-"
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f}s"
    left = round(seconds)
    parts: list[tuple[int, str]] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or parts:
            parts.append((count, unit))
    return "".join(f"{count}{unit}" for count, unit in parts[:2] if count)
