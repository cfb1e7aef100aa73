# SPDX-License-Identifier: ISC
"""Errors of the verbs for people. Exit codes: 0 ok, 1 failed, 2 usage, 3 refused."""

from __future__ import annotations

from skytools.core.errors import SkytoolsError

EXIT_REFUSED = 3


class RefusedError(SkytoolsError):
    """Doing it would lose data or break what works; nothing was touched."""

    exit_code = EXIT_REFUSED


class ProgramError(SkytoolsError):
    """A program that we started failed; the text is its last line of output."""
