-- SPDX-License-Identifier: ISC
-- get_batch_cursor: limits, conditions, names.
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
update pgq.queue set queue_ticker_max_lag = '0';
select pgq.register_consumer('q', 'c');
select count(pgq.insert_event('q', 't' || i % 2, 'd' || i)) from generate_series(1, 6) i;
select pgq.ticker('q');
select pgq.next_batch('q', 'c');

begin;
-- Rule: the first rows come with the call, the rest by FETCH.
select ev_id, ev_type, ev_data from pgq.get_batch_cursor(1, 'cur1', 2);
fetch 1 from cur1 \gset
\echo :ev_id :ev_type :ev_data
move 1 from cur1;
fetch 1 from cur1 \gset
\echo :ev_id :ev_type :ev_data
close cur1;
-- Rule: limit 0 only opens; more than there is gives all.
select ev_id from pgq.get_batch_cursor(1, 'Odd "name', 0);
select name, is_scrollable, is_holdable from pg_cursors where name ~ 'Odd';
move all from "Odd ""name";
select count(*) from pgq.get_batch_cursor(1, 'cur2', 100);
fetch 1 from cur2;
-- Rule: a condition over the ten columns; order is kept; a comment at its end does no harm.
select ev_id, ev_type from pgq.get_batch_cursor(1, 'cur3', 10, 'ev_type = ''t1'' -- odd');
select ev_id from pgq.get_batch_cursor(1, 'cur4', 10, 'ev_id < 3 or ev_id > 5');
select count(*) from pgq.get_batch_cursor(1, 'cur5', 10, '');
select count(*) from pgq.get_batch_cursor(1, 'cur6', 10, null);
-- Rule: NULL gives nothing, and no cursor.
select * from pgq.get_batch_cursor(null, 'cur7', 1);
select * from pgq.get_batch_cursor(1, null, 1);
select * from pgq.get_batch_cursor(1, 'cur7', null, 'true');
select count(*) from pg_cursors where name = 'cur7';
rollback;

select * from pgq.get_batch_cursor(99, 'cur', 1);
-- Rule: functions of the caller may be used, as he names them.
create schema mine;
create function mine.wanted(bigint) returns bool language sql as 'select $1 = 4';
set search_path = mine, public;
begin;
select ev_id from pgq.get_batch_cursor(1, 'cur', 10, 'wanted(ev_id)');
rollback;
reset search_path;
-- Rule: the condition runs with the caller's rights only.
create role pgq_test_reader in role pgq_reader;
set role pgq_test_reader;
begin;
select ev_id from pgq.get_batch_cursor(1, 'cur', 10, 'exists (select 1 from pg_authid)');
rollback;
begin;
select count(*) from pgq.get_batch_cursor(1, 'cur', 10);
rollback;
reset role;
drop role pgq_test_reader;
set client_min_messages = warning;
drop schema mine cascade;
