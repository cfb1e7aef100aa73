# SPDX-License-Identifier: ISC
"""Verbs that set up or take down, and those of walmgr3: their arguments and what they print."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path

from skytools.core.errors import UsageError
from skytools.walmgr import keys, legacy, old
from skytools.walmgr.check import WORDS, check
from skytools.walmgr.cleanup import plan_cleanup
from skytools.walmgr.drill import drill
from skytools.walmgr.facts import gather
from skytools.walmgr.imports import plan_import
from skytools.walmgr.pair import Pairing, Step, measure_lag, plan_pair
from skytools.walmgr.sets import choose_set
from skytools.walmgr.site import Site

Options = argparse.Namespace
Proof = Callable[[], dict[str, object]]


def pair_arguments(p: argparse.ArgumentParser) -> None:
    """Declare what `pair` and `setup` take."""
    p.add_argument("--restart", action="store_true", help="restart the primary when needed")
    p.add_argument("--force", action="store_true", help="replace an archive_command in use")


def run_pair(site: Site, opts: Options) -> int:
    """Set up everything and close with a check."""
    plan = plan_pair(site, restart=opts.restart, force=opts.force)
    _carry_out(site, plan, opts, lambda: _prove(site))
    return 0


def _prove(site: Site) -> dict[str, object]:
    """Measure, and say what is not as it should be."""
    lag = measure_lag(site)
    if lag is not None:
        site.say(f"a write is on the standby's disk after {lag * 1000:.0f} ms")
    findings = check(site.cfg, gather(site))
    for line in [str(finding) for finding in findings] or ["check: all is well"]:
        site.say(line)
    told = [asdict(one) | {"level": WORDS[one.level]} for one in findings]
    return {"lag_seconds": lag, "findings": told}


def run_setup(site: Site, opts: Options) -> int:
    """Set up archiving only."""
    _carry_out(site, legacy.plan_setup(site, restart=opts.restart, force=opts.force), opts)
    return 0


def run_createslave(site: Site, opts: Options) -> int:
    """Make the standby."""
    _carry_out(site, legacy.plan_createslave(site), opts)
    return 0


def run_stop(site: Site, opts: Options) -> int:
    """End archiving."""
    _carry_out(site, legacy.plan_stop(site), opts)
    return 0


def _carry_out(site: Site, pairing: Pairing, opts: Options, prove: Proof | None = None) -> None:
    """Print the plan, and do it unless only that was asked for."""
    later = ""
    if pairing.restart and not getattr(opts, "restart", False):
        names = ", ".join(pairing.restart)
        later = f"later: the primary needs a restart for {names}; --restart does it"
    _do_steps(site, pairing.steps, plan_only=opts.plan, later=later, prove=prove)


def _do_steps(
    site: Site, steps: list[Step], *, plan_only: bool, later: str = "", prove: Proof | None = None
) -> None:
    for step in steps:
        site.say(f"plan: {step.text}")
    if later:
        site.say(later)
    if not steps:
        site.say("nothing to do")
    for step in () if plan_only else steps:
        step.run()
        site.say(f"done: {step.text}")
    proof = prove() if prove is not None and not plan_only else {}
    if site.out.as_json:
        texts = [step.text for step in steps]
        site.out.data({"steps": texts, "done": not plan_only, "later": later or None, **proof})


def import_arguments(p: argparse.ArgumentParser) -> None:
    """Declare what `import` takes."""
    p.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="barman's folder of the "
                   "server, with base and wals; without: sets of walmgr3 in our own")  # fmt: skip


def run_import(site: Site, opts: Options) -> int:
    """Take over sets and WAL of another tool."""
    site.require_folders()
    _do_steps(site, plan_import(site, opts.folder), plan_only=opts.plan)
    return 0


def cleanup_arguments(p: argparse.ArgumentParser) -> None:
    """Declare what `cleanup` takes."""
    p.add_argument("--yes", action="store_true", help="do it; otherwise the plan is shown")
    p.add_argument("--all", action="store_true", help="the newest complete set and its WAL too")


def run_cleanup(site: Site, opts: Options) -> int:
    """Take away what walmgr has made."""
    plan_only = opts.plan or not opts.yes
    guarded = not plan_only and site.cfg.home.is_dir()
    with site.backup_lock() if guarded else nullcontext():
        _do_steps(site, plan_cleanup(site, everything=opts.all), plan_only=plan_only)
    if plan_only:
        site.say("nothing was touched; --yes does it")
    return 0


def run_sync(site: Site, _opts: Options) -> int:
    """Fetch what has not arrived yet."""
    fetched = old.sync(site)
    if site.out.as_json:
        site.out.data({"fetched": fetched})
    return 0


def piece_arguments(p: argparse.ArgumentParser) -> None:
    """Declare what `xpartialsync` takes."""
    p.add_argument("name")
    p.add_argument("offset", type=int)
    p.add_argument("size", type=int)


def run_piece(site: Site, opts: Options) -> int:
    """Write a piece of a segment."""
    old.xpartialsync(site, opts.name, opts.offset, opts.size)
    return 0


def lock_arguments(p: argparse.ArgumentParser) -> None:
    """Declare what `xlock` takes."""
    p.add_argument("pid")


def run_lock(site: Site, opts: Options) -> int:
    """Take the lock of backups."""
    old.xlock(site, opts.pid)
    return 0


def run_release(site: Site, _opts: Options) -> int:
    """Give it back."""
    old.xrelease(site)
    return 0


def run_rotate(site: Site, _opts: Options) -> int:
    """Make room for a pushed set."""
    old.xrotate(site)
    return 0


def run_purge(site: Site, _opts: Options) -> int:
    """Remove WAL that no set needs."""
    files = old.xpurgewals(site)
    if site.out.as_json:
        site.out.data({"wal_files_removed": files})
    site.out.line(f"{files} files of WAL removed")
    return 0


def synch_arguments(p: argparse.ArgumentParser) -> None:
    """Declare what `synch-standby` takes."""
    p.add_argument("names", help="application names, '*' for any, '' for none")


def run_synch(site: Site, opts: Options) -> int:
    """Set who commits wait for."""
    legacy.synch_standby(site, opts.names)
    names = opts.names.strip()
    if site.out.as_json:
        site.out.data({"synchronous_standby_names": names})
    site.out.line(f"commits wait for {names or 'nobody'}")
    return 0


def run_periodic(site: Site, _opts: Options) -> int:
    """Run the command of the ini."""
    legacy.periodic(site)
    return 0


def sshkey_arguments(p: argparse.ArgumentParser) -> None:
    """Declare what `sshkey` takes."""
    what = p.add_mutually_exclusive_group()
    what.add_argument("--allow", metavar="FILE", help="let in the other host's public key; - reads "
                      "standard input")  # fmt: skip
    what.add_argument("--forbid", metavar="TEXT", help="take out keys with this text")
    p.add_argument("--into", type=Path, metavar="FILE", help="default: ~/.ssh/authorized_keys")


def run_sshkey(site: Site, opts: Options) -> int:
    """Show our key, or let in the other host's."""
    into = opts.into or keys.folder() / "authorized_keys"
    if opts.allow:
        text = sys.stdin.read() if opts.allow == "-" else Path(opts.allow).read_text()
        told = keys.allow(site, text, into)
    elif opts.forbid:
        told = f"{keys.forbid(opts.forbid, into)} keys taken out of {into}"
    else:
        told = keys.own_key(site)
    if site.out.as_json:
        site.out.data(told)
    site.out.line(told)
    return 0


def keep_arguments(p: argparse.ArgumentParser) -> None:
    """Declare what `keep` takes."""
    p.add_argument("name", metavar="SET")
    p.add_argument("--no", action="store_true", help="no longer")


def run_keep(site: Site, opts: Options) -> int:
    """Mark a set that retention leaves alone. Raises UsageError."""
    with site.backup_lock():
        one = choose_set(site.sets(), opts.name)
        if one.old or not one.complete:
            text = f"set {one.name} is {one.state}: only a complete one of ours can be kept"
            raise UsageError(text)
        replace(one, pinned=not opts.no).save()
    if site.out.as_json:
        site.out.data({"set": one.name, "kept": not opts.no})
    site.say(f"set {one.name} {'is kept by retention only' if opts.no else 'is kept for ever'}")
    return 0


def run_drill(site: Site, _opts: Options) -> int:
    """Try a restore."""
    done = drill(site)
    if site.out.as_json:
        site.out.data(asdict(done))
    return 0
