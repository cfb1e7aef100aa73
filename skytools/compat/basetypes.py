# SPDX-License-Identifier: ISC
"""Names for annotations of scripts. Source: skytools.basetypes of Skytools 3.8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skytools.compat.psycopgwrapper import Connection, Cursor, DictRow
from skytools.core.signals import HasFileno

__all__ = [
    "Connection",
    "Cursor",
    "DictRow",
    "ExecuteParams",
    "FileDescriptor",
    "FileDescriptorLike",
    "HasFileno",
]

ExecuteParams = Sequence[Any] | Mapping[str, Any]
FileDescriptor = int
FileDescriptorLike = int | HasFileno
