# SPDX-License-Identifier: ISC
"""The interactive prompt. The only user of prompt_toolkit."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import HTML
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

import skytools
from skytools.core.errors import SkytoolsError
from skytools.daemons.qadmin.complete import Completer as Names
from skytools.daemons.qadmin.lexer import Statement, UnfinishedError, split
from skytools.daemons.qadmin.running import DIRECT, run
from skytools.daemons.qadmin.session import Exit, Session, Told

HISTORY = Path("~/.qadmin_history")
SYNTAX_LINES = 4
# Words that need no `;` when they are all of a line, also those of psql.
HELP, LEAVE = "help;", "exit;"
ALONE = {"help": HELP, "?": HELP, "\\?": HELP, "exit": LEAVE, "quit": LEAVE, "\\q": LEAVE}


class _Completer(Completer):
    """Offers what the grammar says."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        """Yield what may come at the cursor."""
        for one in self._names.candidates(document.text_before_cursor):
            yield Completion(one.text, start_position=-one.width, display_meta=one.meaning)


class _History(FileHistory):
    """Keeps lines, but none with a password."""

    def store_string(self, string: str) -> None:
        """Append a line to the file."""
        if "password" not in string.lower():
            super().store_string(string)


class Prompt:
    """Reads lines, runs their statements, and goes on after errors until told to end."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._names = Names(session)
        self._lines: PromptSession[str] = PromptSession(
            history=_history(),
            completer=_Completer(self._names),
            complete_while_typing=False,
            bottom_toolbar=self._toolbar,
        )

    def run(self) -> None:
        """Read and run until exit; or ^D."""
        self._session.out.line(
            f"qadmin {skytools.__version__}. help lists commands, Tab completes, ^D ends."
        )
        with contextlib.suppress(Exit, EOFError):
            while True:
                self._round()

    def _round(self) -> None:
        self._names.forget()
        try:
            for statement in self._read():
                self._execute(statement)
        except KeyboardInterrupt:
            self._session.out.line("cancelled")
        except SkytoolsError as exc:
            self._complain(exc)
        except Told:
            pass

    def _read(self) -> list[Statement]:
        """Return the statements of a line, or of as many as it takes to end the last."""
        text = self._lines.prompt(self._label())
        text = ALONE.get(text.strip().lower(), text)
        while True:
            try:
                statements, rest = split(text)
                if not rest.strip():
                    return statements
            except UnfinishedError:
                pass
            text += "\n" + self._lines.prompt("... ")

    def _label(self) -> str:
        info = self._session.db.conninfo
        with contextlib.suppress(SkytoolsError):
            info = self._session.db.connect().info.dbname
        return f"{self._session.queue or '(noqueue)'}@{info}> "

    def _execute(self, statement: Statement) -> None:
        if statement.tokens[0].value in DIRECT:
            run(self._session, statement)
            return
        out = self._session.out
        real, out.stream = out.stream, io.StringIO()
        try:
            run(self._session, statement)
        finally:
            buffer, out.stream = out.stream, real
            _page(buffer.getvalue())

    def _complain(self, exc: SkytoolsError) -> None:
        for line in str(exc).splitlines():
            self._session.out.line(f"error: {line}")

    def _toolbar(self) -> HTML | None:
        document = self._lines.default_buffer.document
        found = self._names.syntax(document.text_before_cursor)
        if not found:
            return None
        if len(found) > SYNTAX_LINES:
            found = [*found[: SYNTAX_LINES - 1], f"... {len(found) - SYNTAX_LINES + 1} more"]
        return HTML("{}").format("\n".join(found))


def _history() -> History:
    path = HISTORY.expanduser()
    try:
        path.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return _History(str(path))


def _page(text: str) -> None:
    """Show a text; what does not fit the terminal goes through the pager."""
    lines = text.count("\n")
    pager = os.environ.get("PAGER", "less")
    if lines < shutil.get_terminal_size().lines or not shutil.which(pager.split()[0]):
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    env = {"LESS": "FRSX", **os.environ}
    with contextlib.suppress(KeyboardInterrupt):
        subprocess.run(["/bin/sh", "-c", pager], input=text, text=True, env=env, check=False)
