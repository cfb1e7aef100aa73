# SPDX-License-Identifier: ISC
"""Typed settings: one frozen dataclass a program, from which all else is generated.

Parsing, range checks, `--ini`, `--check` and the reference in docs/ come from the same
`option()` declarations. All faults of a file are reported together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, dataclass_transform, get_type_hints

from skytools.core.errors import ConfigError, Problem
from skytools.core.ini import IniFile
from skytools.core.registry import service_of
from skytools.core.values import Bounds, Converter, converter

REQUIRED: Any = object()  # the default of an option that must be given
_META = "skytools.option"

Check = Callable[[str], str | None]  # text -> what is wrong with it, or None


@dataclass(frozen=True, slots=True)
class Option:
    """What an option declares beside its type."""

    help: str
    default: Any
    unit: str
    bounds: Bounds
    check: Check | None
    example: str
    aliases: tuple[str, ...]


def option(
    default: Any,
    help: str,
    *,
    unit: str = "",
    min: float | None = None,
    max: float | None = None,
    choices: tuple[str, ...] = (),
    check: Check | None = None,
    example: str = "",
    aliases: tuple[str, ...] = (),
) -> Any:
    """Declare one key. `unit` is for people ("s", "bytes"); older names in `aliases` win."""
    meta = Option(help, default, unit, Bounds(min, max, choices), check, example, aliases)
    extra: dict[str, Any] = {} if default is REQUIRED else {"default": default}
    return dataclasses.field(metadata={_META: meta}, **extra)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKeys:
    """Keys of a job's section that the manager reads; every daemon accepts them without a word.

    Each may also stand in a section of the manager's ini, as the default of a service.
    """

    LEGACY: ClassVar[Mapping[str, str]] = {}

    script: str = option("", "Program of the job; a .py file is run by our Python.")
    args: str = option("", "Arguments after the ini.")
    cwd: str = option("", "Folder to work in; default: /.")
    user: str = option("", "Run as this user; the manager must be root for that.")
    disabled: bool = option(False, "Leave the job out.")
    notify: bool = option(True, "The job says when it is ready; no: it is once it runs.")
    priority: int = option(500, "Start low numbers first, stop them last.", min=0, max=999)
    max_restarts: int = option(0, "Give up after that many failures in a row; 0: never.", min=0)
    watchdog_sec: float = option(
        0.0, "Restart the job when it gave no sign of life for this long; 0: off.", unit="s", min=0
    )
    stop_timeout: float = option(
        60.0, "Kill the job when it has not stopped after this time.", unit="s", min=0.1, max=86400
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonConfig:
    """Keys that every daemon knows."""

    LEGACY: ClassVar[Mapping[str, str]] = {
        "use_skylog": "logging goes to stderr, logfile or syslog",
        "skylog_locations": "logging goes to stderr, logfile or syslog",
        "exception_sleep": "the wait after an error grows by itself from 1 to 60 seconds",
        "exception_quiet": "expected errors never print a traceback",
        "exception_grace": "expected errors never print a traceback",
        "exception_reset": "expected errors never print a traceback",
        "config_format": "only %(key)s interpolation is known",
    }

    job_name: str = option("", "Name of the job in logs and metrics; default: the ini's base name.")
    logfile: Path | None = option(None, "Also log into this file; empty: stderr only.")
    log_size: int = option(10 << 20, "Rotate the log file at this size.", unit="bytes", min=1 << 16)
    log_count: int = option(3, "How many rotated log files to keep.", min=0)
    pidfile: Path | None = option(None, "Where the pid goes; needed by -d, -s, -k and -r.")
    metrics_socket: Path | None = option(
        None, "Serve Prometheus metrics on this unix socket; scriptmgr sets it by itself."
    )

    def faults(self) -> list[tuple[str, str]]:
        """(key, what is wrong) of settings that do not fit together; for subclasses."""
        return []


ConfigT = TypeVar("ConfigT", bound=DaemonConfig)


@dataclass(frozen=True, slots=True)
class Loaded(Generic[ConfigT]):
    """A good configuration and what should be said about its file."""

    config: ConfigT
    section: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Declared:
    """One option of a config class, ready for use."""

    name: str
    option: Option
    convert: Converter
    kind: str


def options(cls: type[Any]) -> list[Declared]:
    """Return the options of a config class as declared, its own before those of every daemon."""
    out = []
    hints = get_type_hints(cls)
    common = DaemonConfig.__dataclass_fields__
    for field in sorted(dataclasses.fields(cls), key=lambda f: f.name in common):
        meta: Option = field.metadata[_META]
        convert, kind = converter(hints[field.name], meta.bounds)
        out.append(Declared(field.name, meta, convert, kind))
    return out


def choose_section(ini: IniFile, section: str) -> str:
    """Return the section a daemon reads: its own, or the only one when it has no fixed name.

    An old name of the service will do, such as [queue_mover3].

    Raises ConfigError when it is missing or ambiguous.
    """
    found = ini.sections()
    if section and section in found:
        return section
    aliases = [name for name in found if service_of(name) == section]
    if section and len(aliases) == 1:
        return aliases[0]
    if not section and len(found) == 1:
        return found[0]
    names = ", ".join(f"[{name}]" for name in found) or "none"
    wanted = f"section [{section}] is missing" if section else "exactly one section is expected"
    raise ConfigError.single(str(ini.path), "", "", f"{wanted}; found: {names}")


def load(
    cls: type[ConfigT],
    path: Path | str,
    section: str = "",
    overrides: Mapping[str, str] | None = None,
) -> Loaded[ConfigT]:
    """Read a config class from a section of an ini; `overrides` (--set) win over the file.

    Raises ConfigError with every fault of the file at once.
    """
    ini = IniFile(path)
    section = choose_section(ini, section)
    return _Loader(cls, ini, section, dict(overrides or {})).load()


class _Loader(Generic[ConfigT]):
    def __init__(
        self, cls: type[ConfigT], ini: IniFile, section: str, overrides: dict[str, str]
    ) -> None:
        self.cls = cls
        self.ini = ini
        self.section = section
        self.overrides = overrides
        self.problems: list[Problem] = []
        self.warnings: list[str] = []

    def problem(self, key: str, text: str) -> None:
        where = "--set" if key in self.overrides else str(self.ini.path)
        self.problems.append(Problem(where, self.section, key, text))

    def load(self) -> Loaded[ConfigT]:
        known = options(self.cls)
        self._unknown_keys(known)
        values = {}
        for declared in known:
            value = self._value(declared)
            if value is not REQUIRED:
                values[declared.name] = value
        if self.problems:
            raise ConfigError(self.problems)
        if not values.get("job_name"):
            values["job_name"] = self.ini.path.stem
        config = self.cls(**values)
        for key, text in config.faults():
            self.problem(key, text)
        if self.problems:
            raise ConfigError(self.problems)
        return Loaded(config, self.section, tuple(self.warnings))

    def _unknown_keys(self, known: list[Declared]) -> None:
        names = {d.name for d in known} | {a for d in known for a in d.option.aliases}
        for key in [*self.ini.own_keys(self.section), *self.overrides]:
            if key in names or key in JobKeys.__dataclass_fields__:
                continue
            if key in self.cls.LEGACY:
                where = Problem(str(self.ini.path), self.section, key, "")
                self.warnings.append(f"{where}no longer has an effect: {self.cls.LEGACY[key]}")
                continue
            self.problem(key, f"unknown key{_nearest(key, names)}")

    def _value(self, declared: Declared) -> Any:
        opt = declared.option
        for key in (*opt.aliases, declared.name):
            try:
                text = self.ini.get(self.section, key, self.overrides)
            except ConfigError as exc:
                self.problems.extend(exc.problems)
                return REQUIRED
            if text is not None and (text.strip() or declared.kind in ("text", "list")):
                return self._convert(declared, key, text.strip())
        if opt.default is REQUIRED:
            hint = f", for example: {opt.example}" if opt.example else ""
            self.problem(declared.name, f"must be set{hint}")
        return opt.default

    def _convert(self, declared: Declared, key: str, text: str) -> Any:
        opt = declared.option
        if not text and opt.default is REQUIRED:
            self.problem(key, "must not be empty")
            return REQUIRED
        fault = opt.check(text) if opt.check and text else None
        if fault:
            self.problem(key, fault)
            return REQUIRED
        try:
            return declared.convert(text)
        except ValueError as exc:
            self.problem(key, str(exc))
            return REQUIRED


def _nearest(key: str, names: set[str]) -> str:
    import difflib  # noqa: PLC0415 - for a typing error only

    close = difflib.get_close_matches(key, names, n=1)
    return f"; did you mean {close[0]}?" if close else ""


@dataclass_transform(frozen_default=True, kw_only_default=True)
def settings(cls: type[ConfigT]) -> type[ConfigT]:
    """Decorate a DaemonConfig subclass: a frozen, keyword-only dataclass with slots."""
    return dataclass(frozen=True, slots=True, kw_only=True)(cls)
