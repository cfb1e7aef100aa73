# SPDX-License-Identifier: ISC
"""The verb `pair`: a primary and an empty folder become archive, slot, backup set and hot standby.

Every step looks first and does only what is missing, so it can be repeated at any time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from skytools.core.db import merge_conninfo, split_password, sql
from skytools.core.errors import SkytoolsError, UsageError
from skytools.walmgr import clock, postgres, recover
from skytools.walmgr.archive import archive_command
from skytools.walmgr.backup import make_backup
from skytools.walmgr.datadir import STANDBY, Staging, is_empty, require_usable
from skytools.walmgr.errors import ProgramError, RefusedError
from skytools.walmgr.files import make_folder
from skytools.walmgr.postgres import Programs, Server
from skytools.walmgr.remote import shell
from skytools.walmgr.server import restart_server, start_server, wait_caught_up, wait_until
from skytools.walmgr.site import Site
from skytools.walmgr.target import Target

MIN_SENDERS = 5
MIN_SLOTS = 5
STREAM_TIMEOUT = 120.0
# Says yes and keeps nothing, so that WAL does not pile up on the primary. Source: walmgr3 `stop`.
NO_ARCHIVE = "exit 0 # walmgr stop"


@dataclass(frozen=True, slots=True)
class Step:
    """Something that is missing, and how it comes about."""

    text: str
    run: Callable[[], None]


@dataclass(slots=True)
class Pairing:
    """What was found out, and what is to be done about it."""

    server: Server
    steps: list[Step] = field(default_factory=list)
    restart: list[str] = field(default_factory=list)


def plan_pair(site: Site, *, restart: bool, force: bool) -> Pairing:
    """Look at everything and return what is missing; touches nothing.

    Raises SkytoolsError: whatever would fail half-way is to be seen here.
    """
    server = postgres.ask_server(site.primary())
    if server.in_recovery:
        raise RefusedError("master_db leads to a standby; name the primary")
    if not site.primary().value("select rolsuper from pg_roles where rolname = current_user"):
        raise UsageError("master_db: the user must be a superuser to change settings and to copy")
    programs = site.programs(server.major)
    _require_ssh(site)
    known = site.archive.identity() if site.cfg.completed.is_dir() else 0
    if known not in (0, server.system_id):
        raise RefusedError(
            f"archive {site.cfg.completed} belongs to another cluster: system identifier {known}, "
            f"not {server.system_id}"
        )
    _require_replication(site, programs, server)
    pairing = Pairing(server)
    plan_folders(site, pairing)
    plan_settings(site, pairing, force=force)
    plan_restart(site, pairing, restart=restart)
    plan_slot(site, pairing)
    plan_standby(site, pairing)
    if text := clock.compare(site):
        site.say(f"note: {text}; synchronise them, or times of recovery mislead")
    return pairing


def _require_ssh(site: Site) -> None:
    """Raise SkytoolsError when the primary's host is named, and cannot be asked."""
    leader = site.leader
    if leader.host.local:
        return
    try:
        major = leader.major()
    except ProgramError as exc:
        told, remedy = str(exc), "correct master_host, or leave it empty"
        if "Permission denied" in told:
            remedy = "let this host's key in there (`sshkey --allow`), or leave master_host empty"
        elif "is not of the data folder" in told:
            remedy = "correct master_data, here or there"
        raise SkytoolsError(f"{told}; {remedy}") from exc
    if major is None:
        raise UsageError(f"{leader.host} has no data folder {leader.data}: correct master_data")


def _require_replication(site: Site, programs: Programs, server: Server) -> None:
    """Raise SkytoolsError when nobody may stream from the primary, if it has senders at all."""
    psql = programs.path("psql")
    if site.primary().value("show max_wal_senders") == "0" or not psql.exists():
        return
    conninfo = merge_conninfo(site.stream_conninfo("pair"), replication="yes", connect_timeout="10")
    visible, password = split_password(conninfo)
    words: list[str | Path] = [psql, "-XAtw", "-c", "IDENTIFY_SYSTEM", "-d"]
    done = site.here.run([*words, visible], password=password)
    if done.code != 0:
        told = f"no replication from the primary: {done.last_line}"
        if "pg_hba.conf" in told:
            told += "; add `host replication USER THIS_HOST scram-sha-256` to it and reload"
        raise SkytoolsError(told)
    found = done.out.partition("|")[0]
    if found != str(server.system_id):
        raise RefusedError(f"primary_conninfo leads to another cluster: {found}")


