-- SPDX-License-Identifier: ISC
-- A queue from first event to last: insert, tick, batch, finish.
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

-- Registering.
select pgq.register_consumer('q', 'c');
select pgq.register_consumer('q', 'c');
select pgq.register_consumer('none', 'c');
select pgq.register_consumer('q', null);

-- Rule: no batch before the next tick, and one row always.
select * from pgq.next_batch_info('q', 'c');
select pgq.next_batch('q', 'c');
select pgq.next_batch('q', 'none');
select pgq.next_batch(null, null);

-- Rule: an empty batch can be finished, once.
select pgq.ticker();
select pgq.next_batch('q', 'c');
select pgq.next_batch('q', 'c') as open_batch_again;
select * from pgq.get_batch_events(1);
select pgq.finish_batch(1);
select pgq.finish_batch(1);
select pgq.finish_batch(null);

-- Both forms of insert_event.
select pgq.insert_event('q', 'type1', 'data1');
select pgq.insert_event('q', 'type2', 'data2', 'e1', 'e2', 'e3', 'e4');
select pgq.insert_event('q', null, null);
select pgq.insert_event('q', '', '', '', null, null, '');
select pgq.ticker('q');
select batch_id, cur_tick_id, prev_tick_id, cur_tick_time > prev_tick_time as later, cur_tick_event_seq,
       prev_tick_event_seq
  from pgq.next_batch_info('q', 'c');
select ev_id, ev_time <= now() as past, ev_txid > 0 as txid, ev_retry, ev_type, ev_data, ev_extra1, ev_extra2,
       ev_extra3, ev_extra4
  from pgq.get_batch_events(2);
select queue_name, consumer_name, batch_end > batch_start as spans, prev_tick_id, tick_id, lag >= '0' as lag,
       seq_start, seq_end
  from pgq.get_batch_info(2);
select * from pgq.get_batch_info(99);

-- Rule: the text of the batch query ends in " order by 1".
select pgq.batch_event_sql(2) ~ ' order by 1$' as ordered;
select * from pgq.batch_event_tables(2);
select pgq.batch_event_sql(99);
select * from pgq.batch_event_tables(99);
select * from pgq.get_batch_events(null);

-- Rule: each consumer sees each event, from the tick at which it registers.
select pgq.register_consumer('q', 'late');
select pgq.insert_event('q', 'type5', 'data5');
select pgq.ticker('q');
select pgq.finish_batch(2);
select c.name, b.batch, (select array_agg(ev_id) from pgq.get_batch_events(b.batch)) as events
  from unnest(array['c', 'late']) as c (name), pgq.next_batch('q', c.name) as b (batch);
select pgq.finish_batch(3), pgq.finish_batch(4);

-- Rule: what is rolled back is not delivered, but has used up its number.
begin;
select pgq.insert_event('q', 'rolled back', '');
rollback;
select pgq.insert_event('q', 'type7', 'data7');
-- Rule: events of a rolled back subtransaction are not delivered; the others carry the txid of the top transaction.
begin;
select txid_current() as txid \gset
savepoint s1;
select pgq.insert_event('q', 'type8', 'released savepoint');
release s1;
savepoint s2;
select pgq.insert_event('q', 'type9', 'rolled back savepoint');
rollback to s2;
select pgq.insert_event('q', 'type10', 'after it');
commit;
select pgq.ticker('q');
select pgq.next_batch('q', 'c');
select ev_id, ev_type, ev_data, ev_txid = :txid as in_one_tx from pgq.get_batch_events(5);

-- Rule: ticks between two batches do not matter: the batch ends at the next one.
select pgq.ticker('q'), pgq.ticker('q');
select pgq.finish_batch(5);
select batch_id, prev_tick_id, cur_tick_id from pgq.next_batch_info('q', 'c');
