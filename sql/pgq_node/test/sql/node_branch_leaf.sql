-- SPDX-License-Identifier: ISC
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\i :abs_srcdir/setup.sql

call pg_temp.locations('b', 'n1', 'n0');
call pg_temp.locations('part', 'n1', 'n0');

-- create a branch
select * from pgq_node.create_node('b', 'branch', 'n1', 'bw', null, 5, null);
select * from pgq_node.create_node('b', 'branch', 'n1', 'bw', 'n1', 5, null);
select * from pgq_node.create_node('b', 'branch', 'n1', 'bw', 'unknown', 5, null);
select * from pgq_node.create_node('b', 'branch', 'n1', 'bw', 'n0', null, null);
select * from pgq_node.create_node('b', 'branch', 'n1', 'bw', 'n0', 0, null);
select * from pgq_node.create_node('b', 'branch', 'n1', 'bw', 'n0', 5, 'x');
select * from pgq_node.create_node('b', 'branch', 'n1', 'bw', 'n0', 5, null);
select * from pgq_node.get_node_info('b');
select * from pgq_node.get_worker_state('b');
select tick_id from pgq.tick t join pgq.queue q on q.queue_id = t.tick_queue where queue_name = 'b' order by 1;
select * from pg_temp.positions('b');

-- rule: a branch takes no events of its own, its worker does with replica role; the node tells nobody anything
select pgq.insert_event('b', 'ev', 'data');
select pgq.ticker('b');
begin;
set local session_replication_role = replica;
select pgq.current_event_table('b') = 'pgq.event_' || queue_id || '_0' from pgq.queue where queue_name = 'b';
select pgq.insert_event_raw('b', 10, now(), null, null, 'ev', 'data', null, null, null, null) is not null as copied;
commit;
select pgq.ticker('b', 6, now(), 10);
select * from pgq_node.set_consumer_completed('b', 'bw', 6);
select * from pgq_node.register_location('b', 'n4', 'dbname=n4', false);
select * from pg_temp.told('b');
select local_queue_top, completed_tick, local_watermark from pgq_node.get_worker_state('b');

-- a node that starts at tick 1 needs no tick of its own
call pg_temp.locations('b1', 'n1', 'n0');
select * from pgq_node.create_node('b1', 'branch', 'n1', 'bw', 'n0', 1, null);
select global_watermark, local_watermark, worker_last_tick from pgq_node.get_node_info('b1');
select * from pgq_node.drop_node('b1', 'n1');

-- rule: a queue that is in use is not turned into a branch
select pgq.create_queue('b2');
select pg_temp.tick('b2');
call pg_temp.locations('b2', 'n1', 'n0');
select * from pgq_node.create_node('b2', 'branch', 'n1', 'bw', 'n0', 1, null);
select queue_disable_insert from pgq.queue where queue_name = 'b2';

-- watermark of a branch: given, moved where the tick is here, never back
select * from pgq_node.set_global_watermark('b', null);
select * from pgq_node.set_global_watermark('b', 6);
select * from pgq_node.set_global_watermark('b', 7);
select * from pgq_node.set_global_watermark('b', 5);
select global_watermark from pgq_node.get_node_info('b');
-- but from a tick that is gone, as after the return of a dead root
select pgq.ticker('b', 8, now(), 10);
select * from pgq_node.set_global_watermark('b', 8);
delete from pgq.tick where tick_id = 8 and tick_queue = (select queue_id from pgq.queue where queue_name = 'b');
select * from pgq_node.set_global_watermark('b', 6);
select global_watermark from pgq_node.get_node_info('b');
select pgq_node.maint_watermark('b');

-- create a leaf, which copies into a local queue
select * from pgq_node.create_node('part', 'leaf', 'n1', 'pw', 'n0', 5, 'nosuch');
select * from pgq_node.create_node('part', 'leaf', 'n1', 'pw', 'n0', null, 'b');
select * from pgq_node.create_node('part', 'leaf', 'n1', 'pw', null, 5, 'b');
select * from pgq_node.create_node('part', 'leaf', 'n1', 'pw', 'n0', 5, 'b');
select count(*) from pgq.queue where queue_name = 'part';
select pgq_node.is_root_node('part'), pgq_node.is_leaf_node('part');
select * from pgq_node.get_node_info('part');
select * from pgq_node.get_worker_state('part');
select combined_type, target_for from pgq_node.get_node_info('b');

-- what a leaf does not do
select * from pgq_node.register_subscriber('part', 'n0', 'w0', null);
select * from pgq_node.set_global_watermark('part', 7);
select * from pgq_node.set_global_watermark('part', null);
select * from pgq_node.demote_root('part', 1, 'n0');
select * from pgq_node.promote_branch('part');
select pgq_node.maint_watermark('part');

-- position of the partition, as the combined stream says; also back, if a combined root has lost events
select * from pgq_node.set_partition_watermark('b', 'part', 9);
select * from pgq_node.set_partition_watermark('b', 'part', 8);
select completed_tick from pgq_node.get_consumer_state('part', 'pw');
select * from pgq_node.set_partition_watermark('b', 'nosuch', 9);
select * from pgq_node.set_partition_watermark('part', 'b', 9);
select * from pgq_node.unregister_consumer('part', 'pw');
select * from pgq_node.set_partition_watermark('b', 'part', 9);
-- a combined root has its own workers: nothing to do
select * from pgq_node.promote_branch('b');
select * from pgq_node.set_partition_watermark('b', 'part', 9);
select target_for from pgq_node.get_node_info('b');

-- drop: a leaf has no queue; one that is not cascaded stays
select * from pgq_node.drop_node('part', 'n1');
select * from pgq_node.drop_node('b2', 'n1');
select * from pgq_node.drop_node('b', 'n1');
select queue_name from pgq.queue;
select count(*) from pgq_node.node_location;
select pgq.drop_queue('b2');
select co_name from pgq.consumer;
