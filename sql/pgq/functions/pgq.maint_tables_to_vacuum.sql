-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.maint_tables_to_vacuum(0)
--
--      Name the tables that the ticker has to vacuum, as autovacuum does not run: those that change all the time.
--
-- Parameters:
--      none
-- Returns:
--      names of those that exist; none when autovacuum is on
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq.maint_tables_to_vacuum()
returns setof text as $$
begin
    if current_setting('autovacuum') = 'on' then
        return;
    end if;
    return query
    select t.name
      from unnest(array[
            'pgq.subscription', 'pgq.consumer', 'pgq.queue', 'pgq.tick', 'pgq.retry_queue',
            'pgq_ext.completed_tick', 'pgq_ext.completed_batch', 'pgq_ext.completed_event',
            'pgq_ext.partial_batch', 'pgq_node.local_state', 'londiste.seq_info', 'londiste.completed', 'txid.epoch'
        ]) with ordinality as t (name, nr)
     where to_regclass(t.name) is not null
     order by t.nr;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
