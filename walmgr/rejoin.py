# SPDX-License-Identifier: ISC
"""The verb `rejoin`: the old primary becomes the standby of the new one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from skytools.core.db import merge_conninfo, split_password
from skytools.core.errors import UsageError
from skytools.walmgr import postgres, recover, units
from skytools.walmgr.datadir import RECOVERY, STANDBY, make_standby, quoted, write_settings
from skytools.walmgr.errors import ProgramError, RefusedError
from skytools.walmgr.files import read_json, write_json
from skytools.walmgr.node import SLAVE, Node
from skytools.walmgr.outside import MAIN, OPTIONS, config_file
from skytools.walmgr.postgres import Control, Programs, Server
from skytools.walmgr.restore import restore_command
from skytools.walmgr.server import run_pg_ctl, start_server, wait_caught_up, wait_for_standby
from skytools.walmgr.site import Site
from skytools.walmgr.target import Target

STREAM_TIMEOUT = 300.0
# Waits for nobody: the receiver that commits wait for may be down.
WRITE_SOMETHING = (
    "select set_config('synchronous_commit', 'local', true),"
    " pg_logical_emit_message(true, 'walmgr', 'rejoin')"
)
ASIDE = "rejoin.json"  # the configuration while pg_rewind runs
FOLLOWING = ("in archive recovery", "shut down in recovery")


def rejoin(site: Site, *, force: bool) -> None:
    """Rewind the old primary and start it as a standby; make it anew where that cannot be done.

    Raises RefusedError while it still runs as a primary.
    """
    leader, control = _require_fit(site)
    node = site.follower
    if node.running():
        if _follows(site):
            site.say(f"{node.name} is a standby already")
            wait_for_standby(site)
            return
        _stop(site, node, force=force)
        control = node.control() or control
    programs = node.programs(leader.major)
    try:
        _rewind(site, node, programs, leader, control)
    except ProgramError as exc:
        if not node.host.local:
            raise
        site.say(f"{node.name} cannot be rewound ({exc}): it is made anew from a backup set")
        recover.restore(site, recover.plan_restore(site, Target()))
    else:
        _configure(site, node)
        _start(site, node, programs)
    wait_caught_up(site, STREAM_TIMEOUT)
    site.say(f"{node.name} follows {site.leader.name}")


def plan_rejoin(site: Site, *, force: bool) -> list[str]:
    """Say what `rejoin` would do; touches nothing. Raises RefusedError as it would."""
    _require_fit(site)
    node = site.follower
    running = node.running()
    if running and _follows(site):
        return []
    if running:
        _require_force(node, force=force)
    return [
        *([f"stop {node.name}, which runs as a primary"] if running else []),
        f"rewind {node.name} where it has what {site.leader.name} has not; make it anew from a set "
        "where that cannot be done",
        f"start it as the standby of {site.leader.name}",
    ]


def _require_fit(site: Site) -> tuple[Server, Control]:
    """Return what leader and old primary are. Raises RefusedError, UsageError."""
    leader = postgres.ask_server(site.primary())
    if leader.in_recovery:
        raise RefusedError(f"{site.leader.name} is no primary: `boot` promotes it")
    node = site.follower
    folder, control = node.folder, node.control()
    if control is None or control.system_id != leader.system_id:
        raise RefusedError(f"{folder} is no former primary of this cluster: `restore` makes it")
    if not node.host.local and site.leader.name == SLAVE and not site.cfg.slave_db:
        raise UsageError(f"slave_db must be set for this: how {node.host} reaches this machine")
    return leader, control


def _require_force(node: Node, *, force: bool) -> None:
    if not force:
        raise RefusedError(
            f"{node.name} runs as a primary: what was written there is lost by this; "
            "--force stops it"
        )


def _follows(site: Site) -> bool:
    """Whether what runs is a standby, or will be when it answers."""
    standby = site.answering_standby()
    if standby is not None:
        return bool(standby.value("select pg_is_in_recovery()"))
    node = site.follower
    return node.host.exists(node.folder / STANDBY)


def _stop(site: Site, node: Node, *, force: bool) -> None:
    _require_force(node, force=force)
    site.close()
    program = node.programs(node.major() or 0).path("pg_ctl")
    units.stop(node.host, program, node.folder)


def _rewind(site: Site, node: Node, programs: Programs, leader: Server, control: Control) -> None:
    """Run pg_rewind unless the folder is on the leader's way. Raises ProgramError.

    It copies the leader's configuration too, so ours is put back.
    """
    if _is_its_standby(site, node, leader, control):
        return
    if control.clean and _on_the_way(site, leader, control):
        return
    rewound = control.timeline == leader.timeline and bool(_put_aside(site, node, leader))
    if control.timeline >= leader.timeline and not rewound:
        # pg_rewind would end its recovery as a primary's, in WAL that nobody else has, and then
        # find nothing to rewind.
        raise ProgramError(f"it is on timeline {control.timeline}, as the primary is")
    # Crash recovery, which pg_rewind starts where it is due, refuses to run as a standby.
    for name in (STANDBY, RECOVERY):
        node.host.remove(node.folder / name)
    source, password = split_password(merge_conninfo(site.leader.conninfo, dbname="postgres"))
    words: list[str | Path] = [programs.path("pg_rewind"), "-D", node.folder]
    words += ["--source-server", source, "--restore-target-wal"]
    site.say(f"{node.name}: rewinding")
    with _own_configuration(site, node, leader):
        write_settings(node.host, node.folder, {"restore_command": _restore(site, node)})
        done = None if rewound else node.host.run(words, password=password)
    if done is not None and done.code != 0:
        told = [line for line in done.err.splitlines() if "error" in line or "fatal" in line]
        raise ProgramError(f"pg_rewind: {(told or [done.last_line])[0]}")
    # It is consistent past what the leader has written so far: an idle one writes every 15 s.
    site.primary().value(WRITE_SOMETHING)


def _is_its_standby(site: Site, node: Node, leader: Server, control: Control) -> bool:
    """Whether a folder is a standby's, stopped or killed, that only has to be started again."""
    if control.state not in FOLLOWING or not node.host.exists(node.folder / STANDBY):
        return False
    timeline, position = control.timeline, control.checkpoint
    if control.minimum_recovery_end > position:
        timeline, position = control.minimum_recovery_timeline, control.minimum_recovery_end
    if leader.timeline == timeline:
        return True
    return site.archive.history(leader.timeline).contains(timeline, position)


