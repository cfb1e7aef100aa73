# SPDX-License-Identifier: ISC
"""The clocks of the two hosts. Times of commits are the primary's; people look at their own."""

from __future__ import annotations

import time

from skytools.core.errors import TransientError
from skytools.walmgr.site import Site

TOLERANCE = 10.0  # s; that of a host without time synchronisation grows beyond it in days


def told(skew: float) -> str:
    """Return what to say of a difference in seconds, empty while it is small."""
    if abs(skew) <= TOLERANCE:
        return ""
    way = "ahead of" if skew > 0 else "behind"
    return f"the primary's clock is {abs(skew):.0f} s {way} this host's"


def compare(site: Site) -> str:
    """Say how far the primary's clock is off, empty when it is right or does not answer."""
    began = time.time()
    try:
        now = float(site.primary().value("select extract(epoch from clock_timestamp())"))
    except TransientError:
        return ""
    ended = time.time()
    # The answer was made some time in between.
    return told(now - ended if now > ended else min(now - began, 0.0))
