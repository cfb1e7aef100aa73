# SPDX-License-Identifier: ISC
"""Scripts for the two implementations: each runs from its first call in a fresh pair of databases.

A difference is listed with its reason: a defect of 3.5 (reference numbers are those of the
contract's list of defects), or a decision. What is not listed must be equal.
"""

from __future__ import annotations

from tests.peers.differential import Call

TICK = "select pgq.ticker('q')"
FORCE = "select pgq.force_tick('q')"

QUEUES = [
    Call("select pgq.create_queue('q')"),
    Call("select pgq.create_queue('q')"),
    Call("select pgq.create_queue(null)"),
    Call("select pgq.create_queue(i_queue_name := 'named')"),
    Call("select pgq.create_queue('Odd \"name''s')"),
    Call("select queue_id, queue_name, queue_ntables, queue_cur_table, queue_rotation_period,"
         " queue_external_ticker, queue_disable_insert, queue_ticker_paused,"
         " queue_ticker_max_count, queue_ticker_idle_period, queue_per_tx_limit, queue_data_pfx,"
         " queue_event_seq, queue_tick_seq, queue_extra_maint, queue_switch_time"
         " from pgq.queue order by 1"),
    Call("select queue_ticker_max_lag from pgq.queue where queue_name = 'q'",
         why="design: a tick within 10 ms of the first event"),
    Call("select tick_queue, tick_id, tick_time, tick_snapshot from pgq.tick order by 1, 2"),
    Call("select * from pgq.get_queue_info('none')"),
    Call("select queue_name, queue_ntables, queue_cur_table, queue_rotation_period,"
         " queue_switch_time, queue_external_ticker, queue_ticker_paused, queue_ticker_max_count,"
         " queue_ticker_idle_period, ticker_lag, ev_per_sec, ev_new, last_tick_id"
         " from pgq.get_queue_info()"),
    Call("select count(*) from pgq.get_queue_info(null)"),
    *[Call(f"select pgq.set_queue_config('q', '{name}', '{value}')")
      for name, value in (("ticker_max_count", "7"), ("ticker_max_lag", "5 seconds"),
                          ("ticker_idle_period", "2 minutes"), ("ticker_paused", "true"),
                          ("rotation_period", "3 hours"), ("external_ticker", "true"))],
    Call("select * from pgq.get_queue_info('q')"),
    Call("select pgq.ticker('q')"),
    Call("select pgq.set_queue_config('q', 'ticker_paused', 'false')"),
    Call("select pgq.ticker('q')"),
    Call("select pgq.set_queue_config('q', 'external_ticker', 'off')"),
    Call("select pgq.set_queue_config('q', 'queue_ntables', '4')"),
    Call("select pgq.set_queue_config('q', 'ticker_max_count', 'many')"),
    Call("select pgq.set_queue_config('q', 'ticker_max_count', null)"),
    Call("select pgq.set_queue_config(null, 'ticker_max_count', '1')"),
    Call("select pgq.set_queue_config('q', null, '1')"),
    Call("select pgq.set_queue_config('none', 'ticker_max_count', '1')",
         literal="No such event queue"),
    Call("select pgq.set_queue_config(x_queue_name := 'q', x_param_name := 'ticker_max_count',"
         " x_param_value := '500')"),
    Call("select pgq.grant_perms('q')"),
    Call("select pgq.grant_perms('none')"),
    Call("select pgq.tune_storage('q')"),
    Call("select pgq.tune_storage('none')"),
    Call("select pgq.tune_storage(null)"),
    Call("select pgq._grant_perms_from('pgq', 'event_template', 'pgq', 'event_1_0')"),
    Call("select relname, reloptions from pg_class where relname like 'event\\_1\\_%' and"
         " relkind = 'r' order by 1"),
    Call("select attrelid::regclass::text, attname, atttypid::regtype::text, attnotnull, atthasdef"
         " from pg_attribute where attrelid::regclass::text like 'pgq.event_1%' and attnum > 0"
         " and attrelid in (select oid from pg_class where relkind = 'r') order by 1, attnum"),
    Call("select inhrelid::regclass::text, inhparent::regclass::text from pg_inherits order by 1"),
    Call("select pgq.current_event_table('q')"),
    Call("select pgq.current_event_table('none')"),
    Call("select pgq.current_event_table(null)"),
    Call("select pgq.register_consumer('q', 'c')"),
    Call("select pgq.drop_queue('q')"),
    Call("select pgq.drop_queue('q', false)"),
    Call("select pgq.drop_queue('none')", literal="No such event queue"),
    Call("select pgq.drop_queue('none', true)", literal="No such event queue"),
    Call("select pgq.drop_queue(null)"),
    Call("select pgq.drop_queue('q', true)"),
    Call("select pgq.drop_queue('named')"),
    Call("select pgq.drop_queue('Odd \"name''s', false)"),
    Call("select count(*) from pg_class where relname ~ '^event_[0-9]'"),
    Call("select (select count(*) from pgq.tick), (select count(*) from pgq.subscription),"
         " (select count(*) from pgq.consumer), (select count(*) from pgq.queue)"),
    Call("select pgq.create_queue('again')"),
    Call("select queue_id from pgq.queue"),
    Call("select pgq.upgrade_schema()"),
    Call("select pgq.version()", why="the version", theirs=[("3.5",)], ours=[("4.0",)]),
    Call("select pgq.quote_fqname('a'), pgq.quote_fqname('a.b'), pgq.quote_fqname('a.b.c'),"
         " pgq.quote_fqname('A.select'), pgq.quote_fqname(''), pgq.quote_fqname(null)"),
]

