-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.maint_rotate_tables_step1(1)
--
--      Empty the oldest table of the ring and make it the current one, if that is due and nobody needs its events:
--      the last tick of every consumer must come after all transactions that may have written to the table before
--      the current one. Without consumers all such transactions must at least have ended. Consumers that are detached
--      (pgq.maint_gone_consumers) do not count. A queue with a retention waits that long from the first call that has
--      found it read. Ticks that are too old to be read any more are deleted, except the newest.
--
-- Parameters:
--      i_queue_name    - name of the queue
-- Returns:
--      0
-- Tables:
--      select: pgq.subscription, pgq.tick
--      update: pgq.queue
--      delete: pgq.tick
--      truncate: an event table
-- Locks:
--      queue row: FOR UPDATE; the oldest event table: ACCESS EXCLUSIVE, without waiting: if somebody reads it, as
--      pg_dump does, rotation is left for another time
-- Raises:
--      object_not_in_prerequisite_state - the last rotation is in the future of this server
--      data_corrupted - the last tick of a consumer is lost
-- ----------------------------------------------------------------------
create or replace function pgq.maint_rotate_tables_step1(i_queue_name text)
returns integer as $$
declare
    q record;
    oldest record;
    new_table integer;
    table_name text;
begin
    select queue_id, queue_data_pfx, queue_ntables, queue_cur_table, queue_switch_step1, queue_switch_step2,
           queue_retention, queue_read_time
      into q
      from pgq.queue
     where queue_name = i_queue_name
       and queue_switch_step2 is not null
       and queue_switch_time + queue_rotation_period < current_timestamp
       for update;
    if not found then
        return 0;
    end if;
    if txid_current() < q.queue_switch_step1 then
        raise exception 'queue % was rotated by transaction %, which is in the future of this server (now %)',
            i_queue_name, q.queue_switch_step1, txid_current() using errcode = 'object_not_in_prerequisite_state',
            hint = 'The queue was probably restored from a dump of another server.';
    end if;

    select sub.tick_id, txid_snapshot_xmin(t.tick_snapshot) as xmin into oldest
      from (select min(sub_last_tick) as tick_id from pgq.subscription
             where sub_queue = q.queue_id and sub_detached is null) sub
      left join pgq.tick t on t.tick_queue = q.queue_id and t.tick_id = sub.tick_id;
    if oldest.tick_id is null then
        oldest.xmin := txid_snapshot_xmin(txid_current_snapshot());
    elsif oldest.xmin is null then
        raise exception 'PgQ corruption: tick % of queue % is lost, but a consumer is there',
            oldest.tick_id, i_queue_name using errcode = 'data_corrupted',
            hint = 'Move it to a tick that exists: pgq.register_consumer_at(queue, consumer, tick).';
    end if;
    if oldest.xmin <= q.queue_switch_step2 then
        -- Not read yet; or no more, as a consumer was moved back.
        if q.queue_read_time is not null then
            update pgq.queue set queue_read_time = null where queue_id = q.queue_id;
        end if;
        return 0;
    end if;
    if q.queue_retention > interval '0' then
        if q.queue_read_time is null then
            update pgq.queue set queue_read_time = current_timestamp where queue_id = q.queue_id;
            return 0;
        elsif q.queue_read_time + q.queue_retention > current_timestamp then
            return 0;
        end if;
    end if;

    new_table := (q.queue_cur_table + 1) % q.queue_ntables;
    table_name := pgq.quote_fqname(q.queue_data_pfx || '_' || new_table);
    begin
        execute format('lock table %s in access exclusive mode nowait', table_name);
    exception
        when lock_not_available then
            return 0;
    end;
    execute format('truncate %s', table_name);

    update pgq.queue
       set queue_cur_table = new_table, queue_switch_time = current_timestamp,
           queue_switch_step1 = txid_current(), queue_switch_step2 = null,
           queue_read_time = null
     where queue_id = q.queue_id;
    delete from pgq.tick
     where tick_queue = q.queue_id
       and txid_snapshot_xmin(tick_snapshot) < q.queue_switch_step2
       and tick_id < (select max(t.tick_id) from pgq.tick t where t.tick_queue = q.queue_id);
    return 0;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq.maint_rotate_tables_step2(0)
--
--      End the rotations that step 1 has begun. Must run in a later transaction: its txid is above those of all
--      that may have picked the old table, as producers get their txid before they look for the table.
--
-- Returns:
--      0
-- Tables:
--      update: pgq.queue
-- Locks:
--      queue rows: FOR NO KEY UPDATE
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq.maint_rotate_tables_step2()
returns integer as $$
begin
    update pgq.queue set queue_switch_step2 = txid_current() where queue_switch_step2 is null;
    return 0;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
