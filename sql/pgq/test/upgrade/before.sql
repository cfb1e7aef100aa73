-- SPDX-License-Identifier: ISC
-- Queues of PgQ 3 in the middle of their life, made without its functions: stand-ins have none that work.
-- Each statement is a transaction: that is what batches are made of.
create function public.make_queue(id integer, name text) returns void as $$
declare
    pfx text := 'pgq.event_' || id;
begin
    insert into pgq.queue (queue_id, queue_name, queue_data_pfx, queue_event_seq, queue_tick_seq)
    values (id, name, pfx, pfx || '_id_seq', pfx || '_tick_seq');
    perform setval('pgq.queue_queue_id_seq', id);
    execute format('create sequence %s', pfx || '_id_seq');
    execute format('create sequence %s', pfx || '_tick_seq');
    execute format('create table %s () inherits (pgq.event_template)', pfx);
    for i in 0 .. 2 loop
        execute format('create table %s_%s () inherits (%s)', pfx, i, pfx);
        execute format('alter table %s_%s alter column ev_id set default nextval(%L)', pfx, i, pfx || '_id_seq');
        execute format('create index on %s_%s (ev_txid)', pfx, i);
    end loop;
end;
$$ language plpgsql;
create function public.tick(id integer) returns void as $$
declare
    event_seq bigint;
begin
    execute format('select last_value from pgq.event_%s_id_seq', id) into event_seq;
    insert into pgq.tick (tick_queue, tick_id, tick_event_seq)
    values (id, nextval(format('pgq.event_%s_tick_seq', id)::regclass), event_seq);
end;
$$ language plpgsql;

select make_queue(1, 'used'), make_queue(2, 'unused');
select tick(1), tick(2);
insert into pgq.consumer (co_name) values ('idle'), ('reading'), ('behind');
insert into pgq.subscription (sub_queue, sub_consumer, sub_last_tick) select 1, co_id, 1 from pgq.consumer;
insert into pgq.event_1_0 (ev_time, ev_type, ev_data) select now(), 'old', 'a' || i from generate_series(1, 3) i;
select tick(1);
insert into pgq.event_1_0 (ev_time, ev_type, ev_data) select now(), 'open', 'b' || i from generate_series(1, 3) i;
-- Rotation, between its steps an event in each table.
update pgq.queue set queue_cur_table = 1, queue_switch_step1 = txid_current(), queue_switch_step2 = null
 where queue_id = 1;
insert into pgq.event_1_1 (ev_time, ev_type, ev_data) values (now(), 'open', 'c1');
update pgq.queue set queue_switch_step2 = txid_current() where queue_id = 1;
insert into pgq.event_1_1 (ev_time, ev_type, ev_data) values (now(), 'open', 'c2');
select tick(1);
insert into pgq.event_1_1 (ev_time, ev_type, ev_data) values (now(), 'later', 'd1');
-- One consumer is in the middle of a batch, of which one event waits for retry.
update pgq.subscription
   set sub_last_tick = 2, sub_next_tick = 3, sub_batch = nextval('pgq.batch_id_seq')
 where sub_consumer = (select co_id from pgq.consumer where co_name = 'reading');
update pgq.subscription set sub_last_tick = 3
 where sub_consumer = (select co_id from pgq.consumer where co_name = 'idle');
insert into pgq.retry_queue (ev_retry_after, ev_queue, ev_id, ev_time, ev_owner, ev_retry, ev_type, ev_data)
select now(), 1, 2, now(), sub_id, 1, 'retried', 'a2'
  from pgq.subscription join pgq.consumer on co_id = sub_consumer where co_name = 'reading';
drop function public.make_queue(integer, text);
drop function public.tick(integer);
