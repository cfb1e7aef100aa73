-- SPDX-License-Identifier: ISC
-- Batches, cursors, retries.

select pgq.create_queue('q');
select pgq.insert_event('q', 't', 'first');
select pgq.force_tick('q');
select pgq.ticker('q');
-- literal: Not subscriber to queue: q/c
select * from pgq.next_batch_info('q', 'c');
-- literal: Not subscriber to queue: none/c
select pgq.next_batch('none', 'c');
-- literal: Not subscriber to queue: NULL/NULL
select pgq.next_batch(null, null);
select pgq.register_consumer('q', 'c'), pgq.register_consumer('q', 'other');
select * from pgq.next_batch_info('q', 'c');
select pgq.next_batch('q', 'c');
select pgq.insert_event_raw('q', n, now(), null, null, 't', n::text, null, null, null, null) from
    generate_series(1, 3) n;
select pgq.force_tick('q');
select pgq.ticker('q');
select pgq.next_batch('q', 'c');
select * from pgq.next_batch_info('q', 'c');
select * from pgq.next_batch_custom('q', 'c', '1 hour', 1000, '1 day');
select * from pgq.get_consumer_info();
select * from pgq.get_batch_info(1);
select * from pgq.get_batch_info(99);
select * from pgq.get_batch_info(null);
select * from pgq.get_batch_events(1);
select * from pgq.get_batch_events(x_batch_id := 1);
-- literal: batch not found
select * from pgq.get_batch_events(99);
select * from pgq.get_batch_events(null);
select * from pgq.batch_event_tables(1);
select * from pgq.batch_event_tables(99);
select right(pgq.batch_event_sql(1), 11), position('pgq.event_1_0' in pgq.batch_event_sql(1)) > 0;
-- literal: batch not found
select pgq.batch_event_sql(99);
select * from pgq.get_batch_cursor(1, 'cur', 2);
begin;
select * from pgq.get_batch_cursor(1, 'cur', 2);
fetch 1 from cur;
fetch 10 from cur;
fetch 10 from cur;
close cur;
select * from pgq.get_batch_cursor(1, 'Odd "name', 0);
fetch all from "Odd ""name";
select * from pgq.get_batch_cursor(1, 'w', 10, $$ev_data = '2' or ev_extra1 = 'x'$$);
select * from pgq.get_batch_cursor(i_batch_id := 1, i_cursor_name := 'n', i_quick_limit := -1,
    i_extra_where := $$ev_id > 1$$);
fetch all from n;
select * from pgq.get_batch_cursor(1, 'every', 100, null);
fetch 1 from every;
rollback;
select * from pgq.get_batch_cursor(1, null, 10, null);
select * from pgq.get_batch_cursor(null, 'x', 10);
select * from pgq.get_batch_cursor(null, 'x', 10, null);
select * from pgq.get_batch_cursor(1, 'x', null);
select * from pgq.get_batch_cursor(1, 'x', null, null);
-- literal: batch not found
select * from pgq.get_batch_cursor(99, 'none', 100, null);
select * from pgq.get_batch_cursor(1, 'x', 10, 'no such column');
select pgq.event_retry(1, 1, 0);
select pgq.event_retry(1, 1, 0);
select pgq.event_retry(1, 2, now() + interval '1 hour');
-- literal: event not found
select pgq.event_retry(1, 99, 0);
-- literal: event not found
select pgq.event_retry(99, 1, 0);
select pgq.event_retry(x_batch_id := 1, x_event_id := 2, x_retry_seconds := 1);
select pgq.batch_retry(1, 3600);
select pgq.batch_retry(1, 3600);
select pgq.batch_retry(99, 3600);
select ev_queue, ev_id, ev_time, ev_txid, ev_owner, ev_retry, ev_type, ev_data, ev_retry_after >
    now() from pgq.retry_queue order by ev_id;
select pgq.maint_retry_events();
select pgq.maint_retry_events();
select pgq.finish_batch(1);
select pgq.finish_batch(1);
select pgq.finish_batch(null);
select * from pgq.get_consumer_info();
select pgq.force_tick('q');
select pgq.ticker('q');
select pgq.next_batch('q', 'c'), pgq.next_batch('q', 'other');
select * from pgq.get_batch_events(2);
select * from pgq.get_batch_events(3);
select pgq.event_retry(2, 1, 0);
select ev_id, ev_retry from pgq.retry_queue order by 1;
select pgq.event_retry_raw('q', 'c', now(), 666, '2020-01-01 00:00+00', 5, 't', 'd', '1', '2',
    '3', '4');
select pgq.event_retry_raw('q', 'c', now(), null, now(), null, 't', 'd', null, null, null, null);
select pgq.event_retry_raw('q', 'c', now(), 666, now(), 5, 't', 'd', '1', '2', '3', '4');
select pgq.event_retry_raw('q', 'none', now(), 1, now(), 0, 't', 'd', null, null, null, null);
select pgq.finish_batch(2), pgq.finish_batch(3);
select pgq.maint_retry_events();
select pgq.force_tick('q');
select pgq.ticker('q');
select pgq.next_batch('q', 'c');
select * from pgq.get_batch_events(4);
select pgq.register_consumer_at('q', 'c', 2);
select pgq.finish_batch(4);
select * from pgq.get_consumer_info();
select pgq.next_batch('q', 'c');
select pgq.unregister_consumer('q', 'c');
select count(*) from pgq.retry_queue;
-- literal: batch not found
select * from pgq.get_batch_events(5);
select pgq.next_batch('q', 'other');
select ev_id, ev_type, ev_data from pgq.get_batch_events(6);
