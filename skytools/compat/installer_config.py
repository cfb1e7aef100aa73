# SPDX-License-Identifier: ISC
"""Where SQL files are. Source: skytools.installer_config of Skytools 3."""

from skytools.compat.dbobjects import sql_locations

skylog = 0

__all__ = ["skylog", "sql_locations"]
