# SPDX-License-Identifier: ISC
"""Verbs that set up or take down, and those of walmgr3: their arguments and what they print."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from skytools.walmgr import keys, legacy
from skytools.walmgr.check import check
from skytools.walmgr.drill import drill
from skytools.walmgr.facts import gather
from skytools.walmgr.pair import Pairing, measure_lag, plan_pair
from skytools.walmgr.site import Site

Options = argparse.Namespace


def pair_arguments(p: argparse.ArgumentParser) -> None:
    """Declare what `pair` and `setup` take."""
    p.add_argument("--restart", action="store_true", help="restart the primary when needed")
    p.add_argument("--force", action="store_true", help="replace an archive_command in use")


def run_pair(site: Site, opts: Options) -> int:
    """Set up everything and close with a check."""
    if not _carry_out(site, plan_pair(site, restart=opts.restart, force=opts.force), opts):
        return 0
    lag = measure_lag(site)
    if lag is not None:
        site.say(f"a write is on the standby's disk after {lag * 1000:.0f} ms")
    for finding in check(site.cfg, gather(site)):
        site.say(str(finding))
    return 0


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


def _carry_out(site: Site, pairing: Pairing, opts: Options) -> bool:
    """Print the plan, and do it unless only that was asked for."""
    for step in pairing.steps:
        site.say(f"plan: {step.text}")
    if pairing.restart and not getattr(opts, "restart", False):
        names = ", ".join(pairing.restart)
        site.say(f"later: the primary needs a restart for {names}; --restart does it")
    if opts.plan:
        return False
    for step in pairing.steps:
        step.run()
        site.say(f"done: {step.text}")
    if not pairing.steps:
        site.say("nothing to do")
    return True


def synch_arguments(p: argparse.ArgumentParser) -> None:
    """Declare what `synch-standby` takes."""
    p.add_argument("names", help="application names, '*' for any, '' for none")


def run_synch(site: Site, opts: Options) -> int:
    """Set who commits wait for."""
    legacy.synch_standby(site, opts.names)
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
        site.out.line(keys.allow(site, text, into))
    elif opts.forbid:
        site.out.line(f"{keys.forbid(opts.forbid, into)} keys taken out of {into}")
    else:
        site.out.line(keys.own_key(site))
    return 0


def run_drill(site: Site, _opts: Options) -> int:
    """Try a restore."""
    done = drill(site)
    if site.out.as_json:
        site.out.data(asdict(done))
    return 0