def _on_the_way(site: Site, leader: Server, control: Control) -> bool:
    """Whether a folder that was shut down in order has nothing the leader has not."""
    if control.timeline == leader.timeline:
        return False
    return site.archive.history(leader.timeline).contains(control.timeline, control.checkpoint + 1)


@contextmanager
def _own_configuration(site: Site, node: Node, leader: Server) -> Iterator[None]:
    """Have the configuration files as pg_rewind wants them, then again as they were.

    It takes plain files in the data folder only, of links it says that they differ in type.
    """
    host, folder = node.host, node.folder
    aside = _put_aside(site, node, leader)
    if not aside:
        found = {"files": _configuration(node), "links": host.links(folder)}
        aside = {"node": node.name, "timeline": leader.timeline, **found}
        write_json(site.cfg.home / ASIDE, aside)
    files, links = aside["files"], aside["links"]
    try:
        for name in links:
            host.remove(folder / name)
            if name in files:
                host.write(folder / name, files[name])
        if config := config_file(host, folder):
            host.write(folder / MAIN, f"include {quoted(config)}\n")
        yield
    finally:
        for name, text in files.items():
            if name not in links:
                host.write(folder / name, text)
        for name, target in links.items():
            host.make_link(folder / name, target)
        for name in _configuration(node).keys() - files.keys():
            host.remove(folder / name)  # the leader's; ours may be outside of the folder
        (site.cfg.home / ASIDE).unlink()


def _put_aside(site: Site, node: Node, leader: Server) -> dict[str, Any]:
    """Return the configuration that a killed `rejoin` has left behind, empty for none.

    pg_rewind writes the control file last: where that is the leader's, nothing else is missing.
    """
    found = read_json(site.cfg.home / ASIDE)
    same = (found.get("node"), found.get("timeline")) == (node.name, leader.timeline)
    return found if same else {}


def _configuration(node: Node) -> dict[str, str]:
    """Return the configuration files of a data folder."""
    names = node.host.check(["ls", node.folder]).split("\n")
    # pg_rewind removes the options of the last start, which say where all else is.
    names = [name for name in names if name.endswith(".conf") or name == OPTIONS]
    found = {name: node.host.read(node.folder / name) for name in names}
    return {name: text for name, text in found.items() if text is not None}


def _configure(site: Site, node: Node) -> None:
    settings = {
        "restore_command": _restore(site, node),
        **recover.standby_settings(site), **node.settings,
    }  # fmt: skip
    make_standby(node.host, node.folder, settings)


def _restore(site: Site, node: Node) -> str:
    ini = str(site.ini) if node.host.local else site.cfg.master_ini or str(site.ini)
    return restore_command(site.program, ini, standby=True)


def _start(site: Site, node: Node, programs: Programs) -> None:
    if node.host.local:
        start_server(site, programs, node.folder)
    else:
        run_pg_ctl(programs, node.folder, "start")
