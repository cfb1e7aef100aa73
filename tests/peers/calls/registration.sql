-- SPDX-License-Identifier: ISC
-- Consumers come, move and go.

select pgq.register_consumer('q', 'c');
select pgq.create_queue('q');
select pgq.create_queue('r');
select pgq.register_consumer('q', 'c');
select pgq.register_consumer('q', 'c');
select pgq.register_consumer('r', 'c');
select pgq.register_consumer('q', 'd');
select pgq.register_consumer(x_queue_name := 'q', x_consumer_id := 'named');
select * from pgq.get_consumer_info();
select * from pgq.get_consumer_info('q');
select * from pgq.get_consumer_info('q', 'c');
select * from pgq.get_consumer_info(null, 'c');
select * from pgq.get_consumer_info('none');
select sub_id, sub_queue, sub_consumer, sub_last_tick, sub_active, sub_batch, sub_next_tick from
    pgq.subscription order by 1;
select * from pgq.consumer order by 1;
select pgq.force_tick('q');
select pgq.ticker('q');
select pgq.force_tick('q');
select pgq.ticker('q');
select pgq.register_consumer_at('q', 'c', 2);
select pgq.register_consumer_at('q', 'new', 2);
select pgq.register_consumer_at('q', 'newer', null);
select pgq.register_consumer_at('q', 'c', 99);
select pgq.register_consumer_at('q', 'bad', 99);
select pgq.register_consumer_at('none', 'c', 1);
select pgq.register_consumer_at(x_queue_name := 'q', x_consumer_name := 'd', x_tick_pos := null);
select queue_name, consumer_name, last_tick, current_batch, next_tick from pgq.get_consumer_info();
select pgq.unregister_consumer('q', 'none');
select pgq.unregister_consumer('none', 'c');
select pgq.unregister_consumer('q', 'c');
select pgq.unregister_consumer('q', 'c');
select pgq.unregister_consumer('r', 'c');
select pgq.unregister_consumer(x_queue_name := 'q', x_consumer_name := 'd');
select co_name from pgq.consumer order by 1;
select pgq.register_consumer('r', 'main');
insert into pgq.consumer (co_name) values ('main.1'), ('main.2');
insert into pgq.subscription (sub_id, sub_queue, sub_consumer) select sub_id, sub_queue, c.co_id
    from pgq.subscription s, pgq.consumer c where sub_consumer = (select co_id from pgq.consumer where
    co_name = 'main') and c.co_name like 'main.%';
select pgq.unregister_consumer('r', 'main.1');
select pgq.unregister_consumer('r', 'main');
-- differs: 3.5 leaves the names of subconsumers behind
-- 3.5: [["main.1"], ["main.2"]]
-- 4.0: []
select co_name from pgq.consumer where co_name like 'main%' order by 1;
select queue_name, consumer_name, last_tick from pgq.get_consumer_info();
select pgq.register_consumer('q', null);
select pgq.register_consumer(null, 'c');
select pgq.register_consumer_at('q', null, 1);
select pgq.unregister_consumer('q', null);
select pgq.unregister_consumer(null, null);
