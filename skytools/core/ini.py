# SPDX-License-Identifier: ISC
"""Ini files: reading and interpolation, as Skytools 3 knew them.

Values are interpolated when a key is read, not when the file is, because a file may hold
`%(...)s` templates that belong to another program.
"""

from __future__ import annotations

import configparser
import socket
from collections.abc import Mapping
from pathlib import Path

from skytools.core.errors import ConfigError
from skytools.core.user import user_name

DEFAULT = "DEFAULT"
MAX_INCLUDE_DEPTH = 10


class IniFile:
    """A parsed ini file.

    Raises ConfigError when the file cannot be read or parsed. Source: Skytools 3 predefines
    job_name, service_name, host_name, config_dir and config_file for interpolation.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).expanduser().absolute()
        self._parser = configparser.ConfigParser(
            strict=True,
            interpolation=None,
            default_section=DEFAULT,
            comment_prefixes=("#", ";"),
            inline_comment_prefixes=None,
        )
        text = ""
        try:
            text = _read(self.path)
            self._parser.read_string(text, source=str(self.path))
        except OSError as exc:
            who = f" for user {user_name()}" if isinstance(exc, PermissionError) else ""
            raise self._fault(f"cannot be read: {exc.strerror}{who}") from exc
        except UnicodeDecodeError as exc:
            raise self._fault(f"is not UTF-8 text (byte {exc.start})") from exc
        except configparser.Error as exc:
            raise self._fault(_parse_fault(exc, text)) from exc

    def _fault(self, text: str, section: str = "", key: str = "") -> ConfigError:
        return ConfigError.single(str(self.path), section, key, text)

    def sections(self) -> list[str]:
        """Section names in file order, without DEFAULT."""
        return self._parser.sections()

    def has_section(self, section: str) -> bool:
        """Tell whether the file has the section."""
        return self._parser.has_section(section)

    def keys(self, section: str) -> list[str]:
        """Keys of the section, including those inherited from DEFAULT."""
        return list(self._parser[section])

    def own_keys(self, section: str) -> list[str]:
        """Keys written in the section itself."""
        inherited = self._parser.defaults()
        raw = dict(self._parser.items(section, raw=True))
        return [k for k in raw if k not in inherited or raw[k] != inherited[k]]

    def raw(self, section: str, key: str) -> str | None:
        """Value as written, None when absent."""
        return self._parser.get(section, key, fallback=None)

    def get(self, section: str, key: str, overrides: Mapping[str, str] | None = None) -> str | None:
        """Value with `%(name)s` filled in, None when absent.

        Raises ConfigError when a referenced name is unknown or the syntax is wrong.
        """
        names = self.names(section)
        names.update(overrides or {})
        if key not in names:
            return None
        try:
            interpolation = configparser.BasicInterpolation()
            return interpolation.before_get(self._parser, section, key, names[key], names)
        except configparser.InterpolationMissingOptionError as exc:
            raise self._fault(f"refers to unknown %({exc.reference})s", section, key) from exc
        except configparser.InterpolationError as exc:
            text = "has a bad '%': write %% for a literal one, %(name)s for another key"
            raise self._fault(text, section, key) from exc

    def names(self, section: str) -> dict[str, str]:
        """Everything `%(name)s` may refer to: predefined names below the section's own keys."""
        names = {
            "job_name": self.path.stem,
            "service_name": section,
            "host_name": socket.gethostname(),
            "config_dir": str(self.path.parent),
            "config_file": str(self.path),
        }
        if section != DEFAULT and self.has_section(section):
            names.update(self._parser.items(section, raw=True))
        else:
            names.update(self._parser.defaults())
        return names


def _read(path: Path, depth: int = 0) -> str:
    """Text of a file with its `%include FILE` lines filled in. Source: pgqd 3.5, 10 deep."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("%include ") and depth < MAX_INCLUDE_DEPTH:
            included = path.parent / Path(line.split(None, 1)[1].strip()).expanduser()
            lines.append(_read(included, depth + 1))
        else:
            lines.append(line)
    return "\n".join(lines)


def _parse_fault(exc: configparser.Error, text: str) -> str:
    if isinstance(exc, configparser.DuplicateSectionError):
        return f"line {exc.lineno}: section [{exc.section}] appears twice"
    if isinstance(exc, configparser.DuplicateOptionError):
        return f"line {exc.lineno}: key {exc.option} appears twice in [{exc.section}]"
    if isinstance(exc, configparser.MissingSectionHeaderError):
        return f"line {exc.lineno}: text before the first [section]"
    if isinstance(exc, configparser.ParsingError) and exc.errors:
        # The line itself is kept as its repr, or as it is: that depends on Python's version.
        lineno = exc.errors[0][0]
        line = text.split("\n")[lineno - 1].strip()
        return f"line {lineno}: not a 'key = value' line: {line}"
    return str(exc).replace("\n", " ")
