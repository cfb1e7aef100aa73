-- SPDX-License-Identifier: ISC
-- What before.sql has made is as it was, and works. STEPS: how often during.sql was run.
select set_config('test.steps', :'STEPS', false) \g /dev/null
create function public.read(i_consumer text) returns text as $$
declare
    batch bigint;
    res text := '';
    part text;
begin
    loop
        batch := pgq.next_batch('used', i_consumer);
        exit when batch is null;
        select string_agg(ev_data, ' ' order by ev_id) into part
          from pgq.get_batch_events(batch) where ev_type <> 'step';
        res := res || coalesce(part || ' ', '');
        perform pgq.finish_batch(batch);
    end loop;
    return res;
end;
$$ language plpgsql;
update pgq.queue set queue_ticker_max_lag = '0', queue_ticker_idle_period = '0';

do $$
begin
    assert (select queue_wake_seq = 'pgq.event_1_wake_seq' from pgq.queue where queue_id = 1), 'wake sequence';
    assert (select current_batch is not null and next_tick = 3 from pgq.get_consumer_info('used', 'reading')),
        'open batch';
    assert (select string_agg(ev_data, ' ' order by ev_id) = 'b1 b2 b3 c1 c2'
              from pgq.get_batch_events((select current_batch from pgq.get_consumer_info('used', 'reading')))),
        'events of the open batch';
    -- A queue without an event: the first one counts as new.
    assert (select ev_new = 0 from pgq.get_queue_info('unused')), 'unused queue';
    perform pgq.insert_event('unused', 't', 'first');
    assert (select ev_new = 1 from pgq.get_queue_info('unused')), 'first event';
    assert pgq.maint_retry_events() = 1, 'retry';
end;
$$;
-- Ticks must see what has been committed.
select pgq.ticker('used') \g /dev/null
do $$
declare
    res text;
begin
    res := read('reading');
    assert res = 'b1 b2 b3 c1 c2 a2 d1 ', 'reading: ' || res;
    res := read('behind');
    assert res = 'a1 a2 a3 b1 b2 b3 c1 c2 d1 ', 'behind: ' || res;
    res := read('idle');
    assert res = 'd1 ', 'idle: ' || res;
    assert (select count(*) = 2 * current_setting('test.steps')::integer from pgq.event_1 where ev_type = 'step'),
        'events of the steps';
    assert (select bool_and(has_table_privilege('pgq_admin', i.inhrelid, 'insert')) from pg_inherits i
             where i.inhparent = 'pgq.event_1'::regclass), 'rights of the event tables';
end;
$$;
-- Nothing of a queue belongs to the extension.
select pgq.drop_queue('used', true), pgq.drop_queue('unused', true) \g /dev/null
drop function public.read(text);
