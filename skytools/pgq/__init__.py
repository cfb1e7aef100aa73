# SPDX-License-Identifier: ISC
"""PgQ from Python: consumers, producers and the SQL functions they call.

Names are imported when they are first used: a job pays for what it is, and many start at once.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skytools.core.config import option, settings
    from skytools.core.db import Database
    from skytools.core.program import main as run
    from skytools.pgq.batch import Batch, BatchReader
    from skytools.pgq.cascade import CascadedConfig, CascadedConsumer
    from skytools.pgq.cascade_worker import CascadedWorker, WorkerConfig
    from skytools.pgq.config import ConsumerConfig, RemoteConsumerConfig
    from skytools.pgq.consumer import Consumer
    from skytools.pgq.coop import CoopConsumer, CoopConsumerConfig
    from skytools.pgq.keyed import KeyedConsumer, KeyedConsumerConfig
    from skytools.pgq.local import LocalConsumer, LocalConsumerConfig
    from skytools.pgq.outbox import Outbox
    from skytools.pgq.producer import NewEvent, insert_event, insert_event_at, insert_events
    from skytools.pgq.remote import RemoteConsumer, SerialConsumer
    from skytools.pgq.rows import RowChange, is_row_change, row_change
    from skytools.pgq.types import BatchInfo, ConsumerInfo, Event, QueueInfo, Tick

_HOMES = {
    "skytools.core.config": ("option", "settings"),
    "skytools.core.db": ("Database",),
    "skytools.pgq.batch": ("Batch", "BatchReader"),
    "skytools.pgq.cascade": ("CascadedConfig", "CascadedConsumer"),
    "skytools.pgq.cascade_worker": ("CascadedWorker", "WorkerConfig"),
    "skytools.pgq.config": ("ConsumerConfig", "RemoteConsumerConfig"),
    "skytools.pgq.consumer": ("Consumer",),
    "skytools.pgq.coop": ("CoopConsumer", "CoopConsumerConfig"),
    "skytools.pgq.keyed": ("KeyedConsumer", "KeyedConsumerConfig"),
    "skytools.pgq.local": ("LocalConsumer", "LocalConsumerConfig"),
    "skytools.pgq.outbox": ("Outbox",),
    "skytools.pgq.producer": ("NewEvent", "insert_event", "insert_event_at", "insert_events"),
    "skytools.pgq.remote": ("RemoteConsumer", "SerialConsumer"),
    "skytools.pgq.rows": ("RowChange", "is_row_change", "row_change"),
    "skytools.pgq.types": ("BatchInfo", "ConsumerInfo", "Event", "QueueInfo", "Tick"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Batch",
    "BatchInfo",
    "BatchReader",
    "CascadedConfig",
    "CascadedConsumer",
    "CascadedWorker",
    "Consumer",
    "ConsumerConfig",
    "ConsumerInfo",
    "CoopConsumer",
    "CoopConsumerConfig",
    "Database",
    "Event",
    "KeyedConsumer",
    "KeyedConsumerConfig",
    "LocalConsumer",
    "LocalConsumerConfig",
    "NewEvent",
    "Outbox",
    "QueueInfo",
    "RemoteConsumer",
    "RemoteConsumerConfig",
    "RowChange",
    "SerialConsumer",
    "Tick",
    "WorkerConfig",
    "insert_event",
    "insert_event_at",
    "insert_events",
    "is_row_change",
    "option",
    "row_change",
    "run",
    "settings",
]


def __getattr__(name: str) -> Any:
    """Import what `name` is in, once."""
    if name == "run":
        value = importlib.import_module("skytools.core.program").main
    elif name in _HOME_OF:
        value = getattr(importlib.import_module(_HOME_OF[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value
