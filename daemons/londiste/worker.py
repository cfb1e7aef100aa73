# SPDX-License-Identifier: ISC
"""The worker of a node: keeps its tables in step with those of the provider."""

from __future__ import annotations

from typing import ClassVar

from skytools.core.config import DaemonConfig
from skytools.daemons.londiste.config import LondisteConfig
from skytools.pgq import CascadedWorker


class LondisteWorker(CascadedWorker):
    """Applies the events of tables that the node is subscribed to."""

    Config: ClassVar[type[DaemonConfig]] = LondisteConfig
    service_name = "londiste"
    description = "Replicate tables over a cascade of queues."
    cfg: LondisteConfig
