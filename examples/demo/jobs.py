# SPDX-License-Identifier: ISC
"""The jobs of the demo's manager, as `scriptmgr status --json` shows them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from skytools.core.errors import SkytoolsError
from skytools.scriptmgr.client import Client

ANSWER_SECONDS = 2.0


class JobStatus:
    """Asks the manager; remembers the last answer for the moments in which there is none."""

    def __init__(self, control: Path) -> None:
        self._client = Client(control, timeout=ANSWER_SECONDS)
        self._jobs: list[dict[str, Any]] = []

    def read(self) -> list[dict[str, Any]]:
        """Return one record per job; those of the last answer when the manager gives none."""
        with contextlib.suppress(SkytoolsError):
            self._jobs = self._client.status()["jobs"]
        return self._jobs
