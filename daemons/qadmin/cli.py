# SPDX-License-Identifier: ISC
"""The `qadmin` command line: connection, and where statements come from."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import skytools
from skytools.core.arguments import Parser
from skytools.core.cli import Output, guard
from skytools.core.db import check_conninfo, merge_conninfo
from skytools.core.errors import EXIT_CRASH, SkytoolsError, UsageError
from skytools.daemons.qadmin.language import grammar
from skytools.daemons.qadmin.lexer import Statement, split, statement
from skytools.daemons.qadmin.running import run
from skytools.daemons.qadmin.session import Exit, Session, Told

_EPILOG = """\
statements:
  Commands such as `show queue;`, several to a line; `show help;` lists them all. Anything
  else is SQL. Without -c, -f or words of a command, on a terminal: a prompt with completion;
  otherwise statements are read from the standard input. The first error ends a script.

exit codes:
  0 done   1 the server refused, or cannot be reached   2 usage   3 doctor has found something
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; -h is the host, as in psql."""
    p = Parser(
        prog="qadmin",
        usage="qadmin [switches] [DBNAME | CONNSTR] [COMMAND ...]",
        description="Console for queues, consumers and cascades.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    add = p.add_argument
    add("words", nargs="*", help=argparse.SUPPRESS)
    add("-h", "--host", metavar="HOST", help="host, or folder of the socket")
    add("-p", "--port", metavar="PORT", help="port")
    add("-U", "--user", metavar="USER", help="role")
    add("-d", "--dbname", metavar="DB", help="database, or a connect string")
    add("-Q", "--queue", metavar="QUEUE", default="", help="default queue")
    add("-c", "--command", metavar="TEXT", help="run these statements and end")
    add("-f", "--file", metavar="FILE", help="run the statements of a file and end; -: stdin")
    add("--json", action="store_true", help="write a JSON document for each result")
    add("--help", action="help", help="show this and end")
    add("-V", "--version", action="version", version=f"qadmin {skytools.__version__}")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    return guard("qadmin", lambda: _main(args))


def _main(args: list[str]) -> int:
    # A lone -h wants no host; switches may stand between the words, as with psql.
    opts = parser().parse_intermixed_args(["--help"] if args == ["-h"] else args)
    if opts.command is not None and opts.file is not None:
        raise UsageError("-c and -f exclude each other")
    words = list(opts.words)
    base = opts.dbname if opts.dbname is not None else words.pop(0) if words else ""
    if words and (opts.command is not None or opts.file is not None):
        raise UsageError(f"{words[0]}: unexpected; only one database, and -c or -f beside it")
    out = Output(as_json=opts.json)
    session = Session(
        _conninfo(base, opts), out, grammar(), opts.queue, colour=out.terminal and not opts.json
    )
    try:
        if opts.command is not None:
            return _script(session, opts.command, "-c")
        if words:
            return _script(session, " ".join(words), "command")
        if opts.file is not None or not (sys.stdin.isatty() and sys.stdout.isatty()):
            name = opts.file or "-"
            return _script(session, _read(name), name)
        return _interactive(session)
    finally:
        session.close()


def _conninfo(base: str, opts: argparse.Namespace) -> str:
    """Return the connect string; switches win over what the words say."""
    if "=" in base or base.startswith(("postgres://", "postgresql://")):
        fault = check_conninfo(base)
        if fault:
            raise UsageError(f"{base} {fault}")
        info = base
    else:
        info = merge_conninfo("", dbname=base) if base else ""
    given = {"host": opts.host, "port": opts.port, "user": opts.user}
    return merge_conninfo(info, **{key: value for key, value in given.items() if value})


def _read(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except OSError as exc:
        raise UsageError(f"{name}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise UsageError(f"{name}: is not UTF-8 text (byte {exc.start})") from exc


def _script(session: Session, text: str, name: str) -> int:
    """Run statements up to the first error; the last needs no `;`."""
    statements, rest = split(text)
    if rest.strip():
        statements.append(statement(rest))
    for one in _grammatical(session, statements, name):
        try:
            run(session, one)
        except Exit:
            break
        except Told as exc:
            return exc.exit_code
        except SkytoolsError as exc:
            if len(statements) > 1:
                exc.args = (f"{name}: line {one.line}: {exc}",)
            raise
    return 0


def _grammatical(session: Session, statements: Iterable[Statement], name: str) -> list[Statement]:
    """Return the statements, none of which is a command gone wrong: before the first is run."""
    found = list(statements)
    for one in found:
        try:
            session.grammar.parse(one)
        except UsageError as exc:
            where = f"{name}: line {one.line}: " if len(found) > 1 else ""
            raise UsageError(f"{where}{exc}") from exc
    return found


def _interactive(session: Session) -> int:
    session.db.connect()
    try:
        # Here, so that scripts need neither the library nor the time that its import takes.
        from skytools.daemons.qadmin.prompt import Prompt  # noqa: PLC0415
    except ImportError:
        sys.stderr.write(
            "qadmin: the prompt needs prompt_toolkit (Debian: python3-prompt-toolkit);"
            " without it use -c, -f or the standard input\n"
        )
        return EXIT_CRASH
    Prompt(session).run()
    return 0
