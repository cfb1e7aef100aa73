# SPDX-License-Identifier: ISC
"""Copies of folders, also of such that are still being filled."""

from __future__ import annotations

import errno
import fcntl
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from skytools.walmgr.copying import ALIGNED, PIECE, FolderCopy, Follower, copy_folders
from skytools.walmgr.errors import ProgramError
from tests.fixtures.wait import wait_until

os_open = os.open


def content(folder: Path) -> dict[str, bytes | str | None]:
    found: dict[str, bytes | str | None] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = str(path.readlink())
        else:
            found[name] = path.read_bytes() if path.is_file() else None
    return found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Give a folder with all that a data folder has."""
    folder = tmp_path / "source"
    (folder / "base" / "1").mkdir(parents=True)
    (folder / "pg_tblspc").mkdir()
    (folder / "pg_wal").mkdir()
    (folder / "pg_tblspc" / "5").symlink_to("/nowhere")
    (folder / "base" / "1" / "empty").touch(mode=0o640)
    (folder / "base" / "1" / "small").write_bytes(b"a page")
    (folder / "base" / "1" / "big").write_bytes(random.Random(1).randbytes(PIECE + ALIGNED + 7))
    (folder / "base").chmod(0o750)
    return folder


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("refused", [(), ("ioctl", "open"), ("ioctl", "open", "copy_file_range")])
def test_a_copy_is_the_same(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: tuple[str, ...],
    *, direct: bool,
) -> None:  # fmt: skip
    """By shared blocks or straight to disk, by the system's call, and by reading and writing."""
    for name in refused:
        monkeypatch.setattr(fcntl if name == "ioctl" else os, name, _refusing(getattr(os, name, 0)))
    target = tmp_path / "target"
    if direct:
        FolderCopy([(source, target)], direct=True).finish()
    else:
        copy_folders([(source, target)])
    assert content(target) == content(source)
    assert (target / "base").stat().st_mode & 0o777 == 0o750
    assert (target / "base/1/empty").stat().st_mode & 0o777 == 0o640


def _refusing(real: Callable[..., int] | int) -> Callable[..., int]:
    """Return a call as on a file system that cannot; of `open`, with the flag for direct writes."""

    def call(*words: int, **keys: int) -> int:
        if real is os_open and not words[1] & os.O_DIRECT:
            return os_open(*words, **keys)
        raise OSError(errno.EINVAL, "Invalid argument")

    return call


def test_a_folder_is_followed_while_it_grows(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    follower = Follower([(source, target)])
    follower.start()
    grows, copied = source / "grows", target / "grows"
    with grows.open("ab", 0) as file:
        for number in range(1, 4):
            file.write(bytes([number]) * (ALIGNED + 1))
            there = number * (ALIGNED + 1)
            wait_until(
                lambda there=there: copied.exists() and copied.stat().st_size >= there - ALIGNED
            )
    # What is written anyhow waits for the end; so does a file that comes with it.
    wait_until((target / "base/1/big").exists)
    assert not (target / "pg_wal").exists()
    (source / "pg_wal" / "1").write_bytes(b"zeros first")
    (source / "late").write_bytes(b"late")
    follower.finish()
    assert content(target) == content(source)


def test_a_file_that_rests_at_an_odd_length_goes_on(source: Path, tmp_path: Path) -> None:
    copy = FolderCopy([(source, tmp_path / "target")], direct=True)
    big = source / "base/1/big"
    whole = random.Random(2).randbytes(2 * PIECE + 5)
    lengths = (ALIGNED + 7, ALIGNED + 7, PIECE + ALIGNED + 9, PIECE + ALIGNED + 9, len(whole))
    for length in lengths:
        with big.open("r+b") as file:
            file.truncate(length)
            file.write(whole[:length])
        copy.follow()
    copy.finish()
    assert content(tmp_path / "target") == content(source)
    assert big.read_bytes() == whole


def test_a_file_that_shrinks_is_no_copy(source: Path, tmp_path: Path) -> None:
    copy = FolderCopy([(source, tmp_path / "target")])
    copy.follow()
    os.truncate(source / "base/1/big", ALIGNED - 1)
    with pytest.raises(OSError, match="became shorter"):
        copy.finish()


def test_what_fails_is_told_with_its_name(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "base").touch()
    with pytest.raises(ProgramError, match=r"/target/base.*: "):
        copy_folders([(source, target)])
    follower = Follower([(source, target)])
    follower.start()
    with pytest.raises(ProgramError, match="/target/base"):
        follower.finish()
