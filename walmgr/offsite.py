# SPDX-License-Identifier: ISC
"""A copy of sets and WAL elsewhere: packed, encrypted, handed to a command of the ini.

Nothing of the archive is changed. What has been taken is remembered here; anything else is sent
again under the same name, so an interrupted copy is of no importance.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from skytools.core.errors import UsageError
from skytools.walmgr.errors import ProgramError, RefusedError
from skytools.walmgr.files import locked, read_json, write_json
from skytools.walmgr.remote import clean_environment, shell
from skytools.walmgr.site import Site
from skytools.walmgr.wal import HISTORY, kind_of

STATE = "offsite.json"
LOCK = ".offsite.lock"
SAVE_EVERY = 20
CHUNK = 1 << 20
PACK = {
    "none": ("", ()),
    "gzip": (".gz", ("gzip", "-1")),
    "lz4": (".lz4", ("lz4", "-q", "-1", "-c")),
    "zstd": (".zst", ("zstd", "-q", "-1", "-c")),
}


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to be sent: its name there, and the programs whose output it is."""

    name: str
    stages: tuple[tuple[str, ...], ...]


def encryption(text: str) -> tuple[str, tuple[tuple[str, ...], ...]]:
    """Return what names end with, and the program that encrypts. Raises UsageError."""
    kind, _, recipient = text.partition(":")
    if kind == "age" and recipient:
        return ".age", (("age", "-r", recipient),)
    if kind == "gpg" and recipient:
        words = ("gpg", "--batch", "--quiet", "--trust-model", "always", "-z", "0")
        return ".gpg", ((*words, "--encrypt", "-r", recipient, "-o", "-"),)
    if text == "none":
        return "", ()
    raise UsageError("offsite_encrypt must be like age:RECIPIENT or gpg:RECIPIENT, or none")


def items(site: Site) -> list[Item]:
    """Return all that belongs there: sets, then history files, then WAL in order."""
    cfg = site.cfg
    ending, encrypt = encryption(cfg.offsite_encrypt)
    packed, pack = PACK[cfg.archive_compression]
    found = []
    for one in site.sets():
        if one.complete:
            # One that is made whole later has the same name here.
            kind = "incremental" if one.parent else "full"
            tar = ("tar", "-C", str(one.path.parent), "-cf", "-", one.name)
            stages = (tar, *((pack,) if pack else ()), *encrypt)
            found.append(Item(f"{one.name}.{kind}.tar{packed}{ending}", stages))
    names = site.archive.names()
    for name in sorted(names, key=lambda name: (kind_of(name) != HISTORY, name)):
        read = ("cat", str(cfg.completed / names[name]))
        found.append(Item(f"{names[name]}{ending}", (read, *encrypt)))
    return found


