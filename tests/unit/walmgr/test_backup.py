# SPDX-License-Identifier: ISC
"""What a server can do when it makes a backup."""

from __future__ import annotations

from skytools.walmgr.backup import why_unpacked

BUILT = ("pglz", "lz4", "zstd", "on", "off")


def test_a_server_packs_what_it_is_built_for() -> None:
    assert [why_unpacked(name, 15, BUILT) for name in ("gzip", "lz4", "zstd")] == ["", "", ""]
    assert why_unpacked("gzip", 15, ("pglz", "on")) == ""
    assert why_unpacked("zstd", 15, ("pglz", "lz4")) == "the server is built without zstd"
    assert why_unpacked("zstd", 14, BUILT) == "PostgreSQL 14 does not pack backups"
