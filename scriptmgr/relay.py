# SPDX-License-Identifier: ISC
"""The datagram socket on which jobs send sd_notify messages. systemd never hears of them."""

from __future__ import annotations

import array
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_UCRED = struct.Struct("iII")
_MAX_MESSAGE = 8192
_MAX_FDS = 16
_PER_PASS = 500  # then the loop has other things to do


@dataclass(frozen=True, slots=True)
class Message:
    """One datagram: who sent it, and its KEY=VALUE lines."""

    pid: int
    fields: dict[str, str]


def parse(data: bytes) -> dict[str, str]:
    """Return the KEY=VALUE lines; a key given twice keeps its last value."""
    fields = {}
    for line in data.decode("utf-8", "replace").split("\n"):
        key, equals, value = line.partition("=")
        if equals and key:
            fields[key] = value
    return fields


class Relay:
    """A bound socket; `receive()` never blocks."""

    def __init__(self, path: Path, mode: int = 0o660) -> None:
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind(str(path))
        path.chmod(mode)

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._socket.fileno()

    def receive(self) -> Iterator[Message]:
        """Yield what has come, up to a limit per call."""
        for _ in range(_PER_PASS):
            message = self._one()
            if message is None:
                return
            if message.pid > 0:
                yield message

    def _one(self) -> Message | None:
        space = socket.CMSG_SPACE(_UCRED.size) + socket.CMSG_SPACE(_MAX_FDS * 4)
        try:
            data, ancillary, _, _ = self._socket.recvmsg(
                _MAX_MESSAGE, space, socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return None
        return Message(_sender(ancillary), parse(data))

    def close(self) -> None:
        """Close the socket; its file goes with the runtime folder."""
        self._socket.close()


def _sender(ancillary: list[tuple[int, int, bytes]]) -> int:
    """Return the sender's pid (0: unknown). Descriptors that came along are closed."""
    pid = 0
    for level, kind, data in ancillary:
        if level != socket.SOL_SOCKET:
            continue
        if kind == socket.SCM_CREDENTIALS:
            pid = _UCRED.unpack(data[: _UCRED.size])[0]
        elif kind == socket.SCM_RIGHTS:
            fds = array.array("i")
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
            for fd in fds:
                os.close(fd)
    return pid