PRODUCING = [
    Call("select pgq.create_queue('q')"),
    Call("select pgq.insert_event('q', 'type', 'data')"),
    Call("select pgq.insert_event('q', null, null)"),
    Call("select pgq.insert_event('q', 't', 'd', 'e1', 'e2', 'e3', 'e4')"),
    Call("select pgq.insert_event(queue_name := 'q', ev_type := 't', ev_data := 'd')"),
    Call("select pgq.insert_event(queue_name := 'q', ev_type := 't', ev_data := 'd',"
         " ev_extra1 := '1', ev_extra2 := null, ev_extra3 := '3', ev_extra4 := null)"),
    Call("select pgq.insert_event('none', 't', 'd')", literal="No such queue"),
    Call("select pgq.insert_event(null, 't', 'd')"),
    Call("select pgq.insert_event_raw('q', 100, '2020-02-02 02:02+00', 7, 3, 't', 'd', '1', '2',"
         " '3', '4')"),
    Call("select pgq.insert_event_raw('q', null, null, null, null, null, null, null, null, null,"
         " null)"),
    Call("select pgq.insert_event_raw('none', 1, now(), 1, 1, 't', 'd', null, null, null, null)",
         literal="No such queue"),
    Call("select pgq.insert_event_raw(null, 1, now(), 1, 1, 't', 'd', null, null, null, null)"),
    Call("select * from pgq.event_template order by ev_id"),
    Call("select tableoid::regclass::text, ev_id from pgq.event_template order by ev_id"),
    Call("select pgq.seq_getval('pgq.event_1_id_seq')"),
    Call("insert into pgq.event_1_0 (ev_time, ev_type, ev_data) values (now(), 'bulk', 'x')"
         " returning ev_id, ev_time, ev_txid, ev_owner, ev_retry"),
    Call("insert into pgq.event_1_0 (ev_time, ev_type) select now(), 'w' returning ev_id"),
    # per transaction limits
    Call("update pgq.queue set queue_per_tx_limit = 2"),
    Call("begin"),
    Call("select pgq.insert_event('q', 'l', '1'), pgq.insert_event('q', 'l', '2')"),
    Call("savepoint s"),
    Call("select pgq.insert_event('q', 'l', '3')",
         literal="Queue 'q' allows max 2 events from one TX"),
    Call("rollback"),
    Call("select pgq.insert_event('q', 'l', '1')"),
    Call("update pgq.queue set queue_per_tx_limit = 0"),
    Call("select pgq.insert_event('q', 'l', '1')",
         literal="Queue 'q' allows max 0 events from one TX"),
    Call("update pgq.queue set queue_per_tx_limit = null"),
    Call("select pgq.insert_event('q', 'l', 'free')"),
    # disabled queues
    Call("update pgq.queue set queue_disable_insert = true"),
    Call("select pgq.insert_event('q', 'd', '1')", literal="Insert into queue disallowed"),
    Call("select pgq.current_event_table('q')"),
    Call("set session_replication_role = local"),
    Call("select pgq.insert_event('q', 'd', '2')", literal="Insert into queue disallowed"),
    Call("set session_replication_role = replica"),
    Call("select pgq.current_event_table('q')"),
    Call("select pgq.insert_event('q', 'd', '3')"),
    Call("set session_replication_role = origin"),
    Call("update pgq.queue set queue_disable_insert = false"),
    Call("select pgq.insert_event('q', 'd', '4')"),
    # text of every kind
    Call("select pgq.insert_event('q', 'ünï', E'a\\tb\\nc\\\\d', '', ' ', repeat('x', 10000), '\"')"),
    Call("select ev_type, ev_data, ev_extra1, ev_extra2, md5(ev_extra3), ev_extra4"
         " from pgq.event_template order by ev_id desc limit 1"),
    # what is rolled back is gone, its number too
    Call("begin"),
    Call("select pgq.insert_event('q', 'r', 'gone')"),
    Call("rollback"),
    Call("select pgq.insert_event('q', 'r', 'there')"),
    Call("select count(*), max(ev_id) from pgq.event_template"),
    Call("select pgq.seq_setval('pgq.event_1_id_seq', 1)"),
    Call("select pgq.seq_setval('pgq.event_1_id_seq', 1000)"),
    Call("select pgq.seq_setval('pgq.none', 1000)"),
    Call("select pgq.seq_getval('pgq.none')"),
    Call("select pgq.seq_getval(null), pgq.seq_setval(null, 1), pgq.seq_setval('x', null)"),
    Call("select pgq.insert_event('q', 'a', 'after')"),
]

