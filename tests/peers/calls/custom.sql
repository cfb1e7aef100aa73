-- SPDX-License-Identifier: ISC
-- Ticks at known times and sequence values, so that each filter has something to refuse.

select pgq.create_queue('q');
select pgq.set_queue_config('q', 'external_ticker', 'true');
select pgq.register_consumer('q', 'c');
update pgq.tick set tick_time = now() - interval '100 hours';
select pgq.ticker('q', 2, now() - interval '90 hours', 101);
select pgq.ticker('q', 3, now() - interval '80 hours', 201);
select pgq.ticker('q', 4, now() - interval '70 hours', 301);
select pgq.ticker('q', 5, now() - interval '60 hours', 401);
select pgq.ticker('q', 6, now() - interval '50 hours', 501);
select pgq.ticker('q', 7, now() - interval '40 hours', 601);
select pgq.ticker('q', 8, now() - interval '30 hours', 701);
select pgq.ticker('q', 9, now() - interval '20 hours', 801);
select pgq.ticker('q', 10, now() - interval '10 hours', 901);
select cur_tick_id, prev_tick_id, cur_tick_event_seq, prev_tick_event_seq from
    pgq.next_batch_custom('q', 'c', null, 1000, null);
select cur_tick_id, prev_tick_id, cur_tick_event_seq, prev_tick_event_seq from
    pgq.next_batch_custom('q', 'c', null, null, '200 hours');
select cur_tick_id, prev_tick_id, cur_tick_event_seq, prev_tick_event_seq from
    pgq.next_batch_custom('q', 'c', '50 hours', 1000, '200 hours');
select * from pgq.find_tick_helper(1, 1, now() - interval '100 hours', 1, null, null);
select * from pgq.find_tick_helper(1, 1, now() - interval '100 hours', 1, 1000, null);
select * from pgq.find_tick_helper(1, 1, now() - interval '100 hours', 1, null, '200 hours');
select * from pgq.find_tick_helper(1, 1, now() - interval '100 hours', 1, 900, null);
select * from pgq.find_tick_helper(1, 1, now() - interval '100 hours', 1, 600, null);
select * from pgq.find_tick_helper(1, 1, now() - interval '100 hours', 1, 300, null);
select * from pgq.find_tick_helper(1, 1, now() - interval '100 hours', 1, 100, null);
select * from pgq.find_tick_helper(1, 1, now() - interval '100 hours', 1, 10, null);
select * from pgq.find_tick_helper(1, 1, now() - interval '100 hours', 1, null, '90 hours');
select * from pgq.find_tick_helper(1, 1, now() - interval '100 hours', 1, null, '60 hours');
select * from pgq.find_tick_helper(1, 1, now() - interval '100 hours', 1, null, '15 hours');
select * from pgq.find_tick_helper(1, 1, now() - interval '100 hours', 1, 300, '15 hours');
select * from pgq.find_tick_helper(1, 1, now() - interval '100 hours', 1, 700, '15 hours');
select * from pgq.find_tick_helper(1, 1, now() - interval '100 hours', 1, 1000, '15 hours');
select * from pgq.find_tick_helper(1, 1, now() - interval '100 hours', 1, 100, '200 hours');
select * from pgq.find_tick_helper(1, 1, now() - interval '100 hours', 1, 0, null);
select * from pgq.find_tick_helper(1, 1, now() - interval '100 hours', 1, null, '0');
select * from pgq.find_tick_helper(99, 1, now(), 1, null, null);
begin;
select batch_id, cur_tick_id, prev_tick_id from pgq.next_batch_custom('q', 'c', '200 hours', null,
    null);
select batch_id, cur_tick_id, prev_tick_id from pgq.next_batch_custom('q', 'c', '80 hours', 300,
    null);
select batch_id, cur_tick_id, prev_tick_id from pgq.next_batch_custom('q', 'c', '40 hours', 300,
    null);
rollback;
select batch_id, cur_tick_id, prev_tick_id from pgq.next_batch_custom(i_queue_name := 'q',
    i_consumer_name := 'c', i_min_lag := null, i_min_count := 500, i_min_interval := null);
delete from pgq.tick where tick_id < 5;
select pgq.register_consumer_at('q', 'late', 5);
update pgq.subscription set sub_last_tick = 2 where sub_batch is null;
select * from pgq.next_batch_info('q', 'late');
