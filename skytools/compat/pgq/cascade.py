# SPDX-License-Identifier: ISC
"""`pgq.cascade` of python3-pgq: consumers of cascaded queues, in modules by their old names."""

from skytools.compat.pgq.cascadedconsumer import CascadedConsumer
from skytools.compat.pgq.cascadedworker import CascadedWorker

__all__ = ["CascadedConsumer", "CascadedWorker"]

# Passes for a package, see pgq.py.
__path__: list[str] = []
