-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node._check_new_node(7)
--
--      Check the arguments of pgq_node.create_node.
--
-- Parameters:
--      as pgq_node.create_node
-- Returns:
--      what is wrong, NULL: nothing
-- Tables:
--      select: pgq_node.node_info, pgq_node.node_location, pgq.queue, pgq.tick
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_node._check_new_node(
    i_queue_name text, i_node_type text, i_node_name text, i_worker_name text, i_provider_name text,
    i_global_watermark bigint, i_combined_queue text)
returns text as $$
declare
    missing text;
begin
    select name into missing
      from unnest(array[i_node_name, i_provider_name]) as name
     where name is not null
       and not exists (select 1 from pgq_node.node_location l
                        where l.queue_name = i_queue_name and l.node_name = name);
    return case
        when exists (select 1 from pgq_node.node_info n where n.queue_name = i_queue_name)
            then 'Node already initialized'
        when i_node_type is null or i_node_type not in ('root', 'branch', 'leaf')
            then format('unknown node type: %s', i_node_type)
        when i_node_name is null then 'node name not given'
        when i_worker_name is null then 'worker name not given'
        when missing is not null then format('location of node %s is not registered', missing)
        when i_node_type = 'root' then
            case when coalesce(i_provider_name, i_global_watermark::text, i_combined_queue) is not null
                then 'unexpected args for root' end
        when i_provider_name is null then format('provider not set for %s', i_node_type)
        when i_provider_name = i_node_name then 'a node cannot be its own provider'
        when i_global_watermark is null then format('global watermark not set for %s', i_node_type)
        when i_global_watermark < 1 then format('no such tick: %s', i_global_watermark)
        when i_node_type = 'branch' and i_combined_queue is not null then 'unexpected args for branch'
        when i_node_type = 'branch' and pgq_node._top_tick(i_queue_name) > i_global_watermark
            then format('queue %s exists and has ticks after the global watermark', i_queue_name)
        when not exists (select 1 from pgq.queue q where q.queue_name = i_combined_queue)
             and i_combined_queue is not null
            then format('non-existing queue on leaf side: %s', i_combined_queue)
    end;
end;
$$ language plpgsql stable set search_path = pg_catalog, pg_temp;
