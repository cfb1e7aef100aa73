-- SPDX-License-Identifier: ISC
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\i :abs_srcdir/setup.sql
create procedure pg_temp.was_seen(sub text, ago interval) language sql as
    'update pgq.subscription set sub_active = now() - ago
      where sub_consumer = (select co_id from pgq.consumer where co_name = sub)';

select pgq.create_queue('takeover');
select pgq_coop.register_subconsumer('takeover', 'c', name) from unnest(array['dead1', 'dead2', 'idle', 'live']) name;
select pgq.insert_event('takeover', 'ev', 'one');
select pg_temp.tick('takeover');
select pgq.insert_event('takeover', 'ev', 'two');
select pg_temp.tick('takeover');
select pgq_coop.next_batch('takeover', 'c', 'dead2') as batch2 \gset
select pgq_coop.next_batch('takeover', 'c', 'dead1') as batch1 \gset
call pg_temp.was_seen('c.dead1', '2 hours');
call pg_temp.was_seen('c.dead2', '1 hour');
call pg_temp.was_seen('c.idle', '1 hour');

-- nobody is taken over without an interval, or before it has passed
select pgq_coop.next_batch('takeover', 'c', 'live');
select pgq_coop.next_batch('takeover', 'c', 'live', '3 hours');
select * from pg_temp.rows('takeover');

-- rule: the oldest batch of the dead is taken over, one at a time; the idle dead go too and leave no name behind
select pgq_coop.next_batch('takeover', 'c', 'live', '30 minutes') as taken \gset
select * from pg_temp.rows('takeover');
select co_name from pgq.consumer order by 1;
select ev_data from pgq.get_batch_events(:taken);

-- rule: who has lost his batch cannot finish it, read it, retry from it, or keep it alive
select :taken <> :batch2 as new_id;
set client_min_messages = error;
select pgq_coop.finish_batch(:batch2);
select pgq.finish_batch(:batch2);
reset client_min_messages;
select * from pgq.get_batch_events(:batch2);
select pgq.event_retry(:batch2, 1, 0);
select pgq_coop.heartbeat(:batch2);
select pgq_coop.next_batch('takeover', 'c', 'live', '30 minutes') = :taken as still_mine;
select pgq_coop.finish_batch(:taken);

-- the second dead one
select ev_data from pgq.get_batch_events(pgq_coop.next_batch('takeover', 'c', 'live', '30 minutes'));
select * from pg_temp.rows('takeover');

-- rule: a heartbeat keeps a slow worker alive
select pgq_coop.next_batch('takeover', 'c', 'live') as mine \gset
call pg_temp.was_seen('c.live', '1 hour');
select pgq_coop.heartbeat(:mine);
select pgq_coop.next_batch('takeover', 'c', 'other', '30 minutes');
call pg_temp.was_seen('c.live', '1 hour');
select pgq_coop.next_batch('takeover', 'c', 'other', '30 minutes') is not null as taken;

-- who was removed registers again by asking; a worker that comes back under its own name has its own batch
select pgq_coop.next_batch('takeover', 'c', 'live', '30 minutes');
call pg_temp.was_seen('c.other', '1 hour');
select ev_data from pgq.get_batch_events(pgq_coop.next_batch('takeover', 'c', 'other', '30 minutes'));
select * from pg_temp.rows('takeover');

-- rule: nothing is lost: the last batch is finished once, and the group has seen all
select pgq_coop.finish_batch(pgq_coop.next_batch('takeover', 'c', 'other'));
select consumer_name, last_tick, pending_events from pgq.get_consumer_info('takeover', 'c');

select pgq.drop_queue('takeover', true);
select co_name from pgq.consumer;
