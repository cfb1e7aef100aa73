# SPDX-License-Identifier: ISC
"""What may enter the archive, and what never happens to what is in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from skytools.walmgr import codec
from skytools.walmgr.store import CONFLICTS, INCOMING, Archive, ConflictError
from skytools.walmgr.wal import Segment, WalError
from tests.unit.walmgr.segments import SIZE, SYSTEM, content, write

FIVE = Segment(1, 5, SIZE)
HISTORY = b"1\t0/500028\tno recovery target specified\n"

CODECS = list(codec.SUFFIXES)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "pg_wal"
    folder.mkdir()
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "complete"
    path.mkdir()
    return path


def files(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))


@pytest.mark.parametrize("packed", CODECS)
def test_what_goes_in_comes_out(source: Path, folder: Path, packed: str) -> None:
    archive = Archive(str(folder), packed)
    assert archive.admit(str(write(source, FIVE)), FIVE.name)
    assert files(folder) == [FIVE.name + codec.SUFFIXES[packed]]
    found = archive.find(FIVE.name)
    assert found is not None
    target = source / "RECOVERYXLOG"
    archive.extract(found, str(target))
    assert target.read_bytes() == content(FIVE)
    assert archive.identity() == SYSTEM
    assert list((folder / INCOMING).iterdir()) == []


@pytest.mark.parametrize("packed", CODECS)
@pytest.mark.parametrize("repacked", ["none", "zstd"])
def test_the_same_bytes_again_are_fine(
    source: Path, folder: Path, packed: str, repacked: str
) -> None:
    path = write(source, FIVE)
    assert Archive(str(folder), packed).admit(str(path), FIVE.name)
    assert not Archive(str(folder), repacked).admit(str(path), FIVE.name)
    assert len(files(folder)) == 1


@pytest.mark.parametrize("packed", CODECS)
def test_other_bytes_are_refused_and_both_kept(source: Path, folder: Path, packed: str) -> None:
    archive = Archive(str(folder), packed)
    archive.admit(str(write(source, FIVE)), FIVE.name)
    before = (folder / files(folder)[0]).read_bytes()
    for _ in range(2):
        with pytest.raises(ConflictError, match="other content"):
            archive.admit(str(write(source, FIVE, fill=b"y")), FIVE.name)
    assert (folder / files(folder)[0]).read_bytes() == before
    assert (folder / CONFLICTS / FIVE.name).read_bytes() == content(FIVE, fill=b"y")


@pytest.mark.parametrize("packed", CODECS)
def test_a_damaged_copy_is_told_apart_from_another_servers(
    source: Path, folder: Path, packed: str
) -> None:
    archive = Archive(str(folder), packed)
    path = write(source, FIVE)
    archive.admit(str(path), FIVE.name)
    there = folder / files(folder)[0]
    data = there.read_bytes()
    damaged = data[:65536] + bytes(len(data) - 65536) if packed == "none" else data[:-7]
    there.write_bytes(damaged)
    with pytest.raises(ConflictError, match=r"is in the archive damaged .* move the damaged one"):
        archive.admit(str(path), FIVE.name)
    assert there.read_bytes() == damaged
    there.unlink()
    assert archive.admit(str(path), FIVE.name)


def test_what_is_answered_for_is_on_disk(
    source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the bytes, then the name, then the folder; a copy that was there just the same."""
    done: list[str] = []
    sync, rename = os.fsync, os.rename

    def synced(fd: int) -> None:
        done.append(f"sync {Path(f'/proc/self/fd/{fd}').readlink().name[:24]}")
        sync(fd)

    def renamed(old: str, new: str) -> None:
        done.append(f"rename {Path(new).name}")
        rename(old, new)

    archive = Archive(str(folder))
    archive.claim(SYSTEM)
    path = write(source, FIVE)
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    assert archive.admit(str(path), FIVE.name)
    told = [f"sync {FIVE.name}", f"rename {FIVE.name}", f"sync {folder.name}"]
    assert done[: len(told)] == told
    done.clear()
    assert not archive.admit(str(path), FIVE.name)
    assert done == [f"sync {FIVE.name}", f"sync {folder.name}"]


def test_history_files_are_never_overwritten(source: Path, folder: Path) -> None:
    archive = Archive(str(folder), "zstd")
    path = source / "00000002.history"
    path.write_bytes(HISTORY)
    assert archive.admit(str(path), path.name)
    assert not archive.admit(str(path), path.name)
    assert archive.history(2).switches == ((1, 0x500028),)
    long = source / "00000FFF.history"
    long.write_text("".join(f"{n}\t0/{n:X}\t{'why ' * 20}\n" for n in range(1, 0xFFF)))
    assert archive.admit(str(long), long.name)
    assert len(archive.history(0xFFF).switches) == 0xFFE
    (folder / long.name).unlink()
    path.write_bytes(HISTORY.replace(b"28", b"30"))
    with pytest.raises(ConflictError):
        archive.admit(str(path), path.name)
    assert files(folder) == ["00000002.history"]


