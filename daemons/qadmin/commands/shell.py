# SPDX-License-Identifier: ISC
"""Commands about the console itself."""

from __future__ import annotations

from typing import Any

import skytools
from skytools.core.db import merge_conninfo
from skytools.core.errors import UsageError
from skytools.daemons.qadmin.doctor.report import doctor
from skytools.daemons.qadmin.grammar import Command
from skytools.daemons.qadmin.session import Exit, Session
from skytools.daemons.qadmin.watch import watch

PACKAGES = {
    "pgq": ("pgq", "pgq_ext", "pgq_node", "pgq_coop"),
    "londiste": ("pgq", "pgq_node", "londiste"),
}


def connect(session: Session, values: dict[str, Any]) -> None:
    """Connect elsewhere, choose a default queue, or both."""
    options = dict(values.get("options", {}))
    queue = options.pop("queue", "")
    node = options.pop("node", "")
    if node and options:
        raise UsageError("node= says where to connect: it excludes dbname, host, port, user")
    if node:
        session.reconnect(_location(session, queue or session.queue, node))
    elif options or not queue:
        session.reconnect(merge_conninfo(session.db.conninfo, **options))
    session.queue = queue or session.queue
    name, user = session.db.query("select current_database(), current_user")[0]
    session.status(f"connected to {name} as {user}, queue {session.queue or '(none)'}")


def _location(session: Session, queue: str, node: str) -> str:
    if not queue:
        raise UsageError("node= needs a queue: connect queue=NAME node=NODE;")
    rows = session.fetch("select * from pgq_node.get_queue_locations(%s)", (queue,))
    for row in rows:
        if row["node_name"] == node:
            found: str = row["node_location"]
            return found
    known = ", ".join(row["node_name"] for row in rows) or "none"
    raise UsageError(f"queue {queue} has no node {node}; nodes: {known}")


def install(session: Session, values: dict[str, Any]) -> None:
    """Create the extensions that are missing."""
    names = PACKAGES["pgq" if "pgq" in values["words"] else "londiste"]
    there = {row["extname"] for row in session.fetch("select extname from pg_extension")}
    for name in names:
        if name in there:
            session.status(f"extension {name} is there")
        else:
            session.db.execute(f"create extension {name}").close()
            session.status(f"extension {name} created")


def show_help(session: Session, values: dict[str, Any]) -> None:
    """List all commands."""
    rows = [
        {"command": command.syntax + ";", "help": command.help}
        for command in sorted(session.grammar.commands, key=lambda one: one.syntax.lstrip("[ "))
    ]
    if session.out.as_json:
        session.out.data(rows)
    for row in rows:
        session.out.line(f"{row['command']}\n    {row['help']}")
    session.out.line("Anything else is sent to the server as SQL. A line may have many statements.")


def show_version(session: Session, values: dict[str, Any]) -> None:
    """Show the versions of console, server and extensions."""
    rows = [{"part": "qadmin", "version": skytools.__version__}]
    rows += session.fetch(
        """select 'server' as part, current_setting('server_version') as version
           union all (select extname, extversion from pg_extension
                       where extname in ('pgq', 'pgq_ext', 'pgq_node', 'pgq_coop', 'londiste')
                       order by extname)"""
    )
    session.table(rows, ["part", "version"])


def leave(session: Session, values: dict[str, Any]) -> None:
    """End the console."""
    raise Exit


COMMANDS = (
    Command(
        "connect [{ dbname=DBNAME host=HOST port=PORT user=USER password=TEXT queue=QUEUE"
        " node=NODE }]",
        "connect elsewhere, to a node of the queue, or choose the default queue",
        connect,
    ),
    Command("install ( pgq | londiste )", "create the extensions that are missing", install),
    Command("[ show ] help", "this list", show_help),
    Command("show version", "versions of console, server and extensions", show_version),
    Command(
        "watch [ ( QUEUE | * ) ] [ every NUMBER ] [ count NUMBER2 ]",
        "queues and consumers, drawn again every 2 seconds",
        watch,
    ),
    Command(
        "doctor [{ age=NUMBER free=NUMBER }]",
        "say why nothing moves; age: seconds that things may take, free: percent of the disk",
        doctor,
    ),
    Command("exit", "end", leave),
    Command("quit", "end", leave),
)
