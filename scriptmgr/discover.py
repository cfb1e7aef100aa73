# SPDX-License-Identifier: ISC
"""Ini files -> jobs. A faulty file becomes a rejected job and never holds up the others."""

from __future__ import annotations

import glob
import hashlib
import os
import pwd
import shlex
import shutil
import stat
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from errno import EACCES
from pathlib import Path
from typing import Any

from skytools.core.errors import ConfigError, Problem
from skytools.core.ini import IniFile
from skytools.core.registry import daemons, service_of
from skytools.core.user import user_name
from skytools.scriptmgr.config import SECTION, Manager
from skytools.scriptmgr.jobs import EXPORTER, EXPORTER_SERVICE, NAME, Job, sort_key
from skytools.scriptmgr.keys import read_keys
from skytools.scriptmgr.paths import SOCKET_MAX, paths_of

# The ticker stops after its consumers, the exporter after everybody.
PRIORITIES = {"pgqd": 100}
EXPORTER_PRIORITY = 0

# Names that mean something else in the manager's own folders or commands.
RESERVED = frozenset((EXPORTER, ".", ".."))

Checker = Callable[[str, Path, str], tuple[str, ...]]


class _Rejected(Exception):  # noqa: N818 - a verdict, not an error
    """Why a section cannot become a job: the key at fault, and what is wrong."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(key, text)
        self.key = key
        self.text = text


def config_files(manager: Manager) -> list[Path]:
    """Return the files that config_list names, in order, each once."""
    found: dict[Path, None] = {}
    for pattern in manager.config_list:
        matches = sorted(glob.glob(pattern))  # noqa: PTH207 - an absolute pattern
        if not matches and not glob.has_magic(pattern):
            matches = [pattern]  # a file named outright must exist: let it be shown as unreadable
        found.update((Path(match), None) for match in matches)
    return list(found)


def discover(
    manager: Manager, check: Checker, owners: Mapping[str, str] | None = None
) -> list[Job]:
    """Return every job, good or rejected, in order of service and name.

    `check` validates the ini of an installed daemon: it returns warnings, or raises
    ConfigError or UsageError. `owners` (job name -> ini) says who has a name now: of several
    files that claim it, the owner keeps it, else the first.
    """
    jobs: list[Job] = []
    for path in config_files(manager):
        jobs.extend(_jobs_of(manager, path, check))
    return sorted(_unique(jobs, owners or {}), key=sort_key)


def _unique(jobs: Iterable[Job], owners: Mapping[str, str]) -> list[Job]:
    taken: dict[str, Job] = {}
    out: list[Job] = []
    for job in sorted(jobs, key=lambda job: owners.get(job.name) != job.config):
        first = taken.get(job.name)
        if first is None or job.error:
            if not job.error:
                taken[job.name] = job
            out.append(job)
        else:
            where = f"[{first.section}] of " if first.config == job.config else ""
            text = (
                f"{job.config}: job_name {job.name} is taken by {where}{first.config}: set another"
            )
            out.append(replace(job, error=text))
    return out


def _jobs_of(manager: Manager, path: Path, check: Checker) -> list[Job]:
    try:
        ini = IniFile(path)
    except ConfigError as exc:
        return [Job(name=_safe(path.stem), config=str(path), error=_join(exc.problems))]
    if ini.has_section(SECTION):
        return []
    found = [s for s in ini.sections() if _is_service(manager, ini, s)]
    if not found:
        return [_no_service(manager, ini)]
    return [_job(manager, ini, section, check) for section in found]


def _is_service(manager: Manager, ini: IniFile, section: str) -> bool:
    return (
        section in manager.services
        or service_of(section) in manager.services
        or service_of(section) in daemons()
        or "script" in ini.own_keys(section)
    )


def _no_service(manager: Manager, ini: IniFile) -> Job:
    sections = ini.sections()
    known = ", ".join(sorted({*manager.services, *daemons()}))
    if sections:
        names = ", ".join(f"[{name}]" for name in sections)
        text = f"{names} is no known service ({known}): correct the section's name or set script ="
    else:
        text = f"has no section: a job needs one named after its service ({known})"
    return Job(
        name=_safe(ini.path.stem),
        service=_safe(sections[0]) if sections else "",
        config=str(ini.path),
        error=f"{ini.path}: {text}",
    )


@dataclass(frozen=True, slots=True)
class _Keys:
    """The manager's keys for one job: its own section over the service's."""

    own: dict[str, Any]
    service: dict[str, Any]

    def get(self, name: str, default: Any) -> Any:
        return self.own.get(name, self.service.get(name, default))

    @property
    def disabled(self) -> bool:
        return bool(self.service.get("disabled") or self.own.get("disabled"))


def _job(manager: Manager, ini: IniFile, section: str, check: Checker) -> Job:
    service = service_of(section)
    own, problems = read_keys(ini, section)
    keys = _Keys(own, manager.services.get(section) or manager.services.get(service, {}))
    try:
        name = (ini.get(section, "job_name") or ini.path.stem).strip()
    except ConfigError as exc:
        name, problems = ini.path.stem, [*problems, *exc.problems]
    job = Job(
        name=_safe(name),
        service=_safe(service),
        config=str(ini.path),
        section=section,
        user=_user(keys.get("user", "")),
        disabled=keys.disabled,
        priority=keys.get("priority", PRIORITIES.get(service, 500)),
        notify=keys.get("notify", True),
        watchdog_sec=keys.get("watchdog_sec", 0.0),
        stop_timeout=keys.get("stop_timeout", manager.config.stop_timeout),
        max_restarts=keys.get("max_restarts", 0),
        logfile=_logfile(ini, section),
        digest=_digest(ini, section),
    )
    try:
        if problems:
            raise ConfigError(problems)
        _require_name(name)
        _require_user(keys.get("user", ""))
        _require_socket(manager, job)
        job = replace(job, cwd=str(_expanded("cwd", keys.get("cwd", "/"))))
        job = replace(job, argv=_command(manager, ini, section, keys))
        if not job.disabled and not keys.get("script", ""):
            job = replace(job, warnings=check(service, ini.path, section))
    except _Rejected as exc:
        return replace(job, error=str(Problem(str(ini.path), section, exc.key, exc.text)))
    except ConfigError as exc:
        return replace(job, error=_join(exc.problems))
    return job


def _require_name(name: str) -> None:
    if NAME.fullmatch(name) and name not in RESERVED:
        return
    rule = "1 to 64 letters, digits, dots, dashes or underscores"
    text = f"is reserved for the manager: {name}" if name in RESERVED else f"{name!r} is not {rule}"
    raise _Rejected("job_name", text)


def _require_socket(manager: Manager, job: Job) -> None:
    path = paths_of(manager).metrics_socket(job.name, job.user)
    if len(os.fsencode(path)) > SOCKET_MAX:
        raise _Rejected(
            "job_name",
            f"{path} is longer than a unix socket's path may be ({SOCKET_MAX} bytes): "
            "shorten job_name or the manager's runtime_dir",
        )


def _user(user: str) -> str:
    """Return the user to switch to; empty when that is who we are."""
    return "" if not user or user == user_name() else user


def _require_user(user: str) -> None:
    if not _user(user):
        return
    if os.geteuid() != 0:
        raise _Rejected(
            "user",
            f"{user} is wanted, but this manager runs as {user_name()}: one manager serves one "
            "user, start another as that user (scriptmgr -I NAME run)",
        )
    try:
        pwd.getpwnam(user)
    except KeyError:
        raise _Rejected("user", f"there is no user {user}") from None


def _command(manager: Manager, ini: IniFile, section: str, keys: _Keys) -> tuple[str, ...]:
    service = service_of(section)
    try:
        args = shlex.split(keys.get("args", ""))
        words = shlex.split(keys.get("script", ""))
    except ValueError as exc:
        raise _Rejected("", f"script or args: {exc}") from exc
    if not words:
        if service not in daemons() and not keys.disabled:
            raise _Rejected(
                "script", f"is not set (nor in {manager.ini}), and no such daemon is installed"
            )
        words = [sys.executable, "-m", "skytools.scriptmgr.daemon", service]
        return (*words, str(ini.path), *args)
    base = ini.path.parent
    if "script" not in keys.own and manager.ini is not None:
        base = manager.ini.parent
    return (*_script(words, base), str(ini.path), *args)


def _script(words: list[str], base: Path) -> list[str]:
    """Resolve `script`: a program, a Python file, or an interpreter and its file."""
    path = base / _expanded("script", words[0])
    if "/" not in words[0] and not _is_file(path):
        path = Path(shutil.which(words[0]) or path)
    if not _is_file(path):
        raise _Rejected("script", f"{path} does not exist")
    rest = [str(_expanded("script", w)) if w.startswith("~") else w for w in words[1:]]
    if path.suffix == ".py":
        # Our interpreter has the packages that its shebang's may lack.
        if not os.access(path, os.R_OK):
            raise _Rejected("script", f"{path} cannot be read")
        return [sys.executable, str(path), *rest]
    if not os.access(path, os.X_OK):
        raise _Rejected("script", f"{path} is not executable: chmod +x it, or name it *.py")
    return [str(path), *rest]


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as exc:
        where = "; skytools.service sees neither /home nor /root" if exc.errno == EACCES else ""
        raise _Rejected(
            "script", f"{path} cannot be reached by user {user_name()}: {exc.strerror}{where}"
        ) from exc


def _expanded(key: str, text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as exc:
        raise _Rejected(key, f"{text}: there is no such user's home") from exc


def _logfile(ini: IniFile, section: str) -> str:
    try:
        text = (ini.get(section, "logfile") or "").strip()
        return str(Path(text).expanduser()) if text else ""
    except (ConfigError, RuntimeError):  # RuntimeError: ~USER without a home
        return ""


def _digest(ini: IniFile, section: str) -> str:
    """Return a digest of what the section says; comments and layout do not matter.

    Sections of tables ([schema.table] of queue_loader) belong to it.
    """
    ours = [section, *(name for name in ini.sections() if "." in name and name != section)]
    text = repr([sorted((key, ini.raw(name, key)) for key in ini.keys(name)) for name in ours])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _join(problems: Iterable[Problem]) -> str:
    return "; ".join(str(problem) for problem in problems)


def _safe(text: str) -> str:
    """Return a name that can be shown anywhere, whatever the file says."""
    return "".join(c if c.isprintable() else "?" for c in text)[:64] or "?"


def exporter_job(manager: Manager) -> Job | None:
    """Return the job that serves metrics, None when it is switched off."""
    listen = manager.config.metrics_listen
    if not listen:
        return None
    return Job(
        name=EXPORTER,
        service=EXPORTER_SERVICE,
        config=str(manager.ini or ""),
        argv=(sys.executable, "-m", "skytools.scriptmgr.exporter", listen),
        priority=EXPORTER_PRIORITY,
        stop_timeout=5.0,
        watchdog_sec=0.0,
    )
