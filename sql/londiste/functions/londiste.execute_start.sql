-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.execute_start(5)
--
--      Begin to execute a file of DDL here: the caller runs it, and ends with execute_finish, in the same transaction.
--      A file is executed once in a database, whatever queue it comes by; of two callers the second waits.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_file_name     - name of the file, without folder
--      i_sql           - its contents
--      i_expect_root   - it begins here, so this has to be the root
--      i_attrs         - urlencoded attributes: where it is to be executed
-- Returns:
--      200 - execute it
--      201 - it was executed already
--      401 - this is not the root
-- Tables:
--      insert: londiste.applied_execute
-- Locks:
--      row of londiste.applied_execute
-- Raises:
--      undefined_object - this database is no node of the queue
-- ----------------------------------------------------------------------
create or replace function londiste.execute_start(
    i_queue_name text, i_file_name text, i_sql text, i_expect_root boolean, i_attrs text,
    out ret_code integer, out ret_note text)
returns record as $$
begin
    if i_expect_root and not pgq_node.is_root_node(i_queue_name) then
        ret_code := 401;
        ret_note := 'Node is not root node: ' || i_queue_name;
        return;
    end if;
    -- Only a node executes what a queue brings.
    perform pgq_node.is_root_node(i_queue_name);
    insert into londiste.applied_execute (queue_name, execute_file, execute_sql, execute_attrs)
    values (i_queue_name, i_file_name, i_sql, i_attrs)
    on conflict (execute_file) do nothing;
    if found then
        ret_code := 200;
        ret_note := 'Executing: ' || i_file_name;
    else
        ret_code := 201;
        ret_note := format('EXECUTE: "%s" already applied, skipping', i_file_name);
    end if;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste.execute_start(4)
--
--      The same without attributes.
--
-- Parameters:
--      as above
-- Returns:
--      as above
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.execute_start(
    i_queue_name text, i_file_name text, i_sql text, i_expect_root boolean, out ret_code integer, out ret_note text)
returns record as $$
begin
    select f.ret_code, f.ret_note into ret_code, ret_note
      from londiste.execute_start(i_queue_name, i_file_name, i_sql, i_expect_root, null) f;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste.execute_finish(2)
--
--      End what execute_start has begun. The root hands the file on by an event.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_file_name     - name of the file
-- Returns:
--      200 - done
--      404 - without execute_start
-- Tables:
--      insert: by pgq.insert_event, event EXECUTE
-- Locks:
--      none
-- Raises:
--      undefined_object - this database is no node of the queue
-- ----------------------------------------------------------------------
create or replace function londiste.execute_finish(
    i_queue_name text, i_file_name text, out ret_code integer, out ret_note text)
returns record as $$
declare
    is_root constant boolean := pgq_node.is_root_node(i_queue_name);
    file londiste.applied_execute;
begin
    select e.* into file from londiste.applied_execute e where e.execute_file = i_file_name;
    if not found then
        ret_code := 404;
        ret_note := 'execute_file called without execute_start';
        return;
    end if;
    if is_root then
        perform pgq.insert_event(i_queue_name, 'EXECUTE', file.execute_sql, i_file_name, file.execute_attrs, null, null);
    end if;
    ret_code := 200;
    ret_note := 'Execute finished: ' || i_file_name;
end;
$$ language plpgsql strict set search_path = pg_catalog, pg_temp;
