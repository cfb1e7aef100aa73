# SPDX-License-Identifier: ISC
"""CascadeAdmin: setadm as a class that scripts start, call and extend. Source: pgq.cascade.admin.

Each command is a method cmd_NAME, with the words of the command line as its arguments; switches
are in `options`. A script adds commands, and asks of the cascade what CascadeFacts knows::

    class Ours(pgq.CascadeAdmin):
        def cmd_who_reads(self, name):                  # ours.py INI who-reads NAME
            print(self.find_subscribers_for(name))

        def cmd_move_all(self, old, new):               # ours.py INI move-all OLD NEW
            for name in self.find_subscribers_for(old):
                self.node_change_provider(name, new)

        def cmd_takeover(self, old_node_name):          # a step more
            super().cmd_takeover(old_node_name)
            tell_everybody(self.find_root_node())

    Ours("cascade_admin", "node_db", sys.argv[1:]).start()

All do what setadm does: a plan of steps, journaled, that can be given again; so the steps of 3.x
(demote_node, takeover_root ...) are no methods. give() runs any command with switches of its own.
"""

from __future__ import annotations

import argparse
import optparse
import sys
from collections.abc import Sequence

from skytools.compat.pgq.cascadefacts import CascadeFacts
from skytools.compat.script import refuse
from skytools.core.cli import Output
from skytools.core.errors import UsageError
from skytools.pgq.admin import cli
from skytools.pgq.admin.commands import COMMANDS, Command
from skytools.pgq.admin.site import Site

__all__ = ["CascadeAdmin"]

_BY_NAME = {command.name: command for command in COMMANDS}


