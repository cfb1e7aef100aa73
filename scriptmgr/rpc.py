# SPDX-License-Identifier: ISC
"""RPC on the control socket: namespace `skytools`, and a read-only `supervisor`.

Each method takes and returns one JSON text: XML-RPC has no null and no 64-bit integers.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any

from supervisor.http import NOT_DONE_YET
from supervisor.rpcinterface import SupervisorNamespaceRPCInterface
from supervisor.xmlrpc import Faults, RPCError

from skytools.core.errors import SkytoolsError
from skytools.scriptmgr.desired import Desired
from skytools.scriptmgr.plugin import Plugin
from skytools.scriptmgr.summary import describe_state, describe_unmanaged
from skytools.scriptmgr.update import Updater

log = logging.getLogger("scriptmgr")

_REFUSED = (
    "restart",
    "reloadConfig",
    "addProcessGroup",
    "removeProcessGroup",
    "startProcess",
    "startProcessGroup",
    "startAllProcesses",
    "stopProcess",
    "stopProcessGroup",
    "stopAllProcesses",
    "signalProcess",
    "signalProcessGroup",
    "signalAllProcesses",
    "sendProcessStdin",
)


class SkytoolsInterface:
    """Methods of the namespace `skytools`."""

    def __init__(self, plugin: Plugin, updater: Updater) -> None:
        self._plugin = plugin
        self._updater = updater

    def status(self, _request: str = "{}") -> str:
        """Return every job, rejected ones too, and what the manager counts."""
        plugin, now, epoch = self._plugin, time.monotonic(), time.time()
        rows = [describe_state(state, now, epoch) for state in plugin.states.values()]
        rows += [describe_unmanaged(job, "rejected") for job in plugin.rejected]
        rows.sort(key=lambda row: (row["internal"], row["service"], row["job_name"]))
        counters = plugin.counters
        return json.dumps(
            {
                "jobs": rows,
                "pid": plugin.options.get_pid(),
                "stopping": plugin.stopping,
                "status": plugin.status_line(),
                "hook_errors": counters.hook_errors,
                "notify_dropped": plugin.dropped,
                "reload_ok": counters.reload_ok,
                "reload_time": counters.reload_time,
            }
        )

    def start(self, request: str) -> str:
        """Want jobs to run: {"jobs": [name]} -> {"refused": {name: reason}}."""
        return self._each(request, lambda state: state.start(time.monotonic()))

    def stop(self, request: str) -> str:
        """Want jobs stopped."""
        return self._each(request, lambda state: state.stop())

    def restart(self, request: str) -> str:
        """Stop and start jobs, each as soon as it is down."""
        return self._each(request, lambda state: state.restart(time.monotonic()))

    def reload(self, request: str) -> str:
        """Send HUP to jobs, to each once it is ready."""
        return self._each(request, lambda state: state.reload())

    def _each(self, request: str, act: Callable[[Any], None]) -> str:
        if self._plugin.stopping:
            raise RPCError(Faults.SHUTDOWN_STATE, "the manager is stopping")
        refused = {}
        reasons = {job.name: job.error for job in self._plugin.rejected}
        for name in _names(request):
            state = self._plugin.states.get(name)
            if state is None:
                refused[name] = f"rejected: {reasons[name]}" if name in reasons else "unknown job"
            elif state.desired is Desired.DISABLED:
                refused[name] = "disabled = 1 in its ini"
            else:
                act(state)
        return json.dumps({"refused": refused})

    def update(self, request: str) -> Callable[[], Any]:
        """Read the inis again: {"dry_run", "reload": bool} -> the plan, or {"error": text}."""
        data = _data(request)
        answers: list[dict[str, Any]] = []
        try:
            self._updater.begin(
                answers.append,
                dry_run=bool(data.get("dry_run")),
                reload=bool(data.get("reload")),
            )
        except SkytoolsError as exc:
            self._updater.failed(str(exc))
            answers.append({"error": str(exc)})

        def wait() -> Any:
            return json.dumps(answers[0]) if answers else NOT_DONE_YET

        wait.delay = 0.05  # type: ignore[attr-defined] # how supervisord is told to ask again
        return wait


def _data(request: str) -> dict[str, Any]:
    try:
        data = json.loads(request)
    except ValueError as exc:
        raise RPCError(Faults.INCORRECT_PARAMETERS, "JSON expected") from exc
    if not isinstance(data, dict):
        raise RPCError(Faults.INCORRECT_PARAMETERS, "a JSON object expected")
    return data


def _names(request: str) -> list[str]:
    names = _data(request).get("jobs")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RPCError(Faults.INCORRECT_PARAMETERS, '{"jobs": [name, ...]} expected')
    return names


def _refuse(_self: Any, *_args: Any) -> None:
    raise RPCError(Faults.FAILED, "use scriptmgr: supervisord does not decide here")


def make_supervisor_interface(supervisord: Any) -> Any:
    """Return the stock interface without the methods that bypass the desired state."""
    methods: dict[str, Any] = dict.fromkeys(_REFUSED, _refuse)
    cls = type("ReadOnlyInterface", (SupervisorNamespaceRPCInterface,), methods)
    return cls(supervisord)
