# SPDX-License-Identifier: ISC
"""Running programs on this machine or another; arguments are lists, never shell text."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from skytools.walmgr.errors import ProgramError
from skytools.walmgr.files import write_text
from skytools.walmgr.link import is_local, remote_command

# pg_verifybackup, pg_amcheck and pg_rewind read a whole cluster; what hangs on the way to another
# host is ended by ssh.
TIMEOUT = 7 * 86400.0

WRITE = 'umask 077 && cat > "$1" && sync "$1" && mv "$1" "$2" && sync "$3"'
# The folder of a process tells it from one that got the number later.
SAME_FOLDER = 'test "$(readlink -f "/proc/$1/cwd")" = "$(readlink -f "$2")"'
# Files that vanish meanwhile are none. Type, size, time of change, where it began, path from there.
LIST = 'exec find "$@" -ignore_readdir_race -printf "%y %s %T@ %H\\t%P\\0"'
# Links to files elsewhere; name and target.
LINKS = 'find "$1" -maxdepth 1 -type l -xtype f -printf "%f\\t%l\\n"'
MAKE_LINK = 'ln -sfT -- "$(cat)" "$1"'
# The unit of systemd whose main process this is; a server that a user has started is in one, too.
UNIT_OF = (
    'unit=$(grep -o "[^/]*[.]service$" "/proc/$1/cgroup" | head -n 1) && test -n "$unit"'
    ' && test "$(systemctl show -p MainPID --value -- "$unit")" = "$1" && echo "$unit"'
)
UNIT_DOWN = (
    'n=0; while test "$n" -lt 300; do case $(systemctl show -p ActiveState --value -- "$1") in'
    ' inactive | failed | "") break ;; esac; n=$((n + 1)); sleep 0.1; done'
)
SCRIPTS = (
    WRITE,
    SAME_FOLDER,
    LIST,
    LINKS,
    MAKE_LINK,
    UNIT_OF,
    UNIT_DOWN,
)  # all that ever goes through the shell of another host


@dataclass(frozen=True, slots=True)
class Done:
    """What a program that has ended left behind."""

    code: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        """The last thing it said."""
        lines = (self.err.strip() or self.out.strip()).splitlines()
        return lines[-1] if lines else f"exit code {self.code}"


class Host:
    """A machine: ours (`name` empty), or one that ssh reaches."""

    def __init__(self, name: str = "", ssh: tuple[str, ...] = ("ssh",)) -> None:
        self.name = "" if is_local(name) else name
        self.ssh = ssh

    @property
    def local(self) -> bool:
        """Whether it is this machine."""
        return not self.name

    def __str__(self) -> str:
        return self.name or "this machine"

    def run(
        self,
        words: Sequence[str | Path],
        *,
        timeout: float = TIMEOUT,
        stdin: str = "",
        password: str = "",
    ) -> Done:
        """Run a program in the C locale and UTC. Raises ProgramError when it cannot start.

        `password` is for libpq of a local program; another host has its own ~/.pgpass.
        """
        argv = ["env", "LC_ALL=C", "TZ=UTC", *map(str, words)]
        if not self.local:
            argv = remote_command(self.ssh, self.name, argv)
        try:
            done = subprocess.run(
                argv, input=stdin, capture_output=True, text=True, errors="replace",
                timeout=timeout, check=False,
                env=clean_environment({"PGPASSWORD": password} if password else {}),
            )  # fmt: skip
        except OSError as exc:
            raise ProgramError(f"{argv[0]} cannot be run: {exc.strerror}") from exc
        except subprocess.TimeoutExpired as exc:
            text = f"{self}: {Path(words[0]).name} did not end within {timeout:g} s"
            raise ProgramError(text) from exc
        return Done(done.returncode, done.stdout, done.stderr)

    def check(
        self, words: Sequence[str | Path], *, timeout: float = TIMEOUT, stdin: str = ""
    ) -> str:
        """Run a program that must succeed and return its output. Raises ProgramError."""
        done = self.run(words, timeout=timeout, stdin=stdin)
        if done.code != 0:
            where = "" if self.local else f"{self.name}: "
            raise ProgramError(f"{where}{Path(words[0]).name}: {done.last_line}")
        return done.out

    def read(self, path: Path) -> str | None:
        """Return the text of a file, None when there is none. Raises ProgramError."""
        if not self.local:
            return self.check(["cat", path]) if self.exists(path) else None
        with _naming(path), suppress(FileNotFoundError, NotADirectoryError):
            return path.read_text(encoding="utf-8", errors="replace")
        return None

    def write(self, path: Path, text: str) -> None:
        """Replace a file durably. Raises ProgramError."""
        if self.local:
            with _naming(path):
                write_text(path, text)
            return
        aside = path.with_name(f".{path.name}.new")
        words: list[str | Path] = ["sh", "-c", WRITE, "write", aside, path, path.parent]
        self.check(words, stdin=text)

    def remove(self, path: Path) -> None:
        """Remove a file that may be missing. Raises ProgramError."""
        if self.local:
            with _naming(path):
                path.unlink(missing_ok=True)
            return
        self.check(["rm", "-f", "--", path])

    def links(self, folder: Path) -> dict[str, str]:
        """Return which names in a folder are links to files, and their targets.

        Raises ProgramError.
        """
        lines = self.check(["sh", "-c", LINKS, "links", folder]).splitlines()
        pairs = (line.partition("\t") for line in lines)
        return {name: target for name, _, target in pairs}

    def make_link(self, path: Path, target: str) -> None:
        """Make a link, or replace what has its name. Raises ProgramError."""
        self.check(["sh", "-c", MAKE_LINK, "link", path], stdin=target)

    def exists(self, path: Path) -> bool:
        """Whether there is such a file or folder. Raises ProgramError when nobody can say."""
        if self.local:
            with _naming(path), suppress(FileNotFoundError, NotADirectoryError):
                return bool(path.stat())
            return False
        done = self.run(["test", "-e", path])
        if done.code not in (0, 1):
            raise ProgramError(f"{self}: {path}: {done.last_line}")
        return done.code == 0


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn what the system says of a file into ProgramError."""
    try:
        yield
    except OSError as exc:
        raise ProgramError(f"{exc.filename or path}: {exc.strerror}") from exc


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for programs: sd_notify is ours alone, PGDATA is never guessed."""
    env = {k: v for k, v in os.environ.items() if k not in ("NOTIFY_SOCKET", "PGDATA")}
    return {**env, **(extra or {})}


def shell(command: str, **variables: str) -> None:
    """Run a command of the ini through the shell. Raises ProgramError when it fails."""
    done = subprocess.run(
        ["sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, errors="replace", check=False,
        env=clean_environment(variables),
    )  # fmt: skip
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise ProgramError(f"{command!r}: {last[0]}")
