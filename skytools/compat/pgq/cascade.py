# SPDX-License-Identifier: ISC
"""`pgq.cascade` of python3-pgq: consumers of cascaded queues, in modules by their old names."""

from skytools.compat.pgq.cascadeadmin import CascadeAdmin
from skytools.compat.pgq.cascadedconsumer import CascadedConsumer
from skytools.compat.pgq.cascadedworker import CascadedWorker
from skytools.compat.pgq.nodeinfo import MemberInfo, NodeInfo, QueueInfo

__all__ = [
    "CascadeAdmin",
    "CascadedConsumer",
    "CascadedWorker",
    "MemberInfo",
    "NodeInfo",
    "QueueInfo",
]

# Passes for a package, see pgq.py.
__path__: list[str] = []
