# SPDX-License-Identifier: ISC
"""A backup that PostgreSQL knows of while others copy its files: one session, and its WAL.

The session holds a temporary replication slot. WAL goes into the set as it is written, and the
slot follows, so that the server keeps no more than what is still on its way.
"""

from __future__ import annotations

import re
import signal
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from skytools.core.db import Database, split_password
from skytools.core.errors import SkytoolsError
from skytools.walmgr.errors import ProgramError
from skytools.walmgr.files import write_text
from skytools.walmgr.manifest import WalRange
from skytools.walmgr.postgres import Programs
from skytools.walmgr.remote import clean_environment
from skytools.walmgr.sets import BackupSet
from skytools.walmgr.site import Site
from skytools.walmgr.wal import SEGMENT, Segment, WalError, format_lsn, kind_of, parse_lsn

FIRST_SHORT_NAMES = 15  # pg_backup_start, which no longer knows exclusive backups
FIRST_SUMMARIES = 17
PARTIAL = ".partial"
STOP_TIMEOUT = 20.0
LABEL_START = re.compile(r"^START WAL LOCATION: (\S+) ", re.MULTILINE)

SLOT = "select pg_create_physical_replication_slot(%s, true, true)"
# A slot that is lost already is not what a backup fails of: its WAL may be here.
ADVANCE = """
select pg_replication_slot_advance(slot_name, %s::pg_lsn) from pg_replication_slots
where slot_name = %s and restart_lsn < %s::pg_lsn
"""
STATE = "select pg_backend_pid(), pg_is_in_recovery()"
SPACES = "select oid::text from pg_tablespace where pg_tablespace_location(oid) <> ''"


@dataclass(frozen=True, slots=True)
class Ended:
    """What the server says at the end of a backup."""

    label: str
    range: WalRange


