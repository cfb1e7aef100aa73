# SPDX-License-Identifier: ISC
"""SQL texts kept in files: `queries/<name>.sql` beside the module that uses them."""

from __future__ import annotations

import functools
from importlib import resources


@functools.cache
def get(package: str, name: str) -> str:
    """Return the text of `queries/<name>.sql` in the package."""
    return resources.files(package).joinpath("queries", f"{name}.sql").read_text(encoding="utf-8")
