-- SPDX-License-Identifier: ISC
-- Inserting events in every way.

select pgq.create_queue('q');
select pgq.insert_event('q', 'type', 'data');
select pgq.insert_event('q', null, null);
select pgq.insert_event('q', 't', 'd', 'e1', 'e2', 'e3', 'e4');
select pgq.insert_event(queue_name := 'q', ev_type := 't', ev_data := 'd');
select pgq.insert_event(queue_name := 'q', ev_type := 't', ev_data := 'd', ev_extra1 := '1',
    ev_extra2 := null, ev_extra3 := '3', ev_extra4 := null);
-- literal: No such queue
select pgq.insert_event('none', 't', 'd');
select pgq.insert_event(null, 't', 'd');
select pgq.insert_event_raw('q', 100, '2020-02-02 02:02+00', 7, 3, 't', 'd', '1', '2', '3', '4');
select pgq.insert_event_raw('q', null, null, null, null, null, null, null, null, null, null);
-- literal: No such queue
select pgq.insert_event_raw('none', 1, now(), 1, 1, 't', 'd', null, null, null, null);
select pgq.insert_event_raw(null, 1, now(), 1, 1, 't', 'd', null, null, null, null);
select * from pgq.event_template order by ev_id;
select tableoid::regclass::text, ev_id from pgq.event_template order by ev_id;
select pgq.seq_getval('pgq.event_1_id_seq');
insert into pgq.event_1_0 (ev_time, ev_type, ev_data) values (now(), 'bulk', 'x') returning ev_id,
    ev_time, ev_txid, ev_owner, ev_retry;
insert into pgq.event_1_0 (ev_time, ev_type) select now(), 'w' returning ev_id;
update pgq.queue set queue_per_tx_limit = 2;
begin;
select pgq.insert_event('q', 'l', '1'), pgq.insert_event('q', 'l', '2');
savepoint s;
-- literal: Queue 'q' allows max 2 events from one TX
select pgq.insert_event('q', 'l', '3');
rollback;
select pgq.insert_event('q', 'l', '1');
update pgq.queue set queue_per_tx_limit = 0;
-- literal: Queue 'q' allows max 0 events from one TX
select pgq.insert_event('q', 'l', '1');
update pgq.queue set queue_per_tx_limit = null;
select pgq.insert_event('q', 'l', 'free');
update pgq.queue set queue_disable_insert = true;
-- literal: Insert into queue disallowed
select pgq.insert_event('q', 'd', '1');
select pgq.current_event_table('q');
set session_replication_role = local;
-- literal: Insert into queue disallowed
select pgq.insert_event('q', 'd', '2');
set session_replication_role = replica;
select pgq.current_event_table('q');
select pgq.insert_event('q', 'd', '3');
set session_replication_role = origin;
update pgq.queue set queue_disable_insert = false;
select pgq.insert_event('q', 'd', '4');
select pgq.insert_event('q', 'ünï', E'a\tb\nc\\d', '', ' ', repeat('x', 10000), '"');
select ev_type, ev_data, ev_extra1, ev_extra2, md5(ev_extra3), ev_extra4 from pgq.event_template
    order by ev_id desc limit 1;
begin;
select pgq.insert_event('q', 'r', 'gone');
rollback;
select pgq.insert_event('q', 'r', 'there');
select count(*), max(ev_id) from pgq.event_template;
select pgq.seq_setval('pgq.event_1_id_seq', 1);
select pgq.seq_setval('pgq.event_1_id_seq', 1000);
select pgq.seq_setval('pgq.none', 1000);
select pgq.seq_getval('pgq.none');
select pgq.seq_getval(null), pgq.seq_setval(null, 1), pgq.seq_setval('x', null);
select pgq.insert_event('q', 'a', 'after');
