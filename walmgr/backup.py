# SPDX-License-Identifier: ISC
"""Making and removing backup sets. pg_basebackup copies, pg_verifybackup checks."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from skytools.core.db import Database, split_password
from skytools.core.errors import SkytoolsError
from skytools.walmgr import streams
from skytools.walmgr.datadir import Staging, sync_tree
from skytools.walmgr.errors import ProgramError
from skytools.walmgr.expire import expire
from skytools.walmgr.files import make_folder
from skytools.walmgr.hooks import run_hook
from skytools.walmgr.outside import read_configuration
from skytools.walmgr.postgres import Programs, Server, ask_server, read_control
from skytools.walmgr.remote import clean_environment
from skytools.walmgr.server import wait_until
from skytools.walmgr.sets import (
    FACTS,
    FAILED,
    OK,
    VERIFIED,
    BackupSet,
    chain_of,
    folder_size,
    list_sets,
    manifest_facts,
    stamp,
)
from skytools.walmgr.sharing import share_files
from skytools.walmgr.site import Site
from skytools.walmgr.store import sync_folder
from skytools.walmgr.wal import HISTORY, Segment, WalError, format_lsn, kind_of

FIRST_INCREMENTAL = 17
HALF = ".half."
# pg_basebackup receives WAL by a process of its own, which goes on for ever when the other dies.
TOGETHER = 'trap "kill -KILL 0" TERM; "$@" & wait $!'
# Each must begin where another ends, but for the one that the position is in.
SUMMARIES = """
with wanted as (select %s::pg_lsn as start),
summary as (
    select start_lsn, end_lsn, start_lsn <= start as first
    from pg_available_wal_summaries(), wanted where end_lsn > start
)
select coalesce(
    bool_and(first or exists (select from summary before where before.end_lsn = summary.start_lsn)),
    (select summarized_lsn <= start from pg_get_wal_summarizer_state(), wanted)
) from summary
"""
FIRST_PACKING = 15
NO_SUPPORT = "does not support compression"  # a program built without a library
TIMELINE = "select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int"


@dataclass(frozen=True, slots=True)
class Wish:
    """What kind of backup somebody asks for; `streams` 0: as the ini says.

    `anew`: nothing of earlier sets is used, whatever the ini says.
    """

    source: str = "primary"
    rate: str = ""
    incremental: bool = False
    streams: int = 0
    anew: bool = False


def make_backup(
    site: Site,
    wish: Wish = Wish(),
    *,
    beside: Callable[[BackupSet], Staging] | None = None,
) -> BackupSet:
    """Make a complete, verified set, then remove what retention no longer asks for.

    `beside` begins a copy of the set, which is complete, too, when this returns.
    Raises SkytoolsError; the set is then marked as failed, older ones are untouched.
    """
    site.require_folders()
    with site.backup_lock():
        run_hook(site, "backup_pre_hook")
        try:
            one = _make(site, wish, beside)
        except (SkytoolsError, WalError, OSError, KeyboardInterrupt):
            with suppress(ProgramError):
                run_hook(site, "backup_post_hook", RESULT="failed")
            raise
        if site.cfg.share_files and not wish.anew:
            _share(site, one)
        run_hook(site, "backup_post_hook", RESULT="ok", BACKUPDIR=str(one.path))
        expire(site)
    return one


def _share(site: Site, one: BackupSet) -> None:
    """Keep files once that the set before has too. Raises OSError; the set is good all the same."""
    earlier = [other for other in site.sets() if other.complete and other.name != one.name]
    if earlier:
        saved = share_files(one, earlier[-1])
        site.say(f"backup set {one.name}: shares {saved >> 20} MB with {earlier[-1].name}")


def _make(site: Site, wish: Wish, beside: Callable[[BackupSet], Staging] | None) -> BackupSet:
    began = time.monotonic()
    database, conninfo = _source(site, wish.source)
    server = ask_server(database)
    programs = site.programs(server.major)
    parent = parent_for(site, database, server) if wish.incremental else None
    rate = wish.rate or site.cfg.backup_rate
    files = None if parent else _open_files(site, wish, database, rate)
    site.archive.claim(server.system_id)
    remove_halves(site)
    one = _begin(site, database, server, parent)
    what = f"what changed since {parent.name}" if parent else "all"
    how = f" by {files.streams} streams" if files else ""
    site.say(f"backup set {one.name}: copying {what} from the {wish.source}{how}")
    copy: Staging | None = None
    try:
        configuration = read_configuration(database)
        copy = beside(one) if beside is not None else None
        if files is not None:
            streams.fetch(site, one, files, programs, conninfo)
        else:
            packing = _packing(site, database, server, programs)
            _fetch(site, one, programs, conninfo, rate, parent, packing)
        configuration.keep(one)
        with ThreadPoolExecutor(1) as pool:
            copied = pool.submit(copy.finish) if copy is not None else None
            one = _read_back(site, database, one)
            _verify(site, one, programs, linked=files is not None and files.base is not None)
            if copied is not None:
                copied.result()
    except (SkytoolsError, WalError, OSError, KeyboardInterrupt):
        # Without the lock a set that is "running" counts as failed: the disk may be full.
        with suppress(OSError):
            replace(one, state=FAILED).save()
        raise
    finally:
        if copy is not None:
            copy.stop()
    seconds = time.monotonic() - began
    one = replace(one, state=VERIFIED, seconds=seconds)
    one.save()
    site.say(f"backup set {one.name}: verified, {one.size >> 20} MB in {seconds:.0f} s")
    return one


def _open_files(site: Site, wish: Wish, database: Database, rate: str) -> streams.Source | None:
    """Return the server's files for several streams, None for pg_basebackup."""
    count = wish.streams or site.cfg.backup_streams
    if count == 1:
        return None
    node = site.leader if wish.source == "primary" else site.follower
    linked = site.cfg.share_files and not wish.anew
    return streams.open_source(site, node, database, count, rate, linked=linked)


