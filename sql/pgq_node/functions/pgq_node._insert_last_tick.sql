-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node._insert_last_tick(1)
--
--      Insert the last tick of a queue that is closed for writing, when all have ended who still write.
--
-- Parameters:
--      i_queue_name        - name of the queue
-- Returns:
--      id of the tick
-- Tables:
--      select: pgq.queue
--      insert: pgq.tick
-- Locks:
--      the queue's ticker lock
--      parent of the event tables, with its children: EXCLUSIVE
-- Raises:
--      invalid_transaction_state - not in READ COMMITTED: the snapshot is older than the lock
-- ----------------------------------------------------------------------
create or replace function pgq_node._insert_last_tick(i_queue_name text)
returns bigint as $$
declare
    q record;
    res bigint;
begin
    if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
        raise exception 'cannot insert the last tick of queue % in a % transaction', i_queue_name,
            upper(current_setting('transaction_isolation')) using errcode = 'invalid_transaction_state',
            hint = 'The tick must see all that has committed until now: use READ COMMITTED.';
    end if;
    select * into q from pgq.queue where queue_name = i_queue_name;
    -- A ticker that was at work before the queue was closed ends first, or this tick would not be the last.
    perform pg_advisory_xact_lock('pgq.queue'::regclass::integer, q.queue_id);
    execute format('lock table %s in exclusive mode', pgq.quote_fqname(q.queue_data_pfx));
    insert into pgq.tick (tick_queue, tick_id, tick_event_seq)
    values (q.queue_id, nextval(q.queue_tick_seq::regclass), nextval(q.queue_event_seq::regclass))
    returning tick_id into res;
    perform pg_notify('pgq_tick_' || q.queue_id, res::text);
    return res;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
