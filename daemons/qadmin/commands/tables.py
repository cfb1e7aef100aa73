# SPDX-License-Identifier: ISC
"""Commands about tables and sequences, and what Londiste does with them."""

from __future__ import annotations

from typing import Any

from skytools.core import sql
from skytools.core.errors import SkytoolsError, UsageError
from skytools.daemons.qadmin.grammar import Command
from skytools.daemons.qadmin.session import Session


def show_table(session: Session, values: dict[str, Any]) -> None:
    """Show the statements that make a table."""
    oid = _relation(session, values["table"], "rp", "table")
    query = sql.get("skytools.daemons.qadmin", "table_ddl")
    statements = [row[0] for row in session.db.query(query, {"oid": oid})]
    _show_statements(session, statements)


def show_sequence(session: Session, values: dict[str, Any]) -> None:
    """Show the statements that make a sequence and set its value."""
    oid = _relation(session, values["sequence"], "S", "sequence")
    statements = session.db.query(
        """select format('create sequence %%s as %%s increment %%s minvalue %%s maxvalue %%s'
                         ' start %%s cache %%s%%s;', s.seqrelid::regclass, s.seqtypid::regtype,
                         s.seqincrement, s.seqmin, s.seqmax, s.seqstart, s.seqcache,
                         case when s.seqcycle then ' cycle' else '' end),
                  format('select setval(%%L, %%s, %%L);', s.seqrelid::regclass,
                         coalesce(pg_sequence_last_value(s.seqrelid), s.seqstart),
                         pg_sequence_last_value(s.seqrelid) is not null)
             from pg_sequence s where s.seqrelid = %s""",
        (oid,),
    )[0]
    _show_statements(session, list(statements))


def _relation(session: Session, name: str, kinds: str, what: str) -> int:
    row = session.db.query_one(
        """select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where strpos(%(kinds)s, c.relkind::text) > 0
              and (n.nspname || '.' || c.relname = %(name)s
                   or (c.relname = %(name)s and pg_table_is_visible(c.oid)))""",
        {"name": name, "kinds": kinds},
    )
    if row is None:
        raise SkytoolsError(f"there is no {what} {name}")
    found: int = row[0]
    return found


def _show_statements(session: Session, statements: list[str]) -> None:
    if session.out.as_json:
        session.out.data([{"statement": text} for text in statements])
    for text in statements:
        session.out.line(text)


# londiste


def add_table(session: Session, values: dict[str, Any]) -> None:
    """Register tables with Londiste on this node."""
    queue = session.queue_of(values)
    arguments = [_argument(key, value) for key, value in values.get("options", {}).items()]
    for table in values["table"]:
        session.call(
            "select * from londiste.local_add_table(%s, %s, %s)", (queue, table, arguments)
        )


def _argument(key: str, value: str | bool) -> str:
    """Return a setting as the trigger takes it."""
    if value is True:
        return key
    return f"{'ignore' if key == 'ev_ignore' else key}={value}"


def _each(function: str, kind: str) -> Any:
    def run(session: Session, values: dict[str, Any]) -> None:
        queue = session.queue_of(values)
        for name in values[kind]:
            session.call(f"select * from londiste.{function}(%s, %s)", (queue, name))  # noqa: S608

    return run


def _listing(function: str, *columns: str) -> Any:
    def run(session: Session, values: dict[str, Any]) -> None:
        queue = session.queue_of(values)
        here = "select 1 from pgq_node.node_info where queue_name = %s"
        if session.db.value(here, (queue,)) is None:
            raise UsageError(f"this database is no node of queue {queue}")
        query = f"select * from londiste.{function}(%s)"  # noqa: S608 # names from this file
        session.table(session.fetch(query, (queue,)), columns)

    return run


COMMANDS = (
    Command("show table TABLE", "the statements that make a table", show_table),
    Command("show sequence SEQUENCE", "the statements that make a sequence", show_sequence),
    Command(
        "londiste add table TABLE,.. [ with { skip_truncate expect_sync backup skip no_triggers"
        " ev_ignore=TEXT ev_type=TEXT ev_data=TEXT ev_extra1=TEXT ev_extra2=TEXT ev_extra3=TEXT"
        " ev_extra4=TEXT pkey=TEXT when=TEXT tgflags=TEXT } ]",
        "register tables with Londiste on this node",
        add_table,
    ),
    Command(
        "londiste add sequence SEQUENCE,..",
        "register sequences with Londiste on this node",
        _each("local_add_seq", "sequence"),
    ),
    Command(
        "londiste remove table TABLE,..",
        "unregister tables on this node",
        _each("local_remove_table", "table"),
    ),
    Command(
        "londiste remove sequence SEQUENCE,..",
        "unregister sequences on this node",
        _each("local_remove_seq", "sequence"),
    ),
    Command(
        "londiste tables",
        "tables that Londiste knows here",
        _listing(
            "get_table_list", "table_name", "local", "merge_state", "table_attrs", "dest_table"
        ),
    ),
    Command(
        "londiste seqs",
        "sequences that Londiste knows here",
        _listing("get_seq_list", "seq_name", "last_value", "local"),
    ),
    Command(
        "londiste missing",
        "what is not registered here",
        _listing("local_show_missing", "obj_kind", "obj_name"),
    ),
)
