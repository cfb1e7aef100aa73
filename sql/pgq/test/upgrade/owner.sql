-- SPDX-License-Identifier: ISC
-- A queue from first event to last, and a trigger, by the owner of the database.
select pgq.create_queue('q'), pgq.register_consumer('q', 'c');
update pgq.queue set queue_ticker_max_lag = '0', queue_rotation_period = '0';
create table t (id int primary key, v text);
create trigger log after insert on t for each row execute function pgq.logutriga('q');
insert into t values (1, 'a b');
select pgq.insert_event('q', 't', 'd');
select pgq.ticker('q');
select * from pgq.ticker_round(null);
do $$
declare
    batch bigint := pgq.next_batch('q', 'c');
    res text;
begin
    select string_agg(ev_type || '/' || ev_data, ' ' order by ev_id) into res from pgq.get_batch_events(batch);
    assert res = 'I:id/id=1&v=a+b t/d', res;
    assert pgq.event_retry(batch, 1, 0) = 1;
    perform pgq.finish_batch(batch);
end;
$$;
select pgq.maint_retry_events();
select pgq.maint_rotate_tables_step1('q');
select pgq.maint_rotate_tables_step2();
select func_name, func_arg from pgq.maint_operations();
select pgq.drop_queue('q', true);
