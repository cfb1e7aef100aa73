# SPDX-License-Identifier: ISC
"""Settings as scripts of Skytools 3 read them, key by key. Source: skytools.config."""

from __future__ import annotations

import configparser
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from skytools.compat.parsing import hsize_to_bytes
from skytools.core.errors import ConfigError as IniError
from skytools.core.ini import IniFile

__all__ = ["Config", "ConfigError", "NoOptionError"]

ConfigError = configparser.Error
NoOptionError = configparser.NoOptionError

_TRUE = frozenset(("1", "yes", "true", "on"))
_FALSE = frozenset(("0", "no", "false", "off"))


class Config:
    """One section of an ini file, the main one.

    `user_defs` are values below the file, `override` (--set) above it. `filename` None: no
    file, only these. A key that is missing and has no default raises configparser's
    NoOptionError, a file that cannot be read configparser.Error.
    """

    def __init__(  # noqa: PLR0917 - as scripts call it
        self,
        main_section: str,
        filename: str | None,
        sane_config: object = None,
        user_defs: Mapping[str, str] | None = None,
        override: Mapping[str, str] | None = None,
        ignore_defs: bool = False,
    ) -> None:
        self.main_section = main_section
        self.filename = str(Path(filename).expanduser()) if filename else None
        self.defs = {} if ignore_defs else self._predefined()
        self.defs.update(user_defs or {})
        self.override = dict(override or {})
        self._interpolation: configparser.Interpolation = configparser.BasicInterpolation()
        self.cf = configparser.RawConfigParser()
        self.reload()

    def _predefined(self) -> dict[str, str]:
        names = {"service_name": self.main_section, "host_name": socket.gethostname()}
        if self.filename is None:
            return {"job_name": self.main_section, **names}
        path = Path(self.filename).absolute()
        files = {"config_dir": str(path.parent), "config_file": str(path)}
        return {"job_name": path.stem, **names, **files}

    def reload(self) -> None:
        """Read the file again; when that fails, what was read before stays."""
        parser = configparser.RawConfigParser()
        if self.filename is None:
            parser.add_section(self.main_section)
        else:
            try:
                ini = IniFile(self.filename)
            except IniError as exc:
                raise configparser.Error(str(exc)) from exc
            parser.read_dict({"DEFAULT": _raw(ini, "DEFAULT")})
            parser.read_dict({name: _raw(ini, name) for name in ini.sections()})
            if not parser.has_section(self.main_section):
                raise configparser.Error(
                    f"{self.filename}: section [{self.main_section}] is missing; found: "
                    + (", ".join(f"[{name}]" for name in ini.sections()) or "none")
                )
        self.cf = parser
        extended = self._all().get("config_format", "1").strip() == "2"
        kind = configparser.ExtendedInterpolation if extended else configparser.BasicInterpolation
        self._interpolation = kind()

    def _all(self) -> dict[str, str]:
        own = dict(self.cf.items(self.main_section))
        own.update(self.override)
        return {**{k: v for k, v in self.defs.items() if k not in own}, **own}

    def _find(self, key: str) -> str | None:
        names = self._all()
        key = key.lower()
        if key not in names:
            return None
        parser: Any = self.cf
        return self._interpolation.before_get(parser, self.main_section, key, names[key], names)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value as text."""
        value = self._find(key)
        if value is not None:
            return value
        if default is None:
            raise NoOptionError(key, self.main_section)
        return default

    def getint(self, key: str, default: int | None = None) -> int:
        """Return a whole number. Raises ValueError."""
        return int(self._checked(key, default, int))

    def getfloat(self, key: str, default: float | None = None) -> float:
        """Return a number. Raises ValueError."""
        return float(self._checked(key, default, float))

    def getboolean(self, key: str, default: bool | int | None = None) -> bool:
        """Return 1, yes, true, on or 0, no, false, off. Raises ValueError."""
        return bool(self._checked(key, default, _boolean))

    getbool = getboolean

    def getbytes(self, key: str, default: str | int | None = None) -> int:
        """Return a number of bytes: 10, 4K, 2 MB (base 1024). Raises ValueError."""
        value = self._checked(key, default, hsize_to_bytes)
        return hsize_to_bytes(value) if isinstance(value, str) else int(value)

    def _checked(self, key: str, default: Any, convert: Any) -> Any:
        text = self._find(key)
        if text is None:
            return self.get(key, default)
        try:
            return convert(text.strip())
        except ValueError as exc:
            where = f"{self.filename or self.main_section}: [{self.main_section}] {key}"
            raise ValueError(f"{where}: {exc}") from None

    def getlist(self, key: str, default: Any = None) -> Any:
        """Return what stands between commas."""
        text = self._find(key)
        if text is None:
            return self.get(key, default)
        return [item.strip() for item in text.split(",")] if text.strip() else []

    def getdict(self, key: str, default: Any = None) -> Any:
        """Return `key:value, key`; a value that is not given is its key."""
        if self._find(key) is None:
            return self.get(key, default)
        pairs = (item.partition(":") for item in self.getlist(key))
        return {k.strip(): v.strip() if colon else k.strip() for k, colon, v in pairs}

    def getfile(self, key: str, default: str | None = None) -> str:
        """Return a path with `~` filled in; `-` stays."""
        name: str = self.get(key, default)
        return name if name in ("", "-") else str(Path(name).expanduser())

    def get_wildcard(self, key: str, values: Sequence[str] = (), default: Any = None) -> Any:
        """Return the value of the most specific key, each `*` filled in or left.

        For a_*_* and (x, y): a_x_y, then a_x_*, then a_*_*.
        """
        for count in range(len(values), -1, -1):
            name = key
            for value in values[:count]:
                name = name.replace("*", value, 1)
            found = self._find(name)
            if found is not None:
                return found
        return self.get(key, default)

    def sections(self) -> list[str]:
        """Return the sections of the file."""
        return self.cf.sections()

    def has_section(self, section: str) -> bool:
        """Tell whether the file has a section."""
        return self.cf.has_section(section)

    def clone(self, main_section: str) -> Config:
        """Return the settings of another section of the same file."""
        return Config(main_section, self.filename)

    def options(self) -> list[str]:
        """Return the keys of the section."""
        return list(self._all())

    def has_option(self, opt: str) -> bool:
        """Tell whether a key is given."""
        return opt.lower() in self._all()

    def items(self) -> list[tuple[str, str]]:
        """Return the keys with their values."""
        return [(key, self.get(key)) for key in self.options()]


def _raw(ini: IniFile, section: str) -> dict[str, str]:
    keys = ini.keys("DEFAULT") if section == "DEFAULT" else ini.own_keys(section)
    return {key: ini.raw(section, key) or "" for key in keys}


def _boolean(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError(f"not a boolean: {text}")
