# SPDX-License-Identifier: ISC
"""What the packages say about themselves agrees with the tree."""

from __future__ import annotations

import fnmatch
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import skytools
from skytools.scriptmgr.config import load_manager

ROOT = Path(__file__).resolve().parents[2]
DEBIAN = ROOT / "debian"
UNITS = sorted((ROOT / "systemd").glob("*.service"))


def commands() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return sorted(project["project"]["scripts"])


def listed(suffix: str) -> list[str]:
    """First words of all lines of debian/*.suffix."""
    return [
        line.split()[0]
        for path in sorted(DEBIAN.glob(f"*.{suffix}"))
        for line in path.read_text().splitlines()
        if line
    ]


def extensions() -> list[str]:
    return sorted(path.parent.name for path in (ROOT / "sql").glob("*/*.control"))


@pytest.mark.parametrize("command", commands())
def test_each_command_is_in_one_package_with_its_man_page(command: str) -> None:
    programs = [word for word in listed("install") if fnmatch.fnmatch(f"usr/bin/{command}", word)]
    assert len(programs) == 1
    page = f"docs/man/{command}.1"
    assert (ROOT / page).is_file()
    assert len([word for word in listed("manpages") if fnmatch.fnmatch(page, word)]) == 1


@pytest.mark.parametrize("command", commands())
def test_each_command_has_a_completion(command: str) -> None:
    folder = "usr/share/bash-completion/completions"
    targets = [
        line.split()[0]
        for path in DEBIAN.glob("*.links")
        for line in path.read_text().splitlines()
        if line.split()[1] == f"{folder}/{command}"
    ]
    assert targets in ([], [f"{folder}/_skytools"])
    file = DEBIAN / "completion" / ("_skytools" if targets else command)
    joined = file.read_text().replace("\\\n", "")
    assert re.search(rf"^complete -F \w+ .*\b{command}\b", joined, re.MULTILINE)


def test_each_listed_file_exists() -> None:
    words = [word for word in listed("install") if not word.startswith("usr/")]
    words += [word for kind in ("manpages", "examples", "docs") for word in listed(kind)]
    assert [word for word in words if not list(ROOT.glob(word))] == []


def test_each_example_is_in_a_package() -> None:
    shipped = listed("examples") + listed("install")
    names = [f"examples/{path.name}" for path in (ROOT / "examples").glob("*.ini")]
    assert [n for n in names if not any(fnmatch.fnmatch(n, word) for word in shipped)] == []


@pytest.mark.parametrize("extension", extensions())
def test_each_extension_has_a_package(extension: str) -> None:
    modules = re.search(r"^MODULES = (.*)$", (DEBIAN / "rules").read_text(), re.MULTILINE)
    assert modules is not None
    suffixes = dict(module.split(":") for module in modules[1].split())
    control = (DEBIAN / "control.in").read_text()
    assert f"Package: postgresql-PGVERSION-{suffixes[extension]}\n" in control


def test_control_is_made_of_control_in() -> None:
    majors = set(
        re.findall(r"^Package: postgresql-(\d+)-pgq3$", (DEBIAN / "control").read_text(), re.M)
    )
    assert len(majors) == 1
    expected = (DEBIAN / "control.in").read_text().replace("PGVERSION", majors.pop())
    assert (DEBIAN / "control").read_text() == expected


@pytest.mark.parametrize("file", ["changelog", "NEWS"])
def test_version_is_that_of_the_program(file: str) -> None:
    found = re.match(r"skytools \((\S+)-[^-]+\)", (DEBIAN / file).read_text())
    assert found is not None
    assert found[1] == skytools.__version__


def links() -> Iterator[Path]:
    yield from (path for path in DEBIAN.iterdir() if path.is_symlink())


def test_links_lead_to_the_units() -> None:
    assert {path.name for path in links()} >= {
        *("skytools.service", "skytools-walmgr.service"),
        *("skytools.skytools@.service", "skytools.skytools-jobs.target"),
    }
    assert [path.name for path in links() if not path.exists()] == []


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units_are_hardened(unit: Path, tmp_path: Path) -> None:
    instance = tmp_path / unit.name.replace("@.", "@job.")
    instance.write_text(unit.read_text())
    result = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(instance)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout


def test_walmgr_unit_differs_where_it_must() -> None:
    """RemoveIPC=yes would take the shared memory of servers that run as the same user."""
    ours, other = ((ROOT / "systemd" / f"{name}.service").read_text().splitlines()
                   for name in ("skytools-walmgr", "skytools"))  # fmt: skip
    assert "RemoveIPC=no" in ours
    assert "PrivateUsers=yes" not in ours
    # Everything else of the sandbox is the same.
    loosened = {"RemoveIPC=yes", "PrivateUsers=yes", "ProtectSystem=strict"}
    sandbox = other[other.index("NoNewPrivileges=yes") : other.index("[Install]")]
    wanted = {line for line in sandbox if line and not line.startswith("#")}
    assert wanted - loosened <= set(ours)


def test_walmgr_manager_keeps_out_of_the_way_of_the_other() -> None:
    other = load_manager(ROOT / "examples" / "skytools.ini", "", {})
    ours = load_manager(ROOT / "systemd" / "skytools-walmgr.ini", "", {})
    assert ours.warnings == ()
    assert ours.config.metrics_listen != other.config.metrics_listen
    assert ours.runtime_dir == Path("/run/skytools-walmgr") != other.runtime_dir
    assert ours.config_list == ("/etc/skytools-walmgr/*.ini",)


SCRIPTS = sorted(
    path
    for path in (
        *DEBIAN.glob("*.post*"),
        *DEBIAN.glob("*.pre*"),
        ROOT / "systemd" / "skytools-generator",
        *(DEBIAN / "tests").iterdir(),
    )
    if path.name != "control"
)


@pytest.mark.parametrize(
    "path", [*SCRIPTS, *(DEBIAN / "completion").iterdir()], ids=lambda path: path.name
)
def test_scripts_are_good_shell(path: Path) -> None:
    result = subprocess.run(
        ["shellcheck", str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 0, result.stdout


def test_template_has_the_sandbox_of_the_service() -> None:
    ours, other = ((ROOT / "systemd" / name).read_text().splitlines()
                   for name in ("skytools@.service", "skytools.service"))  # fmt: skip
    sandbox = other[other.index("NoNewPrivileges=yes") : other.index("[Install]")]
    wanted = {line for line in sandbox if line and not line.startswith("#")}
    assert wanted - set(ours) == {"SystemCallFilter=@chown"}
