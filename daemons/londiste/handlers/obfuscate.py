# SPDX-License-Identifier: ISC
"""The handler that lets nobody below see what rows say."""

from __future__ import annotations

import functools
import hashlib
import json
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from skytools.core.errors import SkytoolsError, UsageError
from skytools.daemons.londiste.apply import Applier, Change, decode
from skytools.daemons.londiste.apply.changes import TRUNCATE, operation_of
from skytools.daemons.londiste.handlers.base import Handler, Values
from skytools.daemons.londiste.handlers.mapping import read
from skytools.pgq import Batch, Event

SKIP = "skip"
ACTIONS = ("keep", SKIP, "bool", "hash32", "hash64", "hash")
Rule = str | dict[str, Any]


class Obfuscate(Handler):
    """Columns are kept, hashed or left out, as the file obfuscator_map says.

    The file has table -> column -> keep, skip (so are columns that it does not name), bool
    (whether there is something), hash32, hash64, hash (128 bits, as UUID); for JSON names and
    actions again. Hashes are keyed by obfuscator_key: equal values stay equal. The same happens
    to rows that are copied, to those applied, and to events for subscribers of this node.
    """

    name = "obfuscate"
    maps_rows = True

    def check(self) -> None:
        """Read the map."""
        path = self.cfg.obfuscator_map
        if path is None:
            raise UsageError("handler obfuscate: the ini needs obfuscator_map")
        rules = _read(path).get(self.table.name)
        if not isinstance(rules, dict):
            raise UsageError(f"handler obfuscate: {path} says nothing of table {self.table.name}")
        self._rules: dict[str, Rule] = rules
        _check(path, self.table.name, rules)
        self._key = hashlib.blake2s(self.cfg.obfuscator_key.encode()).digest()

    def copy_event(self, values: Values) -> Values:
        """Return a row as this node may have it."""
        shown = {name: rule for name in values if (rule := self._rules.get(name, SKIP)) != SKIP}
        return {name: self._column(values[name], rule) for name, rule in shown.items()}

    def process(self, event: Event, batch: Batch, out: Applier) -> None:
        """Apply a change to what this node has of the row."""
        out.sink(self.table.dest).put(self._changed(event), event.id)

    def forward(self, event: Event) -> Event | None:
        """Pass an event on without what nobody shall see.

        Of the old row only a key that was another is left, by which those below find the row.
        """
        if operation_of(event.type or "")[0] in ("", TRUNCATE):
            return event
        change = self._changed(event)
        kind = f"{change.operation}:{','.join(change.key)}"
        old = None
        if change.old_key is not None:
            old = _encode(dict(zip(change.key, change.old_key, strict=True)))
        return event._replace(type=kind, data=_encode(change.values), extra2=old)

    def restore(self, change: Change, out: Applier) -> None:
        """Write a row as this node may have it."""
        out.sink(self.table.dest).put(self._hidden(change, "repair"), 0)

    def _changed(self, event: Event) -> Change:
        change = decode(event)
        if not isinstance(change, Change):
            raise SkytoolsError(
                f"event {event.id}: table {self.table.name}: obfuscate cannot read what sqltriga"
                " writes; make the trigger anew without Q in tgflags"
            )
        return self._hidden(change, f"event {event.id}")

    def _hidden(self, change: Change, what: str) -> Change:
        values = self.copy_event(change.values)
        hidden = [name for name in change.key if name not in values]
        if hidden:
            raise SkytoolsError(
                f"{what}: table {self.table.name}: key column {hidden[0]} is left out;"
                " keep or hash it"
            )
        old = None
        if change.old_key is not None:
            before = dict(zip(change.key, change.old_key, strict=True))
            old = tuple(self.copy_event(before).values())
        return Change(change.operation, change.key, values, old)

    def _column(self, value: str | None, rule: Rule) -> str | None:
        if isinstance(rule, str):
            return self._obscure(value, rule)
        if value is None:
            return None
        return json.dumps(self._json(json.loads(value), rule), ensure_ascii=False)

    def _json(self, value: Any, rule: Rule) -> Any:
        if isinstance(value, list):
            return [self._json(one, rule) for one in value]
        if isinstance(rule, dict):
            if not isinstance(value, dict):
                return None
            return {
                name: self._json(one, rule[name])
                for name, one in value.items()
                if rule.get(name, SKIP) != SKIP
            }
        if rule == "keep" or value is None:
            return value
        if rule == "bool":
            return bool(value)
        text = value if isinstance(value, str) else json.dumps(value)
        found = self._obscure(text, rule)
        return int(found) if rule in ("hash32", "hash64") and found else found

    def _obscure(self, value: str | None, rule: str) -> str | None:
        if rule == "bool":
            return "true" if value else "false"
        if rule == "keep" or value is None:
            return value
        size = {"hash32": 4, "hash64": 8, "hash": 16}[rule]
        digest = hashlib.blake2s(value.encode(), key=self._key, digest_size=size).digest()
        if size == 16:
            return str(uuid.UUID(bytes=digest))
        return str(int.from_bytes(digest, "big", signed=True))


@functools.lru_cache(maxsize=8)
def _read(path: Path) -> dict[str, Any]:
    return read(path)


def _check(path: Path, where: str, rules: dict[str, Any]) -> None:
    for name, rule in rules.items():
        if isinstance(rule, dict):
            _check(path, f"{where}.{name}", rule)
        elif rule not in ACTIONS:
            known = ", ".join(ACTIONS)
            raise UsageError(f"{path}: {where}.{name}: {rule!r} is none of {known}")


def _encode(values: Values) -> str:
    parts = (
        quote_plus(name) if value is None else f"{quote_plus(name)}={quote_plus(value)}"
        for name, value in values.items()
    )
    return "&".join(parts)
