# SPDX-License-Identifier: ISC
"""What `skytools.scripting` of Skytools 3 held."""

from skytools.compat.dbscript import DBScript
from skytools.compat.script import BaseScript, daemonize
from skytools.core.errors import UsageError

__all__ = ["BaseScript", "DBScript", "UsageError", "daemonize"]
