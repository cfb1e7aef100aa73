-- SPDX-License-Identifier: ISC
-- Creating, configuring, dropping.

select pgq.create_queue('q');
select pgq.create_queue('q');
select pgq.create_queue(null);
select pgq.create_queue(i_queue_name := 'named');
select pgq.create_queue('Odd "name''s');
select queue_id, queue_name, queue_ntables, queue_cur_table, queue_rotation_period,
    queue_external_ticker, queue_disable_insert, queue_ticker_paused, queue_ticker_max_count,
    queue_ticker_idle_period, queue_per_tx_limit, queue_data_pfx, queue_event_seq, queue_tick_seq,
    queue_extra_maint, queue_switch_time from pgq.queue order by 1;
-- differs: design: a tick within 10 ms of the first event
select queue_ticker_max_lag from pgq.queue where queue_name = 'q';
select tick_queue, tick_id, tick_time, tick_snapshot from pgq.tick order by 1, 2;
select * from pgq.get_queue_info('none');
select queue_name, queue_ntables, queue_cur_table, queue_rotation_period, queue_switch_time,
    queue_external_ticker, queue_ticker_paused, queue_ticker_max_count, queue_ticker_idle_period,
    ticker_lag, ev_per_sec, ev_new, last_tick_id from pgq.get_queue_info();
select count(*) from pgq.get_queue_info(null);
select pgq.set_queue_config('q', 'ticker_max_count', '7');
select pgq.set_queue_config('q', 'ticker_max_lag', '5 seconds');
select pgq.set_queue_config('q', 'ticker_idle_period', '2 minutes');
select pgq.set_queue_config('q', 'ticker_paused', 'true');
select pgq.set_queue_config('q', 'rotation_period', '3 hours');
select pgq.set_queue_config('q', 'external_ticker', 'true');
select * from pgq.get_queue_info('q');
select pgq.ticker('q');
select pgq.set_queue_config('q', 'ticker_paused', 'false');
select pgq.ticker('q');
select pgq.set_queue_config('q', 'external_ticker', 'off');
select pgq.set_queue_config('q', 'queue_ntables', '4');
select pgq.set_queue_config('q', 'ticker_max_count', 'many');
select pgq.set_queue_config('q', 'ticker_max_count', null);
select pgq.set_queue_config(null, 'ticker_max_count', '1');
select pgq.set_queue_config('q', null, '1');
-- literal: No such event queue
select pgq.set_queue_config('none', 'ticker_max_count', '1');
select pgq.set_queue_config(x_queue_name := 'q', x_param_name := 'ticker_max_count', x_param_value
    := '500');
select pgq.grant_perms('q');
select pgq.grant_perms('none');
select pgq.tune_storage('q');
select pgq.tune_storage('none');
select pgq.tune_storage(null);
select pgq._grant_perms_from('pgq', 'event_template', 'pgq', 'event_1_0');
select relname, reloptions from pg_class where relname like 'event\_1\_%' and relkind = 'r' order
    by 1;
-- differs: ev_time has a default, for COPY into the table
select attrelid::regclass::text, attname, atttypid::regtype::text, attnotnull, atthasdef from
    pg_attribute where attrelid::regclass::text like 'pgq.event_1%' and attnum > 0 and attrelid in
    (select oid from pg_class where relkind = 'r') order by 1, attnum;
select inhrelid::regclass::text, inhparent::regclass::text from pg_inherits order by 1;
select pgq.current_event_table('q');
select pgq.current_event_table('none');
select pgq.current_event_table(null);
select pgq.register_consumer('q', 'c');
select pgq.drop_queue('q');
select pgq.drop_queue('q', false);
-- literal: No such event queue
select pgq.drop_queue('none');
-- literal: No such event queue
select pgq.drop_queue('none', true);
select pgq.drop_queue(null);
select pgq.drop_queue('q', true);
select pgq.drop_queue('named');
select pgq.drop_queue('Odd "name''s', false);
select count(*) from pg_class where relname ~ '^event_[0-9]';
select (select count(*) from pgq.tick), (select count(*) from pgq.subscription), (select count(*)
    from pgq.consumer), (select count(*) from pgq.queue);
select pgq.create_queue('again');
select queue_id from pgq.queue;
select pgq.upgrade_schema();
-- differs: the version
-- 3.5: [["3.5"]]
-- 4.0: [["4.0"]]
select pgq.version();
select pgq.quote_fqname('a'), pgq.quote_fqname('a.b'), pgq.quote_fqname('a.b.c'),
    pgq.quote_fqname('A.select'), pgq.quote_fqname(''), pgq.quote_fqname(null);
