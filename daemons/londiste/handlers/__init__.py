# SPDX-License-Identifier: ISC
"""What becomes of the events of a table: one handler for each, chosen by the attribute `handler`.

Other packages add theirs by entry points of the group skytools.londiste_handlers (name ->
module:Class), or by a module that handler_modules names and that lists its classes in HANDLERS.
"""

from skytools.daemons.londiste.handlers.base import Handler, format_call, parse_call
from skytools.daemons.londiste.handlers.registry import handlers, make

__all__ = ["Handler", "format_call", "handlers", "make", "parse_call"]
