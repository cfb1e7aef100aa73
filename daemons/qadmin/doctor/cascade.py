# SPDX-License-Identifier: ISC
"""Faults of the node that the database is in cascades."""

from __future__ import annotations

from collections.abc import Iterator

from skytools.core.db import Database, merge_conninfo
from skytools.core.errors import SkytoolsError
from skytools.daemons.qadmin.doctor.checks import Check, Look

CONNECT_SECONDS = "5"

_STATES = """
    from pgq_node.local_state s join pgq_node.node_info i using (queue_name)
"""
_ERROR = f"""
    select s.consumer_name, format('queue %%s: %%s', s.queue_name, s.cur_error),
           'its process tries again and again: look into its log and mend the cause', null
    {_STATES} where s.cur_error is not null"""
_PAUSED = f"""
    select s.consumer_name, format('queue %%s: is paused', s.queue_name),
           'if no takeover is under way:',
           format('select * from pgq_node.set_consumer_paused(%%L, %%L, false);', s.queue_name,
                  s.consumer_name)
    {_STATES} where s.paused"""
_SILENT = f"""
    select s.consumer_name, format('queue %%s: has not seen its new state yet', s.queue_name),
           'its process does not run, or hangs in a batch: scriptmgr status', null
    {_STATES} where not s.uptodate and not s.paused"""
_GRAVESTONE = """
    select c.co_name, format('queue %%s: keeps the place of a dead root, and all events since',
               q.queue_name),
           'bring that node back with resurrect, or drop it: setadm drop-node', null
      from pgq.subscription s
      join pgq.queue q on q.queue_id = s.sub_queue
      join pgq.consumer c on c.co_id = s.sub_consumer
     where c.co_name like '%%.gravestone'"""
_ORPHAN = """
    select c.co_name,
         format('queue %%s: is the watermark of a node that is not subscribed; it keeps'
               ' all events since', q.queue_name), null,
           format('unregister consumer %%L from %%L;', c.co_name, q.queue_name)
      from pgq.subscription s
      join pgq.queue q on q.queue_id = s.sub_queue
      join pgq.consumer c on c.co_id = s.sub_consumer
     where c.co_name like '.%%.watermark'
       and exists (select 1 from pgq_node.node_info i where i.queue_name = q.queue_name)
       and not exists (select 1 from pgq_node.subscriber_info n
                        where n.queue_name = q.queue_name and n.watermark_name = c.co_name)"""
_DEAD = """
    select n.subscriber_node, format('queue %%s: is dead and still subscribed here, which keeps all'
               ' events since', n.queue_name),
           'if it does not come back:',
           format('select * from pgq_node.unregister_subscriber(%%L, %%L);', n.queue_name,
                  n.subscriber_node)
      from pgq_node.subscriber_info n
      join pgq_node.node_location l
        on l.queue_name = n.queue_name and l.node_name = n.subscriber_node
     where l.dead"""
_PROVIDERS = """
    select i.queue_name, i.worker_name, s.provider_node, l.node_location
      from pgq_node.node_info i
      join pgq_node.local_state s on s.queue_name = i.queue_name and s.consumer_name = i.worker_name
      join pgq_node.node_location l
        on l.queue_name = i.queue_name and l.node_name = s.provider_node
     where i.node_type <> 'root'"""


def _ask_provider(location: str, queue: str, worker: str) -> bool:
    """Tell whether a provider knows a worker. Raises SkytoolsError when it cannot be asked."""
    info = merge_conninfo(location, connect_timeout=CONNECT_SECONDS)
    provider = Database("provider", info, autocommit=True, application_name="qadmin")
    try:
        return bool(provider.query("select 1 from pgq.get_consumer_info(%s, %s)", (queue, worker)))
    finally:
        provider.close()


def _unreachable(look: Look) -> Iterator[tuple[str, str, str | None, str | None]]:
    for queue, worker, node, location in look.db.query(_PROVIDERS):
        try:
            _ask_provider(location, queue, worker)
        except SkytoolsError as exc:
            advice = (
                "start it, or mend its location (pgq_node.register_location); or have this node"
                " read from another one: setadm change-provider"
            )
            yield node, f"provider of queue {queue} cannot be asked from here: {exc}", advice, None


def _forgotten(look: Look) -> Iterator[tuple[str, str, str | None, str | None]]:
    for queue, worker, node, location in look.db.query(_PROVIDERS):
        try:
            known = _ask_provider(location, queue, worker)
        except SkytoolsError:
            continue  # is a fault of its own
        if not known:
            advice = f"run the worker once with --rewind: it is registered where {node} was left"
            yield worker, f"queue {queue}: provider {node} does not know it", advice, None


CHECKS = (
    Check("node-error", "worker or consumer of the node fails", "pgq_node", _ERROR),
    Check("worker-paused", "worker or consumer of the node is paused", "pgq_node", _PAUSED),
    Check("worker-silent", "worker or consumer of the node does not answer", "pgq_node", _SILENT),
    Check("provider-unreachable", "the node cannot reach its provider", "pgq_node", _unreachable),
    Check("provider-forgot", "the provider does not know the node", "pgq_node", _forgotten),
    Check("gravestone", "a dead root keeps events", "pgq_node", _GRAVESTONE),
    Check("watermark-orphan", "a node that left keeps events", "pgq_node", _ORPHAN),
    Check("subscriber-dead", "a dead node keeps events", "pgq_node", _DEAD),
)
