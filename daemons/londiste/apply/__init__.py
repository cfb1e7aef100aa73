# SPDX-License-Identifier: ISC
"""Applying changes of rows to tables of a database.

By default the net effect of many changes is written by a few large statements; applier.py says
when changes are written row by row instead.
"""

from skytools.daemons.londiste.apply.applier import Applier, ApplyOptions
from skytools.daemons.londiste.apply.changes import Change, decode

__all__ = ["Applier", "ApplyOptions", "Change", "decode"]
