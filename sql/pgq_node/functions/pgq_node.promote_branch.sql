-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.promote_branch(1)
--
--      Make a branch the root: from now on it takes events, and its own ticker ticks. Its worker stays paused if it is.
--
-- Parameters:
--      i_queue_name        - name of the queue
-- Returns:
--      200 - done
--      301 - this node is not a branch
--      404 - this database is no node of such a queue
-- Tables:
--      update: pgq.queue, pgq_node.node_info, pgq_node.local_state
--      select: pgq.tick, event tables
--      setval: sequences of the queue
-- Locks:
--      node_info and queue row: FOR UPDATE; the queue's ticker lock
-- Raises:
--      nothing of its own
-- ----------------------------------------------------------------------
create or replace function pgq_node.promote_branch(i_queue_name text, out ret_code integer, out ret_note text)
returns record as $$
declare
    node record;
    q record;
    top_tick bigint := 0;
    top_event bigint;
begin
    select n.node_type, n.node_name, n.worker_name into node
      from pgq_node.node_info n where n.queue_name = i_queue_name for update;
    if not found then
        ret_code := 404;
        ret_note := format('Node not initialized for queue: %s', i_queue_name);
        return;
    elsif node.node_type <> 'branch' then
        ret_code := 301;
        ret_note := 'Node not branch';
        return;
    end if;

    update pgq.queue set queue_disable_insert = false, queue_external_ticker = false
     where queue_name = i_queue_name
    returning * into q;
    perform pg_advisory_xact_lock('pgq.queue'::regclass::integer, q.queue_id);

    -- New ticks and events are numbered after those that were copied. A worker of Skytools 3 that was restarted
    -- may have told less of the events than there are, so these are looked at, as far back as the last two ticks.
    top_tick := pgq_node._top_tick(i_queue_name);
    execute format('select max(ev_id) from %s where ev_txid >= $1', pgq.quote_fqname(q.queue_data_pfx))
       into top_event
      using (select min(t.xmin)
               from (select txid_snapshot_xmin(tick_snapshot) as xmin
                       from pgq.tick where tick_queue = q.queue_id order by tick_id desc limit 2) t);
    perform pgq.seq_setval(q.queue_tick_seq, top_tick);
    perform pgq.seq_setval(q.queue_event_seq, top_event);

    update pgq_node.node_info n set node_type = 'root' where n.queue_name = i_queue_name;
    update pgq_node.local_state l set provider_node = node.node_name, last_tick_id = top_tick, uptodate = false
     where l.queue_name = i_queue_name and l.consumer_name = node.worker_name;
    ret_code := 200;
    ret_note := 'Branch node promoted to root';
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
