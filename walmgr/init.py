# SPDX-License-Identifier: ISC
"""`walmgr --init-master`, `--init-slave`: write an ini from what is found. Source: walmgr3."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from skytools.core.arguments import Parser
from skytools.core.cli import Output
from skytools.core.db import check_conninfo, merge_conninfo
from skytools.core.errors import UsageError
from skytools.walmgr import keys
from skytools.walmgr.config import SERVICE, WalmgrConfig
from skytools.walmgr.files import make_folder, write_text
from skytools.walmgr.legacy import synch_standby
from skytools.walmgr.postgres import DEBIAN, address_of
from skytools.walmgr.site import Site

OPTIONS = ("--init-master", "--init-slave")
SYNCH = "--synch-standby"
MASTER_INI, SLAVE_INI = "wal-master.ini", "wal-slave.ini"
PASSFILE = "~/.pgpass"


def init(program: str, argv: Sequence[str]) -> int:
    """Write an ini; returns the exit code. Raises UsageError."""
    opts = _parser().parse_args(argv)
    data = _data_folder(opts.pgdata)
    folder = (opts.config_dir or Path("~/conf")).expanduser().absolute()
    bindir = _programs(data)
    lines = _master(opts, data, bindir, folder) if opts.init_master else _slave(opts, data, bindir)
    path = folder / (MASTER_INI if opts.init_master else SLAVE_INI)
    if path.exists() and not opts.force:
        raise UsageError(f"{path} is there already: --force replaces it")
    make_folder(folder)
    write_text(path, "\n".join([f"[{SERVICE}]", *lines]) + "\n")
    out = Output()
    out.line(f"wrote {path}")
    site = Site(WalmgrConfig(job_name=SERVICE), path, program, out)
    _passwords(opts)
    _keys(site, opts)
    return 0


def synch(program: str, argv: Sequence[str]) -> int:
    """Set synchronous_standby_names of the server of this machine, without an ini.

    Returns the exit code. Raises UsageError, RefusedError when none of the names is connected.
    """
    p = Parser(prog="walmgr", add_help=False)
    p.add_argument(SYNCH, required=True, dest="names")
    p.add_argument("--pgdata", type=Path)
    opts = p.parse_args(argv)
    data = _data_folder(opts.pgdata)
    address = address_of(data)
    if address is None:
        raise UsageError(f"no server runs on {data}: give --pgdata")
    conninfo = merge_conninfo("dbname=postgres", **address)
    # No archive may say that another server leads.
    cfg = WalmgrConfig(job_name=SERVICE, master_db=conninfo, walmgr_data=data)
    out = Output()
    site = Site(cfg, Path(), program, out)
    try:
        synch_standby(site, opts.names)
    finally:
        site.close()
    out.line(f"commits wait for {opts.names.strip() or 'nobody'}")
    return 0


def _parser() -> Parser:
    p = Parser(prog="walmgr", add_help=False)
    role = p.add_mutually_exclusive_group(required=True)
    role.add_argument("--init-master", action="store_true")
    role.add_argument("--init-slave", action="store_true")
    for name in ("slave", "ssh-add-key", "ssh-remove-key", "primary-conninfo", "add-password"):
        p.add_argument(f"--{name}", default="")
    for name in ("pgdata", "config-dir"):
        p.add_argument(f"--{name}", type=Path)
    for name in ("ssh-keygen", "remove-password", "force"):
        p.add_argument(f"--{name}", action="store_true")
    return p


def _data_folder(given: Path | None) -> Path:
    """Return PGDATA. Raises UsageError when it cannot be guessed."""
    found = given or (Path(os.environ["PGDATA"]) if os.environ.get("PGDATA") else None)
    if found is None:
        mains = sorted(Path("/var/lib/postgresql").glob("[0-9]*/main"))
        if len(mains) != 1:
            raise UsageError("which data folder? Give --pgdata")
        found = mains[0]
    return found.expanduser().absolute()


def _programs(data: Path) -> Path | None:
    """Return the folder of the server's programs, None where the usual one is it."""
    try:
        words = shlex.split((data / "postmaster.opts").read_text(encoding="utf-8"))
        found = Path(words[0]).parent
    except (OSError, IndexError, ValueError):
        return None
    return None if re.fullmatch(rf"{DEBIAN}/\d+/bin", str(found)) else found


def _master(opts: argparse.Namespace, data: Path, bindir: Path | None, folder: Path) -> list[str]:
    if not opts.slave:
        raise UsageError("--slave must name the host of the standby")
    return [
        f"master_data = {data}", *([f"master_bin = {bindir}"] if bindir else []),
        f"slave = {opts.slave}", f"slave_config = {folder / SLAVE_INI}",
        "walmgr_data = ~/walshipping",
    ]  # fmt: skip


def _slave(opts: argparse.Namespace, data: Path, bindir: Path | None) -> list[str]:
    if fault := check_conninfo(opts.primary_conninfo):
        raise UsageError(f"--primary-conninfo: {fault}")
    known = [f"primary_conninfo = {opts.primary_conninfo}"] if opts.primary_conninfo else []
    return [
        *known, f"slave_data = {data}", *([f"slave_bin = {bindir}"] if bindir else []),
        "walmgr_data = ~/walshipping", "retention = 7 days, minimum 2",
    ]  # fmt: skip


def _keys(site: Site, opts: argparse.Namespace) -> None:
    into = keys.folder() / "authorized_keys"
    if opts.ssh_keygen:
        site.out.line(keys.own_key(site))
    if opts.ssh_add_key:
        site.out.line(keys.allow(site, Path(opts.ssh_add_key).read_text(encoding="utf-8"), into))
    if opts.ssh_remove_key:
        site.out.line(f"{keys.forbid(opts.ssh_remove_key, into)} keys taken out of {into}")


def _passwords(opts: argparse.Namespace) -> None:
    """Put the line of --add-password first in ~/.pgpass, or take those of replication out."""
    if not opts.add_password and not opts.remove_password:
        return
    path = Path(os.environ.get("PGPASSFILE", PASSFILE)).expanduser()
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    kept = [line for line in lines if line.split(":")[2:3] != ["replication"]]
    if opts.add_password:
        given = Path(opts.add_password).read_text(encoding="utf-8").strip()
        host, port, user = (_of(opts.primary_conninfo, key) for key in ("host", "port", "user"))
        escaped = given.replace("\\", "\\\\").replace(":", "\\:")
        kept.insert(0, f"{host}:{port}:replication:{user}:{escaped}")
    write_text(path, "".join(f"{line}\n" for line in kept))


def _of(conninfo: str, key: str) -> str:
    found = re.search(rf"\b{key}\s*=\s*(\S+)", conninfo)
    return found[1].strip("'") if found else "*"
