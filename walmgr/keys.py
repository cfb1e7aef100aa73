# SPDX-License-Identifier: ISC
"""ssh keys of the two hosts: the own one is made, the other's is let in for what walmgr needs."""

from __future__ import annotations

from pathlib import Path

from skytools.core.errors import UsageError
from skytools.walmgr.files import make_folder, write_text
from skytools.walmgr.link import start_fast
from skytools.walmgr.site import Site

NAMES = ("id_ed25519", "id_ecdsa", "id_rsa")
KINDS = ("ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-")


def folder() -> Path:
    """Return where ssh keeps keys."""
    return Path("~/.ssh").expanduser()


def own_key(site: Site) -> str:
    """Return our public key; one without passphrase is made when there is none."""
    for name in NAMES:
        path = folder() / f"{name}.pub"
        if path.is_file():
            return path.read_text(encoding="utf-8").strip()
    make_folder(folder())
    path = folder() / NAMES[0]
    site.here.check(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "walmgr", "-f", path])
    return path.with_suffix(".pub").read_text(encoding="utf-8").strip()


def allow(site: Site, key: str, into: Path) -> str:
    """Let the holder of a public key do here what walmgr needs, nothing else; once.

    Returns the line of authorized_keys. Raises UsageError when it is no public key.
    """
    words = next((line.split() for line in key.splitlines() if line.split()[:1]), [])
    if len(words) < 2 or not words[0].startswith(KINDS):
        raise UsageError("this is no public key of OpenSSH: a line like 'ssh-ed25519 AAAA... name'")
    command = f"{start_fast(site.program, str(site.ini))} xserve"
    line = f'restrict,command="{_escaped(command)}" {" ".join(words)}'
    present = into.read_text(encoding="utf-8") if into.exists() else ""
    kept = [one for one in present.splitlines() if words[1] not in one.split()]
    if present.splitlines() != [*kept, line]:
        make_folder(into.parent)
        write_text(into, "\n".join([*kept, line]) + "\n")
    return line


def forbid(text: str, into: Path) -> int:
    """Take out the lines of authorized_keys that contain a text; returns how many."""
    lines = into.read_text(encoding="utf-8").splitlines() if into.exists() else []
    kept = [line for line in lines if text not in line]
    if len(kept) < len(lines):
        write_text(into, "".join(f"{line}\n" for line in kept))
    return len(lines) - len(kept)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
