# SPDX-License-Identifier: ISC
"""The verbs for people: their arguments and what they print."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import skytools
from skytools.core import logs
from skytools.core.arguments import Parser, overrides_of
from skytools.core.cli import Output, guard
from skytools.core.config import load
from skytools.core.errors import SkytoolsError, UsageError
from skytools.walmgr import init, legacy, offsite, pausing, plans, reach, setverbs, verbs
from skytools.walmgr.boot import Promotion, boot, switchover
from skytools.walmgr.check import WORDS, check
from skytools.walmgr.config import SERVICE, WalmgrConfig
from skytools.walmgr.facts import gather
from skytools.walmgr.link import Place
from skytools.walmgr.recover import plan_restore, restore
from skytools.walmgr.rejoin import rejoin
from skytools.walmgr.site import Site, program_of_process
from skytools.walmgr.status import status_lines
from skytools.walmgr.target import Target
from skytools.walmgr.wal import WalError

Options = argparse.Namespace


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb of the command line."""

    help: str
    run: Callable[[Site, Options], int]
    arguments: Callable[[argparse.ArgumentParser], None] = lambda parser: None
    # What --plan says, for verbs that do not look at it themselves.
    plan: Callable[[Site, Options], list[str]] | None = None


def run(argv: list[str]) -> int:
    """Run a verb, or the service when there is none; returns the exit code."""
    if init.OPTIONS[0] in argv or init.OPTIONS[1] in argv:
        return guard(SERVICE, lambda: init.init(program_of_process(), argv))
    if any(word.partition("=")[0] == init.SYNCH for word in argv):
        return guard(SERVICE, lambda: init.synch(program_of_process(), argv))
    words = [
        word for before, word in zip(["", *argv], argv, strict=False)
        if not word.startswith("-") and before != "--set"
    ]  # fmt: skip
    if words[1:] == ["syncdaemon"]:
        return _serve([word for word in argv if word != "syncdaemon"])
    if len(words) > 1 or {"-V", "-h", "--help"}.intersection(argv):
        return guard(SERVICE, lambda: _main(argv))
    return _serve(argv)


def _serve(argv: list[str]) -> int:
    """Run the service, which alone needs what takes half as long to load as all else."""
    from skytools.core import program  # noqa: PLC0415
    from skytools.walmgr.daemon import WalmgrDaemon  # noqa: PLC0415

    return program.run(WalmgrDaemon, argv)


def _main(argv: list[str]) -> int:
    argv = options_last(argv)
    opts = parser().parse_args(argv)
    if os.geteuid() == 0 and opts.verb not in READING:
        raise UsageError(f"{opts.verb}: run it as the user of the PostgreSQL server, not as root")
    loaded = load(WalmgrConfig, opts.ini, SERVICE, overrides_of(opts.set))
    place = Place.read(str(opts.ini), program_of_process())
    if place.host and opts.verb not in AT_HOME:
        return legacy.forward(place, argv[1:])
    level = logging.WARNING if opts.quiet else logging.DEBUG if opts.verbose else logging.INFO
    logs.setup(level=level, console=True)
    if opts.verbose:
        for line in loaded.warnings:
            logging.getLogger(SERVICE).warning("%s", line)
    out = Output(as_json=opts.json)
    site = Site(loaded.config, opts.ini.absolute(), program_of_process(), out)
    site.quiet = opts.quiet and not opts.plan
    try:
        verb = VERBS[opts.verb]
        if opts.plan and verb.plan is not None:
            return plans.tell(site, verb.plan(site, opts))
        return verb.run(site, opts)
    except WalError as exc:
        raise SkytoolsError(str(exc)) from exc
    except BrokenPipeError:
        raise  # whoever read our output has enough; no fault of ours
    except OSError as exc:
        raise SkytoolsError(f"{exc.filename or opts.verb}: {exc.strerror or exc}") from exc
    finally:
        site.close()


def options_last(argv: list[str]) -> list[str]:
    """Bring options of every verb behind it: in 3.x they were mostly before the ini."""
    own = {"-q", "--quiet", "-v", "--verbose", "-n", "--plan", "--not-really", "--json"}
    early: list[str] = []
    words = list(argv)
    at = found = 0
    while at < len(words) and found < 2:
        size = 2 if words[at] == "--set" else 1
        if size == 2 or words[at] in own or words[at].startswith("--set="):
            early += words[at : at + size]
            del words[at : at + size]
        else:
            found += not words[at].startswith("-")
            at += 1
    return [*words[:2], *early, *words[2:]] if found == 2 else [*early, *words]


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    common = Parser(add_help=False)
    common.add_argument("-q", "--quiet", action="store_true", help="tell only what went wrong")
    common.add_argument("-v", "--verbose", action="count", default=0, help="tell more")
    common.add_argument("--json", action="store_true", help="write the result as JSON")
    common.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="override a key of the ini")  # fmt: skip
    common.add_argument("-n", "--plan", "--not-really", action="store_true",
                        help="say what would be done and end")  # fmt: skip
    top = Parser(
        prog="walmgr",
        description="WAL archive, backups, standby. Without a VERB: the service. "
        "`walmgr INI VERB --help` tells more of a verb, `walmgr --ini` prints an ini.",
    )
    top.add_argument("-V", "--version", action="version", version=f"walmgr {skytools.__version__}")
    top.add_argument("ini", type=Path, help="ini file")
    commands = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, verb in VERBS.items():
        verb.arguments(commands.add_parser(name, parents=[common], help=verb.help,
                                        description=verb.help))  # fmt: skip
    return top


