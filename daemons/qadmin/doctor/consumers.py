# SPDX-License-Identifier: ISC
"""Faults of consumers, retry and dead letters."""

from __future__ import annotations

from skytools.daemons.qadmin.doctor.checks import Check

# Each consumer (c) with its tick (t); `behind`: a later tick has waited for it for `age`. Names
# with a dot in front are kept by cascades. `main`: the cooperative consumer it is a part of.
_CONSUMERS = """
    from pgq.subscription s
    join pgq.queue q on q.queue_id = s.sub_queue
    join pgq.consumer c on c.co_id = s.sub_consumer
    left join pgq.tick t on t.tick_queue = s.sub_queue and t.tick_id = s.sub_last_tick
    left join lateral (
         select m.co_name as main from pgq.subscription g join pgq.consumer m
              on m.co_id = g.sub_consumer
          where g.sub_queue = s.sub_queue and g.sub_id = s.sub_id
            and starts_with(c.co_name, m.co_name || '.') order by length(m.co_name) limit 1) g
                 on true
    cross join lateral (
         select exists (select 1 from pgq.tick n
                         where n.tick_queue = s.sub_queue and n.tick_id > s.sub_last_tick
                           and n.tick_time < now() - %(age)s::interval) as behind,
                date_trunc('second', now() - s.sub_active) as unseen,
                now() - s.sub_active > %(age)s::interval as quiet) f
"""

_LOST = f"""
    select c.co_name, format('queue %%s has no tick %%s any more, at which it is', q.queue_name,
               s.sub_last_tick),
           'events are lost for it; to go on with the oldest that are there:',
           format('register consumer %%L on %%L at %%s;', c.co_name, q.queue_name,
                  (select min(n.tick_id) from pgq.tick n where n.tick_queue = s.sub_queue))
    {_CONSUMERS}
     where s.sub_last_tick is not null and t.tick_id is null"""
_GONE = f"""
    select c.co_name, format('queue %%s: not seen for %%s, and events wait for it since %%s',
               q.queue_name, f.unseen, date_trunc('second', t.tick_time)),
           'start its process; if nobody wants it any more:',
           format('unregister consumer %%L from %%L;', c.co_name, q.queue_name)
    {_CONSUMERS}
     where f.behind and f.quiet and s.sub_batch is null and c.co_name not like '.%%'"""
_SLOW = f"""
    select c.co_name, format('queue %%s: is at work, and %%s behind', q.queue_name,
               date_trunc('second', now() - t.tick_time)),
           'look into its log: it is slow, or events fail and are tried again; KeyedConsumer and'
           ' CoopConsumer share work', null
    {_CONSUMERS}
     where f.behind and not f.quiet and c.co_name not like '.%%'"""
_OPEN = f"""
    select c.co_name, format('queue %%s: batch %%s is open for %%s', q.queue_name, s.sub_batch,
               f.unseen),
           'look into its log: it has died, or the batch fails again and again; to go on without'
           ' the rest of the batch:',
           format('finish batch %%s;', s.sub_batch)
    {_CONSUMERS}
     where s.sub_batch is not null and f.quiet and g.main is null"""
_COOP_DEAD = f"""
    select c.co_name,
         format('queue %%s: subconsumer gave no sign of life for %%s, batch %%s is open',
               q.queue_name, f.unseen, s.sub_batch),
           'start it, or set subconsumer_timeout so that others take over; to give its events to'
           ' the others:',
           format('unregister subconsumer %%L for %%L from %%L close;',
                  substr(c.co_name, length(g.main) + 2), g.main, q.queue_name)
    {_CONSUMERS}
     where s.sub_batch is not null and f.quiet and g.main is not null"""
_COOP_MAIN = f"""
    select c.co_name, format('queue %%s: has batch %%s open itself, so its subconsumers get none',
               q.queue_name, s.sub_batch),
           'stop who reads as the consumer itself, then:', format('finish batch %%s;', s.sub_batch)
    {_CONSUMERS}
     where s.sub_batch is not null and g.main is null
       and exists (select 1 from pgq.subscription o join pgq.consumer n on n.co_id = o.sub_consumer
                    where o.sub_queue = s.sub_queue and o.sub_id = s.sub_id
                      and starts_with(n.co_name, c.co_name || '.'))"""
_RETRY = """
    select q.queue_name, format('%%s events should have come back by now, the first %%s ago%%s',
         count(*),
               date_trunc('second', now() - min(r.ev_retry_after)),
               case when q.queue_disable_insert then '; the queue takes no events'
                    when q.queue_per_tx_limit <= 0 then '; the queue takes no events, by its limit'
                    else '' end),
           'the maintenance of pgqd does it; by hand:', 'select pgq.maint_retry_events();'
      from pgq.retry_queue r join pgq.queue q on q.queue_id = r.ev_queue
     where r.ev_retry_after < now() - %(age)s::interval
     group by q.queue_id"""
_DEAD = """
    select ev_consumer_name, format('queue %%s: %%s dead letters, the last of %%s: %%s',
         ev_queue_name,
               count(*), date_trunc('second', max(ev_failed_time)),
               left((array_agg(ev_failed_reason order by ev_failed_time desc))[1], 80)),
           'mend the cause, then:',
           format('redrive all of %%L on %%L;', ev_consumer_name, ev_queue_name)
      from pgq.failed_queue group by ev_queue_name, ev_consumer_name order by 1"""

CHECKS = (
    Check("consumer-lost", "a consumer is at a tick that is gone", "pgq", _LOST),
    Check("consumer-gone", "nobody runs a consumer", "pgq", _GONE),
    Check("consumer-slow", "a consumer does not keep up", "pgq", _SLOW),
    Check("batch-open", "a batch is open for long", "pgq", _OPEN),
    Check("coop-dead", "a subconsumer has died with a batch", "pgq", _COOP_DEAD),
    Check("coop-blocked", "a cooperative consumer reads by itself", "pgq", _COOP_MAIN),
    Check("retry-blocked", "events to be retried do not come back", "pgq", _RETRY),
    Check("dead-letters", "events were given up", "failed_queue", _DEAD),
)
