# SPDX-License-Identifier: ISC
"""Faults of the triggers that make events of changed rows."""

from __future__ import annotations

from collections.abc import Iterator

from skytools.daemons.qadmin.doctor.checks import Check, Look

# Newest events of a queue that are looked through for tables.
SAMPLE = 2000

_TRIGGERS = """
    from pg_trigger g
    join pg_proc p on p.oid = g.tgfoid and p.pronamespace = to_regnamespace('pgq')
     and p.proname in ('logutriga', 'sqltriga', 'jsontriga', 'logtriga')
    cross join lateral (select string_to_array(encode(g.tgargs, 'escape'), '\\000') as args) a
     where not g.tgisinternal
"""
_DISABLED = f"""
    select g.tgrelid::regclass::text, format('trigger %%I is disabled: changes make no events',
               g.tgname), null,
           format('alter table %%s enable trigger %%I;', g.tgrelid::regclass, g.tgname)
    {_TRIGGERS} and g.tgenabled = 'D'"""
_REPLICA = f"""
    select g.tgrelid::regclass::text, format('trigger %%I fires for replicated changes only',
               g.tgname), 'if that is not what is wanted:',
           format('alter table %%s enable trigger %%I;', g.tgrelid::regclass, g.tgname)
    {_TRIGGERS} and g.tgenabled = 'R'"""
_NO_QUEUE = f"""
    select g.tgrelid::regclass::text,
           format('trigger %%I ' || case when a.args[1] is null then 'names no queue'
                      else 'writes to queue %%s, which is not there' end
                  || ': each change of the table fails', g.tgname, a.args[1]),
           case when a.args[1] is null then 'make it anew, with the queue as first argument'
                else 'if the queue is not wanted, drop the trigger; otherwise:' end,
           'create queue ' || quote_literal(a.args[1]) || ';'
    {_TRIGGERS} and 'deny' <> all (a.args)
       and not exists (select 1 from pgq.queue q where q.queue_name = a.args[1])"""

_TABLES = """
    select distinct e.ev_extra1
      from (select ev_extra1, ev_type from {} order by ev_txid desc limit {}) e
     where e.ev_type ~ '^[IUD](:|$)' and to_regclass(e.ev_extra1) is not null"""
_HAS_TRIGGER = f"select 1 {_TRIGGERS} and g.tgrelid = %s::regclass and a.args[1] = %s"


def _missing(look: Look) -> Iterator[tuple[str, str, str | None, str | None]]:
    """Yield tables that have made events and have no trigger any more."""
    queues = look.db.query(
        """select queue_name, queue_data_pfx from pgq.queue
            where not queue_external_ticker and to_regclass(queue_data_pfx) is not null"""
    )
    for queue, parent in queues:
        for (table,) in look.db.query(_TABLES.format(parent, SAMPLE)):
            if not look.db.query(_HAS_TRIGGER, (table, queue)):
                name, literal = look.db.query(
                    "select %s::regclass::text, quote_literal(%s)", (table, queue)
                )[0]
                yield (
                    name,
                    f"has made events of queue {queue}, and has no trigger for it any more",
                    "changes since then are lost for its consumers; for those to come:",
                    f"create trigger capture after insert or update or delete on {name}"
                    f" for each row execute function pgq.logutriga({literal});",
                )


CHECKS = (
    Check("trigger-disabled", "a capture trigger is off", "pgq", _DISABLED),
    Check("trigger-replica", "a capture trigger does not fire for users", "pgq", _REPLICA),
    Check("trigger-no-queue", "a capture trigger fails", "pgq", _NO_QUEUE),
    Check("trigger-missing", "a capture trigger is gone", "pgq", _missing),
)
