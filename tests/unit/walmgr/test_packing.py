# SPDX-License-Identifier: ISC
"""The libraries and the programs of zstd and lz4 read what the other has written."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from skytools.walmgr import codec, packing
from skytools.walmgr.wal import WalError

MIXED = random.Random(1).randbytes(packing.CHUNK * 2 + 17) + b"x" * packing.CHUNK * 5
CONTENTS = [b"", b"one", b"\0" * packing.CHUNK, b"a" * (packing.CHUNK * 3), MIXED]

pytestmark = pytest.mark.parametrize("name", ["zstd", "lz4"])


def through(work: Callable[[int, int], None], source: Path, target: Path) -> bytes:
    with source.open("rb") as one, target.open("wb") as other:
        work(one.fileno(), other.fileno())
    return target.read_bytes()


@pytest.mark.parametrize("content", CONTENTS, ids=len)
def test_both_ways_by_library_and_program(name: str, content: bytes, tmp_path: Path) -> None:
    library = packing.find(name)
    assert library is not None
    plain, packed, back = (tmp_path / one for one in ("plain", "packed", "back"))
    plain.write_bytes(content)
    by_program = codec.Program(name)
    for pack in (library.compress, by_program.compress):
        small = through(pack, plain, packed)
        assert len(small) < len(content) + 64
        for expand in (library.expand, by_program.expand):
            assert through(expand, packed, back) == content
    packed.write_bytes(small * 2)  # as two files put behind one another
    assert through(library.expand, packed, back) == content * 2


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "nonsense"])
def test_damage_is_noticed(name: str, damage: str, tmp_path: Path) -> None:
    library = packing.find(name)
    assert library is not None
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    plain.write_bytes(MIXED)
    good = through(library.compress, plain, packed)
    middle = len(good) // 2
    packed.write_bytes({
        "cut": good[:-1],
        "empty": b"",
        "flipped": good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :],
        "nonsense": b"nothing of the kind" * 10,
    }[damage])  # fmt: skip
    with pytest.raises(WalError, match=f"damaged {name} file"):
        through(library.expand, packed, tmp_path / "back")


def test_a_full_target_is_an_error(name: str, tmp_path: Path) -> None:
    library = packing.find(name)
    assert library is not None
    (tmp_path / "plain").write_bytes(MIXED)
    with (tmp_path / "plain").open("rb") as source:
        full = os.open("/dev/full", os.O_WRONLY)
        try:
            with pytest.raises(OSError, match="No space left"):
                library.compress(source.fileno(), full)
        finally:
            os.close(full)


def test_a_missing_library_is_no_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "LIBRARIES", {"zstd": "no.so", "lz4": "no.so"})
    assert packing.find(name) is None
