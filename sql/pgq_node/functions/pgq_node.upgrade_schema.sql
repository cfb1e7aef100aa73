-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.upgrade_schema(0)
--
--      Bring tables of older versions up to date, as often as it is called: column node_attrs.
--
-- Parameters:
--      none
-- Returns:
--      number of changes made
-- Tables:
--      alter: pgq_node.node_info
-- Locks:
--      ACCESS EXCLUSIVE on the table that it changes
-- Raises:
--      nothing of its own
-- ----------------------------------------------------------------------
create or replace function pgq_node.upgrade_schema()
returns integer as $$
declare
    changes integer := 0;
begin
    if not exists (select 1 from pg_attribute
                    where attrelid = 'pgq_node.node_info'::regclass and attname = 'node_attrs')
    then
        alter table pgq_node.node_info add column node_attrs text;
        changes := changes + 1;
    end if;
    return changes;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
