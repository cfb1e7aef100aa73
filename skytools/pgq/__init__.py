# SPDX-License-Identifier: ISC
"""PgQ from Python: consumers, producers and the SQL functions they call."""

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
