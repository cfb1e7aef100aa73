# SPDX-License-Identifier: ISC
"""The keys of a job or service section that belong to the manager."""

from __future__ import annotations

from typing import Any

from skytools.core.config import JobKeys, options
from skytools.core.errors import ConfigError, Problem
from skytools.core.ini import IniFile
from skytools.core.values import Converter

KEYS: dict[str, Converter] = {declared.name: declared.convert for declared in options(JobKeys)}


def read_keys(ini: IniFile, section: str) -> tuple[dict[str, Any], list[Problem]]:
    """Return the manager's keys that the section sets, and what is wrong with them.

    No other key is interpolated: its `%(...)s` may be meant for the daemon.
    """
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, convert in KEYS.items():
        try:
            text = ini.get(section, key)
        except ConfigError as exc:
            problems.extend(exc.problems)
            continue
        if text is None or not text.strip():
            continue
        try:
            values[key] = convert(text.strip())
        except ValueError as exc:
            problems.append(Problem(str(ini.path), section, key, str(exc)))
    return values, problems
