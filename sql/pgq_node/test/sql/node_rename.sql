-- SPDX-License-Identifier: ISC
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\i :abs_srcdir/setup.sql

call pg_temp.locations('q', 'n1', 'n2', 'n3');
select * from pgq_node.create_node('q', 'root', 'n1', 'w1', null, null, null);
select * from pgq_node.register_subscriber('q', 'n2', 'w2', null);
select * from pgq_node.register_consumer('q', 'c', 'n2', 1);
select pg_temp.tick('q'), pg_temp.tick('q');
select * from pgq_node.set_subscriber_watermark('q', 'n2', 2);

-- what cannot be done
select * from pgq_node.rename_node('nosuch', 'n2', 'x');
select * from pgq_node.rename_node('q', 'nosuch', 'x');
select * from pgq_node.rename_node('q', 'n2', 'n3');
select * from pgq_node.rename_node('q', 'n2', null);
select * from pgq_node.rename_node('q', 'n2', '');
select * from pgq_node.rename_node('q', 'n2', 'n2');

-- a subscriber, twice: its watermark stays where it is
select * from pgq_node.rename_node('q', 'n2', 'new2');
select * from pgq_node.rename_node('q', 'n2', 'new2');
select * from pgq_node.get_subscriber_info('q');
select * from pgq_node.get_queue_locations('q');
select provider_node from pgq_node.get_consumer_info('q');
select * from pg_temp.positions('q');
select co_name from pgq.consumer order by 1;
select * from pgq_node.set_subscriber_watermark('q', 'new2', 1);
select * from pgq_node.set_subscriber_watermark('q', 'new2', 3);

-- the node itself, of which the new name came by an event before
select * from pgq_node.register_location('q', 'new1', 'dbname=n1', false);
select * from pgq_node.rename_node('q', 'n1', 'new1');
select node_name, provider_node, provider_location from pgq_node.get_node_info('q');
select * from pgq_node.get_queue_locations('q');
select * from pgq_node.drop_node('q', 'new1');
