# SPDX-License-Identifier: ISC
"""The manager's own ini: `[scriptmgr]` and one section per service with other than the defaults."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skytools.core.config import DaemonConfig, load, option, settings
from skytools.core.errors import ConfigError, Problem
from skytools.core.ini import IniFile
from skytools.scriptmgr.keys import KEYS, read_keys

SECTION = "scriptmgr"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def _listen_fault(text: str) -> str | None:
    for part in text.split(","):
        host, _, port = part.strip().rpartition(":")
        if host not in LOOPBACK:
            return (
                f"{part.strip()!r} is not a loopback address: write 127.0.0.1:PORT or [::1]:PORT, "
                "and put a proxy with TLS in front for other hosts"
            )
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            return f"{part.strip()!r} has no port from 1 to 65535"
    return None


@settings
class ManagerConfig(DaemonConfig):
    """Keys of `[scriptmgr]`."""

    config_list: tuple[str, ...] = option(
        (), "Job files: globs, ~ and $VAR are expanded. Default: /etc/skytools/*.ini."
    )
    runtime_dir: Path | None = option(
        None, "Sockets and generated files. Default: /run/skytools.", example="/run/skytools"
    )
    log_dir: Path | None = option(
        None, "What jobs print outside their own logs. Default: /var/log/skytools."
    )
    metrics_listen: str = option(
        "127.0.0.1:8432",
        "Loopback HOST:PORT of the metrics of all jobs, several with commas; empty: none.",
        check=_listen_fault,
    )
    stop_timeout: float = option(
        60.0, "A job that has not stopped after this time is killed.", unit="s", min=0.1, max=86400
    )
    stop_timeout_max: float = option(
        600.0, "Until when a stopping job may ask for more time.", unit="s", min=1, max=86400
    )
    backoff_first: float = option(
        1.0, "Wait before the first restart of a failed job.", unit="s", min=0.05, max=3600
    )
    backoff_max: float = option(
        60.0, "The wait doubles with each failure up to this.", unit="s", min=0.05, max=86400
    )
    backoff_reset: float = option(
        120.0, "Failures are forgotten after this time of being ready.", unit="s", min=1, max=86400
    )
    start_interval: float = option(
        0.02, "Time between the starts of two jobs.", unit="s", min=0, max=60
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    """The manager's settings with every default filled in."""

    ini: Path | None
    instance: str
    config: ManagerConfig
    config_list: tuple[str, ...]
    runtime_dir: Path
    log_dir: Path
    services: dict[str, dict[str, Any]]
    warnings: tuple[str, ...]


def default_ini(instance: str) -> Path:
    """Return where the ini of an instance is by default."""
    return Path(f"/etc/{unit_name(instance)}.ini")


def unit_name(instance: str) -> str:
    """Return the name that the files of an instance share: skytools or skytools-INSTANCE."""
    return f"skytools-{instance}" if instance else "skytools"


def load_manager(ini: Path | None, instance: str, overrides: dict[str, str]) -> Manager:
    """Read the manager's ini; `ini` None means the default file, which may be absent.

    Raises ConfigError with every fault of the file.
    """
    path = ini or default_ini(instance)
    if ini is None and not path.exists():
        return _resolve(None, instance, ManagerConfig(job_name=unit_name(instance)), {}, ())
    problems: list[Problem] = []
    services, faults = _service_sections(path)
    problems.extend(faults)
    loaded = None
    try:
        loaded = load(ManagerConfig, path, SECTION, overrides)
    except ConfigError as exc:
        problems[:0] = exc.problems
    if problems or loaded is None:
        raise ConfigError(problems)
    return _resolve(path.absolute(), instance, loaded.config, services, loaded.warnings)


def _service_sections(path: Path) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    services: dict[str, dict[str, Any]] = {}
    problems: list[Problem] = []
    try:
        ini = IniFile(path)
    except ConfigError:
        return services, problems  # load() reports the same once more
    for section in ini.sections():
        if section == SECTION:
            continue
        services[section], faults = read_keys(ini, section)
        problems.extend(faults)
        problems.extend(
            Problem(str(path), section, key, f"unknown key; a service has: {', '.join(KEYS)}")
            for key in ini.own_keys(section)
            if key not in KEYS
        )
    return services, problems


def _resolve(
    path: Path | None,
    instance: str,
    config: ManagerConfig,
    services: dict[str, dict[str, Any]],
    warnings: tuple[str, ...],
) -> Manager:
    name = unit_name(instance)
    base = path.parent if path else Path("/")
    globs = config.config_list or (f"/etc/{name}/*.ini",)
    return Manager(
        ini=path,
        instance=instance,
        config=config,
        config_list=tuple(str(base / _expand(glob)) for glob in globs),
        runtime_dir=(base / (config.runtime_dir or f"/run/{name}")).absolute(),
        log_dir=(base / (config.log_dir or f"/var/log/{name}")).absolute(),
        services=services,
        warnings=warnings,
    )


def _expand(text: str) -> str:
    return os.path.expandvars(os.path.expanduser(text))  # noqa: PTH111 - globs are no paths
