# SPDX-License-Identifier: ISC
"""The user that private servers run as, and folders that this user can reach."""

from __future__ import annotations

import os
import pwd
from hashlib import sha256
from pathlib import Path
from stat import S_ISDIR

from skytools.core.errors import UsageError

# Leaves room for the longest socket name below it.
MAX_ROOT = 70


def server_user() -> str | None:
    """Return the user to run servers as, None for the current one."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise UsageError("PostgreSQL refuses to run as root, and there is no user postgres or nobody")


def state_root(preferred: Path) -> Path:
    """Return a folder for clusters and sockets: `preferred`, or one in /var/tmp that stands for it.

    The latter where the server's user cannot reach `preferred`, or a socket's path would be too
    long. Raises UsageError when that folder is somebody else's.
    """
    preferred = preferred.absolute()
    user = server_user()
    reachable = user is None or _reachable(preferred, pwd.getpwnam(user))
    if reachable and len(os.fsencode(preferred)) < MAX_ROOT:
        return preferred
    moved = Path("/var/tmp") / f"skytools-{sha256(os.fsencode(preferred)).hexdigest()[:12]}"  # noqa: S108
    moved.mkdir(mode=0o755, exist_ok=True)
    # Anyone may make a folder in /var/tmp: one that another user has made is not ours to trust.
    info = moved.lstat()
    if not S_ISDIR(info.st_mode) or info.st_uid != os.geteuid():
        raise UsageError(f"{moved} belongs to somebody else: remove it, or move the checkout")
    return moved


def _reachable(path: Path, user: pwd.struct_passwd) -> bool:
    groups = set(os.getgrouplist(user.pw_name, user.pw_gid))
    for folder in path.parents:
        if not folder.exists():
            continue
        info = folder.stat()
        shift = 6 if info.st_uid == user.pw_uid else 3 if info.st_gid in groups else 0
        if not info.st_mode >> shift & 1:
            return False
    return True
