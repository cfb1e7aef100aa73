# SPDX-License-Identifier: ISC
"""Running a statement so that ^C ends it on the server, which a driver that waits would not."""

from __future__ import annotations

import signal
import threading

from skytools.core.cli import failure_of
from skytools.daemons.qadmin.lexer import Statement
from skytools.daemons.qadmin.session import Session

# Commands that write as they go on, and have connections of their own: ^C ends them by itself.
DIRECT = ("watch", "node")


def run(session: Session, statement: Statement) -> None:
    """Run a statement, from the main thread. Raises KeyboardInterrupt when ^C has ended it."""
    if statement.tokens and statement.tokens[0].value in DIRECT:
        session.execute(statement)
        return
    failure: list[Exception | None] = []
    interrupted: list[int] = []
    ended = threading.Event()

    def work() -> None:
        failure.append(failure_of(lambda: session.execute(statement)))
        ended.set()

    def interrupt(number: int, _: object) -> None:
        interrupted.append(number)
        session.db.cancel()

    # A handler that raises could do so anywhere, and leave the statement running behind us.
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        threading.Thread(target=work, daemon=True).start()
        ended.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    (exc,) = failure
    if exc is not None:
        if interrupted:
            raise KeyboardInterrupt from exc
        raise exc
