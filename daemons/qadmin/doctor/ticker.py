# SPDX-License-Identifier: ISC
"""Faults of queues and their ticks."""

from __future__ import annotations

from skytools.daemons.qadmin.doctor.checks import Check

# Each queue with its newest tick (t) and the last number of its event sequence. A ticker may be
# three seconds late, and a busy machine is no fault.
_QUEUES = """
    from pgq.queue q
    cross join lateral (
         select coalesce(pg_sequence_last_value(to_regclass(q.queue_event_seq)), 0) as ev) seq
    left join lateral (
         select * from pgq.tick x where x.tick_queue = q.queue_id
          order by x.tick_id desc limit 1) t on true
    cross join lateral (
         select not q.queue_external_ticker and not q.queue_ticker_paused and (
                now() - t.tick_time > 2 * q.queue_ticker_idle_period + interval '3 s'
                or (seq.ev > t.tick_event_seq
                    and now() - t.tick_time > 2 * q.queue_ticker_max_lag + interval '3 s')) as late
         ) l
"""
# The session that is the ticker of the database (pgq.ticker_lock).
_TICKER = """
    select k.pid from pg_locks k
     where k.locktype = 'advisory' and k.objsubid = 2 and k.granted and k.objid = 0
       and k.classid = 'pgq.queue'::regclass
       and k.database = (select oid from pg_database where datname = current_database())
"""

_DEAD = f"""
    select 'database', format('no ticker is at work: the last tick of queue %%s is %%s old',
               string_agg(q.queue_name, ', ' order by q.queue_name),
               date_trunc('second', max(now() - t.tick_time))),
           'start pgqd for this database: scriptmgr start -t pgqd; for one tick by hand:',
           string_agg(format('tick queue %%L;', q.queue_name), ' ' order by q.queue_name)
    {_QUEUES}
     where l.late and not exists ({_TICKER})
    having count(*) > 0"""
_STUCK = f"""
    select q.queue_name, format('the ticker (pid %%s) is there, but the last tick is %%s old',
         k.pid,
               date_trunc('second', now() - t.tick_time)),
           'look into the log of pgqd: scriptmgr tail pgqd; to have its connection ended:',
           format('select pg_terminate_backend(%%s);', k.pid)
    {_QUEUES}
    cross join ({_TICKER}) k
     where l.late"""
_PAUSED = """
    select queue_name, 'its ticker is paused, so consumers get nothing', null,
           format('alter queue %%L set paused=0;', queue_name)
      from pgq.queue where queue_ticker_paused"""
_EXTERNAL = """
    select queue_name, 'its ticks shall come from elsewhere, and it is no branch of a cascade',
         null,
           format('alter queue %%L set external=0;', queue_name)
      from pgq.queue where queue_external_ticker and queue_name <> all (%(branches)s)"""
_DISABLED = """
    select queue_name, 'takes no events (queue_disable_insert), and is no branch of a cascade',
           'if a takeover is under way, let it end; otherwise:',
           format('update pgq.queue set queue_disable_insert = false where queue_name = %%L;',
                  queue_name)
      from pgq.queue where queue_disable_insert and queue_name <> all (%(branches)s)"""
_LIMIT = """
    select queue_name, format('a transaction may insert %%s events only', queue_per_tx_limit), null,
           format('update pgq.queue set queue_per_tx_limit = null where queue_name = %%L;',
                  queue_name)
      from pgq.queue where queue_per_tx_limit <= 0"""
_NO_TICK = f"""
    select q.queue_name, 'has no tick at all, so consumers cannot begin', null,
           format('tick queue %%L;', q.queue_name)
    {_QUEUES}
     where t.tick_id is null and not q.queue_external_ticker"""
_BACKWARDS = f"""
    select q.queue_name, format('its last tick is of transaction %%s, the server is at %%s: it was'
               ' restored from another server', txid_snapshot_xmax(t.tick_snapshot),
               txid_snapshot_xmax(txid_current_snapshot())),
           'the next tick of pgq 4.0 fits the queue to this server:',
           format('tick queue %%L;', q.queue_name)
    {_QUEUES}
     where txid_snapshot_xmax(t.tick_snapshot) > txid_snapshot_xmax(txid_current_snapshot())"""
_BEHIND = f"""
    select q.queue_name, format('sequence %%s is at %%s, but the last tick has %%s', s.name,
         s.value,
               s.wanted), null,
           format('select setval(%%L, %%s);', s.name,
                  case when s.name = q.queue_event_seq
                       then format('(select greatest(max(ev_id), %%s) from %%s)', s.wanted,
                                   q.queue_data_pfx)
                       else s.wanted::text end)
    {_QUEUES}
    cross join lateral (values
         (q.queue_event_seq, seq.ev, t.tick_event_seq),
         (q.queue_tick_seq, coalesce(pg_sequence_last_value(to_regclass(q.queue_tick_seq)), 0),
          t.tick_id)) s (name, value, wanted)
     where s.value < s.wanted and to_regclass(s.name) is not null
       and not q.queue_external_ticker"""
_NO_SEQUENCE = f"""
    select q.queue_name, format('sequence %%s is missing', s.name), null,
           format('create sequence %%s; select setval(%%L, %%s);', s.name, s.name,
                  case when s.name = q.queue_event_seq
                       then format('(select greatest(max(ev_id), %%s) from %%s)', s.wanted,
                                   q.queue_data_pfx)
                       else s.wanted::text end)
    {_QUEUES}
    cross join lateral (values (q.queue_event_seq, coalesce(t.tick_event_seq, 1)),
                               (q.queue_tick_seq, coalesce(t.tick_id, 1))) s (name, wanted)
     where to_regclass(s.name) is null"""
_NO_TABLE = """
    select q.queue_name, format('event table %%s is missing%%s', e.name,
               case when e.number = q.queue_cur_table then ', the one that is written to'
                    else '' end),
           'events that were in it are lost; to go on without them:',
           format('create table %%1$s () inherits (%%2$s); alter table %%1$s alter column ev_id set'
                  ' default nextval(%%3$L); create index on %%1$s (ev_txid); select'
                    ' pgq.grant_perms(%%4$L);',
                  e.name, q.queue_data_pfx, q.queue_event_seq, q.queue_name)
      from pgq.queue q
     cross join lateral (select n as number, q.queue_data_pfx || '_' || n as name
                           from generate_series(0, q.queue_ntables - 1) n) e
     where to_regclass(e.name) is null"""

CHECKS = (
    Check("ticker-dead", "nobody makes ticks, so consumers get nothing", "pgq", _DEAD),
    Check("ticker-stuck", "the ticker is there and makes no ticks", "pgq", _STUCK),
    Check("queue-paused", "a queue makes no ticks on purpose", "pgq", _PAUSED),
    Check("external-ticker", "a queue waits for ticks of another node", "pgq", _EXTERNAL),
    Check("insert-disabled", "a queue takes no events", "pgq", _DISABLED),
    Check("insert-limit", "a queue takes no events, by its limit", "pgq", _LIMIT),
    Check("tick-missing", "a queue has no tick", "pgq", _NO_TICK),
    Check("txid-backwards", "a queue was restored on a younger server", "pgq", _BACKWARDS),
    Check("sequence-behind", "numbers would be given twice", "pgq", _BEHIND),
    Check("sequence-missing", "a sequence of a queue is missing", "pgq", _NO_SEQUENCE),
    Check("event-table-missing", "a table of a queue is missing", "pgq", _NO_TABLE),
)
