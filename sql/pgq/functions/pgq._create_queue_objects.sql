-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq._create_queue_objects(2)
--
--      Create the sequences and tables of a new queue. The parent table stays empty; events go to one of the
--      tables of the ring, which alone have a default for ev_id.
--
-- Parameters:
--      i_prefix        - schema and common start of the names, as in queue_data_pfx
--      i_table_count   - tables in the ring
-- Returns:
--      nothing
-- Tables:
--      create: i_prefix and i_prefix_0 ...
-- Locks:
--      event_template: SHARE UPDATE EXCLUSIVE, as the parent of the new tables
-- Raises:
--      duplicate_table - such tables exist
-- ----------------------------------------------------------------------
create or replace function pgq._create_queue_objects(i_prefix text, i_table_count integer)
returns void as $$
declare
    parent text := pgq.quote_fqname(i_prefix);
    event_seq text := pgq.quote_fqname(i_prefix || '_id_seq');
    base_name text := substr(i_prefix, strpos(i_prefix, '.') + 1);
    leaf text;
begin
    execute format('create sequence %s', event_seq);
    execute format('create sequence %s', pgq.quote_fqname(i_prefix || '_tick_seq'));
    execute format('create sequence %s minvalue 1 maxvalue 2', pgq.quote_fqname(i_prefix || '_wake_seq'));
    execute format('create table %s () inherits (pgq.event_template)', parent);
    for i in 0 .. i_table_count - 1 loop
        leaf := pgq.quote_fqname(i_prefix || '_' || i);
        execute format('create table %s () inherits (%s)', leaf, parent);
        execute format('alter table %s alter column ev_id set default nextval(%L)', leaf, event_seq);
        execute format('create index %I on %s using btree (ev_txid)', base_name || '_' || i || '_txid_idx', leaf);
    end loop;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
