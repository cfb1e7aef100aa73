# SPDX-License-Identifier: ISC
"""What `--plan` says of verbs that are no list of steps; nothing is touched by it.

Raises what the verb itself would raise before it does anything.
"""

from __future__ import annotations

import argparse

from skytools.core.errors import UsageError
from skytools.walmgr import boot, keys, legacy, recover, rejoin
from skytools.walmgr.facts import RECEIVER_LOCK
from skytools.walmgr.files import is_locked
from skytools.walmgr.sets import choose_set
from skytools.walmgr.site import Site
from skytools.walmgr.target import Target

Options = argparse.Namespace


def tell(site: Site, lines: list[str]) -> int:
    """Print a plan; returns the exit code."""
    if site.out.as_json:
        site.out.data({"steps": lines, "done": False})
    for line in lines:
        site.out.line(f"plan: {line}")
    if not lines:
        site.out.line("nothing to do")
    return 0


def of_boot(site: Site, opts: Options) -> list[str]:
    """Plan `boot`."""
    return boot.plan_boot(site, force=opts.force)


def of_switchover(site: Site, _opts: Options) -> list[str]:
    """Plan `switchover`."""
    return boot.plan_switchover(site)


def of_rejoin(site: Site, opts: Options) -> list[str]:
    """Plan `rejoin`."""
    return rejoin.plan_rejoin(site, force=opts.force)


def of_keep(site: Site, opts: Options) -> list[str]:
    """Plan `keep`."""
    one = choose_set(site.sets(), opts.name)
    return [f"keep {one.name} {'by retention only' if opts.no else 'for ever'}"]


def of_drill(site: Site, _opts: Options) -> list[str]:
    """Plan `drill`."""
    plan = recover.plan_restore(site, Target(), folder=site.cfg.home / ".drill-plan")
    query = [f"ask: {site.cfg.drill_query}"] if site.cfg.drill_query else []
    return [
        f"restore {plan.way.one.name} below {site.cfg.home}, start it, replay to the end",
        "run pg_amcheck over all databases", *query, "stop and remove it",
    ]  # fmt: skip


def of_synch(site: Site, opts: Options) -> list[str]:
    """Plan `synch-standby`."""
    legacy.require_connected(site, opts.names)
    return [f"primary: set synchronous_standby_names = {opts.names.strip()!r}"]


def of_sshkey(_site: Site, opts: Options) -> list[str]:
    """Plan `sshkey`."""
    into = opts.into or keys.folder() / "authorized_keys"
    if opts.allow:
        return [f"let the key of {opts.allow} in by {into}, for what walmgr needs"]
    if opts.forbid:
        return [f"take keys with {opts.forbid!r} out of {into}"]
    there = any((keys.folder() / f"{name}.pub").is_file() for name in keys.NAMES)
    return [] if there else [f"make the key {keys.folder() / keys.NAMES[0]}"]


def of_periodic(site: Site, _opts: Options) -> list[str]:
    """Plan `periodic`."""
    return [f"run: {site.need('periodic_command')}"]


def of_sync(site: Site, _opts: Options) -> list[str]:
    """Plan `sync`."""
    site.require_folders()
    if is_locked(site.cfg.home / RECEIVER_LOCK) and site.primary_answers() is not None:
        return ["wait until the receiver has all that the primary has"]
    if site.leader.data is None:
        raise UsageError("master_data must be set: where the primary's files are")
    return [f"fetch what the archive has not from {site.leader.data / 'pg_wal'}"]


def of_rotate(site: Site, _opts: Options) -> list[str]:
    """Plan `xrotate`."""
    there = [f"rename {site.cfg.sets} to {site.cfg.sets}.0"] if site.cfg.sets.is_dir() else []
    return ["expire", *there]


def of_purge(_site: Site, _opts: Options) -> list[str]:
    """Plan `xpurgewals`."""
    return ["remove WAL that no set needs"]


def of_lock(site: Site, opts: Options) -> list[str]:
    """Plan `xlock`."""
    return [f"write {opts.pid} to {site.old_lock}"]


def of_release(site: Site, _opts: Options) -> list[str]:
    """Plan `xrelease`."""
    return [f"remove {site.old_lock}"] if site.old_lock.exists() else []


def of_piece(_site: Site, opts: Options) -> list[str]:
    """Plan `xpartialsync`."""
    return [f"write {opts.size} bytes at {opts.offset} of {opts.name}.partial"]
