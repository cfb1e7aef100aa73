# SPDX-License-Identifier: ISC
"""Running rsync on lists of files of a live server, some side by side.

Files that vanish or become shorter while they are read are no fault: WAL has what became of them.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from skytools.walmgr.errors import ProgramError
from skytools.walmgr.link import remote_command
from skytools.walmgr.manifest import Checksums
from skytools.walmgr.remote import Host, clean_environment

VANISHED, PARTLY = 24, 23
TRIES = 4  # of a file that becomes shorter each time it is read
# What is said of a file that the server changes while it is read.
HARMLESS = re.compile(
    r"file has vanished: "
    r"|rsync: (\[sender\] )?read errors mapping .*: No data available \(61\)"
    r"|(WARNING|ERROR): .* failed verification -- update discarded"
    r"|rsync (error|warning): some files"
    r"|rsync: .*: No such file or directory \(2\)"
)
OPTIONS = (
    # By nanoseconds: a change within the same second is one.
    "--files-from=-", "--from0", "--times", "--perms", "--omit-dir-times", "--no-implied-dirs",
    "--ignore-missing-args", "--modify-window=-1", "--outbuf=L", "--out-format=%l %b %n",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Job:
    """Files by name below a folder of the server's host, and where they go to.

    `links`: a folder of an earlier set; what is there with the same size and time is linked.
    """

    source: str
    target: Path
    names: Sequence[str]
    links: Path | None = None


class Rsync:
    """How rsync reaches a host."""

    def __init__(self, host: Host, scratch: Path, packing: str = "") -> None:
        self.host = host
        self.scratch = scratch
        self.packing = packing

    def words(self, job: Job, rate: float, *, always: bool) -> list[str]:
        """Return the command; `rate` in kB a second, 0 for any."""
        place = job.source
        way: list[str] = []
        if not self.host.local:
            user, _, name = self.host.name.rpartition("@")
            remote_command(self.host.ssh, name, [])  # it must be a host name
            way = ["-e", _shell(self.host.ssh, user)]
            if self.packing:
                way += ["--compress", f"--compress-choice={self.packing}"]
            place = f"[{name}]:{place}" if ":" in name else f"{name}:{place}"
        return [
            "setpriv", "--pdeathsig", "KILL", "rsync", *OPTIONS, f"--temp-dir={self.scratch}",
            *([f"--bwlimit={max(int(rate), 1)}"] if rate else []),
            *([f"--link-dest={job.links}"] if job.links is not None else []),
            *(["--ignore-times"] if always else []),
            *way, "--", place, f"{job.target}/",
        ]  # fmt: skip

    def start(
        self, job: Job, rate: float, told: IO[bytes], *, always: bool
    ) -> subprocess.Popen[bytes]:
        """Start one; what it complains of goes to `told`."""
        with tempfile.TemporaryFile() as names:
            names.write(b"".join(os.fsencode(name) + b"\0" for name in job.names))
            names.seek(0)
            # Its arguments must be seen by `xserve`, which lets them pass or not.
            env = clean_environment({"LC_ALL": "C", "RSYNC_PROTECT_ARGS": "0"})
            return subprocess.Popen(
                self.words(job, rate, always=always), stdin=names, stdout=subprocess.PIPE,
                stderr=told, env=env, process_group=0,
            )  # fmt: skip

    def run(self, job: Job, *, always: bool = False) -> None:
        """Copy to the end. `always`: also what looks the same. Raises ProgramError."""
        with tempfile.TemporaryFile() as told:
            process = self.start(job, 0, told, always=always)
            process.communicate()
            told.seek(0)
            self.judge(job, process.returncode, told.read().decode(errors="replace"))

    def judge(self, job: Job, code: int, told: str) -> list[str]:
        """Return the names of files that are to be tried again. Raises ProgramError."""
        if code in (0, VANISHED):
            return []
        lines = [line for line in told.splitlines() if line.strip()]
        faults = [line for line in lines if not HARMLESS.match(line)]
        if code == PARTLY and not faults:
            return [name for name in job.names if not (job.target / name).exists()]
        if code < 0:
            raise ProgramError(f"rsync from {self.host} was killed by signal {-code}")
        text = (faults or lines or [f"exit code {code}"])[0]
        raise ProgramError(f"rsync from {self.host}: {text}")


def has_died(process: subprocess.Popen[bytes], how: int = 0) -> bool:
    """Whether a process has ended by a signal; its number stays its own."""
    ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | how)
    return ended is not None and ended.si_code != os.CLD_EXITED


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill an rsync with what it has started: that would go on for a while without it.

    Whoever waits for it must not have done so yet.
    """
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _shell(ssh: Sequence[str], user: str) -> str:
    """Return the remote shell as rsync takes it; each stream has a connection of its own."""
    program, *options = ssh
    own = ["-S", "none"] if Path(program).name == "ssh" else []
    words = [program, *own, *options, *(["-l", user] if user else []), "--"]
    return " ".join(f"'{word}'" if " " in word else word for word in words)


