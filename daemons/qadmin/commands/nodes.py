# SPDX-License-Identifier: ISC
"""Commands about the nodes of a cascade."""

from __future__ import annotations

import argparse
from typing import Any

from skytools.core.errors import SkytoolsError
from skytools.daemons.qadmin.grammar import Command
from skytools.daemons.qadmin.session import Session, Told, positive
from skytools.pgq.admin import cli as admin
from skytools.pgq.admin import commands
from skytools.pgq.admin.site import Site


def show_node(session: Session, values: dict[str, Any]) -> None:
    """Show the members of cascades, as this database knows them."""
    queue, name = session.queues_of(values), values.get("node", "*")
    rows = session.fetch(
        """select l.queue_name as queue, l.node_name as node, l.node_location as location, l.dead,
                  i.node_type as here
             from pgq_node.node_location l
             left join pgq_node.node_info i using (queue_name, node_name)
            where (%(queue)s::text is null or l.queue_name = %(queue)s)
              and (%(name)s = '*' or l.node_name = %(name)s)
            order by 1, 2""",
        {"queue": queue, "name": name},
    )
    if not rows and name != "*":
        raise SkytoolsError(f"no node {name}" + (f" of queue {queue}" if queue else ""))
    session.table(rows, ["queue", "node", "location", "dead", "here"])


def show_local(session: Session, values: dict[str, Any]) -> None:
    """Show worker and consumers of the node that this database is."""
    rows = session.fetch(
        """select s.queue_name as queue, i.node_name as node, i.node_type as type,
                  s.consumer_name as consumer, s.consumer_name = i.worker_name as worker,
                  s.provider_node as provider, s.last_tick_id as last_tick, s.paused, s.uptodate,
                  s.cur_error as error
             from pgq_node.local_state s join pgq_node.node_info i using (queue_name)
            where %(queue)s::text is null or s.queue_name = %(queue)s
            order by 1, 5 desc, 4""",
        {"queue": session.queues_of(values)},
    )
    columns = ("queue", "node", "type", "consumer", "worker", "provider", "last_tick", "paused",
        "uptodate", "error")  # fmt: skip
    session.table(rows, columns)


# Word of an administration command -> kind of value here.
_KINDS = {"CONNSTR": "LOCATION"}


def _cascade(command: commands.Command) -> Command:
    """Return an administration command as one of the console: words, then switches."""
    kinds: dict[str, str] = {}
    syntax = [f"node {command.name}"]
    for word in command.words:
        plain = word.rstrip("?")
        kind = _KINDS.get(plain, "NODE") + (str(len(kinds) + 1) if kinds else "")
        kinds[plain.lower()] = kind.lower()
        syntax.append(f"[ {kind} ]" if word.endswith("?") else kind)
    if command.switches:
        settings = " ".join(_setting(name) for name in command.switches)
        syntax.append("[ with { " + settings + " } ]")
    syntax.append("[ on QUEUE ]")

    def run(session: Session, values: dict[str, Any]) -> None:
        opts = argparse.Namespace(admin=command, **_switches(command, values.get("options", {})))
        for word, name in kinds.items():
            setattr(opts, word, values.get(name))
        site = Site(queue=session.queue_of(values), db=session.db.conninfo)
        code = admin.run(opts, site, session.out)
        if code:
            raise Told(code)

    return Command(" ".join(syntax), command.help, run)


def _setting(name: str) -> str:
    switch = admin.SWITCHES[name]
    if switch.get("action") == "store_true":
        return name
    return f"{name}={'NODE' if switch['metavar'] == 'NODE' else 'TEXT'}"


def _switches(command: commands.Command, given: dict[str, Any]) -> dict[str, Any]:
    """Return the switches as a command line would have them."""
    found = {}
    for name in command.switches:
        switch = admin.SWITCHES[name]
        flag = switch.get("action") == "store_true"
        value = given.get(name, False if flag else switch["default"])
        if name in given and switch.get("action") == "append":
            value = value.split(",")
        elif name in given and switch.get("type") is float:
            value = positive(value, name)
        found[name.replace("-", "_")] = value
    return found


COMMANDS = (
    *(_cascade(command) for command in commands.COMMANDS),
    Command("show node [ ( NODE | * ) [ on QUEUE ] ]", "members of cascades", show_node),
    Command("show local [ on QUEUE ]", "worker and consumers of the node here", show_local),
)
