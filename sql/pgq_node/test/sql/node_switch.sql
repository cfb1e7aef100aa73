-- SPDX-License-Identifier: ISC
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\i :abs_srcdir/setup.sql

call pg_temp.locations('q', 'n1', 'n2');
select * from pgq_node.create_node('q', 'root', 'n1', 'w1', null, null, null);
select * from pgq_node.register_subscriber('q', 'n2', 'w2', null);

-- rule: steps out of order are refused, and change nothing
select * from pgq_node.demote_root('nosuch', 1, 'n2');
select * from pgq_node.demote_root('q', 2, 'n2');
select * from pgq_node.demote_root('q', 3, 'n2');
select * from pgq_node.demote_root('q', 0, 'n2');
select * from pgq_node.demote_root('q', 4, 'n2');
select * from pgq_node.demote_root('q', null, 'n2');
select * from pgq_node.promote_branch('q');
select * from pgq_node.promote_branch('nosuch');
select pgq.insert_event('q', 'ev', 'still open') is not null as inserted;

-- step 1, twice: closed for events and for the ticker
select * from pgq_node.demote_root('q', 1, 'n2');
select * from pgq_node.demote_root('q', 1, 'n2');
select pgq.insert_event('q', 'ev', 'too late');
select pgq.ticker('q');
-- a watermark that moves meanwhile cannot be told, and need not be
select * from pgq_node.set_global_watermark('q', null);

-- step 2, twice: the last tick
begin transaction isolation level repeatable read;
select * from pgq_node.demote_root('q', 2, 'n2');
rollback;
select * from pgq_node.demote_root('q', 2, 'n2');
select * from pgq_node.demote_root('q', 2, 'n2');
select pgq.next_batch('q', 'w2') as batch \gset
select ev_type, ev_data from pgq.get_batch_events(:batch) where ev_type = 'ev';

-- step 3
select * from pgq_node.demote_root('q', 3, 'unknown');
select * from pgq_node.demote_root('q', 3, null);
select * from pgq_node.demote_root('q', 3, 'n1');
select node_type from pgq_node.get_node_info('q');
select * from pgq_node.demote_root('q', 3, 'n2');
select * from pgq_node.demote_root('q', 3, 'n2');
select * from pgq_node.demote_root('q', 1, 'n2');
select node_type, provider_node, worker_last_tick, worker_uptodate from pgq_node.get_node_info('q');
select queue_external_ticker, queue_disable_insert from pgq.queue where queue_name = 'q';

-- back again: ticks and events go on behind what was there
select pgq.ticker('q', 100, now(), 20000);
select * from pgq_node.set_consumer_completed('q', 'w1', 100);
select * from pgq_node.promote_branch('q');
select * from pgq_node.promote_branch('q');
unselect node_type, provider_node, worker_last_tick, worker_uptodate from pgq_node.get_node_info('q');
select queue_external_ticker, queue_disable_insert from pgq.queue where queue_name = 'q';
select pgq.insert_event('q', 'ev', 'new') > 20000 as after_all;
select pg_temp.tick('q') > 100 as after_all;
select * from pgq_node.drop_node('q', 'n1');

-- rule: promoted after its worker died between data and tick, a branch has that tick, and numbers behind its events
call pg_temp.locations('q', 'n1', 'n2');
select * from pgq_node.create_node('q', 'branch', 'n1', 'w1', 'n2', 5, null);
begin;
set local session_replication_role = replica;
select pgq.insert_event_raw('q', 5000, now(), null, null, 'ev', 'copied', null, null, null, null) is not null as copied;
select * from pgq_node.set_consumer_completed('q', 'w1', 6);
commit;
select * from pgq_node.promote_branch('q');
select tick_id, tick_event_seq >= 5000 as behind_events
  from pgq.tick t join pgq.queue q on q.queue_id = t.tick_queue where queue_name = 'q' order by 1 desc limit 1;
select worker_last_tick from pgq_node.get_node_info('q');
select pgq.insert_event('q', 'ev', 'new') > 5000 as after_all;
select pg_temp.tick('q') as next_tick;
select * from pgq_node.drop_node('q', 'n1');

-- rule: the same when a worker of Skytools 3 told no event id with its tick
call pg_temp.locations('q', 'n1', 'n2');
select * from pgq_node.create_node('q', 'branch', 'n1', 'w1', 'n2', 5, null);
begin;
set local session_replication_role = replica;
select pgq.insert_event_raw('q', 5000, now(), null, null, 'ev', 'copied', null, null, null, null) is not null as copied;
select * from pgq_node.set_consumer_completed('q', 'w1', 6);
commit;
select pgq.ticker('q', 6, now(), 0);
select * from pgq_node.promote_branch('q');
select pgq.insert_event('q', 'ev', 'new') > 5000 as after_all;
select * from pgq_node.drop_node('q', 'n1');
-- rule: a root that was closed can be opened again, and its ticks go on
call pg_temp.locations('q', 'n1', 'n2');
select * from pgq_node.reopen_root('q');
select * from pgq_node.create_node('q', 'root', 'n1', 'w1', null, null, null);
select * from pgq_node.reopen_root('q');
select ret_code from pgq_node.demote_root('q', 1, null);
select ret_code, last_tick is not null as ticked from pgq_node.demote_root('q', 2, null);
select * from pgq_node.reopen_root('q');
select queue_external_ticker, queue_disable_insert from pgq.queue where queue_name = 'q';
select pgq.insert_event('q', 'ev', 'new') is not null as open;
select ret_code, ret_note from pgq_node.demote_root('q', 3, 'n2');
select ret_code from pgq_node.demote_root('q', 1, null);
select ret_code from pgq_node.demote_root('q', 3, 'n2');
select * from pgq_node.reopen_root('q');
select * from pgq_node.drop_node('q', 'n1');
select queue_name from pgq.queue;
select co_name from pgq.consumer;
