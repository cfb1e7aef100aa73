# SPDX-License-Identifier: ISC
"""What to say when a role may not call our functions."""

from __future__ import annotations

import re
from typing import Any

_CLOSED = re.compile("permission denied for (function|schema|sequence|table|view) ")
_OUR_SCHEMAS = re.compile(rb"\b(pgq|pgq_node|pgq_coop|pgq_ext|londiste)\.")
_PLAIN = re.compile("[a-z_][a-z0-9_]*")


def missing_grant(error: Any) -> str:
    """Return the statement that helps; empty when a membership in our roles is not what lacks.

    `error` is the driver's.
    """
    refused = error.pgcode == "42501" and _CLOSED.match(error.diag.message_primary or "")
    if not refused or error.cursor is None:
        return ""
    schemas = _OUR_SCHEMAS.findall(bytes(error.cursor.query or b""))
    if not schemas:
        return ""
    user = error.cursor.connection.info.user
    role = "londiste_writer" if b"londiste" in schemas else "pgq_admin"
    quoted = user if _PLAIN.fullmatch(user) else '"' + user.replace('"', '""') + '"'
    return f"as superuser: grant {role} to {quoted}"