class CascadeAdmin(CascadeFacts):
    """Commands on the nodes of a cascade, given at one of them.

    Config template::

        # the local node
        node_db = dbname=app host=127.0.0.1

        queue_name = myqueue

        # name and connect string of a node that is made, and of its provider
        #node_name =
        #public_node_location =
        #initial_provider_location =

        # added to the connect strings of other nodes
        #remote_extra_connstr =
    """

    commands_without_pidfile: Sequence[str] = ("status", "node-status", "node-info", "members")

    def __init__(
        self, svc_name: str, dbname: str, args: Sequence[str], worker_setup: bool = False
    ) -> None:
        super().__init__(svc_name, args)
        self.initial_db_name = dbname
        self.worker_setup = worker_setup
        self.queue_name = self.options.queue or self.cf.get("queue_name", "")
        if not self.queue_name:
            refuse(svc_name, UsageError("which queue? Give --queue, or queue_name in the ini"))

    def init_optparse(self, parser: optparse.OptionParser | None = None) -> optparse.OptionParser:
        """Return the parser with the switches of all commands."""
        p = super().init_optparse(parser)
        p.set_usage("%prog [options] INI COMMAND [arguments]")
        p.epilog = f"Commands: {', '.join(_BY_NAME)}."
        p.add_option("--queue", default="", metavar="QUEUE", help="instead of queue_name")
        p.add_option("--json", action="store_true", default=False, help="write JSON")
        for name, words in cli.SWITCHES.items():
            hidden = words["help"] == argparse.SUPPRESS
            keywords = {**words, "help": optparse.SUPPRESS_HELP} if hidden else dict(words)
            if keywords.get("action") == "store_true":
                keywords["default"] = False
            p.add_option(f"--{name}", **keywords)
        return p

    def give(self, name: str, *words: str, **switches: object) -> None:
        """Do a command of setadm; `switches` win over those of the command line.

        Ends the process when the command has another exit code than 0. Raises SkytoolsError.
        """
        command = _BY_NAME[name]
        opts = argparse.Namespace(admin=command, quiet=bool(self.options.quiet))
        for switch in cli.SWITCHES:
            key = switch.replace("-", "_")
            setattr(opts, key, switches.get(key, getattr(self.options, key)))
        _fill(opts, command, words)
        code = cli.run(opts, self._site(), Output(as_json=bool(self.options.json)))
        self.queue_info = None  # not what it was
        if code:
            sys.exit(code)

    def _site(self) -> Site:
        get = self.cf.get
        return Site(
            queue=self.queue_name,
            db=get(self.initial_db_name),
            node_name=get("node_name", ""),
            public_location=get("public_node_location", ""),
            provider_location=get("initial_provider_location", ""),
            extra_connstr=get("remote_extra_connstr", ""),
        )

    # commands

    def cmd_install(self) -> None:
        """Make the extensions that are missing."""
        self.give("install")

    def cmd_create_root(self, *args: str) -> None:
        """Make the local database the root."""
        self.give("create-root", *args)

    def cmd_create_branch(self, *args: str) -> None:
        """Make it a node that has the queue."""
        self.give("create-branch", *args)

    def cmd_create_leaf(self, *args: str) -> None:
        """Make it a node that only reads."""
        self.give("create-leaf", *args)

    def cmd_drop_node(self, node_name: str) -> None:
        """Take a node out."""
        self.give("drop-node", node_name)

    def cmd_rename_node(self, old_name: str, new_name: str) -> None:
        """Give a node another name."""
        self.give("rename-node", old_name, new_name)

    def cmd_tag_dead(self, dead_node_name: str) -> None:
        """Let all nodes know that a node is dead."""
        self.give("tag-dead", dead_node_name)

    def cmd_tag_alive(self, node_name: str) -> None:
        """Let all nodes know that a node is alive."""
        self.give("tag-alive", node_name)

    def cmd_status(self) -> None:
        """Show the tree."""
        self.give("status")

    def cmd_node_status(self) -> None:
        """Show the local node."""
        self.give("node-status")

    def cmd_node_info(self) -> None:
        """Show all that the local node says."""
        self.give("node-info")

    def cmd_members(self) -> None:
        """List the nodes."""
        self.give("members")

    def cmd_pause(self) -> None:
        """Pause the worker of --node, or --consumer."""
        self.give("pause")

    def cmd_resume(self) -> None:
        """Let it go on."""
        self.give("resume")

    def cmd_change_provider(self) -> None:
        """Let --node or --consumer read --provider."""
        self.give("change-provider")

    def cmd_takeover(self, old_node_name: str) -> None:
        """Let the local node, or --node, take the place of another."""
        self.give("takeover", old_node_name)

    def cmd_resurrect(self) -> None:
        """Bring a former root back."""
        self.give("resurrect")

    def cmd_wait_root(self) -> None:
        """Wait until the local node has what the root has now."""
        self.give("wait-root")

    def cmd_wait_provider(self) -> None:
        """Wait until the local node has what its provider has now."""
        self.give("wait-provider")

    # the same for scripts that name nodes and consumers themselves

    def pause_node(self, node: str) -> None:
        """Pause a node's worker, and wait until it does."""
        self.give("pause", node=node, consumer="")

    def resume_node(self, node: str) -> None:
        """Let it go on."""
        self.give("resume", node=node, consumer="")

    def pause_consumer(self, node: str, consumer: str) -> None:
        """Pause a consumer of a node, and wait until it does."""
        self.give("pause", node=node, consumer=consumer)

    def resume_consumer(self, node: str, consumer: str) -> None:
        """Let it go on."""
        self.give("resume", node=node, consumer=consumer)

    def change_provider(self, node: str = "", consumer: str = "", new_provider: str = "") -> None:
        """Let a node's worker, or a consumer, read another node."""
        self.give("change-provider", node=node, consumer=consumer, provider=new_provider)

    def node_change_provider(self, node: str, new_provider: str) -> None:
        """Let a node's worker read another node."""
        self.change_provider(node=node, new_provider=new_provider)


def _fill(opts: argparse.Namespace, command: Command, words: Sequence[str]) -> None:
    """Give the words of a command line their names. Raises UsageError."""
    names = [word.rstrip("?").lower() for word in command.words]
    least = sum(1 for word in command.words if not word.endswith("?"))
    if not least <= len(words) <= len(names):
        raise UsageError(f"{command.name}: expected {' '.join(names).upper() or 'no arguments'}")
    for number, name in enumerate(names):
        setattr(opts, name, words[number] if number < len(words) else None)
