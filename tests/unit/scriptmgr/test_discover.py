# SPDX-License-Identifier: ISC
from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

import pytest

from skytools.core.errors import ConfigError
from skytools.scriptmgr.config import Manager, load_manager
from skytools.scriptmgr.discover import discover
from skytools.scriptmgr.jobs import Job, from_data, to_data


def no_check(_service: str, _path: Path, _section: str) -> tuple[str, ...]:
    return ()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "run.py").touch()
    write(tmp_path, "skytools.ini", "[scriptmgr]\nconfig_list = jobs/*.ini\nruntime_dir = /run/x\n")
    return tmp_path


def write(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.write_text(text)
    return path


def manager(root: Path, more: str = "") -> Manager:
    ini = root / "skytools.ini"
    if more:
        ini.write_text(ini.read_text() + more)
    return load_manager(ini, "", {})


def only(root: Path, more: str = "") -> Job:
    (job,) = discover(manager(root, more), no_check)
    return job


def test_installed_daemon_needs_no_keys(root: Path) -> None:
    path = write(root, "jobs/tick.ini", "[pgqd]\nbase_connstr = x\n")
    job = only(root)
    assert (job.name, job.service, job.error, job.cwd) == ("tick", "pgqd", "", "/")
    assert job.argv == (sys.executable, "-m", "skytools.scriptmgr.daemon", "pgqd", str(path))
    assert job.priority == 100  # the ticker stops after its consumers


def test_service_section_gives_script_args_and_cwd(root: Path) -> None:
    path = write(root, "jobs/a.ini", "[loader]\njob_name = a1\nargs = own\n")
    more = "[loader]\nscript = run.py --x\nargs = worker\ncwd = /tmp\nstop_timeout = 7\n"
    job = only(root, more)
    assert job.name == "a1"
    assert job.argv == (sys.executable, str(root / "run.py"), "--x", str(path), "own")
    assert (job.cwd, job.stop_timeout) == ("/tmp", 7.0)


def test_keys_of_default_reach_every_service(root: Path) -> None:
    write(root, "jobs/a.ini", "[loader]\n")
    assert only(root, "[DEFAULT]\ncwd = /tmp\n[loader]\nscript = run.py\n").cwd == "/tmp"


def test_old_service_names_are_aliases(root: Path) -> None:
    write(root, "jobs/a.ini", "[londiste3]\njob_name = a\n")
    job = only(root, "[londiste]\nscript = run.py\n")
    assert (job.service, job.section, job.error) == ("londiste", "londiste3", "")


def test_foreign_keys_are_not_interpolated(root: Path) -> None:
    """Values may hold templates that belong to the daemon."""
    write(root, "jobs/a.ini", "[x]\nscript = ../run.py\ntemplate = %(nope)s %d 100%\n")
    assert only(root).error == ""


def test_own_keys_are_interpolated(root: Path) -> None:
    write(root, "jobs/a.ini", "[x]\nscript = %(config_dir)s/../run.py\nargs = -n %(job_name)s\n")
    assert only(root).argv[-2:] == ("-n", "a")


def test_files_of_managers_are_skipped(root: Path) -> None:
    write(root, "jobs/m.ini", "[scriptmgr]\nconfig_list = x\n[pgqd]\n")
    assert discover(manager(root), no_check) == []


def test_disabled_service_and_disabled_job(root: Path) -> None:
    write(root, "jobs/a.ini", "[x]\n")
    write(root, "jobs/b.ini", "[y]\nscript = ../run.py\ndisabled = 1\n")
    jobs = discover(manager(root, "[x]\ndisabled = 1\n"), no_check)
    assert [(job.name, job.disabled, job.error) for job in jobs] == [
        ("a", True, ""), ("b", True, ""),
    ]  # fmt: skip


def test_first_file_gets_the_name_unless_it_has_an_owner(root: Path) -> None:
    first = write(root, "jobs/a.ini", "[x]\nscript = ../run.py\njob_name = n\n")
    second = write(root, "jobs/b.ini", "[x]\nscript = ../run.py\njob_name = n\n")
    good = {job.config for job in discover(manager(root), no_check) if not job.error}
    assert good == {str(first)}
    owners = {"n": str(second)}
    good = {job.config for job in discover(manager(root), no_check, owners) if not job.error}
    assert good == {str(second)}


def test_two_sections_of_one_file_must_have_two_names(root: Path) -> None:
    write(root, "jobs/a.ini", "[x]\nscript = ../run.py\n[y]\nscript = ../run.py\n")
    good, bad = discover(manager(root), no_check)
    assert (good.section, bad.section) == ("x", "y")
    assert "is taken by [x] of" in bad.error


def test_faults_of_the_daemons_own_keys_reject_the_job(root: Path) -> None:
    write(root, "jobs/a.ini", "[pgqd]\n")

    def check(_service: str, path: Path, section: str) -> tuple[str, ...]:
        raise ConfigError.single(str(path), section, "frob", "unknown key")

    (job,) = discover(manager(root), check)
    assert job.error == f"{root}/jobs/a.ini: [pgqd] frob: unknown key"


def test_a_path_that_the_system_refuses_rejects_its_job_only(root: Path) -> None:
    write(root, "jobs/a.ini", f"[x]\nscript = /{'n' * 300}.py\n")
    write(root, "jobs/b.ini", "[x]\nscript = ~no-such-user/run.py\n")
    write(root, "jobs/c.ini", "[x]\nscript = ../run.py\ncwd = ~no-such-user\n")
    write(root, "jobs/d.ini", "[x]\nscript = ../run.py\nlogfile = ~no-such-user/x\n")
    found = {job.name: job.error for job in discover(manager(root), no_check)}
    assert f"cannot be reached by user {pwd.getpwuid(os.geteuid()).pw_name}: File" in found["a"]
    assert "script: ~no-such-user/run.py: there is no such user's home" in found["b"]
    assert "cwd: ~no-such-user: there is no such user's home" in found["c"]
    assert found["d"] == ""


def test_scripts_that_are_no_python_must_be_executable(root: Path) -> None:
    script = write(root, "tool", "#!/bin/sh\n")
    write(root, "jobs/a.ini", "[x]\nscript = ../tool\n")
    assert "is not executable: chmod +x it" in only(root).error
    script.chmod(0o755)
    assert only(root).argv[0] == f"{root}/jobs/../tool"


def test_interpreter_and_path(root: Path) -> None:
    write(root, "jobs/a.ini", f"[x]\nscript = sh {root}/run.py\n")
    assert Path(only(root).argv[0]).name == "sh"


def test_user_must_be_ours_unless_root(root: Path) -> None:
    me = pwd.getpwuid(os.geteuid()).pw_name
    write(root, "jobs/a.ini", f"[x]\nscript = ../run.py\nuser = {me}\n")
    job = only(root)
    assert (job.error, job.user) == ("", "")
    write(root, "jobs/a.ini", "[x]\nscript = ../run.py\nuser = no-such-user\n")
    assert "user" in only(root).error


def test_too_long_socket_path_rejects_the_job(root: Path) -> None:
    ini = root / "skytools.ini"
    ini.write_text(ini.read_text().replace("/run/x", "/run/" + "x" * 75))
    write(root, "jobs/a.ini", "[x]\nscript = ../run.py\njob_name = " + "j" * 40 + "\n")
    assert "shorten job_name or the manager's runtime_dir" in only(root).error


def test_comments_do_not_change_a_job_and_keys_do(root: Path) -> None:
    path = write(root, "jobs/a.ini", "[x]\nscript = ../run.py\n")
    before = only(root)
    path.write_text("# hello\n\n[x]\nscript   =   ../run.py\n")
    assert only(root).same(before)
    path.write_text("[x]\nscript = ../run.py\nkey = 1\n")
    assert not only(root).same(before)
    assert only(root).same_command(before)
    path.write_text("[x]\nscript = ../run.py\nargs = 1\n")
    assert not only(root).same_command(before)


def test_sections_of_tables_belong_to_their_job(root: Path) -> None:
    text = "[queue_loader]\ndb = x\nqueue_name = q\n[public.t]\ntable_mode = "
    write(root, "jobs/load.ini", text + "direct\n")
    first = only(root)
    assert (first.name, first.error) == ("load", "")
    write(root, "jobs/load.ini", text + "ignore\n")
    assert only(root).digest != first.digest


def test_jobs_survive_json(root: Path) -> None:
    write(root, "jobs/a.ini", "[x]\nscript = ../run.py\n")
    jobs = discover(manager(root), no_check)
    assert from_data(to_data(jobs)) == jobs


def test_file_named_outright_must_exist(root: Path) -> None:
    ini = root / "skytools.ini"
    ini.write_text("[scriptmgr]\nconfig_list = nowhere.ini\nruntime_dir = /run/x\n")
    assert "cannot be read: No such file or directory" in only(root).error
