# SPDX-License-Identifier: ISC
"""Commands of the ini around backups and removals."""

from __future__ import annotations

import time

from skytools.walmgr.errors import ProgramError
from skytools.walmgr.remote import shell
from skytools.walmgr.site import Site


def run_hook(site: Site, key: str, command: str = "", **variables: str) -> None:
    """Run the command of a key, if there is one, up to hook_tries times.

    `command` is what the key says with its variables filled in. Raises ProgramError.
    """
    command = command or getattr(site.cfg, key)
    for left in range(site.cfg.hook_tries - 1, -1, -1) if command else ():
        try:
            shell(command, **variables)
        except ProgramError as exc:
            if not left:
                raise ProgramError(f"{key} failed: {exc}") from exc
            site.say(f"{key} failed, once more in {site.cfg.hook_pause:g} s: {exc}")
            time.sleep(site.cfg.hook_pause)
        else:
            return
