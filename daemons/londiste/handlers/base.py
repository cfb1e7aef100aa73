# SPDX-License-Identifier: ISC
"""What a handler is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qsl, urlencode

from skytools.core.db import Database
from skytools.core.errors import UsageError
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.apply import Applier, Change
from skytools.pgq import Batch, Event

if TYPE_CHECKING:
    from skytools.daemons.londiste.config import LondisteConfig

Values = dict[str, str | None]
Process = Callable[[Event], None]


class Handler:
    """Decides what becomes of the events and rows of one table.

    Override what differs. `args` declares name -> help of the arguments of the handler; others
    are refused. `needs_table`: the table must exist here, and is copied. `maps_rows`: rows of the
    initial copy go through copy_event().
    """

    name: ClassVar[str] = ""
    args: ClassVar[Mapping[str, str]] = {}
    needs_table: ClassVar[bool] = True
    maps_rows: bool = False

    def __init__(self, table: TableInfo, given: Mapping[str, str], cfg: LondisteConfig) -> None:
        self.table = table
        self.given = dict(given)
        self.cfg = cfg
        unknown = sorted(set(given) - set(self.args))
        if unknown:
            known = ", ".join(self.args) or "none"
            raise UsageError(f"handler {self.name}: unknown argument {unknown[0]}; known: {known}")
        self.check()

    def check(self) -> None:
        """Look at the arguments. Raises UsageError for what is wrong with them."""

    # when the table is added

    def trigger_args(self, args: list[str]) -> list[str]:
        """Return the arguments for the trigger, given those of the user."""
        return args

    # the initial copy; compare and repair

    def copy_condition(self, db: Database) -> str | None:
        """Return the SQL condition of the rows that this node has, for the source; None: all.

        `db` is the database of this node.
        """
        return None

    def copy_event(self, values: Values) -> Values | None:
        """Return the row as this node shall have it, None to leave it out. See `maps_rows`."""
        return values

    # events

    def prepare(self, batch: Batch, out: Applier) -> None:
        """Get ready for the events of a batch; only called when it has some."""

    def bind(self, batch: Batch, out: Applier) -> Process:
        """Return what is called for each event of the table in this batch."""
        return partial(self._process, batch, out)

    def _process(self, batch: Batch, out: Applier, event: Event) -> None:
        self.process(event, batch, out)

    def process(self, event: Event, batch: Batch, out: Applier) -> None:
        """Apply a change of a row."""
        out.change(self.table.dest, event)

    def truncate(self, event: Event, batch: Batch, out: Applier) -> None:
        """Apply a TRUNCATE."""
        out.truncate(self.table.dest, event)

    def restore(self, change: Change, out: Applier) -> None:
        """Write a row of the source that is missing here, for repair: an INSERT.

        Raises SkytoolsError when only its event would tell what becomes of it.
        """
        out.sink(self.table.dest).put(change, 0)

    def forward(self, event: Event) -> Event | None:
        """Return the event as subscribers of this node shall get it, None: not at all."""
        return event

    def flush(self, batch: Batch, out: Applier) -> None:
        """Hand over what is held back: at the end of a batch, and before TRUNCATE and EXECUTE."""

    def wants_forward(self) -> bool:
        """Tell whether forward() does anything."""
        return type(self).forward is not Handler.forward

    def flag(self, name: str) -> bool:
        """Return an argument that is 0 or 1."""
        text = self.given.get(name, "0")
        if text not in ("0", "1"):
            raise UsageError(f"handler {self.name}: {name}={text}: 0 or 1 expected")
        return text == "1"

    def utf8_errors(self) -> str:
        """Return what decode() shall do with bytes that are no UTF-8, by the argument encoding."""
        encoding = self.given.get("encoding", "").lower().replace("-", "")
        if encoding not in ("", "utf8"):
            raise UsageError(f"handler {self.name}: encoding={encoding}: only utf8 is known")
        return "replace" if encoding else "strict"

    def required(self, name: str) -> str:
        """Return an argument that must be there."""
        text = self.given.get(name, "")
        if not text:
            raise UsageError(f"handler {self.name}: argument {name} is needed")
        return text


def parse_call(text: str) -> tuple[str, dict[str, str]]:
    """Read `name(key=value&...)` as it is stored: (name, arguments)."""
    name, paren, rest = text.strip().partition("(")
    if not paren:
        return name, {}
    if not rest.endswith(")"):
        raise UsageError(f"handler {text!r}: closing parenthesis is missing")
    return name, dict(parse_qsl(rest[:-1], keep_blank_values=True))


def format_call(name: str, args: Mapping[str, str]) -> str:
    """Return how a handler with its arguments is stored."""
    return f"{name}({urlencode(args)})" if args else name