class LowLevelBackup:
    """One backup between its start and its end. A block of `with`: whatever happens, it ends."""

    def __init__(
        self, site: Site, one: BackupSet, programs: Programs, database: Database, conninfo: str
    ) -> None:
        self._one = one
        self._programs = programs
        self._conninfo = conninfo
        # Of its own: the server ends the backup when the session ends.
        self._database = site.connect(database.name, database.conninfo)
        self._slot = "walmgr_" + re.sub("[^a-z0-9]", "", one.path.name.rpartition(".")[2].lower())
        self._timeline = 0
        self._state: tuple[object, ...] = ()
        self._advanced = 0
        self._receiver: subprocess.Popen[bytes] | None = None
        self._told = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> LowLevelBackup:
        return self

    def __exit__(self, *_what: object) -> None:
        self._stop_receiver()
        self._told.close()
        self._database.close()

    @property
    def folder(self) -> Path:
        """Where the set has its WAL."""
        return self._one.data / "pg_wal"

    def start(self) -> None:
        """Begin: from here on the server's WAL repairs what is copied. Raises SkytoolsError."""
        database = self._database
        self._state = tuple(database.query(STATE)[0])
        database.value(SLOT, [self._slot])
        call = "pg_backup_start(%s, true)"
        if self._programs.major < FIRST_SHORT_NAMES:
            call = "pg_start_backup(%s, true, false)"
        start = parse_lsn(database.value(f"select {call}::text", [self._one.label]))
        self._timeline = int(database.value("select timeline_id from pg_control_checkpoint()"))
        if {row[0] for row in database.query(SPACES)} != set(self._one.tablespaces):
            raise SkytoolsError("tablespaces were made or dropped as the backup began: repeat it")
        (self.folder / "archive_status").mkdir(mode=0o700, parents=True)
        if self._programs.major >= FIRST_SUMMARIES:
            (self.folder / "summaries").mkdir(mode=0o700)
        # pg_receivewal goes on where it left; on a standby the backup begins before "now".
        first = Segment.at(self._timeline, start, self._one.segment_size)
        (self.folder / f"{first.name}{PARTIAL}").touch(mode=0o600)
        self._receiver = self._receive()

    def look(self) -> None:
        """Raise SkytoolsError when the backup is no more; let the server drop WAL that is here."""
        if self._receiver is not None and self._receiver.poll() is not None:
            raise ProgramError(f"the backup's WAL is no longer received: {self._last_words()}")
        self._require_session()
        segments = self._segments()
        # The receiver goes along, sooner than the control file tells.
        timelines = (int(name[:8], 16) for name in segments)
        self._require_timeline(max(timelines, default=self._timeline))
        whole = [one for one in segments if not one.endswith(PARTIAL)]
        if whole:
            end = Segment.parse(max(whole), self._one.segment_size).end
            if end > self._advanced:
                self._advanced = end
                position = format_lsn(end)
                self._database.query(ADVANCE, [position, self._slot, position])

    def stop(self) -> Ended:
        """End it, with all its WAL in the set. Raises SkytoolsError."""
        self.look()
        call = "pg_backup_stop(false)"
        if self._programs.major < FIRST_SHORT_NAMES:
            call = "pg_stop_backup(false, false)"
        lsn, label = self._database.query(f"select lsn::text, labelfile from {call}")[0]  # noqa: S608
        found = LABEL_START.search(str(label))
        assert found is not None, label
        ended = Ended(str(label), WalRange(self._timeline, parse_lsn(found[1]), parse_lsn(lsn)))
        query = "select min_recovery_end_timeline from pg_control_recovery()"
        self._require_timeline(int(self._database.value(query)))
        self._finish_wal(ended.range.end)
        return ended

    def _require_session(self) -> None:
        """Raise SkytoolsError when the session is another one, or the standby none any more."""
        process, in_recovery = self._database.query(STATE)[0]
        if process != self._state[0]:
            raise SkytoolsError("the session of the backup was lost, and the backup with it")
        if in_recovery != self._state[1]:
            raise SkytoolsError("the standby was promoted during the backup: repeat it")

    def _require_timeline(self, timeline: int) -> None:
        """Raise SkytoolsError when a standby went to another timeline meanwhile."""
        if timeline not in (0, self._timeline):
            raise SkytoolsError(
                f"the standby went to timeline {timeline} during the backup, which began on "
                f"{self._timeline}: repeat it"
            )

    def _segments(self) -> list[str]:
        names = []
        for path in self.folder.iterdir():
            with suppress(WalError):
                if kind_of(path.name.removesuffix(PARTIAL)) == SEGMENT:
                    names.append(path.name)
        return sorted(names)

    def _receive(self, end: int | None = None) -> subprocess.Popen[bytes]:
        visible, password = split_password(self._conninfo)
        words = [
            "setpriv", "--pdeathsig", "KILL", self._programs.path("pg_receivewal"), "-d", visible,
            "-D", self.folder, "--no-loop", "--no-password", "--no-sync",
            *(["--endpos", format_lsn(end)] if end is not None else []),
        ]  # fmt: skip
        env = clean_environment({"LC_ALL": "C", **({"PGPASSWORD": password} if password else {})})
        return subprocess.Popen(
            list(map(str, words)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=self._told, env=env,
        )  # fmt: skip

    def _stop_receiver(self) -> None:
        process, self._receiver = self._receiver, None
        if process is None:
            return
        process.send_signal(signal.SIGINT)  # what all versions end in order on
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT)
        if process.poll() is None:
            process.kill()
            process.wait()

    def _finish_wal(self, end: int) -> None:
        """Receive to the end and no further; give unfinished files their names.

        What they lack after the end is zeros, as in a set of pg_basebackup.
        """
        self._stop_receiver()
        # It ends beyond the position that it is given.
        last = Segment.at(self._timeline, end - 1, self._one.segment_size).name
        for name in self._segments():
            path = self.folder / name
            if name[:24] > last:
                path.unlink()
            elif path.stat().st_size != self._one.segment_size:
                path.write_bytes(b"")  # it was ended before that had its size, and begins anew
        if last not in self._segments():
            self._receiver = self._receive(end - 1)
            code = self._receiver.wait()
            self._receiver = None
            if code != 0:
                raise ProgramError(f"the end of the backup's WAL: {self._last_words()}")
        for path in sorted(self.folder.glob(f"*{PARTIAL}")):
            path.rename(path.with_suffix(""))
        for path in self.folder.iterdir():
            if path.is_file():
                # A server that is made of the set has nothing to archive of it.
                (self.folder / "archive_status" / f"{path.name}.done").touch(mode=0o600)

    def _last_words(self) -> str:
        self._told.seek(0)
        lines = self._told.read().decode(errors="replace").strip().splitlines()
        errors = [line for line in lines if "error" in line]
        return (errors or lines or ["pg_receivewal was killed"])[-1 if not errors else 0]


def write_label(one: BackupSet, text: str) -> None:
    """Write what makes a server recover from where the backup began."""
    write_text(one.data / "backup_label", text)
