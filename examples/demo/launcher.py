# SPDX-License-Identifier: ISC
"""A walmgr that the servers' user can run, though he may not reach this checkout."""

from __future__ import annotations

import importlib.util
import pwd
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from skytools.core.errors import UsageError
from skytools.core.unprivileged import _reachable as reachable
from skytools.core.unprivileged import server_user

ROOT = Path(__file__).resolve().parents[2]
# What walmgr imports; psycopg2's wheel has its libraries in a folder beside it.
PACKAGES = ("psycopg2", "prometheus_client", "sdnotify", "supervisor")
LIBRARIES = "psycopg2_binary.libs"
SCRIPT = """\
#!{python}
import sys
sys.path[:0] = {path!r}
from skytools.walmgr.cli import main
main()
"""


def as_user(words: list[str]) -> list[str]:
    """Return the command that runs a program as the servers' user."""
    name = server_user()
    if name is None:
        return words
    group = pwd.getpwnam(name).pw_gid
    return ["setpriv", f"--reuid={name}", f"--regid={group}", "--init-groups", *words]


def make_walmgr(folder: Path) -> Path:
    """Return the installed walmgr, or one that is made in `folder`. Raises UsageError."""
    name = server_user()
    installed = Path(sys.executable).with_name("walmgr")
    reader = None if name is None else pwd.getpwnam(name)
    python, site = Path(sys.executable), Path(sysconfig.get_paths()["platlib"])
    # Of a virtual environment both the link and what it leads to.
    pythons = (python, python.resolve())
    if reader is None or all(reachable(path, reader) for path in (*pythons, ROOT)):
        return installed
    if not all(reachable(path, reader) for path in pythons):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        python = Path(f"/usr/bin/python{version}")
        if not python.exists():
            raise UsageError(f"user {name} can reach neither {sys.executable} nor {python}")
    folder.mkdir(mode=0o755, exist_ok=True)
    path = [str(ROOT), str(site)]
    if not (reachable(ROOT, reader) and reachable(site, reader)):
        path = [str(_copied(site, folder))]
    launcher = folder / "walmgr"
    _write_program(launcher, SCRIPT.format(python=python, path=path))
    return launcher


def python_of(program: Path) -> tuple[str, str]:
    """Return the interpreter of that walmgr, and the PYTHONPATH with which it finds the rest."""
    python = program.read_text(encoding="utf-8").split("\n", 1)[0].removeprefix("#!")
    if (program.parent / "skytools").is_dir():
        return python, str(program.parent)
    return python, f"{ROOT}:{sysconfig.get_paths()['platlib']}"


def as_started_by(program: Path, command: str) -> str:
    """Return one of our commands for servers as that walmgr would write it."""
    python = program.read_text(encoding="utf-8").split("\n", 1)[0].removeprefix("#!")
    folder = program.parent if (program.parent / "skytools").is_dir() else ROOT
    command = command.replace(f"'{sys.executable}'", f"'{python}'")
    command = command.replace(f"'{ROOT}'", f"'{folder}'")
    return command.replace(f"'{ROOT}/skytools", f"'{folder}/skytools")


def _write_program(path: Path, text: str) -> None:
    """Write it by a process of its own.

    A file that this one writes is open, too, in whatever another of its threads is about to start,
    and until that has called exec the kernel refuses to run the file: "Text file busy".
    """
    subprocess.run(
        ["install", "-m", "755", "/dev/stdin", str(path)], input=text.encode(), check=True
    )


def _copied(site: Path, folder: Path) -> Path:
    """Copy what walmgr needs of this checkout and its environment."""
    shutil.copytree(ROOT / "skytools", folder / "skytools")
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise UsageError(f"{sys.executable} has no module {name}")
        source = Path(spec.origin)  # of a package: its __init__.py
        if spec.submodule_search_locations:
            shutil.copytree(source.parent, folder / name)
        else:
            shutil.copy(source, folder)
    if (site / LIBRARIES).is_dir():
        shutil.copytree(site / LIBRARIES, folder / LIBRARIES)
    for name in ("skytools", "supervisor"):  # which are asked for their versions
        for source in site.glob(f"{name}*.dist-info"):
            shutil.copytree(source, folder / source.name)
    return folder
