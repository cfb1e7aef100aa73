# SPDX-License-Identifier: ISC
"""Reading jobs apart from the manager: daemon classes are imported here, so never in it.

Run as `python -m skytools.scriptmgr.checking` with a request on stdin; answers on stdout.
"""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skytools.core.config import load
from skytools.core.errors import ConfigError, SkytoolsError, UsageError
from skytools.core.ini import IniFile
from skytools.core.registry import load_daemon
from skytools.scriptmgr.config import Manager, load_manager
from skytools.scriptmgr.discover import discover
from skytools.scriptmgr.jobs import Job, from_data, to_data

COMMAND = (sys.executable, "-m", "skytools.scriptmgr.checking")
TIMEOUT = 60.0


def check_daemon(service: str, path: Path, section: str) -> tuple[str, ...]:
    """Validate an ini with the daemon's own config class; returns warnings.

    Raises ConfigError with every fault.
    """
    try:
        daemon = load_daemon(service)
    except UsageError as exc:
        raise ConfigError.single(str(path), section, "", str(exc)) from exc
    warnings = load(daemon.Config, path, section).warnings
    return (*warnings, *password_warning(path, section))


def password_warning(path: Path, section: str) -> tuple[str, ...]:
    """Warn of passwords that every user of the machine can read."""
    if not path.stat().st_mode & stat.S_IROTH:
        return ()
    ini = IniFile(path)
    for key in ini.keys(section):
        if "password=" in (ini.raw(section, key) or "").replace(" ", ""):
            return (f"{path}: {key} holds a password and everybody can read the file: chmod o-r",)
    return ()


def request(manager: Manager, overrides: Mapping[str, str], owners: Mapping[str, str]) -> str:
    """Return the request that makes the child find the same jobs."""
    ini = str(manager.ini) if manager.ini else None
    data = {"ini": ini, "instance": manager.instance}
    return json.dumps({**data, "overrides": dict(overrides), "owners": dict(owners)})


def answer(text: str) -> list[Job]:
    """Read the child's answer. Raises SkytoolsError with what it says is wrong."""
    try:
        data: dict[str, Any] = json.loads(text)
    except ValueError as exc:
        raise SkytoolsError("reading the job files failed; see the manager's log") from exc
    if "error" in data:
        raise SkytoolsError(data["error"])
    return from_data(data["jobs"])


def find_jobs(manager: Manager, overrides: Mapping[str, str]) -> list[Job]:
    """Discover and check every job in a child process, and wait for it."""
    done = subprocess.run(
        COMMAND,
        input=request(manager, overrides, {}),
        stdout=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    return answer(done.stdout)


def main() -> int:
    """Answer the request on stdin."""
    data = json.load(sys.stdin)
    try:
        manager = load_manager(
            Path(data["ini"]) if data["ini"] else None, data["instance"], data["overrides"]
        )
        result: dict[str, Any] = {"jobs": to_data(discover(manager, check_daemon, data["owners"]))}
    except SkytoolsError as exc:
        result = {"error": str(exc)}
    json.dump(result, sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
