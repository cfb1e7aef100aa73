-- SPDX-License-Identifier: ISC
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\i :abs_srcdir/setup.sql

select pgq.create_queue('batches');
select pgq_coop.version() = (select extversion from pg_extension where extname = 'pgq_coop') as version;

-- a subconsumer comes with its main consumer; all share one sub_id
select pgq_coop.register_subconsumer('batches', 'c', 'a');
select pgq_coop.register_subconsumer('batches', 'c', 'a');
select pgq_coop.register_subconsumer('batches', 'c', 'b');
select * from pg_temp.rows('batches');
select count(distinct sub_id) from pgq.subscription s join pgq.queue q on q.queue_id = s.sub_queue
 where queue_name = 'batches';

-- no batch before there is a tick
select pgq_coop.next_batch('batches', 'c', 'a');

-- each batch goes to one of them, in the order in which they ask; a worker that comes back gets its own again
select pgq.insert_event('batches', 'ev', 'one');
select pg_temp.tick('batches');
select pgq.insert_event('batches', 'ev', 'two');
select pg_temp.tick('batches');
select pgq_coop.next_batch('batches', 'c', 'a') as a_batch \gset
select pgq_coop.next_batch('batches', 'c', 'b') as b_batch \gset
select * from pg_temp.rows('batches');
select :a_batch <> :b_batch as differ, pgq_coop.next_batch('batches', 'c', 'a') = :a_batch as same_again;
select ev_data from pgq.get_batch_events(:a_batch);
select ev_data from pgq.get_batch_events(:b_batch);
select pgq_coop.next_batch('batches', 'c', 'new') is null as no_more;

-- finished in any order; a second time is told
select pgq_coop.finish_batch(:b_batch);
set client_min_messages = error;
select pgq_coop.finish_batch(:b_batch);
reset client_min_messages;
select pgq_coop.finish_batch(null);
select pgq_coop.finish_batch(:a_batch);
select * from pg_temp.rows('batches');
select pgq_coop.next_batch('batches', 'c', 'a') is null as no_more;

-- the wishes of next_batch_custom
select pgq.insert_event('batches', 'ev', 'three');
select pg_temp.tick('batches');
select pgq_coop.next_batch_custom('batches', 'c', 'a', '1 hour', null, null) as too_young;
select pgq_coop.next_batch_custom('batches', 'c', 'a', null, 100000, null) as too_few;
select pgq_coop.next_batch_custom('batches', 'c', 'a', null, null, '1 hour', null) as too_short;
select pgq_coop.next_batch_custom('batches', 'c', 'a', '0 seconds', 1, '0 seconds') is not null as got;

-- retry events belong to the group: any of them gets them
select pgq.event_retry(b.id, e.ev_id, 0) from (select pgq_coop.next_batch('batches', 'c', 'a') as id) b,
       pgq.get_batch_events(b.id) e;
select pgq_coop.finish_batch(pgq_coop.next_batch('batches', 'c', 'a'));
select pgq.maint_retry_events();
select pg_temp.tick('batches');
select ev_data, ev_retry from pgq.get_batch_events(pgq_coop.next_batch('batches', 'c', 'b'));
select pgq_coop.finish_batch(pgq_coop.next_batch('batches', 'c', 'b'));

-- the main consumer must not have a batch for itself
select pg_temp.tick('batches');
select pgq.next_batch('batches', 'c') as main_batch \gset
select pgq_coop.next_batch('batches', 'c', 'a');
select pgq.finish_batch(:main_batch);
select * from pg_temp.rows('batches');

-- wrong arguments
select pgq_coop.next_batch('nosuch', 'c', 'a');
select pgq_coop.next_batch('batches', null, 'a');
select pgq_coop.next_batch('batches', 'c', null);
select pgq_coop.next_batch('batches', 'c', '');
select pgq_coop.next_batch('batches', 'c', 'a', '-1 second');
select pgq_coop.next_batch('batches', 'c.a', 'x');
select pgq_coop.register_subconsumer('batches', 'c.a', 'x');

-- names with dots: the first to come has the name, a plain consumer too
select pgq_coop.register_subconsumer('batches', 'd', 'e.f');
select pgq_coop.register_subconsumer('batches', 'd.e', 'g');
select pgq_coop.register_subconsumer('batches', 'd.e', 'f');
select pgq.register_consumer('batches', 'plain.x');
select pgq_coop.next_batch('batches', 'plain', 'x');
select * from pg_temp.rows('batches') where name ~ '^(d|plain)';

select pgq.drop_queue('batches', true);
select co_name from pgq.consumer;
