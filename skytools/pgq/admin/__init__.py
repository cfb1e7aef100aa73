# SPDX-License-Identifier: ISC
"""Administration of a cascade: nodes are made, moved, promoted and dropped here.

`add_commands` and `run` give a program the commands; `Hooks` is what it adds to them.
"""

from skytools.pgq.admin.cli import add_commands, arrange, run
from skytools.pgq.admin.hooks import Hooks, NodeView
from skytools.pgq.admin.site import Site

__all__ = ["Hooks", "NodeView", "Site", "add_commands", "arrange", "run"]
