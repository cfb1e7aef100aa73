# SPDX-License-Identifier: ISC
"""Appending to gzip files. Source: skytools.gzlog of Skytools 3."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

__all__ = ["gzip_append"]


def gzip_append(filename: str | Path, data: bytes, level: int = 6) -> None:
    """Append data as a gzip member of its own; a failed write leaves the file as it was."""
    member = gzip.compress(data, level)
    with Path(filename).open("ab") as file:
        end = file.seek(0, os.SEEK_END)
        try:
            file.write(member)
            file.flush()
        except OSError:
            file.truncate(end)
            raise
