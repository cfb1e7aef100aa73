-- SPDX-License-Identifier: ISC
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\i :abs_srcdir/setup.sql

call pg_temp.locations('q', 'n1', 'n2', 'n3');
select * from pgq_node.create_node('q', 'leaf', 'n1', 'w1', 'n2', 5, null);

-- register
select * from pgq_node.register_consumer('nosuch', 'c', 'n2', 5);
select * from pgq_node.register_consumer('q', 'c', 'unknown', 5);
select * from pgq_node.register_consumer('q', 'c', 'n2', 5);
select * from pgq_node.register_consumer('q', 'c', 'n3', 6);
select * from pgq_node.get_consumer_info('q');

-- handshake: a change of settings makes the consumer look again
select * from pgq_node.set_consumer_uptodate('q', 'c', true);
select * from pgq_node.set_consumer_uptodate('q', 'unknown', true);
select * from pgq_node.set_consumer_uptodate('nosuch', 'c', true);
select * from pgq_node.set_consumer_paused('q', 'c', true);
select * from pgq_node.get_consumer_state('q', 'c');
select * from pgq_node.set_consumer_uptodate('q', 'c', true);
select * from pgq_node.set_consumer_paused('q', 'c', true);
select paused, uptodate from pgq_node.get_consumer_state('q', 'c');
select * from pgq_node.set_consumer_paused('q', 'c', false);
select * from pgq_node.set_consumer_paused('q', 'c', false);
select * from pgq_node.set_consumer_paused('q', 'unknown', true);
select paused, uptodate from pgq_node.get_consumer_state('q', 'c');
select * from pgq_node.set_consumer_uptodate('q', 'c', true);
select * from pgq_node.change_consumer_provider('q', 'c', 'n2');
select * from pgq_node.change_consumer_provider('q', 'c', 'unknown');
select * from pgq_node.change_consumer_provider('q', 'unknown', 'n2');
select * from pgq_node.change_consumer_provider('q', 'c', 'n1');
select * from pgq_node.change_consumer_provider('q', 'w1', 'n1');
select * from pgq_node.change_consumer_provider('q', 'c', 'n2');
select provider_node, provider_location, uptodate from pgq_node.get_consumer_state('q', 'c');

-- work
select * from pgq_node.set_consumer_error('q', 'c', 'table is gone');
select * from pgq_node.set_consumer_error('q', 'unknown', 'table is gone');
select cur_error from pgq_node.get_consumer_state('q', 'c');
select * from pgq_node.set_consumer_completed('q', 'c', 7);
select * from pgq_node.set_consumer_completed('q', 'unknown', 7);
select completed_tick, cur_error from pgq_node.get_consumer_state('q', 'c');
select * from pgq_node.get_consumer_info('q');

-- rule: the location of a node that a consumer reads cannot go, that of the provider least of all
select * from pgq_node.change_consumer_provider('q', 'c', 'n3');
select * from pgq_node.unregister_location('q', 'n3');
select * from pgq_node.unregister_location('q', 'n2');
select * from pgq_node.drop_node('q', 'n3');
select * from pgq_node.drop_node('q', 'n2');
select * from pgq_node.drop_node('q', 'unknown');
select * from pgq_node.unregister_consumer('q', 'c');
select * from pgq_node.unregister_consumer('q', 'c');
select * from pgq_node.unregister_consumer('nosuch', 'c');
select * from pgq_node.drop_node('q', 'n3');
select * from pgq_node.get_queue_locations('q');
select * from pgq_node.drop_node('q', 'n1');
select * from pgq_node.drop_node('q', 'n1');
