-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_coop._take_over(5)
--
--      Remove the subconsumers that have died, and give the open batch of one of them to the caller, the oldest
--      first. Others that hold one stay until somebody has time for it.
--
--      The batch gets a new id: its former owner, if he is only slow, cannot finish what is no longer his, and an
--      attempt to read it or to retry its events fails.
--
-- Parameters:
--      i_queue_id      - the queue
--      i_sub_id        - sub_id of the group
--      i_main_id       - the main consumer, whose subscription the caller has locked
--      i_co_id         - the subconsumer that takes over
--      i_dead_since    - who has not been seen since then is dead
-- Returns:
--      id of the batch, NULL if there was none to take
-- Tables:
--      select, update, delete: pgq.subscription, pgq.consumer
-- Locks:
--      rows of the dead; who is locked by somebody else is not dead
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_coop._take_over(
    i_queue_id integer, i_sub_id integer, i_main_id integer, i_co_id integer, i_dead_since timestamptz)
returns bigint as $$
declare
    dead record;
    res bigint;
begin
    for dead in
        select s.sub_consumer, s.sub_batch, s.sub_last_tick, s.sub_next_tick
          from pgq._subscriptions(i_queue_id) seen
         cross join lateral (
               select now.*
                 from pgq.subscription now
                 join pgq.consumer c on c.co_id = now.sub_consumer
                where now.sub_queue = i_queue_id and now.sub_consumer = seen.sub_consumer
                order by now.sub_version desc limit 1 for update skip locked) s
         where seen.sub_id = i_sub_id and seen.sub_consumer not in (i_main_id, i_co_id)
           and seen.sub_active < i_dead_since and s.sub_active < i_dead_since
         order by s.sub_next_tick
    loop
        continue when dead.sub_batch is not null and res is not null;
        perform pgq_coop._drop_sub(i_queue_id, dead.sub_consumer);
        if dead.sub_batch is not null then
            update pgq.subscription
               set sub_batch = nextval('pgq.batch_id_seq'), sub_last_tick = dead.sub_last_tick,
                   sub_next_tick = dead.sub_next_tick, sub_active = now()
             where sub_queue = i_queue_id and sub_consumer = i_co_id
            returning sub_batch into res;
        end if;
    end loop;
    return res;
end;
$$ language plpgsql
    set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off;
