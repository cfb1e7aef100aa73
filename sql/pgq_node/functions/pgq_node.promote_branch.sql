-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.promote_branch(1)
--
--      Make a branch the root: from now on it takes events, and its own ticker ticks; a sleeping one is told. Its
--      worker, which has to be paused, stays so.
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
--      insert: by pgq.ticker, if the worker died before it ticked
--      setval: sequences of the queue
-- Locks:
--      node_info row: FOR NO KEY UPDATE; local_state row of the worker, queue row: FOR UPDATE; the queue's ticker lock
-- Raises:
--      undefined_object - a tick is missing, and ticking is paused
-- ----------------------------------------------------------------------
create or replace function pgq_node.promote_branch(i_queue_name text, out ret_code integer, out ret_note text)
returns record as $$
declare
    node record;
    q record;
    done_tick bigint;
    top_tick bigint;
    top_event bigint;
begin
    select n.node_type, n.node_name, n.worker_name into node
      from pgq_node.node_info n where n.queue_name = i_queue_name for no key update;
    if not found then
        ret_code := 404;
        ret_note := format('Node not initialized for queue: %s', i_queue_name);
        return;
    elsif node.node_type <> 'branch' then
        ret_code := 301;
        ret_note := 'Node not branch';
        return;
    end if;

    -- A worker that is about to commit a batch ends first; one that comes later sees that the node is root.
    select l.last_tick_id into done_tick
      from pgq_node.local_state l
     where l.queue_name = i_queue_name and l.consumer_name = node.worker_name
       for no key update;
    select * into q from pgq.queue where queue_name = i_queue_name for update;
    perform pg_advisory_xact_lock('pgq.queue'::regclass::integer, q.queue_id);

    -- New ticks and events are numbered after those that were copied. A worker of Skytools 3 that was restarted
    -- may have told less of the events than there are, so these are looked at, as far back as the last two ticks.
    execute format('select max(ev_id) from %s where ev_txid >= $1', pgq.quote_fqname(q.queue_data_pfx))
       into top_event
      using (select min(t.xmin)
               from (select txid_snapshot_xmin(tick_snapshot) as xmin
                       from pgq.tick where tick_queue = q.queue_id order by tick_id desc limit 2) t);
    top_tick := pgq_node._top_tick(i_queue_name);
    -- A worker that died after it had copied a batch, before it ticked: its provider may be lost by now.
    if done_tick > top_tick then
        top_tick := pgq.ticker(i_queue_name, done_tick, now(),
                               greatest(top_event, pgq.seq_getval(q.queue_event_seq)));
    end if;
    perform pgq.seq_setval(q.queue_tick_seq, top_tick);
    perform pgq.seq_setval(q.queue_event_seq, top_event);

    update pgq.queue set queue_disable_insert = false, queue_external_ticker = false
     where queue_id = q.queue_id;
    update pgq_node.node_info n set node_type = 'root' where n.queue_name = i_queue_name;
    update pgq_node.local_state l set provider_node = node.node_name, last_tick_id = top_tick, uptodate = false
     where l.queue_name = i_queue_name and l.consumer_name = node.worker_name;
    perform pg_notify('pgq_wakeup', q.queue_id::text);
    perform pg_notify('pgq_node', i_queue_name);
    ret_code := 200;
    ret_note := 'Branch node promoted to root';
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
