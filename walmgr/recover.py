# SPDX-License-Identifier: ISC
"""The verb `restore`: a set becomes a server at a chosen point, or the standby anew."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from skytools.core.errors import UsageError
from skytools.walmgr import clock, postgres
from skytools.walmgr.archive import archive_command
from skytools.walmgr.coverage import Coverage
from skytools.walmgr.datadir import (
    install_set,
    is_empty,
    make_recovery,
    make_standby,
    require_usable,
    set_aside,
    stage_set,
    staged_at,
)
from skytools.walmgr.delta import make_equal, require_fit, whole
from skytools.walmgr.errors import ProgramError, RefusedError
from skytools.walmgr.node import SLAVE
from skytools.walmgr.outside import bring_configuration
from skytools.walmgr.postgres import Programs
from skytools.walmgr.restore import restore_command
from skytools.walmgr.server import start_server, stop_server, wait_recovered
from skytools.walmgr.sets import BackupSet, chain_of, choose_set
from skytools.walmgr.site import Site
from skytools.walmgr.target import IMMEDIATE, LATEST, LSN, TIME, Target, choose
from skytools.walmgr.wal import WalError, format_lsn, parse_lsn


@dataclass(frozen=True, slots=True)
class Plan:
    """What a restore is going to do."""

    way: Coverage
    target: Target
    folder: Path
    standby: bool
    start: bool
    settings: Mapping[str, str]
    delta: bool = False
    clock: str = ""

    def lines(self) -> list[str]:
        """Say it for people."""
        one = self.way.one
        kind = "a standby" if self.standby else f"a server at {self.target}"
        last = format_lsn(self.way.end)
        how = "change what differs from" if self.delta else "copy"
        return [
            f"{how} backup set {one.name} {'in' if self.delta else 'to'} {self.folder}",
            f"make it {kind}, timeline {self.way.history.timeline}, WAL up to {last}",
            "start it" if self.start else "leave it stopped",
            *([f"take the time as the primary's: {self.clock}"] if self.clock else []),
        ]


def plan_restore(
    site: Site,
    target: Target,
    *,
    name: str = "",
    folder: Path | None = None,
    start: bool = False,
    settings: Mapping[str, str] = MappingProxyType({}),
    delta: bool = False,
) -> Plan:
    """Choose the set and check that the target can be reached. Raises SkytoolsError.

    Without a folder the standby is made anew, which is started as 3.x did.
    """
    sets = site.sets()
    if name:
        sets = [choose_set(sets, name)]
    way = choose(site, target, sets)
    require_good_wal(site, target, way)
    node = site.follower
    own = folder is None or folder == node.data
    if own and not node.host.local:
        raise UsageError(f"{node.folder} is on {node.host}: run this there")
    where = node.folder if folder is None else folder.absolute()
    require_usable(where)
    delta = delta and not is_empty(where)
    if delta:
        require_fit(way.one, where, site.programs(way.one.version // 10000))
        if not own and postgres.running_pid(site.here, where) is not None:
            raise RefusedError(f"a server runs on {where}: stop it first if it may go")
    elif not own and not is_empty(where):
        raise RefusedError(f"folder {where} is not empty: choose another, or empty it")
    if own:
        require_no_primary(site, where)
    standby = own and target.kind == LATEST
    skew = clock.compare(site) if target.kind == TIME else ""
    return Plan(way, target, where, standby, start or own, settings, delta, skew)


def require_good_wal(site: Site, target: Target, way: Coverage) -> None:
    """Raise RefusedError when a segment on the way is damaged: recovery would end there."""
    last = parse_lsn(target.value) if target.kind == LSN else way.one.stop
    segments = () if target.kind == IMMEDIATE else way.segments
    for segment in segments:
        if target.kind == LSN and segment.start > last:
            return
        found = site.archive.find(segment.name)
        if found is None:
            continue  # the receiver's unfinished one
        try:
            site.archive.check(found)
        except WalError as exc:
            raise RefusedError(
                f"damaged in the archive: {exc}; recovery from set {way.one.name} reaches "
                f"{format_lsn(segment.start)} only: choose a point before it"
            ) from exc


def require_no_primary(site: Site, folder: Path) -> None:
    """Raise RefusedError when the server that would be replaced is a working primary."""
    if postgres.running_pid(site.here, folder) is None:
        return
    database = site.answering_standby()
    if database is None or not database.value("select pg_is_in_recovery()"):
        raise RefusedError(f"the server on {folder} is no standby: stop it first if it may go")


def restore(site: Site, plan: Plan) -> None:
    """Do it. The old folder of the standby is kept, renamed, unless backup_datadir says no."""
    programs = site.programs(plan.way.one.version // 10000)
    with site.backup_lock():
        build(site, plan, programs)
    if plan.start:
        start_server(site, programs, plan.folder)
        if not plan.standby and plan.target.action == "promote":
            # Until then it shows an earlier state to who asks.
            wait_recovered(programs, plan.folder)
        site.say(f"started {plan.folder}")
    else:
        command = f"{programs.path('pg_ctl')} -D {plan.folder} -w start"
        site.say(f"restored to {plan.folder}; start it by: {command}")


def build(site: Site, plan: Plan, programs: Programs, *, staged: bool = False) -> None:
    """Make the data folder; the caller holds the lock that keeps the set from being removed.

    `staged`: the copy is there already, beside the folder; its set was just compared.
    """
    one = plan.way.one
    if plan.delta:
        stop_server(site, plan.folder)
        chain = chain_of(site.sets(), one)
        with whole(one, plan.folder, chain, programs.path("pg_combinebackup")) as source:
            written, kept = make_equal(source, plan.folder)
        site.say(f"{written} files written, {kept} were the same")
        if (one.data / "backup_manifest").exists():
            _verify(site, programs, (), plan.folder)
        _finish(site, plan, plan.folder)
        return
    if not is_empty(plan.folder):
        stop_server(site, plan.folder)
        if site.cfg.backup_datadir:
            site.say(f"old data folder kept as {set_aside(plan.folder)}")
        else:
            shutil.rmtree(plan.folder)
    wal = site.cfg.slave_pg_xlog if plan.folder == site.nodes[SLAVE].data else None
    chain = chain_of(site.sets(), one)
    if not staged:
        _stage(site, plan, programs, chain)
    # It has its name only when nothing is missing: as it comes from the set it would be a primary.
    brought = _finish(site, plan, staged_at(plan.folder)[0])
    check = None
    if (one.data / "backup_manifest").exists():
        # What was put together is a new thing; a copy came from what was compared.
        words = [
            *([] if len(chain) > 1 else ["--skip-checksums"]),
            *map("--ignore={}".format, brought),
        ]
        check = partial(_verify, site, programs, words)
    install_set(one, plan.folder, wal, check)


def _stage(site: Site, plan: Plan, programs: Programs, chain: Sequence[BackupSet]) -> None:
    """Copy the set beside the folder, and compare it with its manifest while it is read anyway."""
    one = plan.way.one
    with ThreadPoolExecutor(1) as pool:
        compared = None
        if len(chain) == 1 and (one.data / "backup_manifest").exists():
            compared = pool.submit(_verify, site, programs, (), one.data)
        stage_set(one, plan.folder, chain, programs.path("pg_combinebackup"))
        if compared is not None:
            try:
                compared.result()
            except ProgramError as exc:
                raise ProgramError(f"backup set {one.name}: {exc}; name another one") from exc


def _finish(site: Site, plan: Plan, folder: Path) -> list[str]:
    """Make the copy what it is to be; returns which files it has from elsewhere."""
    brought = bring_configuration(plan.way.one, folder)
    _add_tail(plan, folder)
    configure(site, plan, folder)
    return brought


def _verify(site: Site, programs: Programs, words: Sequence[str], folder: Path) -> None:
    """Compare files with the manifest, of a set or of its copy before anything is changed in it."""
    program = programs.path("pg_verifybackup")
    site.here.check([program, "--quiet", "--no-parse-wal", *words, folder])


def _add_tail(plan: Plan, folder: Path) -> None:
    """Put the unfinished last segment where the server looks when the archive has no more."""
    if plan.way.tail is not None and not plan.standby:
        target = folder / "pg_wal" / plan.way.segments[-1].name
        shutil.copyfile(plan.way.tail, target)
        target.chmod(0o600)


def configure(site: Site, plan: Plan, folder: Path) -> None:
    """Write settings and signal files into a folder that becomes the plan's."""
    command = restore_command(site.program, str(site.ini), standby=plan.standby)
    settings = {"restore_command": command}
    if plan.folder == site.follower.data:
        settings.update(site.follower.settings)
    settings.update(plan.settings)
    if plan.standby:
        if site.cfg.master_ini != "none":
            # It works from the promotion on.
            settings["archive_command"] = archive_command(site.program, str(site.ini))
            settings["archive_mode"] = "on"
        make_standby(site.here, folder, {**settings, **standby_settings(site)})
        return
    settings.update(plan.target.settings(plan.way.history.timeline))
    # A trial copy must not write into the archive of the server it comes from.
    settings["archive_mode"] = "off"
    make_recovery(site.here, folder, settings)


def standby_settings(site: Site) -> dict[str, str]:
    """Return what makes a server stream from the primary, if we know how."""
    settings = {
        "recovery_target_timeline": "latest",
        "hot_standby": "on",
        # How soon a standby looks into the archive again when its primary is gone.
        "wal_retrieve_retry_interval": "500ms",
    }
    if site.leader.conninfo or site.cfg.stream:
        settings["primary_conninfo"] = site.stream_conninfo("standby")
    return settings