def plan_folders(site: Site, pairing: Pairing) -> None:
    """Add folders that are missing, and whose archive it is."""
    cfg = site.cfg
    missing = [p for p in (cfg.home, cfg.completed, cfg.partials) if not p.is_dir()]
    for path in missing:
        pairing.steps.append(Step(f"make folder {path}", lambda path=path: make_folder(path)))  # type: ignore[misc]
    if missing or site.archive.identity() == 0:
        system = pairing.server.system_id
        text = f"make it the archive of cluster {system}"
        pairing.steps.append(Step(text, lambda: site.archive.claim(system)))


def _current(site: Site) -> dict[str, str]:
    names = (
        *("wal_level", "max_wal_senders", "max_replication_slots", "archive_mode", "hot_standby"),
        *("archive_command", "max_slot_wal_keep_size", "wal_log_hints", "data_checksums"),
        *("full_page_writes", "summarize_wal"),
    )
    rows = site.primary().query(
        "select s.name, coalesce(f.setting, s.setting) from pg_settings s"
        # One that waits for a restart is told with an error.
        " left join lateral (select setting from pg_file_settings f where f.name = s.name"
        " order by seqno desc limit 1) f"
        " on s.pending_restart or s.name = 'archive_command'"
        " where s.name = any (%s)",
        [list(names)],
    )
    return dict(rows)


def wanted_settings(site: Site, now: dict[str, str], *, force: bool) -> dict[str, str]:
    """Return the primary's settings that must change. Raises RefusedError."""
    wanted = {}
    if now["wal_level"] == "minimal":
        wanted["wal_level"] = "replica"
    if int(now["max_wal_senders"]) < MIN_SENDERS:
        wanted["max_wal_senders"] = str(MIN_SENDERS * 2)
    if int(now["max_replication_slots"]) < MIN_SLOTS:
        wanted["max_replication_slots"] = str(MIN_SLOTS * 2)
    if now["max_slot_wal_keep_size"] == "-1":
        wanted["max_slot_wal_keep_size"] = site.cfg.slot_keep_size
    if "off" in now["data_checksums"] and now["wal_log_hints"] == "off":
        wanted["wal_log_hints"] = "on"  # or the old primary cannot be rewound
    if now["full_page_writes"] == "off":
        wanted["full_page_writes"] = "on"  # the same, and for backups from the standby
    if site.cfg.incremental and now.get("summarize_wal") == "off":
        wanted["summarize_wal"] = "on"
    return {**wanted, **_archiving(site, now, force=force)}


def _archiving(site: Site, now: dict[str, str], *, force: bool) -> dict[str, str]:
    ini = primary_ini(site)
    if ini is None:
        return {}
    command, present = archive_command(site.program, ini), now["archive_command"]
    others = present not in ("", "(disabled)", NO_ARCHIVE, command) and " xarchive " not in present
    if others and not force:
        raise RefusedError(
            f"archive_command is in use: {present!r}; --force replaces it, master_ini = none "
            "leaves it"
        )
    wanted = {} if present == command else {"archive_command": command}
    return wanted if now["archive_mode"] != "off" else {**wanted, "archive_mode": "on"}


def primary_ini(site: Site) -> str | None:
    """Return the path of the ini for the primary's archive_command, None to leave that alone."""
    if site.cfg.master_ini:
        return None if site.cfg.master_ini == "none" else site.cfg.master_ini
    leader = site.leader
    here = leader.host.local and leader.data is not None and leader.data.exists()
    return str(site.ini) if here else None


def plan_settings(site: Site, pairing: Pairing, *, force: bool) -> None:
    """Add settings of the primary that must change. Raises RefusedError."""
    wanted = wanted_settings(site, _current(site), force=force)
    database = site.primary()

    def change(name: str, value: str) -> None:
        query = sql.SQL("alter system set {} = {}")
        database.execute(query.format(sql.Identifier(name), sql.Literal(value)))
        database.execute("select pg_reload_conf()")

    needs = database.query(
        "select name from pg_settings where context = 'postmaster' and (name = any (%s)"
        " or pending_restart)",
        [list(wanted)],
    )
    pairing.restart = [name for (name,) in needs]
    for name, value in wanted.items():
        text = f"primary: set {name} = {value}"
        pairing.steps.append(Step(text, lambda name=name, value=value: change(name, value)))  # type: ignore[misc]


