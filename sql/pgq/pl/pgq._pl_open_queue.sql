-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq._pl_open_queue(1)
--
--      Make the transaction a producer of a queue: txid, queue row, lock of the event table, in this
--      order, and wake a
--      sleeping ticker. Whoever stops writers sets queue_disable_insert and then waits for the lock;
--      so, having waited
--      for it, the row is read once more. That a transaction is a producer already is kept in setting
--      pgq.open_<id>,
--      which goes back with the lock when a subtransaction is rolled back.
--
--      In READ COMMITTED each look at the queue row is a fresh one. In REPEATABLE READ it is not: by an
--      old snapshot
--      one would write to a table that is no longer read. A row lock shows whether there is a newer row; it is
--      released at once, as rotation would wait for it.
--
-- Parameters:
--      i_queue_name    - name of the queue
-- Returns:
--      what pgq.queue says; table_name is quoted, event_table is not
-- Tables:
--      select: pgq.queue
-- Locks:
--      event table: ROW EXCLUSIVE
-- Raises:
--      null_value_not_allowed - no queue name
--      undefined_object - no such queue
--      serialization_failure - the queue has changed since the snapshot was taken; repeat the transaction
-- ----------------------------------------------------------------------
create or replace function pgq._pl_open_queue(
    i_queue_name text, out queue_id integer, out event_table text, out table_name text, out event_seq regclass,
    out disabled boolean, out tx_limit integer)
as $$
declare
    me text := txid_current();
    wake_seq text;
    seq_name text;
    locked text;
begin
    loop
        select q.queue_id, q.queue_data_pfx || '_' || q.queue_cur_table,
               to_regclass(pgq.quote_fqname(q.queue_event_seq)),
               q.queue_disable_insert and current_setting('session_replication_role') <> 'replica',
               q.queue_per_tx_limit, q.queue_wake_seq, q.queue_event_seq
          into queue_id, event_table, event_seq, disabled, tx_limit, wake_seq, seq_name
          from pgq.queue q where q.queue_name = i_queue_name;
        if not found then
            perform pgq._pl_no_queue(i_queue_name);
        end if;
        if to_regclass(pgq.quote_fqname(event_table)) is null or event_seq is null then
            raise exception 'queue "%" is broken: "%" does not exist', i_queue_name,
                case when event_seq is null then seq_name else event_table end using errcode = 'undefined_table';
        end if;
        exit when event_table = locked or current_setting('pgq.open_' || queue_id, true) = me;
        begin
            execute format('lock table %s in row exclusive mode', pgq.quote_fqname(event_table));
            locked := event_table;
        exception
            when undefined_table then
                -- Dropped meanwhile: then the queue is not found the next time.
                if exists (select 1 from pgq.queue q where q.queue_name = i_queue_name) then
                    raise;
                end if;
        end;
    end loop;
    table_name := pgq.quote_fqname(event_table);
    if locked is null then
        return;
    end if;

    if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
        perform pgq._pl_check_snapshot(queue_id, i_queue_name);
    end if;
    perform set_config('pgq.open_' || queue_id, me, true);
    if pg_sequence_last_value(to_regclass(wake_seq)) = 2 then
        perform pg_notify('pgq_wakeup', queue_id::text);
    end if;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._pl_no_queue(1)
--
--      Say what is wrong with the name of a queue.
-- ----------------------------------------------------------------------
create or replace function pgq._pl_no_queue(i_queue_name text)
returns void as $$
begin
    if i_queue_name is null then
        raise exception 'queue name must not be NULL' using errcode = 'null_value_not_allowed';
    end if;
    raise exception 'No such queue' using errcode = 'undefined_object',
        detail = format('Queue: %s.', i_queue_name), hint = 'Create it: select pgq.create_queue(queue).';
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._pl_check_snapshot(2)
--
--      Raise an error unless the snapshot of the transaction sees the newest row of the queue.
-- ----------------------------------------------------------------------
create or replace function pgq._pl_check_snapshot(i_queue_id integer, i_queue_name text)
returns void as $$
begin
    perform 1 from pgq.queue where queue_id = i_queue_id for share nowait;
    -- Rolls back the row lock.
    raise exception using errcode = 'PGQ00', message = 'snapshot is right';
exception
    when sqlstate 'PGQ00' then
        null;
    when serialization_failure or lock_not_available then
        raise exception 'queue % has changed since the snapshot of this transaction was taken', i_queue_name
            using errcode = 'serialization_failure', hint = 'Repeat the transaction.';
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._pl_check_enabled(5)
--
--      Raise an error if the queue takes no events, or no more events from this transaction. Those of
--      subtransactions
--      that were rolled back are not counted.
--
-- Parameters:
--      i_queue_id, i_queue_name, i_disabled, i_limit - the queue
--      i_count     - events that are about to be written
-- ----------------------------------------------------------------------
create or replace function pgq._pl_check_enabled(
    i_queue_id integer, i_queue_name text, i_disabled boolean, i_limit integer, i_count integer)
returns void as $$
declare
    me text := txid_current();
    counter text[];
    written bigint;
begin
    if i_disabled then
        raise exception 'Insert into queue disallowed' using errcode = 'object_not_in_prerequisite_state',
            detail = format('Queue "%s" has queue_disable_insert set.', i_queue_name),
            hint = 'On a branch or leaf of a cascaded queue, insert at the root node.';
    end if;
    if i_limit is null then
        return;
    end if;
    counter := string_to_array(current_setting('pgq.count_' || i_queue_id, true), ' ');
    written := i_count + case when counter[1] = me then counter[2]::bigint else 0 end;
    if written > i_limit then
        raise exception 'Queue ''%'' allows max % events from one TX', i_queue_name, i_limit
            using errcode = 'program_limit_exceeded',
            hint = 'Commit more often, or raise queue_per_tx_limit in pgq.queue.';
    end if;
    perform set_config('pgq.count_' || i_queue_id, me || ' ' || written, true);
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
