# SPDX-License-Identifier: ISC
"""Fixtures are plug-ins in tests/fixtures; here is what concerns the run as a whole."""

from __future__ import annotations

import functools
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from skytools.core.errors import SkytoolsError
from skytools.core.pgserver import find_tree

# In the order of their imports: a plug-in that another has imported already is refused.
pytest_plugins = [
    "tests.fixtures.wait",
    "tests.fixtures.server",
    "tests.fixtures.cluster",
    "tests.fixtures.database",
    "tests.fixtures.queue",
    "tests.fixtures.consumer",
    "tests.fixtures.process",
    "tests.fixtures.ports",
    "tests.fixtures.walmgr",
    "tests.fixtures.walmgr_sets",
    "tests.fixtures.sshd",
    "tests.fixtures.netns",
    "tests.fixtures.prometheus",
    "tests.fixtures.ticker",
    "tests.fixtures.site",
    "tests.fixtures.admin",
    "tests.fixtures.londiste",
    "tests.fixtures.handlers",
    "tests.fixtures.apply",
    "tests.fixtures.londiste_cli",
    "tests.fixtures.copying",
]

FOLDERS = ("unit", "pg", "e2e")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--seed", type=int, help="order of the tests; 0 = as written (default: random)"
    )


def pytest_configure(config: pytest.Config) -> None:
    seed = getattr(config, "workerinput", {}).get("seed", config.getoption("--seed"))
    config.stash[SEED] = int(time.time()) % 100000 if seed is None else seed
    # How long an example takes says something of the machine, not of the code.
    hypothesis.settings.register_profile(
        "skytools", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("skytools")
    # A shell that runs us in the background has INT ignored, and programs under test inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # What runs inside another manager's reach must not talk to it.
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        os.environ.pop(name, None)


SEED = pytest.StashKey[int]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give every worker of pytest-xdist the same order."""
    node.workerinput["seed"] = node.config.stash[SEED]


@functools.cache
def _server_version() -> str:
    """Return what the server under test says of itself, such as "postgres (PostgreSQL) 15.20"."""
    text = subprocess.run(
        [find_tree() / "postgres", "--version"], capture_output=True, text=True, check=True
    ).stdout
    return text.split(" (Debian")[0].strip()


def pytest_report_header(config: pytest.Config) -> list[str]:
    try:
        server = _server_version()
    except SkytoolsError as exc:
        server = f"none ({exc})"
    return [f"server: {server}, python: {sys.version.split()[0]}, --seed {config.stash[SEED]}"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Cheap folders first; inside them random order, so that no test leans on another."""
    seed = config.stash[SEED]
    dice = random.Random(seed)
    files = sorted({item.path for item in items})
    place = {path: dice.random() if seed else number for number, path in enumerate(files)}
    rank = {id(item): dice.random() if seed else number for number, item in enumerate(items)}
    items.sort(key=lambda item: (_folder(item.path), place[item.path], rank[id(item)]))
    for item in items:
        if _folder(item.path) == FOLDERS.index("e2e"):
            item.add_marker("e2e")


def _folder(path: Path) -> int:
    parts = path.relative_to(Path(__file__).parent).parts
    return FOLDERS.index(parts[0]) if parts[0] in FOLDERS else len(FOLDERS)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("root") and os.geteuid() != 0:
        pytest.skip("needs root")
    for marker in item.iter_markers("pg"):
        (wanted,) = marker.args
        if not _major_matches(wanted):
            pytest.skip(f"needs PostgreSQL {wanted}, this is {_server_version()}")


def _major_matches(wanted: str) -> bool:
    have = int(_server_version().split()[-1].split(".")[0])
    if wanted.startswith(">="):
        return have >= int(wanted[2:])
    if wanted.startswith("<"):
        return have < int(wanted[1:])
    raise pytest.UsageError(f"marker pg({wanted!r}): write >=N or <N")