def _source(site: Site, source: str) -> tuple[Database, str]:
    if source == "primary":
        return site.primary(), site.stream_conninfo("backup")
    standby = site.answering_standby()
    if standby is None:
        raise SkytoolsError("the standby does not answer: start it, or use --from primary")
    return standby, standby.conninfo


def parent_for(site: Site, database: Database, server: Server) -> BackupSet | None:
    """Return the set that an incremental one can be based on, None when it must be full.

    After any change of the timeline it must be: summaries of WAL do not reach across it safely.
    """
    sets = [one for one in site.sets() if one.complete and one.system_id == server.system_id]
    why = ""
    if server.major < FIRST_INCREMENTAL:
        why = f"PostgreSQL {server.major} has no incremental backup"
    elif database.value("show summarize_wal") != "on":
        why = "summarize_wal is off; `pair` switches it on where incremental is set"
    elif not sets or not (sets[-1].data / "backup_manifest").is_file():
        why = "there is no set to begin from"
    elif sets[-1].timeline != int(database.value(TIMELINE)):
        why = "the timeline has changed since the last set"
    elif not _summarized(database, sets[-1].start):
        why = "summaries of WAL since the last set are missing"
    elif _checksums_changed(site, database, server, sets[-1]):
        why = "data checksums were switched since the last set"
    if why:
        site.say(f"the backup is a full one: {why}")
        return None
    chain_of(sets, sets[-1])
    return sets[-1]


def _summarized(database: Database, start: int) -> bool:
    """Whether the server has summaries from a position on, or is still to make them."""
    return bool(database.value(SUMMARIES, [format_lsn(start)]))


def _checksums_changed(site: Site, database: Database, server: Server, one: BackupSet) -> bool:
    """Whether pages of the server and of a set differ in having checksums."""
    control = read_control(site.programs(server.major), one.data)
    return control.checksums is not bool(database.value("show data_checksums") == "on")


def full_is_due(site: Site) -> bool:
    """Whether the last full set is older than full_interval; never if they are for ever."""
    if site.cfg.incremental_forever:
        return False
    full = [one.finished for one in site.sets() if one.complete and not one.parent]
    return not full or time.time() - max(full) >= site.cfg.full_interval * 3600


def remove_halves(site: Site) -> None:
    """Remove what killed backups have left: there may be no room for another set beside it."""
    for one in list_sets(site.cfg.sets, running=False):
        manifest = one.data / "backup_manifest"
        if one.state == FAILED and (one.path / FACTS).exists() and not manifest.exists():
            one.path.rename(one.path.with_name(f"{HALF}{one.name}"))
    for path in site.cfg.sets.parent.glob(f"{HALF}*"):
        # The pg_basebackup of a killed backup ends a moment later, and finds its folder gone.
        wait_until(lambda path=path: _removed(path), f"{path} is written to", 30.0)  # type: ignore[misc]


def _removed(path: Path) -> bool:
    try:
        shutil.rmtree(path)
    except OSError as exc:
        if exc.errno != errno.ENOTEMPTY:
            raise
        return False
    return True


def _begin(site: Site, database: Database, server: Server, parent: BackupSet | None) -> BackupSet:
    """Make the set's folder, which says that it is being made."""
    started = float(database.value("select extract(epoch from clock_timestamp())"))
    prefix = site.cfg.sets
    make_folder(prefix.parent)
    named = started
    while (path := prefix.with_name(f"{prefix.name}.{stamp(named)}")).exists():
        named += 1  # another one began this very second
    (path / "tablespaces").mkdir(mode=0o700, parents=True)
    path.chmod(0o700)
    found = database.query(
        "select oid::text, pg_tablespace_location(oid) from pg_tablespace"
        " where pg_tablespace_location(oid) <> ''"
    )
    spaces = {str(oid): location for oid, location in found}
    one = BackupSet(
        path.name, path, started=started, system_id=server.system_id, version=server.version,
        segment_size=server.segment_size, timeline=server.timeline, tablespaces=spaces,
        label=f"walmgr {path.name}", parent=parent.name if parent else "",
    )  # fmt: skip
    one.save()
    sync_folder(str(prefix.parent))
    return one


