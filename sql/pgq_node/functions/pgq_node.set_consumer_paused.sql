-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.set_consumer_paused(3)
--
--      Have a cascaded consumer pause, or go on. It sees that before its next batch, and then sets uptodate.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_consumer_name     - name of the consumer
--      i_paused            - true: pause
-- Returns:
--      200 - done
--      201 - it is so already
--      404 - there is no such consumer
-- Tables:
--      update: pgq_node.local_state
-- Locks:
--      the row of the consumer: FOR UPDATE
-- Raises:
--      not_null_violation - no value given
-- ----------------------------------------------------------------------
create or replace function pgq_node.set_consumer_paused(
    i_queue_name text, i_consumer_name text, i_paused boolean, out ret_code integer, out ret_note text)
returns record as $$
declare
    is_paused boolean;
    word text := case when i_paused then 'paused' else 'resumed' end;
begin
    select l.paused into is_paused
      from pgq_node.local_state l
     where l.queue_name = i_queue_name and l.consumer_name = i_consumer_name
       for update;
    if not found then
        ret_code := 404;
        ret_note := format('Unknown consumer: %s/%s', i_queue_name, i_consumer_name);
    elsif is_paused = i_paused then
        ret_code := 201;
        ret_note := format('Consumer %s already %s', i_consumer_name, word);
    else
        update pgq_node.local_state l set paused = i_paused, uptodate = false
         where l.queue_name = i_queue_name and l.consumer_name = i_consumer_name;
        perform pg_notify('pgq_node', i_queue_name);
        ret_code := 200;
        ret_note := format('Consumer %s tagged as %s', i_consumer_name, word);
    end if;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
