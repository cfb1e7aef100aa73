# SPDX-License-Identifier: ISC
"""Files replaced as a whole, and signals by pidfile. Source: skytools.fileutil of Skytools 3."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["signal_pidfile", "write_atomic"]


def write_atomic(
    fn: str | Path, data: bytes | str, bakext: str | None = None, mode: str = "b"
) -> None:
    """Replace a file's content: after a crash it is the old or the new, on disk.

    `bakext` keeps the old content under the name with that suffix. `mode` "t" is text.
    """
    path = Path(fn)
    content = data.encode() if isinstance(data, str) else bytes(data)
    if "t" in mode and os.linesep != "\n":
        content = content.replace(b"\n", os.linesep.encode())
    number, temporary = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    try:
        with os.fdopen(number, "wb") as file:
            os.fchmod(number, _mode_of(path))
            file.write(content)
            file.flush()
            os.fsync(number)
        if bakext and path.exists():
            backup = path.with_name(path.name + bakext)
            backup.unlink(missing_ok=True)
            os.link(path, backup)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _mode_of(path: Path) -> int:
    """Return the permissions that the new file gets: those of the old one, or the usual."""
    try:
        return path.stat().st_mode & 0o7777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def signal_pidfile(pidfile: str | Path, sig: int) -> bool:
    """Signal the process of a pidfile (0 only asks); False when it does not run."""
    path = Path(pidfile)
    try:
        pid = int(path.read_text(encoding="ascii").split()[0])
        os.kill(pid, sig)
    except (FileNotFoundError, ProcessLookupError):
        return False
    except (ValueError, IndexError):
        raise ValueError(f"pidfile {path} holds no process number") from None
    return True
