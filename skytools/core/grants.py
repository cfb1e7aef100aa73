# SPDX-License-Identifier: ISC
"""What to say when our functions are not there, or not for the role that calls them."""

from __future__ import annotations

import re
from typing import Any

_CLOSED = re.compile("permission denied for (function|schema|sequence|table|view) ")
_OUR_SCHEMAS = re.compile(rb"\b(pgq|pgq_node|pgq_coop|pgq_ext|londiste)\.")
_ABSENT = re.compile('schema "(pgq|pgq_node|pgq_coop|pgq_ext|londiste)" does not exist')
_PLAIN = re.compile("[a-z_][a-z0-9_]*")


def remedy(error: Any) -> str:
    """Return the statement that helps; empty when what lacks is not ours. `error` is the driver's.

    The server's texts are compared as they are in English; in another language nothing is added.
    """
    absent = error.pgcode == "3F000" and _ABSENT.match(error.diag.message_primary or "")
    return f"run there: create extension {absent[1]}" if absent else _missing_grant(error)


def _missing_grant(error: Any) -> str:
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
