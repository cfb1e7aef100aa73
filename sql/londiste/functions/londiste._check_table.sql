-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste._title(2)
--
--      Name a table in a message, with its name here if that is another.
--
-- Parameters:
--      i_table_name    - name in the queue
--      i_dest_table    - name here
-- Returns:
--      text
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._title(i_table_name text, i_dest_table text)
returns text as $$
    select i_table_name || case when i_dest_table <> i_table_name then '(' || i_dest_table || ')' else '' end
$$ language sql immutable;

-- ----------------------------------------------------------------------
-- Function: londiste._check_table(4)
--
--      Can this table be added? It has to exist, unless nothing is done with it. A table whose parent or part is in the
--      queue would send each change twice. On the root a table has one name in a queue: it has one trigger.
--      A key is not needed: without a primary key a unique index will do, see _key_arg; without that too the trigger
--      takes INSERT and TRUNCATE, and refuses UPDATE and DELETE. Then, on a node that is no root, changes that come
--      from one with a key find their rows by looking at all.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_table_name    - name of the table in the queue
--      i_dest_table    - name of the table here
--      i_trg_args      - as for local_add_table
-- Returns:
--      code and note as for local_add_table; NULL: it can
-- Tables:
--      select: londiste.table_info, pg_inherits
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._check_table(
    i_queue_name text, i_table_name text, i_dest_table text, i_trg_args text[], out code integer, out note text)
returns record as $$
declare
    opts constant record := londiste._trigger_options(i_trg_args);
    node constant record := londiste._node(i_queue_name);
    rel constant oid := londiste.find_table_oid(i_dest_table);
    other record;
begin
    if opts.virtual_table then
        return;
    elsif rel is null then
        code := 404;
        note := 'Table does not exist: ' || londiste._title(i_table_name, i_dest_table);
        return;
    end if;
    for other in
        -- Names first: not one look into the catalog for each table of the set.
        with relatives as materialized (
            select londiste._fqname(relid) as name, true as is_part from pg_partition_tree(rel) where relid <> rel
             union all
            select londiste._fqname(relid), false from pg_partition_ancestors(rel) where relid <> rel
             union all
            select londiste._fqname(rel), null
        )
        select t.table_name, r.is_part
          from relatives r
          join londiste.table_info t on coalesce(t.dest_table, t.table_name) = r.name
         where t.queue_name = i_queue_name and t.local and t.table_name <> i_table_name
           and case when r.is_part is null then node.node_type = 'root' else not opts.no_triggers end
         order by t.nr
         limit 1
    loop
        code := 405;
        note := case
            when other.is_part then
                format('Part %s of table %s is already added: remove it first', other.table_name, i_dest_table)
            when not other.is_part then
                format('Table %s is a part of %s, which is already added', i_dest_table, other.table_name)
            else format('Table %s already added under the name %s', i_dest_table, other.table_name) end;
    end loop;
end;
$$ language plpgsql stable set search_path = pg_catalog, pg_temp;
