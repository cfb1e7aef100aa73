# SPDX-License-Identifier: ISC
"""`import pgq` of python3-pgq 3.x: leads to skytools.compat.pgq, submodules by name too."""

import skytools.compat.oldnames as _oldnames
import skytools.compat.pgq as _pgq

__all__ = _pgq.__all__

# A package without files: its submodules are found by the finder in skytools/__init__.py.
__path__: list[str] = []


def __getattr__(name: str) -> object:
    return _oldnames.pgq_value(name)
