# SPDX-License-Identifier: ISC
"""Become one job: the last step of a child of the manager, and of `scriptmgr run-job JOB`.

Under a manager it reads jobs.json, which the manager has written; alone it reads the inis.
"""

from __future__ import annotations

import json
import os
import pwd
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

# Environment that the manager gives to every job.
RUNTIME_ENV = "SKYTOOLS_RUN_DIR"
GROUP_ENV = "SKYTOOLS_JOB_GROUP"
DEATH_ENV = "SKYTOOLS_DIE_WITH_MANAGER"

EXIT_CONFIG = 78
EXIT_RETRY = 75
_PR_SET_PDEATHSIG = 1


def dying_with(parent: int) -> Callable[[], None]:
    """Return a function that has the kernel kill us when the manager dies.

    As systemd does with a control group: SIGKILL, because nobody would be left to escalate.
    """
    import ctypes  # noqa: PLC0415 - slow, and systemd makes it needless

    libc = ctypes.CDLL(None, use_errno=True)

    def arm() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)  # it died before we asked

    return arm


def become(
    launch: dict[str, Any], inherited: Mapping[str, str], arm: Callable[[], None] | None = None
) -> NoReturn:
    """Replace this process with the job; `arm` is what dying_with() returned, if it is to.

    Ends with 75 (try again) when that fails.
    """
    env = {**inherited, **launch["env"], GROUP_ENV: str(os.getpid())}
    env.pop(DEATH_ENV, None)
    for name in [name for name in env if name.startswith("SUPERVISOR_")]:
        del env[name]
    if launch["user"]:
        entry = pwd.getpwnam(launch["user"])
        env.update(HOME=entry.pw_dir, USER=entry.pw_name, LOGNAME=entry.pw_name)
        os.initgroups(entry.pw_name, entry.pw_gid)
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    if arm is not None:
        arm()  # after setuid, which disarms
    try:
        os.chdir(launch["cwd"])
    except OSError as exc:
        fail(f"cwd {launch['cwd']}: {exc.strerror}", EXIT_RETRY)
    argv = launch["argv"]
    try:
        os.execvpe(argv[0], argv, env)  # noqa: S606 - becoming the job is what we are for
    except OSError as exc:
        fail(f"cannot run {argv[0]}: {exc.strerror}", EXIT_RETRY)


def fail(text: str, code: int) -> NoReturn:
    """End with one line."""
    sys.stderr.write(f"run-job: {text}\n")
    raise SystemExit(code)


def managed(name: str, runtime: str) -> dict[str, Any]:
    """Return the job as the running manager knows it."""
    path = Path(runtime) / "jobs.json"
    try:
        launch = json.loads(path.read_text(encoding="utf-8"))[name]
    except (OSError, ValueError) as exc:
        fail(f"{path}: {exc}", EXIT_RETRY)
    except KeyError:
        fail(f"the manager of {runtime} has no job {name}", EXIT_CONFIG)
    return dict(launch)


def inside_child(runtime: str, arm: Callable[[], None] | None) -> Callable[..., NoReturn]:
    """Return what supervisord's child calls in the place of execve().

    The child is a copy of the manager: it becomes the job as it is, and no interpreter is started
    only to start another one.
    """

    def execve(_program: str, argv: list[str], env: Mapping[str, str]) -> NoReturn:
        try:
            become(managed(argv[-1], runtime), env, arm)
        except SystemExit as exc:
            sys.stderr.flush()
            os._exit(int(exc.code or 0))

    return execve
