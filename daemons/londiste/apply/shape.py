# SPDX-License-Identifier: ISC
"""The columns that events of a table bring, and the statements made of them."""

from __future__ import annotations

import re
import string
import zlib
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from skytools.daemons.londiste.apply.changes import ApplyError
from skytools.daemons.londiste.apply.target import Column, TargetTable

Key = Any  # the text of the key column, or a tuple of them


class Shape:
    """A list of columns with a key; `columns` are those of them that can be written.

    `key_of(values)` gives the key of a row whose values are in the order of `columns`.
    `match(data)` matches what logutriga writes for such a row; its groups are the values, still
    encoded. So does `match_key`, with the key alone.
    """

    def __init__(
        self, table: TargetTable, given: Sequence[str], key: Sequence[str], event_id: int
    ) -> None:
        self.table = table
        self.given = tuple(given)
        self.key = tuple(key)
        known = [table.column(name, event_id) for name in self.given]
        self.columns: list[Column] = [one for one in known if not one.generated]
        order = [one.name for one in self.columns]
        lost = [name for name in self.key if name not in order]
        if lost:
            raise ApplyError(
                f"event {event_id}: key column {lost[0]} of table {table.name} is not in its data,"
                " or is generated here"
            )
        # In the order of the row, which is that of the groups of match_key.
        self.key_places = sorted(order.index(name) for name in self.key)
        self.key_end = self.key_places[-1] + 1 if self.key else -1
        self.key_of: Callable[[Sequence[str]], Key] = (
            itemgetter(*self.key_places) if self.key else tuple
        )
        self.match = re.compile("&".join(self._part(n, n in order) for n in self.given)).fullmatch
        self.match_key = re.compile(
            "&".join(self._part(n, n in self.key) for n in self.given)
        ).fullmatch
        kinds = [f"{one.name}\t{one.type}" for one in self.columns]
        self.number = zlib.crc32("\n".join(kinds).encode())  # names its temporary table
        self.rest = [one for one in self.columns if one.name not in self.key]

    @staticmethod
    def _part(name: str, wanted: bool) -> str:
        values = "[^&]*"
        group = f"({values})" if wanted else values
        return re.escape(_encoded(name)) + f"(?:={group})?"

    @property
    def key_columns(self) -> list[Column]:
        """The columns of the key, in the order of the row."""
        return [self.columns[place] for place in self.key_places]

    @property
    def is_indexed(self) -> bool:
        """Whether the server finds a row by its key at once."""
        return frozenset(self.key) in self.table.indexed

    @property
    def replaces(self) -> bool:
        """Whether UPDATE must be done by DELETE and INSERT: it may not set one of the columns."""
        return any(one.always for one in self.rest)

    def list(self) -> str:
        """Return the columns as SQL, joined by commas."""
        return ", ".join(one.quoted for one in self.columns)

    def key_list(self) -> str:
        """Return the key columns as SQL, joined by commas."""
        return ", ".join(one.quoted for one in self.key_columns)

    def same_key(self) -> str:
        """Return the condition that row t has the key of row s."""
        return " and ".join(f"t.{one.quoted} = s.{one.quoted}" for one in self.key_columns)

    def delete_from(self, source: str) -> str:
        """Return the statement that deletes the rows whose keys are in `source`, named s."""
        return f"delete from {self.table.only} t using {source} where {self.same_key()}"

    def update_from(self, source: str) -> str:
        """Return the statement that gives rows the values of those of `source`, named s."""
        changed = self.rest or self.key_columns[:1]
        settings = ", ".join(f"{one.quoted} = s.{one.quoted}" for one in changed)
        return f"update {self.table.only} t set {settings} from {source} where {self.same_key()}"

    def insert_into(self, source: str) -> str:
        """Return the statement that inserts what follows it: VALUES or SELECT."""
        return f"insert into {self.table.quoted} ({self.list()}) overriding system value {source}"

    # row by row, of literals

    def where(self, keys: Sequence[str]) -> str:
        """Return the condition of a row, of literals."""
        pairs = zip(self.key_columns, keys, strict=True)
        return " and ".join(f"{one.quoted} = {value}" for one, value in pairs)

    def update_row(self, values: Sequence[str]) -> str:
        """Return the statement that updates one row, of literals."""
        pairs = list(zip(self.columns, values, strict=True))
        chosen = [(c, v) for c, v in pairs if c.name not in self.key] or pairs[:1]
        settings = ", ".join(f"{one.quoted} = {value}" for one, value in chosen)
        condition = self.where([values[place] for place in self.key_places])
        return f"update {self.table.only} set {settings} where {condition}"

    def delete_row(self, keys: Sequence[str]) -> str:
        """Return the statement that deletes one row, of literals."""
        return f"delete from {self.table.only} where {self.where(keys)}"


def _encoded(name: str) -> str:
    """Return the name of a column as logutriga writes it."""
    return "".join(_PLAIN.get(byte) or f"%{byte:02x}" for byte in name.encode())


_PLAIN = {byte: chr(byte) for byte in (string.ascii_letters + string.digits + "_.-").encode()}
_PLAIN[ord(" ")] = "+"
