# SPDX-License-Identifier: ISC
"""The loop around a script's work()."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from skytools.compat.config import ConfigError
from skytools.compat.runtime import Runtime
from skytools.core.errors import SkytoolsError

if TYPE_CHECKING:
    from skytools.compat.script import BaseScript


def loop(script: BaseScript, runtime: Runtime) -> None:
    """Work until a signal, the script or loop_delay ends it."""
    while not runtime.signals.stop:
        if script.need_reload or runtime.signals.take_reload():
            reload(script, runtime)
        script.work_state = script.run_once()
        if not script.looping or script.loop_delay < 0:
            return
        if script.work_state == 0:
            if script.loop_delay == 0:
                return
            script.sleep(script.loop_delay)


def reload(script: BaseScript, runtime: Runtime) -> None:
    """Read the ini again; a bad one is refused and the old settings stay."""
    script.need_reload = 0
    runtime.signals.take_reload()
    runtime.notify.reloading()
    try:
        script.reload()
    except (ConfigError, SkytoolsError, ValueError) as exc:
        script.log.error("reload refused, the old configuration stays: %s", exc)
    else:
        script.log.info("Config reloaded")
    finally:
        if runtime.ready:
            runtime.notify.ready()


def is_quiet(script: BaseScript, exc: Exception) -> bool:
    """Tell whether an error is one that exception_quiet wants no traceback of, for now."""
    names = {cls.__name__ for cls in type(exc).__mro__} | {"ALL"}
    since = time.time() - (script.last_func_fail or 0)
    return bool(names.intersection(script.exception_quiet)) and since < script.exception_grace
