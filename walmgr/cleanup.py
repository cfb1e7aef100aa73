# SPDX-License-Identifier: ISC
"""The verb `cleanup`: take away what walmgr has made. The servers' own folders stay."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from skytools.core.errors import SkytoolsError
from skytools.walmgr.errors import RefusedError
from skytools.walmgr.expire import discard
from skytools.walmgr.facts import RECEIVER_LOCK, newest_complete
from skytools.walmgr.files import is_locked
from skytools.walmgr.legacy import set_setting
from skytools.walmgr.pair import NO_ARCHIVE, Step
from skytools.walmgr.sets import chain_of
from skytools.walmgr.site import Site


def plan_cleanup(site: Site, *, everything: bool) -> list[Step]:
    """Return what would go; WAL and the newest complete set only when `everything` does.

    The sets that it is based on stay with it. Raises RefusedError while the service works.
    """
    if is_locked(site.cfg.home / RECEIVER_LOCK):
        raise RefusedError("the receiver runs: stop the service first")
    return [*_on_primary(site), *_old_folders(site), *_files(site, everything=everything)]


def _on_primary(site: Site) -> Iterator[Step]:
    if not site.cfg.primary or site.primary_answers() is None:
        return
    if " xarchive " in str(site.primary().value("show archive_command")):
        yield Step(
            "primary: stop archiving", lambda: set_setting(site, "archive_command", NO_ARCHIVE)
        )
    names = str(site.primary().value("show synchronous_standby_names"))
    if names == "walmgr_receiver":
        yield Step(
            "primary: commits wait for nobody",
            lambda: set_setting(site, "synchronous_standby_names", ""),
        )
    slot = site.cfg.slot
    query = "select true from pg_replication_slots where slot_name = %s and not active"
    if site.primary().value(query, [slot]):
        yield Step(
            f"primary: drop replication slot {slot}",
            lambda: _drop_slot(site, slot),
        )


def _drop_slot(site: Site, slot: str) -> None:
    site.primary().execute("select pg_drop_replication_slot(%s)", [slot])


def _old_folders(site: Site) -> Iterator[Step]:
    """Yield data folders that `restore` has put aside, as DATA.1."""
    data = site.cfg.slave_data
    if data is None:
        return
    for path in sorted(data.parent.glob(f"{data.name}.[0-9]*")):
        if path.suffix[1:].isdigit() and (path / "PG_VERSION").is_file():
            yield _removal(path)


def _files(site: Site, *, everything: bool) -> Iterator[Step]:
    sets = site.sets()
    newest = newest_complete(sets)
    kept = [] if everything or newest is None else chain_of(sets, newest)
    # The newest first: at no moment there is one without what it is based on.
    for one in reversed(sets):
        if one not in kept:
            yield Step(f"remove {one.path}", _remover(one.path, partial(discard, one)))
    if not everything and newest is not None:
        return
    for path in (site.cfg.completed, site.cfg.partials):
        if path.is_dir():
            yield _removal(path)
    for name in ("points.json", "drill.json", "offsite.json"):  # what they tell of is gone
        if (site.cfg.home / name).exists():
            yield _removal(site.cfg.home / name)


def _removal(path: Path) -> Step:
    how = path.unlink if path.is_file() else partial(shutil.rmtree, path)
    return Step(f"remove {path}", _remover(path, how))


def _remover(path: Path, how: Callable[[], None]) -> Callable[[], None]:
    def remove() -> None:
        try:
            how()
        except OSError as exc:
            raise SkytoolsError(f"{exc.filename or path}: {exc.strerror}") from exc

    return remove
