# SPDX-License-Identifier: ISC
"""The one error tree. Libraries raise; only the service loop and the command line catch broadly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

EXIT_CRASH = 1
EXIT_USAGE = 2
EXIT_FATAL_STATE = 3

# SQLSTATEs of a missing schema, table or function: the extension is not there.
NOT_INSTALLED = frozenset(("3F000", "42P01", "42883"))


class SkytoolsError(Exception):
    """Something went wrong that is not our bug; the text is for the user."""

    exit_code = EXIT_CRASH


class UsageError(SkytoolsError):
    """The command or its configuration is wrong: nothing was done."""

    exit_code = EXIT_USAGE


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a configuration file; `section` and `key` may be empty."""

    file: str
    section: str
    key: str
    text: str

    def __str__(self) -> str:
        where = self.file
        if self.section:
            where += f": [{self.section}]"
        if self.key:
            where += f" {self.key}"
        return f"{where}: {self.text}"


class ConfigError(UsageError):
    """Every fault of a configuration file at once, one line each."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))

    @classmethod
    def single(cls, file: str, section: str, key: str, text: str) -> ConfigError:
        """Make the error of one fault."""
        return cls([Problem(file, section, key, text)])


class TransientError(SkytoolsError):
    """Goes away by itself (lost connection, deadlock, server starting): retry with back-off."""


class DatabaseError(SkytoolsError):
    """The server refused a statement. `sqlstate` is its five-letter code, `hint` may be empty."""

    def __init__(self, text: str, sqlstate: str = "", hint: str = "") -> None:
        self.sqlstate = sqlstate
        self.hint = hint
        super().__init__(f"{text} ({hint})" if hint else text)


class FatalStateError(SkytoolsError):
    """Recorded positions disagree. Never repaired by guess: the program stops with exit code 3."""

    exit_code = EXIT_FATAL_STATE


class LostPosition(FatalStateError):  # noqa: N818 - named as Skytools 3 says it
    """The source and the target remember different positions of a consumer."""
