# SPDX-License-Identifier: ISC
"""Faults of rotation, and transactions and slots that hold something back."""

from __future__ import annotations

from skytools.daemons.qadmin.doctor.checks import Check

_STEP2 = """
    select queue_name, format('step 2 of its rotation is due since %%s',
               date_trunc('second', queue_switch_time)),
           'pgqd does it in a transaction of its own; by hand:',
           'select pgq.maint_rotate_tables_step2();'
      from pgq.queue
     where queue_switch_step2 is null
       and now() - queue_switch_time > least(interval '1 minute', %(age)s)"""
_LATE = """
    select w.queue_name, format('its rotation is overdue for %%s and nothing is in its way',
               date_trunc('second', w.overdue)),
           'the maintenance of pgqd does not run; by hand:',
           format('select pgq.maint_rotate_tables_step1(%%L); select'
             ' pgq.maint_rotate_tables_step2();',
                  w.queue_name)
      from pgq.why_not_rotated() w
     where w.reason = 'maintenance' and w.detail = 'step 1 is due' and w.overdue > %(age)s"""
_READER = """
    select w.queue_name, format('pid %%s reads the table that is to be emptied: %%s', w.who,
         w.detail),
           'when it is a dump, let it end; otherwise:',
           format('select pg_terminate_backend(%%s);', w.who)
      from pgq.why_not_rotated() w where w.reason = 'reader' and w.overdue > %(age)s"""
_CONSUMER = """
    select w.queue_name, format('consumer %%s keeps the oldest table: %%s', w.who, w.detail),
           'start it; if nobody wants it any more:',
           format('unregister consumer %%L from %%L;', w.who, w.queue_name)
      from pgq.why_not_rotated() w where w.reason = 'consumer' and w.overdue > %(age)s"""
_HELD = """
    select 'pid ' || a.pid,
           format('%%s (%%s%%s) has a transaction open for %%s, %%s: %%s', a.usename,
                a.application_name,
                  case when a.datname <> current_database() then ', database ' || a.datname
                       else '' end,
                  date_trunc('second', now() - a.xact_start), a.state, left(a.query, 60)),
           'as long as it lasts, tables grow and are not rotated; to end it:',
           format('select pg_terminate_backend(%%s);', a.pid)
      from pg_stat_activity a
     where a.pid <> pg_backend_pid() and a.backend_type = 'client backend'
       and (a.backend_xid is not null or a.backend_xmin is not null)
       and (a.backend_xid is not null or a.datname = current_database())
       and a.xact_start < now() - %(age)s::interval"""
_PREPARED = """
    select p.gid, format('prepared by %%s %%s ago and neither committed nor rolled back', p.owner,
               date_trunc('second', now() - p.prepared)),
           'ask its transaction manager; to undo its work:',
           format('rollback prepared %%L;', p.gid)
      from pg_prepared_xacts p
     where p.database = current_database() and p.prepared < now() - %(age)s::interval"""
_SLOT = """
    select s.slot_name, format('nobody reads replication slot %%s, which keeps WAL from %%s on',
               s.slot_name, s.restart_lsn),
           'start what reads it; if nobody wants it any more:',
           format('select pg_drop_replication_slot(%%L);', s.slot_name)
      from pg_replication_slots s
     where not s.active and not s.temporary and s.restart_lsn is not null"""

CHECKS = (
    Check("rotation-step2", "a step of rotation is missing", "pgq", _STEP2),
    Check("rotation-late", "tables are not rotated", "why_not_rotated", _LATE),
    Check(
        "rotation-reader", "a reader keeps a table from being emptied", "why_not_rotated", _READER
    ),
    Check(
        "rotation-consumer",
        "a consumer keeps tables from being emptied",
        "why_not_rotated",
        _CONSUMER,
    ),
    Check("snapshot-held", "a transaction is open for long", "", _HELD),
    Check("prepared-transaction", "a prepared transaction was left alone", "", _PREPARED),
    Check("slot-unused", "a replication slot fills the disk", "", _SLOT),
)
