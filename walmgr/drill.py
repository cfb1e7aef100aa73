# SPDX-License-Identifier: ISC
"""The verb `drill`: restore the newest set for trial, start it, check it, measure the time."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from skytools.core.db import Database, merge_conninfo, split_password
from skytools.core.errors import SkytoolsError
from skytools.walmgr import postgres, recover
from skytools.walmgr.errors import ProgramError, RefusedError
from skytools.walmgr.files import locked, read_json, write_json, write_text
from skytools.walmgr.postgres import Programs
from skytools.walmgr.server import run_pg_ctl, wait_until
from skytools.walmgr.sets import DRILLED, BackupSet, read_set
from skytools.walmgr.site import Site
from skytools.walmgr.target import Target
from skytools.walmgr.wal import format_lsn

RESULT = "drill.json"
LOCK = ".drill.lock"
RECOVERY_TIMEOUT = 24 * 3600.0
PORT = "5432"  # of a unix socket in a folder of its own


@dataclass(frozen=True, slots=True)
class Drill:
    """How the last trial went; `seconds` from the first byte copied to the first query answered."""

    moment: float
    good: bool
    set: str = ""
    seconds: float = 0.0
    recovered_to: str = ""
    text: str = ""


def last_drill(site: Site) -> Drill | None:
    """Return the last trial, None without one."""
    facts = read_json(site.cfg.home / RESULT)
    return Drill(**facts) if facts else None


def drill(site: Site) -> Drill:
    """Run a trial and remember how it went. Raises SkytoolsError when it failed."""
    began = time.monotonic()
    with locked(site.cfg.home / LOCK, "another trial restore"):
        try:
            done = _drill(site, began)
        except SkytoolsError as exc:
            failed = Drill(time.time(), good=False, text=str(exc))
            write_json(site.cfg.home / RESULT, asdict(failed))
            raise
        write_json(site.cfg.home / RESULT, asdict(done))
    return done


def _drill(site: Site, began: float) -> Drill:
    with _scratch(site) as (folder, sockets):
        settings = {
            "listen_addresses": "", "unix_socket_directories": str(sockets), "port": PORT,
            "archive_mode": "off", "shared_buffers": "128MB", "logging_collector": "off",
            # The set's own may ask for what nobody here can give; no other can reach the socket.
            "hba_file": str(folder.with_name("pg_hba.conf")),
        }  # fmt: skip
        write_text(folder.with_name("pg_hba.conf"), "local all all trust\n")
        plan = recover.plan_restore(site, Target(), folder=folder, settings=settings)
        one = plan.way.one
        programs = site.programs(one.version // 10000)
        with site.backup_lock():
            recover.build(site, plan, programs)
        run_pg_ctl(programs, folder, "start")
        try:
            database = _wait_open(site, sockets)
            seconds = time.monotonic() - began
            position = str(database.value("select pg_current_wal_lsn()::text"))
            _check(site, programs, sockets, database)
            database.close()
        finally:
            site.here.run([programs.path("pg_ctl"), "-D", folder, "-m", "immediate", "stop"])
    _mark(site, one)
    site.say(
        f"set {one.name} answered after {seconds:.1f} s, recovered to {position} "
        f"of {format_lsn(plan.way.end)}"
    )
    return Drill(time.time(), good=True, set=one.name, seconds=seconds, recovered_to=position)


def _mark(site: Site, one: BackupSet) -> None:
    """Say in the set that it was tried; what else is known of it may have changed meanwhile."""
    try:
        with site.backup_lock():
            present = read_set(one.path)
            if present is not None and present.complete:
                replace(present, state=DRILLED).save()
    except RefusedError as exc:
        site.say(f"set {one.name} is good, and not marked so: {exc}")


@contextmanager
def _scratch(site: Site) -> Iterator[tuple[Path, Path]]:
    """Give a data folder to be and a folder for its socket; what a killed trial left goes too."""
    place = site.cfg.home
    for left in place.glob(".drill-*"):
        _stop_left(site, left / "data")
        shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(prefix=".drill-", dir=place))
    # The path of a socket may have 107 bytes only.
    sockets = Path(tempfile.mkdtemp(prefix="walmgr-"))
    try:
        yield folder / "data", sockets
    finally:
        shutil.rmtree(folder)
        shutil.rmtree(sockets)


def _stop_left(site: Site, data: Path) -> None:
    """Stop the server of a trial that was killed."""
    major = postgres.major_of(site.here, data)
    if major is not None and postgres.running_pid(site.here, data) is not None:
        program = site.programs(major).path("pg_ctl")
        site.here.run([program, "-D", data, "-m", "immediate", "stop"])


def _wait_open(site: Site, sockets: Path) -> Database:
    base = merge_conninfo(site.cfg.primary or "dbname=postgres", host=str(sockets), port=PORT)
    database = site.connect("drill", base)

    def opened() -> bool:
        try:
            return not database.value("select pg_is_in_recovery()")
        except SkytoolsError:
            return False

    wait_until(opened, "the restored server opens", RECOVERY_TIMEOUT)
    return database


def _check(site: Site, programs: Programs, sockets: Path, database: Database) -> None:
    """Run pg_amcheck over all databases, and the query of the ini. Raises SkytoolsError."""
    user = str(database.value("select current_user"))
    where = ["-h", str(sockets), "-p", PORT, "-U", user]
    words = [
        str(programs.path("pg_amcheck")),
        *where,
        "--all",
        "--install-missing",
        "--no-password",
    ]
    _, password = split_password(site.cfg.primary or "dbname=postgres")
    done = site.here.run(words, password=password)
    if done.code != 0:
        raise ProgramError(f"pg_amcheck: {done.last_line}")
    query = site.cfg.drill_query
    if query and not database.value(query):
        raise SkytoolsError(f"drill_query found nothing: {query}")
