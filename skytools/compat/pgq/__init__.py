# SPDX-License-Identifier: ISC
"""What `import pgq` of python3-pgq 3.x offers."""

from skytools.compat.pgq.baseconsumer import BatchInfo, EventList
from skytools.compat.pgq.cascadeadmin import CascadeAdmin
from skytools.compat.pgq.cascadedconsumer import CascadedConsumer
from skytools.compat.pgq.cascadedworker import CascadedWorker
from skytools.compat.pgq.consumer import Consumer
from skytools.compat.pgq.coopconsumer import CoopConsumer
from skytools.compat.pgq.event import Event
from skytools.compat.pgq.localconsumer import LocalConsumer
from skytools.compat.pgq.nodeinfo import MemberInfo, NodeInfo, QueueInfo
from skytools.compat.pgq.producer import bulk_insert_events, insert_event
from skytools.compat.pgq.remoteconsumer import RemoteConsumer, SerialConsumer
from skytools.compat.pgq.status import PGQStatus

__all__ = [
    "BatchInfo",
    "CascadeAdmin",
    "CascadedConsumer",
    "CascadedWorker",
    "Consumer",
    "CoopConsumer",
    "Event",
    "EventList",
    "LocalConsumer",
    "MemberInfo",
    "NodeInfo",
    "PGQStatus",
    "QueueInfo",
    "RemoteConsumer",
    "SerialConsumer",
    "bulk_insert_events",
    "insert_event",
]
