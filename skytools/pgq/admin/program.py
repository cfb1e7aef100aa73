# SPDX-License-Identifier: ISC
"""The program setadm: administration of a cascade without Londiste."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import skytools
from skytools.core.arguments import Parser, overrides_of
from skytools.core.cli import Output, guard
from skytools.core.config import REQUIRED, DaemonConfig, load, option, settings
from skytools.core.db import check_conninfo
from skytools.core.errors import UsageError
from skytools.core.template import render_ini
from skytools.pgq.admin.cli import add_commands, arrange
from skytools.pgq.admin.cli import run as run_command
from skytools.pgq.admin.site import Site

SECTION = "cascade_admin"
PURPOSE = "Administration of the nodes of a cascade."


@settings
class AdminConfig(DaemonConfig):
    """Keys of setadm; those of daemons are accepted and have no meaning here."""

    node_db: str = option(
        REQUIRED, "The local node: libpq connect string.", check=check_conninfo,
        example="dbname=app host=127.0.0.1",
    )  # fmt: skip
    queue_name: str = option("", "The queue; --queue is another way to name it.",
                             example="myqueue")  # fmt: skip
    node_name: str = option("", "Name of a node that is made, when none is given.")
    public_node_location: str = option(
        "", "Where other nodes find a node that is made, when it is not given.",
        check=check_conninfo,
    )  # fmt: skip
    initial_provider_location: str = option(
        "", "The provider of a node that is made, without --provider.", check=check_conninfo
    )
    remote_extra_connstr: str = option(
        "", "Added to the connect strings of other nodes.", check=check_conninfo
    )


def parser(program: str = "setadm") -> argparse.ArgumentParser:
    """Return the parser; its switches may stand anywhere, see cli.arrange."""
    p: argparse.ArgumentParser = Parser(
        prog=program,
        usage=f"{program} [switches] INI COMMAND [arguments]",
        description=PURPOSE,
        epilog="`setadm INI COMMAND --help` tells the switches of a command.",
    )
    p.add_argument("config", nargs="?", type=Path, metavar="INI", help=f"ini with [{SECTION}]")
    add = p.add_argument
    add("--queue", default="", metavar="QUEUE", help="the queue, instead of queue_name in the ini")
    add("--json", action="store_true", help="write JSON")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="override a key")
    add("--ini", action="store_true", help="print a commented template and end")
    add("-q", "--quiet", action="store_true", help="do not tell what goes on")
    add("-v", "--verbose", action="count", default=0, help=argparse.SUPPRESS)
    add("-V", "--version", action="version", version=f"{program} {skytools.__version__}")
    add_commands(p.add_subparsers(title="commands", metavar="COMMAND", prog=f"{program} INI"))
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    return guard("setadm", lambda: _main(args))


def _main(args: list[str]) -> int:
    p = parser()
    opts = p.parse_args(arrange(p, args))
    overrides = overrides_of(opts.set)
    if opts.ini:
        sys.stdout.write(render_ini(AdminConfig, SECTION, PURPOSE, overrides))
        return 0
    if opts.config is None:
        raise UsageError("which ini? Give its path, or --ini for a template")
    if not hasattr(opts, "admin"):
        raise UsageError("no command given; --help lists them")
    cfg = load(AdminConfig, opts.config, SECTION, overrides).config
    queue = opts.queue or cfg.queue_name
    if not queue:
        raise UsageError("which queue? Give --queue, or queue_name in the ini")
    site = Site(
        queue=queue,
        db=cfg.node_db,
        node_name=cfg.node_name,
        public_location=cfg.public_node_location,
        provider_location=cfg.initial_provider_location,
        extra_connstr=cfg.remote_extra_connstr,
    )
    return run_command(opts, site, Output(as_json=opts.json))
