-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.local_set_table_state(4)
--
--      Set how far a table of this node has come. To NULL it begins from the start (resync): what a copy before had
--      dropped of it comes back first, see _restore_dropped_ddl.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_table_name    - name of the table in the queue
--      i_snapshot      - what its copy has seen, NULL: all is applied
--      i_merge_state   - see londiste.table_info
-- Returns:
--      200 - done
--      404 - no such table here
-- Tables:
--      update: londiste.table_info
-- Locks:
--      row of londiste.table_info
-- Raises:
--      check_violation - a state that does not go with dropped indexes and constraints
-- ----------------------------------------------------------------------
create or replace function londiste.local_set_table_state(
    i_queue_name text, i_table_name text, i_snapshot text, i_merge_state text,
    out ret_code integer, out ret_note text)
returns record as $$
declare
    fq constant text := londiste.make_fqname(i_table_name);
begin
    if i_merge_state is null then
        perform londiste._restore_dropped_ddl(i_queue_name, fq);
    end if;
    update londiste.table_info t set custom_snapshot = i_snapshot, merge_state = i_merge_state, copy_error = null
     where t.queue_name = i_queue_name and t.table_name = fq and t.local;
    if found then
        ret_code := 200;
        ret_note := format('Table %s state set to %L', fq, i_merge_state);
    else
        ret_code := 404;
        ret_note := 'No such table: ' || fq;
    end if;
end;
$$ language plpgsql;

-- ----------------------------------------------------------------------
-- Function: londiste.local_set_table_attrs(3)
--
--      Set the attributes of a table of this node.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_table_name    - name of the table in the queue
--      i_table_attrs   - urlencoded attributes
-- Returns:
--      200 - done
--      404 - no such table here
-- Tables:
--      update: londiste.table_info
-- Locks:
--      row of londiste.table_info
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.local_set_table_attrs(
    i_queue_name text, i_table_name text, i_table_attrs text, out ret_code integer, out ret_note text)
returns record as $$
begin
    update londiste.table_info t set table_attrs = i_table_attrs
     where t.queue_name = i_queue_name and t.table_name = londiste.make_fqname(i_table_name) and t.local;
    if found then
        ret_code := 200;
        ret_note := i_table_name || ': Table attributes stored';
    else
        ret_code := 404;
        ret_note := 'no such local table: ' || i_table_name;
    end if;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste.local_set_table_struct(3)
--
--      Keep the statements by which what a copy drops of a table is made again.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_table_name    - name of the table in the queue
--      i_dropped_ddl   - the statements, NULL: all is there
-- Returns:
--      200 - done
--      404 - no such table here
-- Tables:
--      update: londiste.table_info
-- Locks:
--      row of londiste.table_info
-- Raises:
--      check_violation - the table is not being copied
-- ----------------------------------------------------------------------
create or replace function londiste.local_set_table_struct(
    i_queue_name text, i_table_name text, i_dropped_ddl text, out ret_code integer, out ret_note text)
returns record as $$
begin
    update londiste.table_info t set dropped_ddl = i_dropped_ddl
     where t.queue_name = i_queue_name and t.table_name = londiste.make_fqname(i_table_name) and t.local;
    if found then
        ret_code := 200;
        ret_note := 'Table struct stored';
    else
        ret_code := 404;
        ret_note := 'no such local table: ' || i_table_name;
    end if;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
