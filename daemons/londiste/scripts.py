# SPDX-License-Identifier: ISC
"""Scripts of `londiste execute`: on which nodes they run, and running them.

Attributes are the first lines, before any SQL: `--*-- Local-Table: public.a, public.b`. A comma
at the end goes on in the next such line. All of them hold: the script runs; none: it does not;
some: that is an error. `@name@` becomes the quoted local name of what a Local- attribute names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from skytools.core.db import Database
from skytools.core.errors import DatabaseError, SkytoolsError, UsageError
from skytools.core.sqltokens import parse_statements
from skytools.daemons.londiste import api, names

MARK = "--*--"
_PLACE = re.compile(r"@([^@\s]+)@")
_FUNCTION = re.compile(r"(.+?)\s*\(\s*(\d+)\s*\)")

_RELATION = """select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = %s and c.relname = %s and c.relkind = any (%s))"""
_PROC = """select exists (select from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = %s and p.proname = %s and p.pronargs = %s)"""
_KINDS = {"need-table": ["r", "p", "f"], "need-sequence": ["S"], "need-view": ["v", "m"]}


@dataclass(frozen=True, slots=True)
class Locals:
    """What this node is subscribed to: registered name -> local name."""

    tables: Mapping[str, str]
    sequences: Mapping[str, str]

    @classmethod
    def read(cls, db: Database, queue: str) -> Locals:
        """Ask the node."""
        return cls(
            {one.name: one.dest for one in api.tables(db, queue) if one.local},
            {one.name: one.name for one in api.sequences(db, queue) if one.local},
        )


@dataclass(slots=True)
class Attributes:
    """Lower-case key -> values."""

    values: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of_script(cls, text: str) -> Attributes:
        """Read the head of a script. Raises UsageError with what is wrong."""
        found = cls()
        key = ""
        for raw in text.splitlines():
            line = raw.strip()
            if line.startswith(MARK):
                key = found._line(line.removeprefix(MARK).strip(), key)
            elif line and not line.startswith("--"):
                break
        if key:
            raise UsageError(f"attribute {key}: nothing follows the comma at the end of its line")
        return found

    def _line(self, text: str, open_key: str) -> str:
        """Take one line; returns the key that goes on in the next."""
        key, rest = open_key, text
        if not key:
            key, colon, rest = text.partition(":")
            key = key.strip().lower()
            if not colon or key not in CHECKS:
                known = ", ".join(name.title() for name in CHECKS)
                raise UsageError(f"attribute {text!r}: `Key: value` expected; keys: {known}")
        self.values.setdefault(key, []).extend(w.strip() for w in rest.split(",") if w.strip())
        return key if rest.rstrip().endswith(",") else ""

    @classmethod
    def decode(cls, text: str | None) -> Attributes:
        """Read what encode() wrote."""
        pairs = parse_qsl(text or "", keep_blank_values=True)
        unknown = [key for key, _ in pairs if key not in CHECKS]
        if unknown:
            raise SkytoolsError(f"attribute {unknown[0]} is unknown to this version")
        return cls({key: [w.strip() for w in rest.split(",")] for key, rest in pairs})

    def encode(self) -> str | None:
        """Return the form in which nodes hand attributes on; None when there are none."""
        return urlencode({k: ",".join(v) for k, v in self.values.items()}) or None

    def wanted(self, db: Database, here: Locals) -> bool:
        """Tell whether the script is for this node. Raises SkytoolsError when only some hold."""
        holds = {
            f"{key.title()}: {value}": CHECKS[key](db, here, value)
            for key, values in self.values.items()
            for value in values
        }
        if all(holds.values()):
            return True
        if not any(holds.values()):
            return False
        yes, no = ([name for name, one in holds.items() if one is what] for what in (True, False))
        raise SkytoolsError(f"the script is for this node by {yes[0]}, but not by {no[0]}")

    def place(self, text: str, here: Locals) -> str:
        """Replace @name@ by quoted local names."""
        known: dict[str, str] = {}
        for key, values in self.values.items():
            locals_of = {"local-sequence": here.sequences}.get(key, here.tables)
            if key.startswith("local-"):
                known.update({v: locals_of.get(names.full(v), names.full(v)) for v in values})
        return _PLACE.sub(
            lambda match: names.quote(known[match[1]]) if match[1] in known else match[0], text
        )


def _local_destination(db: Database, here: Locals, value: str) -> bool:
    dest = here.tables.get(names.full(value))
    return dest is not None and _exists(db, dest, ["r", "p", "f", "v"])


def _exists(db: Database, name: str, kinds: list[str]) -> bool:
    return bool(db.value(_RELATION, (*names.split(name), kinds)))


def _need_function(db: Database, here: Locals, value: str) -> bool:
    match = _FUNCTION.fullmatch(value)
    if match is None:
        raise UsageError(f"attribute Need-Function: {value!r}: name(number of arguments) expected")
    return bool(db.value(_PROC, (*names.split(match[1]), int(match[2]))))


def _need_schema(db: Database, here: Locals, value: str) -> bool:
    return bool(db.value("select exists (select from pg_namespace where nspname = %s)", (value,)))


def _need(kind: str) -> Callable[[Database, Locals, str], bool]:
    return lambda db, here, value: _exists(db, value, _KINDS[kind])


CHECKS: dict[str, Callable[[Database, Locals, str], bool]] = {
    "local-table": lambda db, here, value: names.full(value) in here.tables,
    "local-sequence": lambda db, here, value: names.full(value) in here.sequences,
    "local-destination": _local_destination,
    "need-table": _need("need-table"),
    "need-sequence": _need("need-sequence"),
    "need-view": _need("need-view"),
    "need-schema": _need_schema,
    "need-function": _need_function,
}


def statements(text: str) -> Iterator[str]:
    """Yield the statements of a script. Raises UsageError when it cannot be divided."""
    try:
        yield from parse_statements(text, standard_quoting=True)
    except ValueError as exc:
        raise UsageError(f"the script cannot be divided into statements: {exc}") from exc


@dataclass(frozen=True, slots=True)
class Script:
    """A script by its name; `attrs` as they are handed on."""

    name: str
    text: str
    attrs: str | None


# The attributes are a column since 4.0.
_EXECUTED = """select execute_file, execute_sql, to_jsonb(e) ->> 'execute_attrs'
    from londiste.applied_execute e where queue_name = %s"""


def take_over(provider: Database, new: Database, queue: str) -> None:
    """Have a new node leave out what its provider has executed.

    Its events may begin before that, and its tables are made as they are now.
    """
    for name, text, attrs in provider.query(_EXECUTED, (queue,)):
        api.execute_start(new, queue, name, text, root=False, attrs=attrs)


def run(db: Database, queue: str, script: Script, *, root: bool) -> bool:
    """Run a script in the open transaction, once in a database; tell whether it was run.

    session_replication_role is local while it runs, so that triggers do not log what it does, and
    replica (root: origin) afterwards. On the root the event for all others is written.
    """
    answer = api.execute_start(db, queue, script.name, script.text, root=root, attrs=script.attrs)
    if answer.code == 201:
        return False
    attributes = Attributes.decode(script.attrs)
    here = Locals.read(db, queue)
    wanted = attributes.wanted(db, here)
    if wanted:
        api.set_replication_role(db, "local", local=True)
        for statement in statements(attributes.place(script.text, here)):
            try:
                db.execute(statement).close()
            except DatabaseError as exc:
                first = " ".join(statement.split())[:200]
                raise SkytoolsError(f"{script.name}: {exc}; statement: {first}") from exc
        api.set_replication_role(db, "origin" if root else "replica", local=True)
    api.execute_finish(db, queue, script.name)
    return wanted
