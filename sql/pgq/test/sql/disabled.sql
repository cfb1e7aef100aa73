-- SPDX-License-Identifier: ISC
-- Queues that take no events, or only so many: queue_disable_insert, queue_per_tx_limit, replication roles.
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
select pgq.insert_event('q', 't', '1');
-- Rule: refused, though a number is used up.
update pgq.queue set queue_disable_insert = true;
select pgq.insert_event('q', 't', 'refused');
select pgq.insert_event('q', 't', 'refused', null, null, null, null);
select pgq.insert_event_raw('q', 10, null, null, null, 't', 'refused', null, null, null, null);
select pgq.current_event_table('q');
\set VERBOSITY sqlstate
select pgq.insert_event('q', 't', 'refused');
\set VERBOSITY default
-- Rule: origin and local are refused, replica is not: there a change comes from elsewhere.
set session_replication_role = local;
select pgq.insert_event('q', 't', 'refused');
set session_replication_role = replica;
select pgq.insert_event('q', 't', 'replica');
select pgq.current_event_table('q');
reset session_replication_role;
-- Rule: seen at once, also in the transaction that changes it.
begin;
update pgq.queue set queue_disable_insert = false;
select pgq.insert_event('q', 't', 'enabled');
update pgq.queue set queue_disable_insert = true;
savepoint s;
select pgq.insert_event('q', 't', 'refused');
rollback to s;
update pgq.queue set queue_disable_insert = false;
savepoint s;
update pgq.queue set queue_disable_insert = true;
rollback to s;
select pgq.insert_event('q', 't', 'enabled');
commit;
select ev_id, ev_data from pgq.event_template order by 1;

begin;
select pgq.insert_event('q', 't', 'rolled back');
update pgq.queue set queue_disable_insert = true;
select pgq.insert_event('q', 't', 'refused');
rollback;

-- Rule: at most so many events in one transaction, counted per queue; 0 is none, NULL is no limit.
select pgq.create_queue('other');
update pgq.queue set queue_per_tx_limit = 2 where queue_name = 'q';
begin;
select pgq.insert_event('q', 't', '1'), pgq.insert_event('q', 't', '2'), pgq.insert_event('other', 't', '1');
savepoint s;
select pgq.insert_event('q', 't', '3');
rollback to s;
select pgq.insert_event('other', 't', '2'), pgq.insert_event('other', 't', '3');
commit;
select count(pgq.insert_event('q', 't', i::text)) from generate_series(1, 3) i;
-- Rule: each transaction counts for itself; events of a rolled back subtransaction count.
begin;
savepoint s;
select pgq.insert_event('q', 't', '1');
rollback to s;
select pgq.insert_event('q', 't', '2');
select pgq.insert_event('q', 't', '3');
rollback;
select pgq.insert_event('q', 't', '1');
update pgq.queue set queue_per_tx_limit = 0 where queue_name = 'q';
select pgq.insert_event('q', 't', '1');
\set VERBOSITY sqlstate
select pgq.insert_event('q', 't', '1');
\set VERBOSITY default
update pgq.queue set queue_per_tx_limit = null where queue_name = 'q';
select count(pgq.insert_event('q', 't', i::text)) from generate_series(1, 1000) i;

-- Rule: a trigger does nothing in local role; in replica role it is not fired, unless it is ENABLE ALWAYS.
create table t (id int primary key);
create trigger log after insert on t for each row execute function pgq.logutriga('q');
truncate pgq.event_1_0;
insert into t values (1);
set session_replication_role = local;
insert into t values (2);
set session_replication_role = replica;
insert into t values (3);
alter table t enable always trigger log;
insert into t values (4);
reset session_replication_role;
-- And with a disabled queue: an error, silence, an event.
update pgq.queue set queue_disable_insert = true where queue_name = 'q';
insert into t values (5);
set session_replication_role = local;
insert into t values (6);
set session_replication_role = replica;
insert into t values (7);
reset session_replication_role;
select ev_type, ev_data from pgq.event_1_0 order by ev_id;
