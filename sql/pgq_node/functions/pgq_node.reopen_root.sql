-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.reopen_root(1)
--
--      Take back steps 1 and 2 of pgq_node.demote_root: the root is open for events and for the ticker again. Only
--      while no successor has been promoted, which this database cannot know.
--
-- Parameters:
--      i_queue_name        - name of the queue
-- Returns:
--      200 - done
--      201 - it was open
--      301 - this node is not root
--      404 - this database is no node of such a queue
-- Tables:
--      update: pgq.queue
-- Locks:
--      node_info row: FOR NO KEY UPDATE, which foreign keys to it do not wait for; queue row
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq_node.reopen_root(i_queue_name text, out ret_code integer, out ret_note text)
returns record as $$
declare
    the_type text;
    the_queue_id integer;
begin
    select n.node_type into the_type from pgq_node.node_info n where n.queue_name = i_queue_name for no key update;
    if not found then
        ret_code := 404;
        ret_note := format('Node not initialized for queue: %s', i_queue_name);
        return;
    elsif the_type <> 'root' then
        ret_code := 301;
        ret_note := 'Node not root';
        return;
    end if;
    update pgq.queue set queue_disable_insert = false, queue_external_ticker = false
     where queue_name = i_queue_name and (queue_disable_insert or queue_external_ticker)
    returning queue_id into the_queue_id;
    if not found then
        ret_code := 201;
        ret_note := format('Writing was not disabled for: %s', i_queue_name);
        return;
    end if;
    perform pg_notify('pgq_wakeup', the_queue_id::text);
    perform pg_notify('pgq_node', i_queue_name);
    ret_code := 200;
    ret_note := format('Writing enabled for: %s', i_queue_name);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
