-- SPDX-License-Identifier: ISC
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\i :abs_srcdir/setup.sql

select pgq.create_queue('leave');
select pgq.create_queue('leave2');
select pgq_coop.register_subconsumer('leave', 'c', name) from unnest(array['a', 'b', 'd', 'e']) name;
select pgq_coop.register_subconsumer('leave2', 'c', 'a');
select pgq.insert_event('leave', 'ev', 'one');
select pgq.insert_event('leave', 'ev', 'two');
select pg_temp.tick('leave');

-- unknown
select pgq_coop.unregister_subconsumer('leave', 'c', 'x', 0);
select pgq_coop.unregister_subconsumer('leave', 'x', 'a', 0);
select pgq_coop.unregister_subconsumer('nosuch', 'c', 'a', 0);
select pgq_coop.unregister_subconsumer('leave', 'c', 'a', 2);
select pgq_coop.unregister_subconsumer('leave', 'c', 'a', null);
select * from pg_temp.rows('leave');

-- an open batch
select pgq_coop.next_batch('leave', 'c', 'a') is not null as got;
select pgq_coop.unregister_subconsumer('leave', 'c', 'a', 0);

-- rule: with batch handling 1 nothing is lost, the others get the events from the retry queue
select pgq_coop.unregister_subconsumer('leave', 'c', 'a', 1);
select * from pg_temp.rows('leave');
select pgq.maint_retry_events();
select pg_temp.tick('leave');
select ev_data, ev_retry from pgq.get_batch_events(pgq_coop.next_batch('leave', 'c', 'b'));

-- the name stays while another queue knows it, and no longer
select co_name from pgq.consumer where co_name like 'c.a';
select pgq_coop.unregister_subconsumer('leave2', 'c', 'a', 0);
select co_name from pgq.consumer where co_name like 'c.a';

-- rule: pgq.finish_batch on the batch of a subconsumer is safe: it is still a subconsumer after that
select pgq.finish_batch(pgq_coop.next_batch('leave', 'c', 'b'));
select * from pg_temp.rows('leave');
select pgq.unregister_consumer('leave', 'c.b');
select * from pg_temp.rows('leave');

-- rule: a batch closed by pgq.finish_batch of PgQ 3 leaves a position in the row, which does no harm
select pgq_coop.register_subconsumer('leave', 'c', 'b');
update pgq.subscription set sub_last_tick = 2 where sub_consumer = (select co_id from pgq.consumer where co_name = 'c.b');
select pgq.unregister_consumer('leave', 'c.b');
select pgq_coop.register_subconsumer('leave', 'c', 'b');
update pgq.subscription set sub_last_tick = 2 where sub_consumer = (select co_id from pgq.consumer where co_name = 'c.b');
select pgq_coop.next_batch('leave', 'c', 'b') is null as none;
select * from pg_temp.rows('leave');

-- rule: pgq.unregister_consumer of a subconsumer drops one, and loses nothing
select pgq.insert_event('leave', 'ev', 'three');
select pg_temp.tick('leave');
select pgq_coop.next_batch('leave', 'c', 'd') is not null as got;
select pgq.unregister_consumer('leave', 'c.d');
select * from pg_temp.rows('leave');
select pgq.maint_retry_events();
select pg_temp.tick('leave');
select ev_data, ev_retry from pgq.get_batch_events(pgq_coop.next_batch('leave', 'c', 'e'));

-- rule: pgq_coop.finish_batch on the batch of an ordinary consumer keeps its position
select pgq.register_consumer_at('leave', 'plain', 1);
select pgq_coop.finish_batch(pgq.next_batch('leave', 'plain'));
select * from pg_temp.rows('leave');

-- the main consumer takes the group with it, names and all
select pgq.unregister_consumer('leave', 'c');
select * from pg_temp.rows('leave');
select co_name from pgq.consumer order by 1;

-- readers may do all this, others nothing
create role coop_reader in role pgq_reader;
create role coop_nobody;
set role coop_reader;
select pgq_coop.register_subconsumer('leave', 'r', 'a');
select pgq_coop.next_batch('leave', 'r', 'a', '1 hour');
select pgq_coop.heartbeat(0);
select pgq_coop.unregister_subconsumer('leave', 'r', 'a', 0);
select pgq_coop._drop_sub(1, 1);
set role coop_nobody;
select pgq_coop.version() is not null as version;
select pgq_coop.next_batch('leave', 'r', 'a');
select pgq_coop.finish_batch(1);
reset role;
drop role coop_reader, coop_nobody;

-- functions that run as their owner do not look up names where a user can put his own
select proname from pg_proc
 where pronamespace = 'pgq_coop'::regnamespace and prosecdef
   and not coalesce(proconfig @> array['search_path=pg_catalog, pg_temp'], false);

select pgq.drop_queue('leave', true);
select pgq.drop_queue('leave2', true);
select co_name from pgq.consumer;