def _restore_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("name", nargs="?", default="", metavar="SET", help="default: the newest fitting")
    p.add_argument("folder", nargs="?", type=Path, metavar="FOLDER",
                   help="where to; default: slave_data, which becomes a standby again")  # fmt: skip
    p.add_argument("--to", type=Path, dest="other", metavar="FOLDER", help="where to")
    goal = p.add_mutually_exclusive_group()
    goal.add_argument("--time", help="as '2026-11-22 13:00:00+00'; local time without a zone")
    goal.add_argument("--lsn", help="a WAL position")
    goal.add_argument("--xid", help="a transaction")
    goal.add_argument("--point", metavar="NAME", help="a restore point: pg_create_restore_point()")
    goal.add_argument("--immediate", action="store_true", help="the end of the backup")
    p.add_argument("--exclusive", action="store_true", help="stop just before it")
    p.add_argument("--timeline", type=int, help="default: the newest the set leads to")
    p.add_argument("--action", choices=("promote", "pause", "shutdown"), default="promote",
                   help="what the server does there")  # fmt: skip
    p.add_argument("--delta", action="store_true", help="a folder with a server of this cluster: "
                   "write only what differs, keep no copy of the old one")  # fmt: skip
    p.add_argument("--start", action="store_true", help="start the server")
    p.add_argument("--setting", action="append", default=[], metavar="NAME=VALUE",
                   help="server setting of the restored copy, as port=5433")  # fmt: skip


def _restore(site: Site, opts: Options) -> int:
    goals = {"time": opts.time, "lsn": opts.lsn, "xid": opts.xid, "name": opts.point}
    given = [(kind, value) for kind, value in goals.items() if value is not None]
    kind, value = given[0] if given else ("immediate" if opts.immediate else "latest", "")
    target = Target.parse(
        kind, value, inclusive=not opts.exclusive, timeline=opts.timeline, action=opts.action
    )
    folder = opts.other or opts.folder
    settings = overrides_of(opts.setting, "--setting")
    plan = plan_restore(
        site,
        target,
        name=opts.name,
        folder=folder,
        start=opts.start,
        settings=settings,
        delta=opts.delta,
    )
    for line in plan.lines():
        site.say(f"plan: {line}")
    if not opts.plan:
        restore(site, plan)
    if site.out.as_json:
        site.out.data({
            "set": plan.way.one.name, "folder": str(plan.folder), "target": str(plan.target),
            "timeline": plan.way.history.timeline, "standby": plan.standby,
            "started": plan.start and not opts.plan, "done": not opts.plan,
        })  # fmt: skip
    return 0


def _force_argument(p: argparse.ArgumentParser) -> None:
    p.add_argument("--force", action="store_true", help="stop what is in the way")


def _boot(site: Site, opts: Options) -> int:
    return _promoted(site, boot(site, force=opts.force))


def _switchover(site: Site, _opts: Options) -> int:
    return _promoted(site, switchover(site))


def _promoted(site: Site, promotion: Promotion) -> int:
    if site.out.as_json:
        site.out.data(asdict(promotion))
    one = promotion
    site.out.line(
        f"{one.leader} is the primary, timeline {one.timeline}, after {one.seconds:.1f} s; "
        f"recovered to {one.recovered_to}, last commit {one.last_commit or 'unknown'}"
    )
    if one.salvaged_bytes:
        site.out.line(f"{one.salvaged_bytes} bytes of WAL were found beyond the standby's")
    return 0


def _rejoin(site: Site, opts: Options) -> int:
    rejoin(site, force=opts.force)
    if site.out.as_json:
        site.out.data({"primary": site.leader.name, "standby": site.follower.name})
    return 0


def _check(site: Site, _opts: Options) -> int:
    findings = check(site.cfg, gather(site))
    level = max((one.level for one in findings), default=0)
    if site.out.as_json:
        site.out.data([asdict(one) | {"level": WORDS[one.level]} for one in findings])
        return level
    first = "; ".join(one.text for one in findings) or "primary, standby, archive and sets"
    site.out.line(f"WALMGR {WORDS[level]} - {first}")
    for one in findings:
        site.out.line(str(one))
    return level


