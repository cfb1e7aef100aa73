# SPDX-License-Identifier: ISC
"""The user that this process runs as."""

from __future__ import annotations

import os
import pwd


def user_name() -> str:
    """Return its name, or its number where the system has no name for it (some containers)."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
