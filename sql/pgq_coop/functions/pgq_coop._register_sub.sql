-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_coop._register_sub(5)
--
--      Register a subconsumer in a group whose main consumer is locked by the caller.
--
--      Names with dots are ambiguous: subconsumer b.c of consumer a is called as subconsumer c of consumer a.b.
--      The first of the two to come has the name; the other is refused.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_queue_id      - its id
--      i_sub_id        - sub_id of the main consumer
--      i_consumer_name - name of the main consumer
--      i_sub_name      - name of the subconsumer within the group
-- Returns:
--      co_id       - id of the subconsumer
--      is_new      - false: it was registered already
--      batch_id    - its open batch
-- Tables:
--      select, insert, update: pgq.subscription, pgq.consumer
-- Locks:
--      subscription of the subconsumer: FOR UPDATE
-- Raises:
--      null_value_not_allowed, invalid_parameter_value - no name
--      duplicate_object - another consumer has the name
-- ----------------------------------------------------------------------
create or replace function pgq_coop._register_sub(
    i_queue_name text, i_queue_id integer, i_sub_id integer, i_consumer_name text, i_sub_name text,
    out co_id integer, out is_new boolean, out batch_id bigint)
as $$
declare
    full_name text := i_consumer_name || '.' || i_sub_name;
    group_id integer;
begin
    if i_sub_name is null then
        raise exception 'subconsumer name must not be NULL' using errcode = 'null_value_not_allowed';
    end if;
    if i_sub_name = '' then
        raise exception 'subconsumer name must not be empty' using errcode = 'invalid_parameter_value';
    end if;

    is_new := false;
    loop
        select s.sub_consumer, s.sub_id, s.sub_batch into co_id, group_id, batch_id
          from pgq.consumer c
         cross join lateral (
               select * from pgq.subscription now
                where now.sub_queue = i_queue_id and now.sub_consumer = c.co_id
                order by now.sub_version desc limit 1 for update) s
         where c.co_name = full_name;
        exit when found;
        is_new := pgq.register_consumer(i_queue_name, full_name) = 1;
    end loop;
    if is_new then
        update pgq.subscription s set sub_id = i_sub_id, sub_last_tick = null
         where s.sub_queue = i_queue_id and s.sub_consumer = co_id;
    elsif group_id <> i_sub_id then
        raise exception 'name % is taken by another consumer of queue %', full_name, i_queue_name
            using errcode = 'duplicate_object',
            detail = format('It is no subconsumer of %s.', i_consumer_name),
            hint = 'Choose another name for the subconsumer.';
    end if;
end;
$$ language plpgsql
    set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off;
