# SPDX-License-Identifier: ISC
"""Settings of sockets and descriptors. Source: skytools.sockutil of Skytools 3."""

from __future__ import annotations

import os
import socket

from skytools.core.signals import HasFileno

__all__ = ["set_cloexec", "set_nonblocking", "set_tcp_keepalive"]


def _number(fd: int | HasFileno) -> int:
    return fd if isinstance(fd, int) else fd.fileno()


def set_tcp_keepalive(
    fd: int | HasFileno,
    keepalive: bool = True,
    tcp_keepidle: int = 4 * 60,
    tcp_keepcnt: int = 4,
    tcp_keepintvl: int = 15,
) -> None:
    """Turn keepalive of a TCP socket on or off; times in seconds. Others are left alone."""
    copy = os.dup(_number(fd))
    with socket.socket(fileno=copy) as sock:
        if sock.family not in (socket.AF_INET, socket.AF_INET6):
            return
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, int(keepalive))
        if keepalive:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, tcp_keepidle)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, tcp_keepcnt)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, tcp_keepintvl)


def set_nonblocking(fd: int | HasFileno, onoff: bool | None = True) -> bool:
    """Make a descriptor non-blocking or blocking; None only asks. Returns the state."""
    number = _number(fd)
    if onoff is not None:
        os.set_blocking(number, not onoff)
    return not os.get_blocking(number)


def set_cloexec(fd: int | HasFileno, onoff: bool | None = True) -> bool:
    """Close a descriptor on exec or not; None only asks. Returns the state."""
    number = _number(fd)
    if onoff is not None:
        os.set_inheritable(number, not onoff)
    return not os.get_inheritable(number)