class Streams:
    """Several lists of jobs at once. A block of `with`: at its end none of them runs."""

    def __init__(
        self, rsync: Rsync, jobs: Sequence[Sequence[Job]], rate: float, checksums: Checksums
    ) -> None:
        self._rsync = rsync
        self._rate = rate
        self._checksums = checksums
        self._copied = [0] * len(jobs)
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        self._stopping = False
        self._changed = threading.Event()
        self._error: Exception | None = None
        self._threads = [
            threading.Thread(target=self._work, args=(number, share), name=f"stream {number}")
            for number, share in enumerate(jobs)
        ]

    def __enter__(self) -> Streams:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_what: object) -> None:
        with self._lock:
            self._stopping = True
            for process in self._processes.values():
                end_group(process)
        for thread in self._threads:
            thread.join()

    def running(self) -> bool:
        """Whether there is still something to copy. Raises ProgramError when one has failed."""
        with self._lock:
            for process in self._processes.values():
                if has_died(process, os.WNOHANG):
                    end_group(process)
        if self._error is not None:
            raise self._error
        return any(thread.is_alive() for thread in self._threads)

    def wait(self, seconds: float) -> None:
        """Wait until one ends, or so long."""
        self._changed.wait(seconds)
        self._changed.clear()

    def copied(self) -> int:
        """Return how many bytes there are, those of unfinished files too."""
        unfinished = 0
        for path in self._rsync.scratch.rglob("*"):
            with suppress(FileNotFoundError):
                unfinished += path.lstat().st_size if path.is_file() else 0
        return sum(self._copied) + unfinished

    def _work(self, number: int, jobs: Sequence[Job]) -> None:
        try:
            for job in jobs:
                self._copy(number, job)
        except (ProgramError, OSError) as exc:
            self._error = self._error or exc
        finally:
            self._changed.set()

    def _copy(self, number: int, job: Job) -> None:
        for _ in range(TRIES):
            if self._stopping:
                return
            again = self._try(number, job)
            if not again:
                return
            job = replace(job, names=again)
        raise ProgramError(f"{job.source}{job.names[0]} became shorter each time it was read")

    def _try(self, number: int, job: Job) -> list[str]:
        with tempfile.TemporaryFile() as told:
            with self._lock:
                if self._stopping:
                    return []
                process = self._rsync.start(job, self._rate, told, always=False)
                self._processes[number] = process
            assert process.stdout is not None
            with process.stdout as lines:
                for line in lines:
                    self._see(number, job, os.fsdecode(line).rstrip("\n"))
            died = has_died(process)
            with self._lock:
                del self._processes[number]
                if died or self._stopping:
                    end_group(process)
            code = process.wait()
            told.seek(0)
            text = told.read().decode(errors="replace")
        return [] if self._stopping else self._rsync.judge(job, code, text)

    def _see(self, number: int, job: Job, line: str) -> None:
        """Take note of a file that is there."""
        size, _, rest = line.partition(" ")
        _, _, name = rest.partition(" ")
        if size.isdecimal():
            self._copied[number] += int(size)
            self._checksums.add(job.target / name)