def plan_restart(site: Site, pairing: Pairing, *, restart: bool) -> None:
    """Add the restart, or raise RefusedError when nothing works without it."""
    if not pairing.restart:
        return
    names = ", ".join(pairing.restart)
    if not restart:
        hindered = {"wal_level", "max_wal_senders", "max_replication_slots"}
        if hindered.intersection(pairing.restart):
            raise RefusedError(f"the primary needs a restart for {names}: repeat with --restart")
        return
    pairing.steps.append(Step(f"primary: restart, for {names}", lambda: restart_primary(site)))


def restart_primary(site: Site) -> None:
    """Restart the leader and wait until it answers. Raises SkytoolsError."""
    leader = site.leader
    site.close()
    if site.cfg.master_restart_cmd and leader.name == "master":
        shell(site.cfg.master_restart_cmd)
    else:
        restart_server(leader.programs(leader.major() or 0), leader.folder)
    wait_until(lambda: site.primary_answers() is not None, "an answer from the primary", 300.0)


def plan_slot(site: Site, pairing: Pairing) -> None:
    """Add the replication slot, or its renewal when WAL is lost."""
    slot = site.cfg.slot
    row = site.primary().query_one(
        "select wal_status, active from pg_replication_slots where slot_name = %s", [slot]
    )

    def create() -> None:
        site.primary().execute("select pg_create_physical_replication_slot(%s, true)", [slot])

    def replace() -> None:
        site.primary().execute("select pg_drop_replication_slot(%s)", [slot])
        create()

    if row is None:
        pairing.steps.append(Step(f"primary: create replication slot {slot}", create))
    elif row[0] == "lost":
        pairing.steps.append(Step(f"primary: renew replication slot {slot}, it is lost", replace))
        pairing.steps.append(Step("make a backup set: WAL is missing", lambda: _backup(site)))


def _backup(site: Site) -> None:
    make_backup(site)


def plan_standby(site: Site, pairing: Pairing) -> None:
    """Add backup set and standby. Raises RefusedError when the folder is somebody else's."""
    system = pairing.server.system_id
    good = [one for one in site.sets() if one.complete and one.system_id == system]
    planned = any(step.text.startswith("make a backup set") for step in pairing.steps)
    node = site.follower
    staged: list[str] = []
    if not good and not planned:
        copies = node.host.local and node.data is not None and is_empty(node.data)

        def backup() -> None:
            beside = partial(Staging, target=node.folder) if copies else None
            one = make_backup(site, beside=beside)
            staged.extend([one.name] if copies else [])

        pairing.steps.append(Step("make a backup set", backup))
    if not node.host.local:
        return  # `rejoin` looks after it
    folder = node.folder
    if not is_empty(folder):
        control = node.control()
        if control is None or control.system_id != system:
            raise RefusedError(f"folder {folder} is not empty and no standby of this primary")
        if not (folder / STANDBY).exists():
            raise RefusedError(f"the server on {folder} is no standby: `rejoin` makes it one")
        if not node.running():
            text = f"standby: start {folder}"
            pairing.steps.append(Step(text, lambda: _start(site)))
        return
    require_usable(folder)
    text = f"standby: make {folder} of the newest set, start it, wait until it streams"
    pairing.steps.append(Step(text, lambda: _build(site, staged)))


def _build(site: Site, staged: list[str]) -> None:
    plan = recover.plan_restore(site, Target())
    programs = site.programs(plan.way.one.version // 10000)
    with site.backup_lock():
        recover.build(site, plan, programs, staged=plan.way.one.name in staged)
    _start(site)


def _start(site: Site) -> None:
    start_server(site, site.programs(site.follower.major() or 0), site.follower.folder)
    wait_caught_up(site, STREAM_TIMEOUT)


def measure_lag(site: Site) -> float | None:
    """Return how many seconds a write needs to be on the standby's disk, None without one."""
    standby = site.answering_standby()
    if standby is None:
        return None
    database = site.primary()
    position = database.value("select pg_logical_emit_message(true, 'walmgr', 'measure')::text")
    began = time.monotonic()
    query = "select pg_last_wal_receive_lsn() >= %s::pg_lsn"
    wait_until(lambda: bool(standby.value(query, [position])), "the standby keeps up", 60.0)
    return time.monotonic() - began
