# SPDX-License-Identifier: ISC
from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skytools.scriptmgr.relay import Relay, parse


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[tuple[Relay, str]]:
    path = tmp_path / "notify.sock"
    one = Relay(path)
    yield one, str(path)
    one.close()


def test_messages_carry_the_senders_pid(relay: tuple[Relay, str]) -> None:
    one, path = relay
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"READY=1\nSTATUS=a=b\njunk", path)
    (message,) = one.receive()
    assert message.pid == os.getpid()
    assert message.fields == {"READY": "1", "STATUS": "a=b"}
    assert list(one.receive()) == []


def test_descriptors_that_come_along_are_closed(relay: tuple[Relay, str]) -> None:
    """BARRIER=1 waits until its descriptor is closed; FDSTORE=1 would collect them here."""
    one, path = relay
    read, write = os.pipe()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(path)
        socket.send_fds(sock, [b"BARRIER=1"], [write, write])
    os.close(write)
    (message,) = one.receive()
    assert message.fields == {"BARRIER": "1"}
    assert os.read(read, 1) == b""  # end of file: every copy is closed
    os.close(read)


def test_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "notify.sock"
    Relay(path).close()
    second = Relay(path)
    assert path.stat().st_mode & 0o777 == 0o660
    second.close()


@given(st.binary(max_size=300))
def test_any_datagram_can_be_parsed(data: bytes) -> None:
    assert all(key and "\n" not in value for key, value in parse(data).items())