def _status(site: Site, _opts: Options) -> int:
    facts = gather(site)
    if site.out.as_json:
        site.out.data(asdict(facts))
    for line in status_lines(site, facts):
        site.out.line(line)
    return 0 if facts.primary and facts.standby else 1


def _metrics_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--to", type=Path, metavar="FILE", help="replace this file, as walmgr.prom in "
                   "the folder of node_exporter's textfile collector")  # fmt: skip


def _metrics(site: Site, opts: Options) -> int:
    # The other verbs do without Prometheus' library.
    from skytools.walmgr.textfile import write_metrics  # noqa: PLC0415

    write_metrics(site, opts.to.absolute() if opts.to and not opts.plan else None)
    return 0


VERBS: dict[str, Verb] = {
    "pair": Verb(
        "set up archive, slot, first backup set and hot standby",
        verbs.run_pair,
        verbs.pair_arguments,
    ),
    "status": Verb("tell how primary, standby, archive and sets are", _status),
    "check": Verb("tell what is wrong and what to do; exit codes as Nagios wants", _check),
    "metrics": Verb(
        "write what Prometheus sees, also to a file of node_exporter's collector",
        _metrics,
        _metrics_arguments,
    ),
    "boot": Verb(
        "make the standby the primary, with the last commit", _boot, _force_argument, plans.of_boot
    ),
    "switchover": Verb(
        "change the roles of primary and standby", _switchover, plan=plans.of_switchover
    ),
    "rejoin": Verb("make the old primary the standby", _rejoin, _force_argument, plans.of_rejoin),
    "pause": Verb(
        "pause replay on the standby",
        pausing.run_pause,
        pausing.pause_arguments,
        pausing.plan_pause,
    ),
    "continue": Verb(
        "resume replay on the standby", pausing.run_continue, plan=pausing.plan_continue
    ),
    "backup": Verb(
        "make a verified backup set, remove old ones",
        setverbs.run_backup,
        setverbs.backup_arguments,
    ),
    "listbackups": Verb("list the sets and how far recovery reaches", setverbs.run_listbackups),
    "expire": Verb("remove sets and WAL that retention no longer asks for", setverbs.run_expire),
    "keep": Verb(
        "keep a set whatever retention says", verbs.run_keep, verbs.keep_arguments, plans.of_keep
    ),
    "point": Verb(
        "make a named restore point on the primary",
        reach.run_point,
        reach.point_arguments,
        reach.plan_point,
    ),
    "points": Verb(
        "list what recovery can reach: windows by set and timeline, named restore points",
        reach.run_points,
        reach.points_arguments,
    ),
    "offsite": Verb(
        "copy sets and WAL elsewhere, encrypted, by offsite_command", offsite.run_offsite
    ),
    "drill": Verb(
        "restore the newest set for trial, check it, measure", verbs.run_drill, plan=plans.of_drill
    ),
    "setup": Verb("set up archiving only", verbs.run_setup, verbs.pair_arguments),
    "stop": Verb("end archiving", verbs.run_stop),
    "createslave": Verb("make the standby, leave the primary's settings", verbs.run_createslave),
    "synch-standby": Verb(
        "set for which standbys commits wait",
        verbs.run_synch,
        verbs.synch_arguments,
        plans.of_synch,
    ),
    "sshkey": Verb(
        "show this host's ssh key, or let in the other's for what walmgr needs only",
        verbs.run_sshkey,
        verbs.sshkey_arguments,
        plans.of_sshkey,
    ),
    "periodic": Verb("run periodic_command now", verbs.run_periodic, plan=plans.of_periodic),
    "sync": Verb(
        "fetch WAL that has not arrived, also from a dead primary",
        verbs.run_sync,
        plan=plans.of_sync,
    ),
    "import": Verb(
        "take over sets and WAL of barman or walmgr3", verbs.run_import, verbs.import_arguments
    ),
    "cleanup": Verb("take away what walmgr has made", verbs.run_cleanup, verbs.cleanup_arguments),
    "xpurgewals": Verb(
        "for walmgr3: remove WAL that no set needs", verbs.run_purge, plan=plans.of_purge
    ),
    "xrotate": Verb(
        "for walmgr3: expire, make room for the next set", verbs.run_rotate, plan=plans.of_rotate
    ),
    "xlock": Verb(
        "for walmgr3: take the lock of backups", verbs.run_lock, verbs.lock_arguments, plans.of_lock
    ),
    "xrelease": Verb("for walmgr3: give it back", verbs.run_release, plan=plans.of_release),
    "xpartialsync": Verb(
        "for walmgr3: write a piece of a segment",
        verbs.run_piece,
        verbs.piece_arguments,
        plans.of_piece,
    ),
    "restore": Verb("make a server of a set, at any point", _restore, _restore_arguments),
}
# On the primary's host all other verbs are forwarded to the host of the archive.
AT_HOME = frozenset(("setup", "stop", "synch-standby", "periodic", "sshkey"))
READING = frozenset(("listbackups", "status", "check"))
