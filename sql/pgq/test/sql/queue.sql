-- SPDX-License-Identifier: ISC
-- Queues: create, configure, drop, and what they are made of.
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
-- Rule: a queue that exists is left alone.
select pgq.create_queue('q');
-- Rule: errors are clear.
select pgq.create_queue(null);

-- Rule: tick 1 is there from the start.
select tick_queue, tick_id, tick_event_seq from pgq.tick;

-- Rule: names are data, not SQL.
select pgq.create_queue('it''s; drop table "x" -- ' || E'\u00e9');
select queue_id, queue_name, queue_data_pfx, queue_event_seq, queue_tick_seq, queue_wake_seq from pgq.queue order by 1;
select queue_ntables, queue_cur_table, queue_rotation_period, queue_switch_step1 = queue_switch_step2 as switched,
       queue_external_ticker, queue_disable_insert, queue_ticker_paused, queue_ticker_max_count,
       queue_ticker_max_lag, queue_ticker_idle_period, queue_per_tx_limit, queue_extra_maint
  from pgq.queue where queue_name = 'q';

-- Rule: three leaf tables below an empty parent, each with an index on ev_txid, a default for ev_id, packed full.
select c.oid::regclass, c.relkind, i.inhparent::regclass,
       c.reloptions, t.reloptions as toast_options, pg_get_expr(d.adbin, d.adrelid) as id_default
  from pg_class c
  left join pg_inherits i on i.inhrelid = c.oid
  left join pg_class t on t.oid = c.reltoastrelid
  left join pg_attrdef d on d.adrelid = c.oid and d.adnum = 1
 where c.relnamespace = 'pgq'::regnamespace and c.relname ~ '^event_1(_|$)' and c.relkind in ('r', 'S')
 order by c.relname;
select indexdef from pg_indexes where schemaname = 'pgq' and tablename ~ '^event_1' order by indexname;

-- Rule: grants are those of event_template, with grant option (*), at the time of creation.
create role pgq_test_role;
grant select, delete on pgq.event_template to pgq_test_role with grant option;
select pgq.create_queue('g');
select relname, string_agg(format('%s: %s%s', case a.grantee when 0 then 'public' else a.grantee::regrole::text end,
                                  a.privilege_type, case when a.is_grantable then '*' else '' end), ', '
                           order by a.grantee::regrole::text collate "C", a.privilege_type)
  from pg_class c cross join aclexplode(relacl) a
 where relname ~ '^event_3' and relkind in ('r', 'S') and a.grantee <> relowner
 group by 1 order by 1;
select pgq.grant_perms('g'), pgq.tune_storage('g'), pgq.tune_storage('none');
select pgq.grant_perms('none');
select pgq.drop_queue('g');
revoke all on pgq.event_template from pgq_test_role;
drop role pgq_test_role;

-- Configuration.
select pgq.set_queue_config('q', 'ticker_max_count', '10'), pgq.set_queue_config('q', 'ticker_max_lag', '1 second'),
       pgq.set_queue_config('q', 'ticker_idle_period', '2 min'), pgq.set_queue_config('q', 'ticker_paused', 'yes'),
       pgq.set_queue_config('q', 'rotation_period', '1 day'), pgq.set_queue_config('q', 'external_ticker', '1');
select queue_ticker_max_count, queue_ticker_max_lag, queue_ticker_idle_period, queue_ticker_paused,
       queue_rotation_period, queue_external_ticker
  from pgq.queue where queue_name = 'q';
-- Rule: values that make no sense are refused, the cast's own errors come through.
select pgq.set_queue_config('q', 'ticker_max_count', '-1');
select pgq.set_queue_config('q', 'ticker_max_lag', '-1 second');
select pgq.set_queue_config('q', 'ticker_max_lag', 'soon');
select pgq.set_queue_config('q', 'ticker_max_lag', null);
select pgq.set_queue_config('q', null, '1');
select pgq.set_queue_config(null, 'ticker_max_lag', '1');
select pgq.set_queue_config('none', 'ticker_max_lag', '1');
-- Rule: other columns of the table are out of reach.
select pgq.set_queue_config('q', 'name', 'x');
select pgq.set_queue_config('q', 'disable_insert = true --', '1');
\set VERBOSITY sqlstate
select pgq.set_queue_config('q', 'ticker_max_lag', null);
select pgq.set_queue_config('none', 'ticker_max_lag', '1');
select pgq.drop_queue('none');
\set VERBOSITY default

-- Rule: dropped only when nobody is subscribed, or by force; nothing is left behind.
select pgq.drop_queue('none');
select pgq.drop_queue(null);
select pgq.drop_queue(null, true);
select pgq.register_consumer('q', 'c1'), pgq.register_consumer('q', 'c2');
select pgq.drop_queue('q');
select pgq.event_retry_raw('q', 'c1', now(), 5, now(), 0, 't', 'd', null, null, null, null);
select pgq.drop_queue('q', true);
select pgq.drop_queue(queue_name) from pgq.queue;
select (select count(*) from pgq.queue), (select count(*) from pgq.tick), (select count(*) from pgq.subscription),
       (select count(*) from pgq.consumer), (select count(*) from pgq.retry_queue);
select relname from pg_class where relnamespace = 'pgq'::regnamespace and relname ~ '^event_[0-9]';

-- Rule: numbers are not used again.
select pgq.create_queue('q');
select queue_id from pgq.queue;

-- Small helpers.
select pgq.quote_fqname('a.b'), pgq.quote_fqname('b'), pgq.quote_fqname('A.b c.d'), pgq.quote_fqname(null);
create sequence public.test_seq;
select pgq.seq_getval('test_seq'), pgq.seq_getval('public.test_seq');
select pgq.seq_setval('test_seq', 1), nextval('public.test_seq');
select pgq.seq_setval('test_seq', 10), pgq.seq_setval('test_seq', 5), pgq.seq_getval('test_seq'), nextval('public.test_seq');
drop sequence public.test_seq;