REGISTRATION = [
    Call("select pgq.register_consumer('q', 'c')"),
    Call("select pgq.create_queue('q')"),
    Call("select pgq.create_queue('r')"),
    Call("select pgq.register_consumer('q', 'c')"),
    Call("select pgq.register_consumer('q', 'c')"),
    Call("select pgq.register_consumer('r', 'c')"),
    Call("select pgq.register_consumer('q', 'd')"),
    Call("select pgq.register_consumer(x_queue_name := 'q', x_consumer_id := 'named')"),
    Call("select * from pgq.get_consumer_info()"),
    Call("select * from pgq.get_consumer_info('q')"),
    Call("select * from pgq.get_consumer_info('q', 'c')"),
    Call("select * from pgq.get_consumer_info(null, 'c')"),
    Call("select * from pgq.get_consumer_info('none')"),
    Call("select sub_id, sub_queue, sub_consumer, sub_last_tick, sub_active, sub_batch,"
         " sub_next_tick from pgq.subscription order by 1"),
    Call("select * from pgq.consumer order by 1"),
    Call(FORCE), Call(TICK), Call(FORCE), Call(TICK),
    Call("select pgq.register_consumer_at('q', 'c', 2)"),
    Call("select pgq.register_consumer_at('q', 'new', 2)"),
    Call("select pgq.register_consumer_at('q', 'newer', null)"),
    Call("select pgq.register_consumer_at('q', 'c', 99)"),
    Call("select pgq.register_consumer_at('q', 'bad', 99)"),
    Call("select pgq.register_consumer_at('none', 'c', 1)"),
    Call("select pgq.register_consumer_at(x_queue_name := 'q', x_consumer_name := 'd',"
         " x_tick_pos := null)"),
    Call("select queue_name, consumer_name, last_tick, current_batch, next_tick"
         " from pgq.get_consumer_info()"),
    Call("select pgq.unregister_consumer('q', 'none')"),
    Call("select pgq.unregister_consumer('none', 'c')"),
    Call("select pgq.unregister_consumer('q', 'c')"),
    Call("select pgq.unregister_consumer('q', 'c')"),
    Call("select pgq.unregister_consumer('r', 'c')"),
    Call("select pgq.unregister_consumer(x_queue_name := 'q', x_consumer_name := 'd')"),
    Call("select co_name from pgq.consumer order by 1"),
    # subconsumers as pgq_coop makes them
    Call("select pgq.register_consumer('r', 'main')"),
    Call("insert into pgq.consumer (co_name) values ('main.1'), ('main.2')"),
    Call("insert into pgq.subscription (sub_id, sub_queue, sub_consumer)"
         " select sub_id, sub_queue, c.co_id from pgq.subscription s, pgq.consumer c"
         " where sub_consumer = (select co_id from pgq.consumer where co_name = 'main')"
         " and c.co_name like 'main.%'"),
    Call("select pgq.unregister_consumer('r', 'main.1')"),
    Call("select pgq.unregister_consumer('r', 'main')"),
    Call("select co_name from pgq.consumer where co_name like 'main%' order by 1",
         why="3.5 leaves the names of subconsumers behind",
         theirs=[("main.1",), ("main.2",)], ours=[]),
    Call("select queue_name, consumer_name, last_tick from pgq.get_consumer_info()"),
    Call("select pgq.register_consumer('q', null)"),
    Call("select pgq.register_consumer(null, 'c')"),
    Call("select pgq.register_consumer_at('q', null, 1)"),
    Call("select pgq.unregister_consumer('q', null)"),
    Call("select pgq.unregister_consumer(null, null)"),
]
