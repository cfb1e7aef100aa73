# SPDX-License-Identifier: ISC
"""`suppress` and `contextmanager` of contextlib, whose import takes half as long as Python's start.

For functions that clean up after their `yield` and let every error through.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import contextmanager, suppress

    __all__ = ["contextmanager", "suppress"]
else:

    class suppress:  # noqa: N801 - the name that it has in contextlib
        """Pass over these errors."""

        def __init__(self, *kinds):
            self._kinds = kinds

        def __enter__(self):
            return None

        def __exit__(self, kind, value, trace):
            return kind is not None and issubclass(kind, self._kinds)

    class _Block:
        def __init__(self, steps):
            self._steps = steps

        def __enter__(self):
            return next(self._steps)

        def __exit__(self, kind, value, trace):
            if value is None:
                next(self._steps, None)
                return False
            try:
                self._steps.throw(value)
            except BaseException as exc:
                if exc is value:
                    return False
                raise
            return False

    def contextmanager(function):
        """Make a block of a function that yields once."""
        return lambda *words, **named: _Block(function(*words, **named))
