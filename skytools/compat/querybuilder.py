# SPDX-License-Identifier: ISC
"""Statements with named parameters and optional parts. Source: skytools.querybuilder.

`{key}` and `{key:type}` (default text) are parameters, `{key|sql}` is SQL that takes the
parameter's place when it is missing; `{{` and `}}` are braces.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from skytools.compat.dbdict import dbdict

__all__ = [
    "PLPyQuery",
    "PLPyQueryBuilder",
    "QueryBuilder",
    "plpy_exec",
    "run_exists",
    "run_lookup",
    "run_query",
    "run_query_row",
]

Row = dbdict[Any]
Params = Mapping[str, Any] | None

_PARAMETER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
_KEY = re.compile(r"\s*(\w+)\s*(?::\s*([\w\[\]. ]+?)\s*)?(?:\|(.*))?", re.DOTALL)
PLAN_CACHE = 100


class _Builder:
    """Collects SQL text, and for each parameter (name, type)."""

    def __init__(self, sqlexpr: str, params: Params) -> None:
        self.params: dict[str, Any] = dict(params or {})
        self._parts: list[str] = []
        self.arguments: list[tuple[str, str]] = []
        self.add(sqlexpr, required=True)

    def add(self, expr: str, type: str = "text", required: bool = False) -> None:
        """Append SQL; unless `required`, leave it out when one of its keys is missing."""
        found: list[tuple[str, str]] = []
        lacking: list[str] = []

        def one(match: re.Match[str]) -> str:
            if match[1] is None:
                return match[0][0]
            parsed = _KEY.fullmatch(match[1])
            if parsed is None:
                raise ValueError(f"bad parameter: {match[0]}")
            key, kind, instead = parsed.groups()
            if key in self.params:
                found.append((key, kind or type))
                return self.mark(len(self.arguments) + len(found), kind or type)
            if instead is None:
                lacking.append(key)
            return instead or ""

        text = _PARAMETER.sub(one, self.literal(expr))
        if lacking and required:
            raise KeyError(lacking[0])
        if not lacking:
            self._parts.append(text)
            self.arguments += found

    def literal(self, expr: str) -> str:
        """Return SQL text as the database's interface wants it."""
        return expr

    def mark(self, number: int, kind: str) -> str:
        """Return what stands for a parameter."""
        raise AssertionError(f"{type(self).__name__} must define mark()")

    def get_sql(self) -> str:
        """Return the statement."""
        return "\n".join(self._parts)


class QueryBuilder(_Builder):
    """A statement for a cursor."""

    def literal(self, expr: str) -> str:
        """Double the percent signs, which mean parameters to the driver."""
        return expr.replace("%", "%%")

    def mark(self, number: int, kind: str) -> str:
        """Return the driver's placeholder."""
        return f"(%s)::{kind}"

    def values(self) -> list[Any]:
        """Return the values of the parameters in order."""
        return [self.params[key] for key, _ in self.arguments]

    def execute(self, curs: Any) -> None:
        """Run the statement."""
        curs.execute(self.get_sql(), self.values())


def run_query(cur: Any, sql: str, params: Params = None, **kwargs: Any) -> list[Row]:
    """Run a statement and return its rows."""
    QueryBuilder(sql, {**(params or {}), **kwargs}).execute(cur)
    names = [column[0] for column in cur.description]
    return [dbdict(zip(names, row, strict=True)) for row in cur.fetchall()]


def run_query_row(cur: Any, sql: str, params: Params = None, **kwargs: Any) -> Row | None:
    """Run a statement and return its first row, None without rows."""
    rows = run_query(cur, sql, params, **kwargs)
    return rows[0] if rows else None


def run_lookup(cur: Any, sql: str, params: Params = None, **kwargs: Any) -> Any:
    """Run a statement and return the first column of its first row, None without rows."""
    row = run_query_row(cur, sql, params, **kwargs)
    return next(iter(row.values())) if row else None


def run_exists(cur: Any, sql: str, params: Params = None, **kwargs: Any) -> bool:
    """Run a statement and tell whether it returned a row."""
    return bool(run_query(cur, sql, params, **kwargs))


class PLPyQueryBuilder(_Builder):
    """A statement for PL/Python functions; plans are kept in `plan_cache` (a GD)."""

    def __init__(
        self,
        sqlexpr: str,
        params: Params,
        plan_cache: dict[str, Any] | None = None,
        sqls: list[dict[str, str]] | None = None,
    ) -> None:
        self._plans = plan_cache
        self._sqls = sqls
        super().__init__(sqlexpr, params)

    def mark(self, number: int, kind: str) -> str:
        """Return the server's placeholder."""
        return f"${number}"

    def execute(self) -> Sequence[Row]:
        """Prepare the statement, unless it is in the cache, and run it."""
        import plpy  # type: ignore[import-not-found]  # noqa: PLC0415 - inside the server only

        sql = self.get_sql()
        types = [kind for _, kind in self.arguments]
        key = f"{sql}\0{types}"
        plans = self._plans.setdefault("plan_cache", {}) if self._plans is not None else {}
        if key not in plans:
            while len(plans) >= PLAN_CACHE:
                del plans[next(iter(plans))]
            plans[key] = plpy.prepare(sql, types)
        values = [self.params[name] for name, _ in self.arguments]
        if self._sqls is not None:
            self._sqls.append({"sql": sql})
        return [dbdict(row) for row in plpy.execute(plans[key], values)]


class PLPyQuery:
    """A statement of a PL/Python function, kept from call to call."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self._plans: dict[str, Any] = {}

    def execute(self, arg_dict: Mapping[str, Any], all_keys_required: bool = True) -> Sequence[Row]:
        """Run it; with `all_keys_required` false a missing key is NULL."""
        return plpy_exec(self._plans, self.sql, arg_dict, all_keys_required)


def plpy_exec(
    gd: dict[str, Any] | None, sql: str, args: Params, all_keys_required: bool = True
) -> Sequence[Row]:
    """Run a statement in a PL/Python function. Raises KeyError when a key is missing."""
    given = dict(args or {})
    if not all_keys_required:
        for match in _PARAMETER.finditer(sql):
            parsed = _KEY.fullmatch(match[1] or "")
            if parsed and parsed[3] is None:
                given.setdefault(parsed[1], None)
    return PLPyQueryBuilder(sql, given, gd).execute()
