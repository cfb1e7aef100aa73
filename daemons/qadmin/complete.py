# SPDX-License-Identifier: ISC
"""Completion: the words and names that may come next, names read from the server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from skytools.core.errors import SkytoolsError
from skytools.daemons.qadmin.grammar import KINDS
from skytools.daemons.qadmin.lexer import Kind, quote, tokenize
from skytools.daemons.qadmin.session import Session
from skytools.daemons.qadmin.syntax import Leaf

# %(queue)s is the queue that the command names, or the default one; %(consumer)s its consumer.
_NAMES = {
    "QUEUE": "select queue_name from pgq.queue",
    "CONSUMER": """select distinct consumer_name from pgq.get_consumer_info(%(queue)s, null)
                    where consumer_name not like '%%#%%/%%'""",
    "SUBCONSUMER": """select substr(consumer_name, length(%(consumer)s) + 2)
                        from pgq.get_consumer_info(%(queue)s, null)
                       where starts_with(consumer_name, %(consumer)s || '.')""",
    "NODE": """select distinct node_name from pgq_node.node_location
                where %(queue)s::text is null or queue_name = %(queue)s""",
    "BATCH": """select current_batch::text from pgq.get_consumer_info(%(queue)s, null)
                 where current_batch is not null
                 union all
                select consumer_name from pgq.get_consumer_info(%(queue)s, null)
                 where current_batch is not null""",
    "TICK": """select t.tick_id::text from pgq.tick t join pgq.queue q on q.queue_id = t.tick_queue
                where q.queue_name = %(queue)s order by t.tick_id desc limit 20""",
    "DBNAME": "select datname from pg_database where datallowconn",
    "USER": "select rolname from pg_roles where rolcanlogin",
    "TABLE": """select case when pg_table_is_visible(c.oid) then c.relname
                            else n.nspname || '.' || c.relname end
                  from pg_class c join pg_namespace n on n.oid = c.relnamespace
                 where c.relkind in ('r', 'p') and c.relnamespace not in (
                       select oid from pg_namespace where nspname like 'pg\\_%%' or nspname in
                       ('information_schema', 'pgq', 'pgq_ext', 'pgq_node', 'londiste'))""",
    "SEQUENCE": """select case when pg_table_is_visible(c.oid) then c.relname
                               else n.nspname || '.' || c.relname end
                     from pg_class c join pg_namespace n on n.oid = c.relnamespace
                    where c.relkind = 'S' and c.relnamespace not in (
                          select oid from pg_namespace where nspname like 'pg\\_%%' or nspname in
                          ('information_schema', 'pgq', 'pgq_ext', 'pgq_node', 'londiste'))""",
}
# After `londiste remove`: what is registered.
_REGISTERED = {
    "TABLE": "select table_name from londiste.table_info where queue_name = %(queue)s and local",
    "SEQUENCE": "select seq_name from londiste.seq_info where queue_name = %(queue)s and local",
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something to put in place of the last `width` characters; `meaning` is for people."""

    text: str
    width: int
    meaning: str = ""


class Completer:
    """Names are asked for once a line: forget() begins the next."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[tuple[str, str | None, str | None], list[str]] = {}

    def forget(self) -> None:
        """Ask the server anew from now on."""
        self._known.clear()

    def candidates(self, text: str) -> list[Candidate]:
        """Return what may come at the end of a text; a command there may be half typed."""
        text = text[_last_statement(text) :]
        tokens = tokenize(text, partial=True)
        before, typed, raw = text, "", ""
        if tokens and tokens[-1].end == len(text) and tokens[-1].kind is not Kind.SYMBOL:
            typed, raw = tokens[-1].value, tokens[-1].raw
            before = text[: tokens[-1].start]
        found: list[Candidate] = []
        for leaf in self._session.grammar.expected(before):
            found += self._of(leaf, before, typed, raw)
        return found

    def syntax(self, text: str) -> list[str]:
        """Return the syntax of the commands that a text may be the beginning of."""
        text = text[_last_statement(text) :]
        if not text.strip():
            return []
        return [command.syntax for command in self._session.grammar.matching(text)]

    def _of(self, leaf: Leaf, before: str, typed: str, raw: str) -> list[Candidate]:
        if not leaf.is_value:
            fits = leaf.text.startswith(typed) and not raw.startswith(("'", '"'))
            return [Candidate(leaf.text, len(raw))] if fits else []
        meaning = KINDS[leaf.kind]
        return [
            Candidate(quote(name), len(raw), meaning)
            for name in self._names(leaf.kind, before)
            if name.lower().startswith(typed.lower())
        ]

    def _names(self, kind: str, before: str) -> list[str]:
        local = _LOCAL.get(kind)
        if local is not None:
            return local()
        values = self._session.grammar.values_so_far(before)
        queue = values.get("queue") or self._session.queue or None
        key = (kind, queue, values.get("consumer"))
        if before.lower().split()[:2] == ["londiste", "remove"]:
            query = _REGISTERED.get(kind)
        else:
            query = _NAMES.get(kind)
        if query is None:
            return []
        if key not in self._known:
            self._known[key] = self._ask(query, queue, values.get("consumer"))
        return self._known[key]

    def _ask(self, query: str, queue: str | None, consumer: str | None) -> list[str]:
        try:
            rows = self._session.db.query(query, {"queue": queue, "consumer": consumer})
        except SkytoolsError:
            return []  # typing goes on without help; the command itself will say what is wrong
        return sorted({row[0] for row in rows})


def _hosts() -> list[str]:
    names = ["localhost"]
    try:
        lines = Path("/etc/hosts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        names += line.partition("#")[0].split()[1:]
    return sorted(set(names))


_LOCAL: dict[str, Callable[[], list[str]]] = {
    "HOST": _hosts,
    "PORT": lambda: ["5432", "6432"],
}


def _last_statement(text: str) -> int:
    """Return where the last statement begins."""
    begin = 0
    for token in tokenize(text, partial=True):
        if token.kind is Kind.SYMBOL and token.value == ";":
            begin = token.end
    return begin
