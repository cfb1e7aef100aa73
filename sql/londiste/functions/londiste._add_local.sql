-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste._add_local(7)
--
--      Write a table into table_info as one of this node, with triggers; on the root the other nodes are told.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_table_name    - name of the table in the queue
--      i_dest_table    - name of the table here
--      i_table_attrs   - attributes
--      i_state         - state that it begins with
--      i_trg_args      - as for local_add_table
--      i_node_type     - root, branch, leaf
-- Returns:
--      code as for create_trigger, 301, 302; note that ends the one of local_add_table, or of an error
-- Tables:
--      insert, update: londiste.table_info
-- Locks:
--      row of londiste.table_info
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._add_local(
    i_queue_name text, i_table_name text, i_dest_table text, i_table_attrs text, i_state text, i_trg_args text[],
    i_node_type text, out ret_code integer, out ret_note text)
returns record as $$
declare
    trg text;
    earlier text;
begin
    select f.ret_code, f.ret_note, f.trigger_name into ret_code, ret_note, trg
      from londiste.create_trigger(i_queue_name, i_table_name, i_trg_args, i_dest_table, i_node_type) f;
    if ret_code >= 400 then
        return;
    end if;
    insert into londiste.table_info as t (queue_name, table_name, local, merge_state, table_attrs, dest_table)
    values (i_queue_name, i_table_name, true, i_state, i_table_attrs, nullif(i_dest_table, i_table_name))
    on conflict (queue_name, table_name) do update
       set local = true, merge_state = excluded.merge_state, custom_snapshot = null, dropped_ddl = null, copy_error = null,
           table_attrs = excluded.table_attrs, dest_table = excluded.dest_table;
    if i_node_type = 'root' then
        perform londiste.root_notify_change(i_queue_name, 'londiste.add-table', i_table_name);
    end if;

    ret_note := null;
    if londiste._key_arg(londiste.find_table_oid(i_dest_table)) = '' and trg is not null
        and not exists (select 1 from unnest(i_trg_args) as arg where starts_with(arg, 'pkey='))
    then
        ret_code := 302;
        ret_note := case i_node_type
            when 'leaf' then ' (no primary key: each UPDATE and DELETE has to look at the whole table)'
            else ' (no primary key, nor a unique index without NULLs: only INSERT and TRUNCATE are replicated, '
                 'UPDATE and DELETE are refused)' end;
    end if;
    earlier := londiste._earlier_triggers(londiste.find_table_oid(i_dest_table), trg);
    if earlier <> '' then
        ret_code := 301;
        ret_note := concat(ret_note, format(' (trigger %s fires before %s: what it changes comes first in the queue. '
                                            'Rename it, so that it sorts after)', earlier, trg));
    end if;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste._earlier_triggers(2)
--
--      List triggers that fire AFTER for each row, but before one of Londiste that does so too: PostgreSQL fires them
--      by name.
--
-- Parameters:
--      i_table     - the table
--      i_trigger   - name of the trigger
-- Returns:
--      names, with commas; NULL: none
-- Tables:
--      select: pg_trigger
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._earlier_triggers(i_table oid, i_trigger text)
returns text as $$
    select string_agg(e.tgname, ', ' order by e.tgname)
      from pg_trigger mine
      join pg_trigger e on e.tgrelid = mine.tgrelid and e.tgname < mine.tgname
     where mine.tgrelid = i_table and mine.tgname = i_trigger
       -- Bits of tgtype: 1 for each row, 2 before, 64 instead, 4 8 16 operations.
       and mine.tgtype & 2 = 0 and e.tgtype & 1 = 1 and e.tgtype & (2 | 64) = 0 and e.tgtype & mine.tgtype & 28 <> 0
       and not e.tgisinternal and e.tgenabled in ('O', 'A') and not londiste.is_replica_func(e.tgfoid)
$$ language sql stable set search_path = pg_catalog, pg_temp;