def _fetch(  # noqa: PLR0917 - what pg_basebackup has to know
    site: Site,
    one: BackupSet,
    programs: Programs,
    conninfo: str,
    rate: str,
    parent: BackupSet | None,
    packing: str,
) -> None:
    visible, password = split_password(conninfo)
    words: list[str | Path] = [
        programs.path("pg_basebackup"), "-d", visible, "-D", one.path / "data", "-F", "plain",
        "-X", "stream", "-c", "fast", "-l", one.label, "--no-password", "--no-sync",
        *(["--max-rate", rate] if rate else []),
        *([f"--compress=server-{packing}"] if packing else []),
        *([f"--incremental={parent.data / 'backup_manifest'}"] if parent else []),
        *(f"-T{location}={one.spaces / oid}" for oid, location in one.tablespaces.items()),
        *(["--progress"] if site.out.terminal and not site.out.as_json else []),
    ]  # fmt: skip
    _run_shown(words, password, shown=site.out.terminal)


def _packing(site: Site, database: Database, server: Server, programs: Programs) -> str:
    """Return how the server packs what it sends, empty for not at all; tells why."""
    wanted = site.cfg.backup_compression
    if wanted == "none":
        return ""
    built = database.value("select enumvals from pg_settings where name = 'wal_compression'")
    why = why_unpacked(wanted, server.major, built or ())
    if not why:
        # Asked to pack by itself it says at once whether it knows how; it never gets a connection.
        program = programs.path("pg_basebackup")
        done = site.here.run([
            program, "-d", "host=/nowhere", "-F", "t", "-D", "-", "-X", "none", "--no-password",
            f"--compress=client-{wanted}",
        ])  # fmt: skip
        why = done.last_line if NO_SUPPORT in done.err else ""
    if why:
        site.say(f"the backup comes uncompressed: {why}")
    return "" if why else wanted


def why_unpacked(wanted: str, major: int, built: Sequence[str]) -> str:
    """Return why a server cannot pack that way; `built`: what it can do with full pages of WAL."""
    if major < FIRST_PACKING:
        return f"PostgreSQL {major} does not pack backups"
    if wanted != "gzip" and wanted not in built:
        return f"the server is built without {wanted}"
    return ""


def _read_back(site: Site, database: Database, one: BackupSet) -> BackupSet:
    """Find out what the copy is, and take its WAL into the archive."""
    facts = manifest_facts(one.path / "data" / "backup_manifest")
    finished = float(database.value("select extract(epoch from clock_timestamp())"))
    one = replace(one, state=OK, finished=finished, size=folder_size(one.path), **facts)
    _admit_own_wal(site, one)
    return one


def _verify(site: Site, one: BackupSet, programs: Programs, *, linked: bool) -> None:
    """Compare every file with the manifest, and read the set's WAL, while the disk gets it all."""
    with ThreadPoolExecutor(1) as pool:
        # pg_basebackup would do so file by file, and nobody could read meanwhile.
        synced = pool.submit(sync_tree, one.path)
        try:
            site.here.check([programs.path("pg_verifybackup"), "--quiet", one.data])
        except ProgramError as exc:
            if linked:
                raise ProgramError(f"{exc}; `backup --full` copies all anew") from exc
            raise
        synced.result()


def _run_shown(words: list[str | Path], password: str, *, shown: bool) -> None:
    """Run pg_basebackup; on a terminal its progress is seen."""
    env = clean_environment({"LC_ALL": "C", **({"PGPASSWORD": password} if password else {})})
    process = subprocess.Popen(
        # It must not write on when we are gone.
        ["setpriv", "--pdeathsig", "TERM", "sh", "-c", TOGETHER, "backup", *map(str, words)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=None if shown else subprocess.PIPE, env=env, text=True, errors="replace",
        start_new_session=True,
    )  # fmt: skip
    try:
        _, told = process.communicate()
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if process.returncode != 0:
        lines = [line for line in (told or "").strip().splitlines() if "error" in line]
        raise ProgramError(lines[0] if lines else f"{words[0]}: exit code {process.returncode}")


def _admit_own_wal(site: Site, one: BackupSet) -> None:
    """Bring the set's own whole segments into the archive: it then reaches from here on."""
    folder = one.data / "pg_wal"
    for path in sorted(folder.iterdir()):
        try:
            kind = kind_of(path.name)
        except WalError:
            continue
        whole = len(path.name) == 24 and Segment.parse(path.name, one.segment_size).end <= one.stop
        if whole or kind == HISTORY:
            site.archive.admit(str(path), path.name)
