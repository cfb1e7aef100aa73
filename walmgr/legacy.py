# SPDX-License-Identifier: ISC
"""Verbs of walmgr3 that have no other home: setup, stop, createslave, synch-standby, periodic."""

from __future__ import annotations

import subprocess

from skytools.core.db import sql
from skytools.core.errors import SkytoolsError, UsageError
from skytools.walmgr import pair, postgres
from skytools.walmgr.errors import RefusedError
from skytools.walmgr.link import Place
from skytools.walmgr.pair import NO_ARCHIVE, Pairing, Step
from skytools.walmgr.quickini import read
from skytools.walmgr.remote import shell
from skytools.walmgr.site import Site

SSH_FAILED = 255


def plan_setup(site: Site, *, restart: bool, force: bool) -> Pairing:
    """Return what is missing for archiving; on the primary's host only its own settings."""
    pairing = Pairing(postgres.ask_server(site.primary()))
    if not place_of(site).host:
        pair.plan_folders(site, pairing)
    pair.plan_settings(site, pairing, force=force)
    pair.plan_restart(site, pairing, restart=restart)
    return pairing


def plan_createslave(site: Site) -> Pairing:
    """Return what is missing for a standby; the primary's settings are left alone."""
    pairing = Pairing(postgres.ask_server(site.primary()))
    pair.plan_folders(site, pairing)
    pair.plan_slot(site, pairing)
    pair.plan_standby(site, pairing)
    return pairing


def plan_stop(site: Site) -> Pairing:
    """Return how archiving ends. Recovery never crosses the gap that this leaves."""
    pairing = Pairing(postgres.ask_server(site.primary()))
    present = site.primary().value("show archive_command")
    if present not in ("", NO_ARCHIVE):
        if " xarchive " not in str(present):
            raise RefusedError(f"archive_command is none of ours: {present!r}")
        step = Step(
            "primary: stop archiving", lambda: set_setting(site, "archive_command", NO_ARCHIVE)
        )
        pairing.steps.append(step)
    return pairing


def set_setting(site: Site, name: str, value: str) -> None:
    """Change a setting of the primary that takes effect at once."""
    query = sql.SQL("alter system set {} = {}")
    site.primary().execute(query.format(sql.Identifier(name), sql.Literal(value)))
    site.primary().execute("select pg_reload_conf()")


def require_connected(site: Site, names: str) -> None:
    """Raise RefusedError when there are names, and none of them is connected."""
    rows = site.primary().query("select application_name from pg_stat_replication")
    connected = {name for (name,) in rows}
    wanted = {name.strip() for name in names.split(",") if name.strip()}
    if names.strip() and not (connected if wanted == {"*"} else connected & wanted):
        have = ", ".join(sorted(connected)) or "none"
        raise RefusedError(f"none of {names!r} is connected, commits would hang; connected: {have}")


def synch_standby(site: Site, names: str) -> None:
    """Set synchronous_standby_names. Raises RefusedError when none of them is connected."""
    require_connected(site, names)
    set_setting(site, "synchronous_standby_names", names.strip())


def periodic(site: Site) -> None:
    """Run periodic_command now. Raises UsageError, ProgramError."""
    if not site.cfg.periodic_command:
        raise UsageError("periodic_command is not set")
    shell(site.cfg.periodic_command)


def place_of(site: Site) -> Place:
    """Return where the archive is as seen from here."""
    return Place(read(str(site.ini)), str(site.ini), site.program)


def forward(place: Place, words: list[str]) -> int:
    """Run a verb on the archive's host, with our input and output; returns its exit code.

    Raises SkytoolsError when that cannot be reached; ssh has said why.
    """
    done = subprocess.run(place.command(*words), check=False)
    if done.returncode == SSH_FAILED:
        raise SkytoolsError(
            f"{place.host}, which has the archive, does not let us in by ssh: `sshkey` here prints "
            "the key that `sshkey --allow` there lets in"
        )
    return done.returncode if 0 <= done.returncode < 126 else 1
