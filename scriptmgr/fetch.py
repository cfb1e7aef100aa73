# SPDX-License-Identifier: ISC
"""One HTTP GET over a unix socket, with a deadline for the whole of it."""

from __future__ import annotations

import socket
import time
from pathlib import Path

MAX_BYTES = 32 << 20


def fetch(path: Path, seconds: float) -> bytes:
    """Return the body that the server on a unix socket gives for /metrics.

    Raises OSError (TimeoutError among them) or ValueError when it gives none in time.
    """
    deadline = time.monotonic() + seconds
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(seconds)
        sock.connect(str(path))
        sock.sendall(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
        return _body(_receive(sock, deadline))


def _receive(sock: socket.socket, deadline: float) -> bytes:
    """Read to the end. A drip of bytes does not move the deadline."""
    data = bytearray()
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("too slow")
        sock.settimeout(left)
        chunk = sock.recv(1 << 16)
        if not chunk:
            return bytes(data)
        data += chunk
        if len(data) > MAX_BYTES:
            raise ValueError("more metrics than a scrape can hold")


def _body(response: bytes) -> bytes:
    head, separator, body = response.partition(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0].split()
    if not separator or len(status) < 2 or status[1] != b"200":
        raise ValueError("no good HTTP answer")
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and int(value) != len(body):
            raise ValueError("answer cut short")
    return body
