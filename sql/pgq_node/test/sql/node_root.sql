-- SPDX-License-Identifier: ISC
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\i :abs_srcdir/setup.sql

-- what is not there yet
select * from pgq_node.get_node_info('q');
select * from pgq_node.get_worker_state('q');
select * from pgq_node.get_consumer_state('q', 'w1');
select pgq_node.is_root_node('q');
select pgq_node.is_leaf_node('q');

-- create a root; rule: wrong arguments are told by code, and nothing is made
select * from pgq_node.create_node('q', 'root', 'n1', 'w1', null, null, null);
select * from pgq_node.register_location('q', 'n1', 'dbname=n1', false);
select * from pgq_node.register_location('q', 'unknown', null, true);
select * from pgq_node.register_location('q', null, 'dbname=n1', false);
select * from pgq_node.create_node(null, 'root', 'n1', 'w1', null, null, null);
select * from pgq_node.create_node('q', 'trunk', 'n1', 'w1', null, null, null);
select * from pgq_node.create_node('q', null, 'n1', 'w1', null, null, null);
select * from pgq_node.create_node('q', 'root', null, 'w1', null, null, null);
select * from pgq_node.create_node('q', 'root', 'n1', null, null, null, null);
select * from pgq_node.create_node('q', 'root', 'n1', 'w1', 'n1', null, null);
select * from pgq_node.create_node('q', 'root', 'n1', 'w1', null, 1, null);
select * from pgq_node.create_node('q', 'root', 'n1', 'w1', null, null, 'x');
select count(*) from pgq.queue where queue_name = 'q';
select * from pgq_node.create_node('q', 'root', 'n1', 'w1', null, null, null);
select * from pgq_node.create_node('q', 'root', 'n1', 'w1', null, null, null);
select queue_external_ticker, queue_disable_insert from pgq.queue where queue_name = 'q';
select pgq_node.is_root_node('q'), pgq_node.is_leaf_node('q');
select * from pgq_node.get_node_info('q');
select * from pgq_node.get_worker_state('q');
select * from pgq_node.get_consumer_state('q', 'w1');
select * from pgq_node.get_consumer_state('q', 'w2');
select * from pg_temp.positions('q');

-- locations: the root tells of each change, also of one that is none
select * from pgq_node.register_location('q', 'n2', 'dbname=n2', false);
select * from pgq_node.register_location('q', 'n2', 'dbname=n2', false);
select * from pgq_node.register_location('q', 'n3', 'dbname=n3', null);
select * from pgq_node.register_location('q', 'n3', null, true);
select * from pgq_node.get_queue_locations('q');
select * from pg_temp.told('q');

-- subscribers
select * from pgq_node.register_subscriber('nosuch', 'n2', 'w2', null);
select * from pgq_node.register_subscriber('q', 'unknown', 'w2', null);
select * from pgq_node.register_subscriber('q', 'n1', 'w1', null);
select * from pgq_node.register_subscriber('q', 'n2', 'w2', null);
select * from pgq_node.get_subscriber_info('q');
select * from pg_temp.positions('q');
select pg_temp.tick('q'), pg_temp.tick('q'), pg_temp.tick('q');
-- a tick that is not here
select * from pgq_node.register_subscriber('q', 'n3', 'w3', 77);
select * from pgq_node.register_subscriber('q', 'n3', 'w3', 3);
select * from pg_temp.positions('q');

-- rule: register_subscriber may be repeated: without a tick nothing moves, with one the worker does
select * from pgq_node.register_subscriber('q', 'n3', 'w3', null);
select * from pgq_node.register_subscriber('q', 'n3', 'w3', 4);
select * from pgq_node.register_subscriber('q', 'n3', 'other', 2);
select * from pg_temp.positions('q');

