-- SPDX-License-Identifier: ISC
-- batch_max_events: no batch has more events, however they were committed.
set client_min_messages = warning;
drop extension if exists pgq cascade;
drop schema if exists work cascade;
create extension pgq;
create schema work;
grant usage on schema work to public;
set search_path = work;
reset client_min_messages;
\set SHOW_CONTEXT never

select pgq.create_queue('q');
update pgq.queue set queue_ticker_max_lag = '0', queue_ticker_idle_period = '0';
select pgq.register_consumer('q', 'c'), pgq.register_consumer('q', 'late'), pgq.register_consumer('q', 'wishes');
-- What a consumer gets, a line a batch.
create function read(i_consumer text, i_count integer default null)
returns table (prev bigint, cur bigint, events bigint, first text, last text) as $$
declare
    b record;
begin
    loop
        select * into b from pgq.next_batch_custom('q', i_consumer, null, i_count, null);
        exit when b.batch_id is null;
        prev := b.prev_tick_id;
        cur := b.cur_tick_id;
        select count(*), min(ev_data), max(ev_data) into events, first, last from pgq.get_batch_events(b.batch_id);
        return next;
        perform pgq.finish_batch(b.batch_id);
    end loop;
end;
$$ language plpgsql;

-- Rule: a limit is not negative; 0 is none.
select pgq.set_queue_config('q', 'batch_max_events', '-1');
select pgq.set_queue_config('q', 'batch_max_events', '0');
select count(pgq.insert_event('q', 't', 'a' || to_char(i, 'FM00'))) from generate_series(1, 25) i;
select pgq.ticker('q');
select * from read('c');

-- Rule: a transaction with more events than the limit is cut.
select pgq.set_queue_config('q', 'batch_max_events', '10');
select indexrelid::regclass from pg_index where indexrelid::regclass::text ~ '_[0-9]_id_idx' order by 1;
select count(pgq.insert_event('q', 't', 'b' || to_char(i, 'FM00'))) from generate_series(1, 25) i;
select pgq.ticker('q');
select * from read('c');
-- Rule: so are many transactions between two ticks, and there is no empty batch at the end.
do $$ begin for i in 1 .. 20 loop perform pgq.insert_event('q', 't', 'c' || to_char(i, 'FM00')); commit; end loop; end; $$;
select pgq.ticker('q');
select * from read('c');
-- Rule: no cut where there is nothing to cut.
select count(pgq.insert_event('q', 't', 'd' || i)) from generate_series(1, 9) i;
select pgq.ticker('q');
select pgq.insert_event('q', 't', 'e1');
select pgq.ticker('q');
-- Rule: a reader without wishes gets all of it, with the same ticks.
select * from read('late');
-- Rule: one that wishes for more events at once does not get more than the limit; of ticks made before, at least one.
select * from read('wishes', 7);
select pgq.insert_event('q', 't', 'f1'), pgq.insert_event('q', 't', 'f2');
select pgq.ticker('q');
select pgq.insert_event('q', 't', 'f3');
select pgq.ticker('q');
select pgq.insert_event('q', 't', 'f4');
select pgq.ticker('q');
select * from read('wishes', 4);

-- Rule: it does not wait for more than a full part.
select count(pgq.insert_event('q', 't', 'f' || to_char(i, 'FM00'))) from generate_series(5, 15) i;
select pgq.ticker('q');
select * from read('wishes', 1000);

-- Rule: tick_event_seq never goes back, the newest tick has all events.
select count(*) as ticks, bool_and(seq >= before) as grows from (
    select tick_event_seq as seq, lag(tick_event_seq, 1, 0::bigint) over (order by tick_id) as before from pgq.tick) t;
select pgq.ticker('q');
select pending_events, lag >= '0' as has_lag from pgq.get_consumer_info('q', 'wishes');
select ev_new, last_tick_id = (select max(tick_id) from pgq.tick) as newest from pgq.get_queue_info('q');

-- Rule: retried events of a part, and events of one owner, are read once, by the limit too.
select count(*) from read('c');
select count(pgq.insert_event('q', 't', 'g' || to_char(i, 'FM00'))) from generate_series(1, 25) i;
select pgq.ticker('q');
create temp table open as select * from pgq.next_batch_custom('q', 'c', null, null, null);
select pgq.finish_batch(batch_id) from open;
create temp table part as select * from pgq.next_batch_custom('q', 'c', null, null, null);
select pgq.batch_retry(batch_id, 0) from part;
select count(pgq.event_retry(batch_id, ev_id, 0)) from part, pgq.get_batch_events(batch_id);
select i.batch_end - i.batch_start >= '0' as forward, i.tick_id - i.prev_tick_id as ticks from part, pgq.get_batch_info(batch_id) i;
select pgq.event_retry(batch_id, (select max(ev_id) from pgq.event_template), 0) from part;
-- Rule: a batch that is open stays as it is.
select n.batch_id = p.batch_id as same, n.cur_tick_id = p.cur_tick_id as same_end
  from part p, pgq.next_batch_custom('q', 'c', null, null, null) n;
select ev_data from part, pgq.get_batch_cursor(batch_id, 'cur', 2, $$ev_data > 'g11'$$);
select pgq.finish_batch(batch_id) from part;
select pgq.maint_retry_events();
select pgq.ticker('q');
select * from read('c');
select events from read('late');

-- Rule: a consumer that stands within a cut transaction keeps its place through a rotation, and holds it up.
select count(pgq.insert_event('q', 't', 'h' || to_char(i, 'FM00'))) from generate_series(1, 25) i;
select pgq.ticker('q');
select pgq.finish_batch(pgq.next_batch('q', 'c'));
select count(*) >= 0 as others_have_read from read('late') a, read('wishes') b;
select pgq.maint_rotate_tables_step2();
update pgq.queue set queue_rotation_period = '0';
select pgq.maint_rotate_tables_step1('q');
select pgq.maint_rotate_tables_step2();
select pgq.insert_event('q', 't', 'i1');
select pgq.ticker('q');
select pgq.maint_rotate_tables_step1('q');
select queue_cur_table from pgq.queue;
select * from read('c');
select count(*) >= 0 as others_have_read from read('late') a, read('wishes') b;
select pgq.ticker('q');
select count(*) >= 0 as all_have_read from read('c') a, read('late') b, read('wishes') c;
select pgq.maint_rotate_tables_step1('q');
select queue_cur_table from pgq.queue;

-- Rule: without the index it is the same, only slower; without a limit the index goes.
select pgq.maint_rotate_tables_step2();
select count(pgq.insert_event('q', 't', 'j' || to_char(i, 'FM00'))) from generate_series(1, 25) i;
select pgq.ticker('q');
select pgq.set_queue_config('q', 'batch_max_events', '0');
select count(*) from pg_index where indexrelid::regclass::text ~ '_[0-9]_id_idx';
select events, first, last from read('c');
drop extension pgq cascade;
