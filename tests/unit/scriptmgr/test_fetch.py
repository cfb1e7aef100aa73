# SPDX-License-Identifier: ISC
from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from skytools.core.metrics import CONTENT_TYPE, serve_unix
from skytools.scriptmgr.fetch import fetch

Serve = Callable[[Callable[[socket.socket], None]], Path]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Give a function that answers one connection by a function of the socket."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    threads: list[threading.Thread] = []

    def start(answer: Callable[[socket.socket], None]) -> Path:
        path = tmp_path / "s"
        listener.bind(str(path))
        listener.listen()

        def run() -> None:
            conn, _ = listener.accept()
            with conn:
                answer(conn)

        threads.append(threading.Thread(target=run))
        threads[0].start()
        return path

    yield start
    for thread in threads:
        thread.join()
    listener.close()


def test_good_answer(tmp_path: Path) -> None:
    path = tmp_path / "m.sock"
    server = serve_unix(path, lambda _path: (200, CONTENT_TYPE, b"x 1\n"))
    assert fetch(path, 2.0) == b"x 1\n"
    server.shutdown()
    server.server_close()


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fetch(tmp_path / "none", 1.0)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.0 500 Oops\r\n\r\nx",
        b"HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"\r\n\r\n",
    ],
)
def test_bad_answers(serve: Serve, answer: bytes) -> None:
    def reply(conn: socket.socket) -> None:
        conn.recv(1000)
        conn.sendall(answer)

    with pytest.raises(ValueError, match=r"."):
        fetch(serve(reply), 2.0)


def test_drip_of_bytes_does_not_move_the_deadline(serve: Serve) -> None:
    done = threading.Event()

    def drip(conn: socket.socket) -> None:
        try:
            while not done.wait(0.05):
                conn.sendall(b"x")
        except OSError:
            pass  # the reader hung up, as it should

    path = serve(drip)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        fetch(path, 0.3)
    done.set()
    assert time.monotonic() - began < 60
