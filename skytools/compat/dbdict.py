# SPDX-License-Identifier: ISC
"""A row whose columns are attributes too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

V = TypeVar("V")


class dbdict(dict[str, V]):  # noqa: N801 - the name that scripts use
    """A dict with attribute access to its keys."""

    def __getattr__(self, name: str) -> V:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: V) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(name) from None

    def merge(self, other: Mapping[str, V]) -> None:
        """Take over the keys of another row that this one does not have."""
        for key, value in other.items():
            self.setdefault(key, value)