def test_partial_and_backup_files_are_taken(source: Path, folder: Path) -> None:
    archive = Archive(str(folder), "gzip")
    assert archive.admit(str(write(source, FIVE, ".partial")), FIVE.name + ".partial")
    label = source / f"{FIVE.name}.00000028.backup"
    label.write_text("START WAL LOCATION: 0/500028 (file 000000010000000000000005)\n")
    assert archive.admit(str(label), label.name)
    assert archive.names().keys() == {FIVE.name + ".partial", label.name}
    assert archive.find(FIVE.name) is None


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda data: b"", "has 0 bytes"),
        (lambda data: data[:-1], "the server's segments have 1048576"),
        (lambda data: bytes(len(data)), "begins with zeros: never written"),
        (lambda data: b"\x7fELF" + data[4:], "does not begin with a WAL page header"),
        (lambda data: content(FIVE.next()), "holds the WAL of 000000010000000000000006"),
        (lambda data: content(Segment(2, 5, SIZE)), "is of timeline 2, its name says 1"),
        (lambda data: data[:65536] + bytes(8192) + data[73728:], "zeros at byte 65536, and WAL"),
        (lambda data: data[:65536] + bytes(len(data) - 65536), "is cut off: from byte 65536 on"),
        (lambda data: data[:65536] + b"?" * 8192 + data[73728:], "a page at byte 65536 that does"),
    ],
)
def test_what_is_no_such_segment_is_refused(
    source: Path, folder: Path, damage: object, told: str
) -> None:
    path = source / FIVE.name
    path.write_bytes(damage(content(FIVE)))  # type: ignore[operator]
    with pytest.raises(WalError, match=told):
        Archive(str(folder)).admit(str(path), FIVE.name)
    assert files(folder) == []


def test_the_beginning_of_what_is_there_is_no_obstacle(source: Path, folder: Path) -> None:
    """A killed standby leaves it; refused, it would stop a new primary's archiving for ever."""
    whole = content(FIVE)
    begun = whole[:100_000] + bytes(len(whole) - 100_000)
    path = source / FIVE.name
    newer = Segment(2, FIVE.number, SIZE).name
    ways = {FIVE.name: whole, f"{FIVE.name}.partial": whole, newer: whole}
    for number, (name, data) in enumerate(ways.items()):
        archive = Archive(str(folder / str(number)), "lz4")
        Path(archive.path).mkdir()
        switched = HISTORY.replace(b"500028", b"520000")
        for other, text in ((name, data), ("00000002.history", switched)):
            (source / other).write_bytes(text)
            archive.admit(str(source / other), other)
        before = files(Path(archive.path))
        path.write_bytes(begun)
        assert not archive.admit(str(path), FIVE.name), name
        other_bytes = whole[:50_000] + b"?" + begun[50_001:]
        further = whole[:150_000] + bytes(len(whole) - 150_000)
        for refused in (other_bytes, further) if name == newer else (other_bytes,):
            path.write_bytes(refused)
            with pytest.raises(WalError, match="is cut off"):
                archive.admit(str(path), FIVE.name)
        assert files(Path(archive.path)) == before


def test_the_segment_of_another_cluster_is_refused(source: Path, folder: Path) -> None:
    archive = Archive(str(folder))
    archive.admit(str(write(source, FIVE)), FIVE.name)
    with pytest.raises(WalError, match=f"of another cluster: 99, not {SYSTEM}"):
        archive.admit(str(write(source, FIVE.next(), system=99)), FIVE.next().name)
    with pytest.raises(WalError, match="belongs to another cluster"):
        archive.claim(99)
    assert files(folder) == [FIVE.name]


def test_the_first_segment_of_a_timeline_may_carry_its_parents_header(
    source: Path, folder: Path
) -> None:
    path = source / Segment(2, 5, SIZE).name
    path.write_bytes(content(FIVE))
    assert Archive(str(folder)).admit(str(path), path.name)


@pytest.mark.parametrize("packed", ["gzip", "lz4", "zstd"])
def test_a_damaged_archived_file_is_neither_restored_nor_called_absent(
    source: Path, folder: Path, packed: str
) -> None:
    archive = Archive(str(folder), packed)
    archive.admit(str(write(source, FIVE)), FIVE.name)
    found = archive.find(FIVE.name)
    assert found is not None
    Path(found.path).write_bytes(Path(found.path).read_bytes()[:-7])
    target = source / "RECOVERYXLOG"
    with pytest.raises(WalError, match=found.name):
        archive.extract(found, str(target))
    assert sorted(source.iterdir()) == [source / FIVE.name]


def test_a_folder_that_is_gone_is_no_empty_archive(folder: Path) -> None:
    folder.rmdir()
    with pytest.raises(FileNotFoundError):
        Archive(str(folder)).find(FIVE.name)
    folder.touch()  # what cannot be looked into says nothing of what is in it
    with pytest.raises(NotADirectoryError):
        Archive(str(folder)).find(FIVE.name)


def test_leftovers_of_a_killed_writer_go_and_those_of_a_living_one_stay(
    source: Path, folder: Path
) -> None:
    archive = Archive(str(folder))
    with archive.incoming("living") as (_, path):
        os.utime(path, (0, 0))
        dead = folder / INCOMING / "dead"
        dead.write_bytes(b"half")
        os.utime(dead, (0, 0))
        archive.admit(str(write(source, FIVE)), FIVE.name)
        assert [p.name for p in (folder / INCOMING).iterdir()] == [Path(path).name]


def test_admitted_files_are_counted(source: Path, folder: Path) -> None:
    archive = Archive(str(folder))
    archive.admit(str(write(source, FIVE)), FIVE.name)
    archive.admit(str(write(source, FIVE)), FIVE.name)
    archive.count_failure()
    stats = archive.stats()
    assert (stats["files"], stats["bytes"], stats["failures"]) == (1, SIZE, 1)
    assert stats["le_30"] == 1
