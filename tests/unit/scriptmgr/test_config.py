# SPDX-License-Identifier: ISC
from __future__ import annotations

from pathlib import Path

import pytest

from skytools.core.errors import ConfigError
from skytools.scriptmgr.config import load_manager
from skytools.scriptmgr.paths import require_usable


def test_defaults_without_a_file() -> None:
    manager = load_manager(None, "no-such-instance", {})
    assert manager.config_list == ("/etc/skytools-no-such-instance/*.ini",)
    assert manager.runtime_dir == Path("/run/skytools-no-such-instance")
    assert manager.log_dir == Path("/var/log/skytools-no-such-instance")
    assert manager.config.metrics_listen == "127.0.0.1:8432"


def test_ini_of_skytools_3_still_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "/somewhere")
    ini = tmp_path / "skytools.ini"
    ini.write_text(
        "[scriptmgr]\njob_name = skytools3\nconfig_list = $WHERE/*.ini, ~/x.ini\n"
        "logfile = /var/log/skytools/%(job_name)s.log\npidfile = /var/run/skytools/x.pid\n"
        "use_skylog = 0\n[DEFAULT]\ncwd = /\n"
        "[londiste3]\nscript = /usr/bin/londiste3\nargs = worker\n[pgqd]\nscript = /usr/bin/pgqd\n"
    )
    manager = load_manager(ini, "", {})
    assert manager.config_list == ("/somewhere/*.ini", str(Path("~/x.ini").expanduser()))
    assert manager.config.logfile == Path("/var/log/skytools/skytools3.log")
    assert manager.services["londiste3"]["args"] == "worker"
    assert manager.services["pgqd"]["cwd"] == "/"
    assert len(manager.warnings) == 1
    assert "use_skylog" in manager.warnings[0]


def test_every_fault_at_once(tmp_path: Path) -> None:
    ini = tmp_path / "x.ini"
    ini.write_text("[scriptmgr]\nfrob = 1\nstop_timeout = x\n[svc]\nfoo = 1\ndisabled = maybe\n")
    with pytest.raises(ConfigError) as caught:
        load_manager(ini, "", {})
    assert [(p.section, p.key) for p in caught.value.problems] == [
        ("scriptmgr", "frob"), ("scriptmgr", "stop_timeout"), ("svc", "disabled"), ("svc", "foo"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:8432", "8432", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:x", "host:1", ":1"]
)
def test_metrics_stay_on_the_loopback(tmp_path: Path, listen: str) -> None:
    ini = tmp_path / "x.ini"
    ini.write_text(f"[scriptmgr]\nmetrics_listen = {listen}\n")
    with pytest.raises(ConfigError, match="metrics_listen"):
        load_manager(ini, "", {})


@pytest.mark.parametrize("listen", ["", "[::1]:1", "127.0.0.1:1, [::1]:1", "localhost:9"])
def test_good_addresses(tmp_path: Path, listen: str) -> None:
    ini = tmp_path / "x.ini"
    ini.write_text(f"[scriptmgr]\nmetrics_listen = {listen}\n")
    assert load_manager(ini, "", {}).config.metrics_listen == listen


def test_overrides_win(tmp_path: Path) -> None:
    ini = tmp_path / "x.ini"
    ini.write_text("[scriptmgr]\nruntime_dir = /run/a\n")
    assert load_manager(ini, "", {"runtime_dir": "/run/b"}).runtime_dir == Path("/run/b")


def test_relative_paths_are_relative_to_the_ini(tmp_path: Path) -> None:
    ini = tmp_path / "x.ini"
    ini.write_text("[scriptmgr]\nruntime_dir = run\nlog_dir = log\nconfig_list = a/*.ini\n")
    manager = load_manager(ini, "", {})
    assert (manager.runtime_dir, manager.log_dir) == (tmp_path / "run", tmp_path / "log")
    assert manager.config_list == (f"{tmp_path}/a/*.ini",)


@pytest.mark.parametrize("length", [86, 87])
def test_longest_runtime_dir(tmp_path: Path, length: int) -> None:
    ini = tmp_path / "x.ini"
    ini.write_text(f"[scriptmgr]\nruntime_dir = /{'x' * (length - 1)}\n")
    manager = load_manager(ini, "", {})
    if length == 86:
        require_usable(manager)
    else:
        with pytest.raises(
            ConfigError, match="too long for unix sockets: use a path of at most 86"
        ):
            require_usable(manager)
