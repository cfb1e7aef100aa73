# SPDX-License-Identifier: ISC
from __future__ import annotations

import configparser
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from skytools.core.errors import SkytoolsError
from skytools.scriptmgr.jobs import Job
from skytools.scriptmgr.paths import Paths, write_atomic
from skytools.scriptmgr.render import render

PATHS = Paths(Path("/run/x"), Path("/var/log/x"))


def test_program_has_no_policy_of_supervisord() -> None:
    text = render([Job(name="a.b-c_1", priority=7, stop_timeout=2.5)], PATHS)
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    program = dict(parser["program:a.b-c_1"])
    assert program["autostart"] == program["autorestart"] == "false"
    assert program["startretries"] == "0"
    assert program["stopwaitsecs"] == "3"
    assert program["priority"] == "7"
    assert program["command"].endswith(" a.b-c_1")
    assert "user" not in program


def test_supervisord_reads_back_what_was_written(tmp_path: Path) -> None:
    root = tmp_path / "with a space"
    root.mkdir()
    paths = Paths(root, root)
    write_atomic(paths.conf, render([Job(name="one"), Job(name="two")], paths))
    assert paths.conf.stat().st_mode & 0o777 == 0o600
    options = ServerOptions()
    options.realize(["-n", "-c", str(paths.conf)], doc="")
    groups = {group.name: group for group in options.process_group_configs}
    assert set(groups) == {"one", "two"}  # one group per job
    (process,) = groups["one"].process_configs
    assert process.stdout_logfile == str(root / "one.out")
    assert options.server_configs[0]["file"] == str(paths.control)
    assert options.logfile == "/dev/null"


@pytest.mark.parametrize("folder", ["/run/a ;b", "/run/a #b", "/run/a\nb", "/run/100%"])
def test_paths_that_supervisord_would_cut_are_refused(folder: str) -> None:
    with pytest.raises(SkytoolsError, match="cannot be used"):
        render([], Paths(Path(folder), Path("/var/log")))


def test_atomic_write_replaces(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, "one", 0o644)
    write_atomic(path, "two")
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
