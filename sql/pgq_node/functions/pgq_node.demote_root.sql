-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.demote_root(3)
--
--      Make the root a branch of its successor, in three steps, each in a transaction of its own. Steps 1 and 2 may
--      be repeated.
--          1 - close the queue for events and for the ticker
--          2 - wait for those who are still writing, then insert the last tick
--          3 - when the successor has that tick and is root: become its branch
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_step              - 1, 2 or 3
--      i_new_provider      - the successor, for step 3
-- Returns:
--      200 - done; last_tick: the last tick, of step 2 and 3
--      301 - this node is not root
--      404 - this database is no node of such a queue, or the successor is not registered, or is this node itself
-- Tables:
--      update: pgq.queue, pgq_node.node_info, pgq_node.local_state
--      insert: pgq.tick
-- Locks:
--      node_info row: FOR NO KEY UPDATE, which foreign keys to it do not wait for; queue row
--      step 2: the queue's ticker lock; parent of the event tables: EXCLUSIVE
-- Raises:
--      object_not_in_prerequisite_state - step 2 or 3 before step 1
--      invalid_parameter_value - no such step
--      invalid_transaction_state - step 2 not in READ COMMITTED: the tick would miss events
-- ----------------------------------------------------------------------
create or replace function pgq_node.demote_root(
    i_queue_name text, i_step integer, i_new_provider text,
    out ret_code integer, out ret_note text, out last_tick bigint)
returns record as $$
declare
    node record;
    q record;
begin
    select n.node_type, n.node_name, n.worker_name into node
      from pgq_node.node_info n where n.queue_name = i_queue_name for no key update;
    if not found then
        ret_code := 404;
        ret_note := format('Node not initialized for queue: %s', i_queue_name);
        return;
    elsif node.node_type <> 'root' then
        ret_code := 301;
        ret_note := 'Node not root';
        return;
    end if;
    select * into q from pgq.queue where queue_name = i_queue_name;
    perform pgq_node._check_demote_step(i_step, q.queue_disable_insert and q.queue_external_ticker);

    ret_code := 200;
    if i_step = 1 then
        update pgq.queue set queue_disable_insert = true, queue_external_ticker = true
         where queue_name = i_queue_name;
        ret_note := format('Step 1: Writing disabled for: %s', i_queue_name);
    elsif i_step = 2 then
        last_tick := pgq_node._insert_last_tick(i_queue_name);
        ret_note := format('Step 2: Inserted last tick: %s', i_queue_name);
    else
        perform 1 from pgq_node.node_location l
          where l.queue_name = i_queue_name and l.node_name = i_new_provider and l.node_name <> node.node_name;
        if not found then
            ret_code := 404;
            ret_note := format('New node not found: %s', i_new_provider);
            return;
        end if;
        last_tick := pgq_node._top_tick(i_queue_name);
        update pgq_node.node_info n set node_type = 'branch' where n.queue_name = i_queue_name;
        update pgq_node.local_state l set provider_node = i_new_provider, last_tick_id = last_tick, uptodate = false
         where l.queue_name = i_queue_name and l.consumer_name = node.worker_name;
        perform pg_notify('pgq_node', i_queue_name);
        ret_note := format('Step 3: Demoted root to branch: %s', i_queue_name);
    end if;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