class Offsite:
    """What is there already."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._path = site.cfg.home / STATE
        facts = read_json(self._path)
        self.sent: dict[str, float] = dict(facts.get("sent", {}))
        self.finished: float | None = facts.get("finished")

    def pending(self) -> list[Item]:
        """Return what is to be sent. Raises UsageError."""
        return [one for one in items(self.site) if one.name not in self.sent]

    def save(self) -> None:
        """Remember it."""
        write_json(self._path, {"sent": self.sent, "finished": self.finished})

    def gone(self) -> list[str]:
        """Return what is there and no longer here."""
        here = {one.name for one in items(self.site)}
        return [name for name in self.sent if name not in here]


def copy_offsite(site: Site) -> tuple[list[str], list[str]]:
    """Send what is not there yet, oldest first; then remove there what is gone here.

    Returns the names of both. Raises ProgramError at the first that fails: WAL there has no gap;
    RefusedError when it is not retention that has removed what is gone.
    """
    site.need("offsite_command")
    _require_programs(site)
    with locked(site.cfg.home / LOCK, "an off-site copy"):
        offsite = Offsite(site)
        sent = []
        try:
            for item in offsite.pending():
                send(site, item)
                offsite.sent[item.name] = time.time()
                sent.append(item.name)
                if len(sent) % SAVE_EVERY == 0:
                    offsite.save()
            removed = list(_remove(site, offsite))
            offsite.finished = time.time()
        finally:
            offsite.save()
    return sent, removed


def _require_programs(site: Site) -> None:
    """Raise UsageError when what packs or encrypts is not there."""
    words = [PACK[site.cfg.archive_compression][1], *encryption(site.cfg.offsite_encrypt)[1]]
    for name in {one[0] for one in words if one}:
        if shutil.which(name) is None:
            raise UsageError(f"{name} is not installed here")


def _remove(site: Site, offsite: Offsite) -> Iterator[str]:
    """Forget what is gone here; it is removed there if the ini says how."""
    gone = offsite.gone()
    if gone and site.cfg.offsite_remove:
        _require_whole(site)
    for name in gone:
        if site.cfg.offsite_remove:
            shell(site.cfg.offsite_remove, NAME=name)
            yield name
        del offsite.sent[name]


def _require_whole(site: Site) -> None:
    """Raise RefusedError unless archive and sets are there: the copy is for the day they are not.

    Retention always leaves a complete set, and nobody but `cleanup` removes the archive.
    """
    lost = "" if site.archive.identity() else str(site.cfg.completed)
    if not any(one.complete for one in site.sets()):
        lost = f"{site.cfg.sets}.*"
    if lost:
        raise RefusedError(
            f"there is nothing here in {lost}: is it mounted? Nothing is removed off-site"
        )


def send(site: Site, item: Item) -> None:
    """Give one thing to the command. Raises ProgramError.

    The command sees the end of its input only when all of it is right.
    """
    with tempfile.TemporaryFile() as told:
        stages = _pipeline(item.stages, told)
        command = subprocess.Popen(
            ["sh", "-c", site.cfg.offsite_command], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=told, env=clean_environment({"NAME": item.name}),
        )  # fmt: skip
        assert command.stdin is not None
        good = _feed(stages[-1], command.stdin)
        codes = [stage.wait() for stage in stages]
        if any(codes):
            command.kill()
        with suppress(BrokenPipeError):
            command.stdin.close()
        if command.wait() or any(codes) or not good:
            told.seek(0)
            lines = told.read().decode(errors="replace").strip().splitlines()
            # The last of rsync's lines says least.
            last = "; ".join(lines[-2:]) or "offsite_command failed or did not read all"
            raise ProgramError(f"{item.name}: {last}")


def _pipeline(stages: Sequence[Sequence[str]], told: IO[bytes]) -> list[subprocess.Popen[bytes]]:
    started: list[subprocess.Popen[bytes]] = []
    for words in stages:
        source = started[-1].stdout if started else None
        process = subprocess.Popen(
            words, stdin=source or subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=told,
            env=clean_environment({"LC_ALL": "C"}),
        )  # fmt: skip
        if source is not None:
            source.close()  # theirs now: whoever writes into it learns when the reader ends
        started.append(process)
    return started


def _feed(last: subprocess.Popen[bytes], target: IO[bytes]) -> bool:
    """Hand over what a program writes; whether it was read to the end."""
    assert last.stdout is not None
    with last.stdout as source:
        try:
            shutil.copyfileobj(source, target, CHUNK)
            target.flush()
        except BrokenPipeError:
            return False
    return True


def run_offsite(site: Site, opts: argparse.Namespace) -> int:
    """Copy what is not there yet."""
    if opts.plan:
        names = [item.name for item in Offsite(site).pending()]
        if site.out.as_json:
            site.out.data({"pending": names})
        for name in names:
            site.out.line(f"send {name}")
        if not names:
            site.out.line("nothing to do")
        return 0
    sent, removed = copy_offsite(site)
    if site.out.as_json:
        site.out.data({"sent": sent, "removed": removed})
    site.out.line(f"{len(sent)} files sent, {len(removed)} removed there")
    return 0
