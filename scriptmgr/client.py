# SPDX-License-Identifier: ISC
"""Talking to a running manager: XML-RPC over its unix socket."""

from __future__ import annotations

import http.client
import json
import socket
import xmlrpc.client
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skytools.core.errors import SkytoolsError
from skytools.scriptmgr.exits import ManagerDown, NoPermission

TIMEOUT = 70.0  # an update reads every ini before it answers


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(self.timeout)
        try:
            sock.connect(str(self._path))
        except OSError:
            sock.close()
            raise
        self.sock = sock


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__()
        self._path = path
        self._timeout = timeout

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        # A fresh one each time: the manager may have been restarted in between. Kept where the
        # base class looks for it, so that close() closes it.
        connection = _Connection(self._path, self._timeout)
        self._connection = host, connection
        return connection


def _how_to_start(runtime: Path) -> str:
    """Return commands for the manager of a runtime_dir, as far as that tells whose it is."""
    unit = runtime.name
    if runtime.parent != Path("/run") or not unit.startswith("skytools"):
        return "`scriptmgr INI run`"
    instance = unit.removeprefix("skytools").removeprefix("-")
    return f"`systemctl start {unit}` or `scriptmgr {f'-I {instance} ' if instance else ''}run`"


class Client:
    """One method per RPC. Raises ManagerDown, NoPermission, or SkytoolsError with a refusal."""

    def __init__(self, control: Path, timeout: float = TIMEOUT) -> None:
        self._control = control
        self._timeout = timeout

    def status(self) -> dict[str, Any]:
        """Return the jobs ("jobs") and facts of the manager."""
        return self._call("status", {})

    def act(self, method: str, names: Sequence[str]) -> dict[str, str]:
        """Call start, stop, restart or reload; returns job -> why it was refused."""
        refused: dict[str, str] = self._call(method, {"jobs": list(names)})["refused"]
        return refused

    def update(self, *, dry_run: bool, reload: bool) -> dict[str, Any]:
        """Return the plan of an update."""
        plan = self._call("update", {"dry_run": dry_run, "reload": reload})
        if "error" in plan:
            raise SkytoolsError(plan["error"])
        return plan

    def _call(self, method: str, request: dict[str, Any]) -> dict[str, Any]:
        transport = _Transport(self._control, self._timeout)
        with xmlrpc.client.ServerProxy("http://localhost/RPC2", transport) as proxy:
            try:
                text = getattr(proxy, f"skytools.{method}")(json.dumps(request))
            except xmlrpc.client.Fault as exc:
                raise SkytoolsError(f"the manager refuses: {exc.faultString}") from exc
            except (FileNotFoundError, ConnectionRefusedError) as exc:
                raise ManagerDown(
                    f"the manager is not running (nobody listens on {self._control}): "
                    f"start it with {_how_to_start(self._control.parent)}"
                ) from exc
            except PermissionError as exc:
                raise NoPermission(
                    f"no permission for {self._control}: be the manager's user or root"
                ) from exc
            except TimeoutError as exc:
                raise SkytoolsError(
                    f"the manager does not answer within {self._timeout:g} s"
                ) from exc
            except (OSError, http.client.HTTPException, xmlrpc.client.Error) as exc:
                raise ManagerDown(f"the manager ended while it was asked: {exc}") from exc
        answer: dict[str, Any] = json.loads(str(text))
        return answer
