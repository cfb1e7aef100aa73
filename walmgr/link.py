# SPDX-License-Identifier: ISC
"""Where the archive is as seen from here, and how to start a program on the host that has it."""

from __future__ import annotations

import os

from skytools.walmgr.quickini import read
from skytools.walmgr.wal import WalError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# One connection serves a burst of segments; a dead peer is noticed within a minute. The key of a
# host is learned when it is first reached, and another one refused from then on.
SSH = (
    *("ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new"),
    *("-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=15"),
    *("-o", "ServerAliveCountMax=3", "-o", "ControlMaster=auto", "-o", "ControlPersist=60"),
    *("-o", "ControlPath=~/.ssh/walmgr-%C"),
)
COMPLETED = "logs.complete"
PARTIALS = "logs.partial"


class Place:
    """The archive of an ini: `host` is empty when it is on this machine."""

    __slots__ = ("completed", "host", "ini", "packed", "partials", "program", "ssh")

    def __init__(self, keys: Mapping[str, str], ini: str, program: str) -> None:
        data = keys.get("walmgr_data", "~/walshipping")
        host, self.completed = split_host(keys.get("completed_wals") or f"{data}/{COMPLETED}")
        _, self.partials = split_host(keys.get("partial_wals") or f"{data}/{PARTIALS}")
        host = keys.get("slave", "").partition(":")[0] or host
        self.host = "" if is_local(host) else host
        self.packed = keys.get("archive_compression") or "none"
        self.ini = keys.get("slave_config") or ini
        self.program = program
        self.ssh = tuple(keys.get("ssh_command", "").split()) or SSH

    @classmethod
    def read(cls, ini: str, program: str) -> Place:
        """Read it from an ini. Raises WalError."""
        return cls(read(ini), ini, program)

    def command(self, *verb: str) -> list[str]:
        """Return the command that runs a verb of walmgr on the archive's host."""
        return remote_command(self.ssh, self.host, [self.program, self.ini, *verb])


def start_fast(program: str, ini: str) -> str:
    """Return shell text that starts walmgr on an ini as quickly as it goes."""
    import sys

    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    fast = os.path.join(package, "walmgr", "fast.py")
    words = [sys.executable, "-IS", fast, os.path.dirname(package), program, ini]
    return " ".join(map(quote, words))


def split_host(path: str) -> tuple[str, str]:
    """Split "host:/path"; the host may be missing. Source: the rsync targets of Skytools 3."""
    head, colon, tail = path.partition(":")
    if not colon or "/" in head:
        return "", os.path.expanduser(path)
    return head, tail


def is_local(host: str) -> bool:
    """Whether a host name means this machine."""
    name = host.rpartition("@")[2].lower()
    own = os.uname().nodename.lower()
    return name in ("", "localhost", "127.0.0.1", "::1", own, own.partition(".")[0])


def remote_command(ssh: tuple[str, ...], host: str, words: list[str]) -> list[str]:
    """Return the ssh command that runs `words` on `host`, each as one argument. Raises WalError."""
    if host.startswith("-"):
        raise WalError(f"{host!r} is no host name")
    return [*ssh, "--", host, " ".join(map(quote, words))]


def quote(word: str) -> str:
    """Return a word that a shell reads as it is."""
    return "'" + word.replace("'", "'\"'\"'") + "'"
