# SPDX-License-Identifier: ISC
"""What killed processes leave, and what two of us do at the same time."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from skytools.walmgr.backup import remove_halves
from skytools.walmgr.receiver import collect
from skytools.walmgr.sets import RUNNING, VERIFIED, BackupSet
from skytools.walmgr.store import CONFLICTS, Archive, ConflictError
from skytools.walmgr.wal import Segment, WalError
from tests.unit.walmgr.segments import SIZE, write


def a_set(folder: Path, name: str, state: str) -> BackupSet:
    one = BackupSet(f"data.master.{name}", folder / f"data.master.{name}", state=state)
    (one.path / "data" / "base").mkdir(parents=True)
    one.save()
    return one


def test_a_half_set_is_removed_while_somebody_writes_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the pg_basebackup of a killed backup does for a moment."""
    half, good = a_set(tmp_path, "1", RUNNING), a_set(tmp_path, "2", VERIFIED)
    folder = os.open(half.data / "base", os.O_RDONLY)
    names, remove = ["1", "2"], os.rmdir

    def rmdir(path: str, **options: int) -> None:
        if path == "base" and names:
            os.close(os.open(names.pop(), os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=folder))
        remove(path, **options)

    monkeypatch.setattr(os, "rmdir", rmdir)
    site: Any = SimpleNamespace(cfg=SimpleNamespace(sets=tmp_path / "data.master"))
    remove_halves(site)
    os.close(folder)
    assert names == []
    assert [path.name for path in tmp_path.iterdir()] == [good.name]


class Raced(Archive):
    """An archive into which another process brings each file first, and removes it."""

    def admit(self, source: str, name: str) -> bool:
        super().admit(source, name)
        Path(source).unlink()
        return super().admit(source, name)


def test_what_somebody_else_has_collected_is_no_failure(tmp_path: Path) -> None:
    partials, completed = tmp_path / "partial", tmp_path / "complete"
    partials.mkdir()
    completed.mkdir()
    names = [write(partials, Segment(1, number, SIZE)).name for number in range(1, 4)]
    site: Any = SimpleNamespace(
        cfg=SimpleNamespace(partials=partials), archive=Raced(str(completed))
    )
    assert collect(site) == 0
    assert [name for name in names if site.archive.find(name)] == names

    write(partials, Segment(1, 4, SIZE))
    site.archive = Archive(str(tmp_path / "unmounted"))
    with pytest.raises(FileNotFoundError):
        collect(site)


def test_a_file_that_is_refused_hinders_no_other(tmp_path: Path) -> None:
    partials, archive = tmp_path / "partial", Archive(str(tmp_path / "complete"))
    partials.mkdir()
    Path(archive.path).mkdir()
    one, two, three, four = (Segment(1, number, SIZE) for number in range(1, 5))
    path = write(tmp_path, one, fill=b"y")
    archive.admit(str(path), one.name)
    for segment in (one, two, three, four):
        write(partials, segment)
    site: Any = SimpleNamespace(cfg=SimpleNamespace(partials=partials), archive=archive)
    with pytest.raises(ConflictError, match=one.name):
        collect(site)
    assert sorted(archive.names()) == [one.name, two.name, three.name, four.name]
    assert sorted(path.name for path in partials.iterdir()) == [one.name, four.name]
    assert (Path(archive.path) / CONFLICTS / one.name).exists()

    (partials / two.name).write_bytes(b"no WAL")
    with pytest.raises(WalError, match=two.name) as told:
        collect(site)
    assert not isinstance(told.value, ConflictError)
    assert archive.stats()["failures"] == 3
