# SPDX-License-Identifier: ISC
"""walmgr: archive, backups and a promotable standby of one PostgreSQL server."""