-- rule: the watermark of a subscriber never moves backwards
select * from pgq_node.set_subscriber_watermark('q', 'n2', 1);
select * from pgq_node.set_subscriber_watermark('q', 'n2', 3);
select * from pgq_node.set_subscriber_watermark('q', 'n2', 2);
select * from pgq_node.set_subscriber_watermark('q', 'n2', null);
select * from pgq_node.set_subscriber_watermark('q', 'n2', 77);
select * from pgq_node.set_subscriber_watermark('q', 'unknown', 3);
select * from pgq_node.set_subscriber_watermark('nosuch', 'n2', 3);
select * from pgq_node.get_subscriber_info('q');

-- the local watermark is the lowest position of all, the global one follows, and is told
select local_watermark, global_watermark, worker_last_tick from pgq_node.get_node_info('q');
select * from pgq_node.set_subscriber_watermark('q', 'n3', 4);
select pgq.register_consumer_at('q', 'w2', 3);
select pgq.register_consumer_at('q', 'plain', 2);
select local_watermark, global_watermark from pgq_node.get_node_info('q');
select * from pgq_node.set_global_watermark('q', null);
select pgq.unregister_consumer('q', 'plain');
select * from pgq_node.set_global_watermark('q', null);
select local_watermark, global_watermark from pgq_node.get_node_info('q');
select completed_tick from pgq_node.get_consumer_state('q', 'w1');

-- rule: the global watermark never moves backwards, neither by what is computed nor by what is given
select pgq.register_consumer_at('q', 'plain', 1);
select * from pgq_node.set_global_watermark('q', null);
select * from pgq_node.set_global_watermark('q', 2);
select * from pgq_node.set_global_watermark('q', 77);
select * from pgq_node.set_global_watermark('nosuch', 2);
select global_watermark from pgq_node.get_node_info('q');
select * from pg_temp.told('q') where ev_type = 'pgq.global-watermark';

-- maint_watermark: only when the watermark is 5 minutes old, only on a root that takes events
select pgq.unregister_consumer('q', 'plain');
select pgq_node.maint_watermark('q'), pgq_node.maint_watermark('nosuch');
select count(*) from pg_temp.told('q') where ev_type = 'pgq.global-watermark';
update pgq.tick set tick_time = now() - interval '5 minutes' where tick_queue = (select queue_id from pgq.queue where queue_name = 'q');
update pgq.queue set queue_disable_insert = true where queue_name = 'q';
select pgq_node.maint_watermark('q');
select count(*) from pg_temp.told('q') where ev_type = 'pgq.global-watermark';
update pgq.queue set queue_disable_insert = false where queue_name = 'q';
select pgq_node.maint_watermark('q');
select * from pg_temp.told('q') where ev_type = 'pgq.global-watermark' offset 4;
select func_name, func_arg from pgq.maint_operations() where func_name ~ 'pgq_node';

-- rule: when somebody has unregistered the watermark, it comes back
select pgq.unregister_consumer('q', '.global_watermark');
select global_watermark, local_watermark from pgq_node.get_node_info('q');
select * from pgq_node.register_subscriber('q', 'n3', 'w3', null);
select * from pgq_node.set_global_watermark('q', null);
select global_watermark from pgq_node.get_node_info('q');

-- the rest of subscribers
select * from pgq_node.unregister_subscriber('q', 'n3');
select * from pgq_node.unregister_subscriber('q', 'n3');
select * from pg_temp.positions('q');
select co_name from pgq.consumer order by 1;
select * from pgq_node.set_node_attrs('q', 'a=b');
select * from pgq_node.set_node_attrs('nosuch', 'a=b');
select node_attrs from pgq_node.get_node_info('q');

-- leave: a location goes with its subscription; not that of the node itself
select * from pgq_node.unregister_location('q', 'n1');
select * from pgq_node.unregister_location('q', 'n2');
select * from pgq_node.unregister_location('q', 'n2');
select * from pgq_node.unregister_location('nosuch', 'n2');
select * from pg_temp.positions('q');
select * from pg_temp.told('q') where ev_type = 'pgq.unregister-location';
select * from pgq_node.drop_node('q', 'n1');
select count(*) from pgq.queue where queue_name = 'q';
select count(*) from pgq_node.node_location;
select co_name from pgq.consumer;
