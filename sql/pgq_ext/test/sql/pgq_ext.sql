-- SPDX-License-Identifier: ISC
-- Tracking of batches, ticks and events on the target side; rights; upgrade of old tables.
set client_min_messages = warning;
drop extension if exists pgq_ext cascade;
create extension pgq_ext;
reset client_min_messages;
\set SHOW_CONTEXT never

select pgq_ext.version();
-- Rule: all tables are dumped, with their contents.
select c.oid::regclass from pg_extension e, unnest(e.extconfig) as oid join pg_class c using (oid)
 where e.extname = 'pgq_ext' order by c.relname;
-- Rule: every function that writes or reads them is SECURITY DEFINER with a pinned search_path, for pgq_writer only.
select oid::regprocedure, prosecdef and 'search_path=pg_catalog, pg_temp' = any (proconfig) as safe_definer,
       has_function_privilege('pgq_writer', oid, 'execute') as writer, has_function_privilege('public', oid, 'execute') as public
  from pg_proc where pronamespace = 'pgq_ext'::regnamespace order by oid::regprocedure::text collate "C";

-- Batches. Rule: true for the last one only.
select pgq_ext.is_batch_done('c', 1), pgq_ext.set_batch_done('c', 1), pgq_ext.is_batch_done('c', 1);
select pgq_ext.set_batch_done('c', 1) as again, pgq_ext.set_batch_done('c', 2) as next, pgq_ext.is_batch_done('c', 1) as is_1,
       pgq_ext.is_batch_done('c', 2) as is_2;
-- Rule: a lower number is another batch: ids need not grow.
select pgq_ext.set_batch_done('c', 1), pgq_ext.is_batch_done('c', 1), pgq_ext.is_batch_done('c', 2);
-- Rule: 0 and less are not stored.
select pgq_ext.set_batch_done('c', 0), pgq_ext.set_batch_done('c', -1), pgq_ext.set_batch_done('new', 0);
-- Rule: subconsumers are on their own; '' is the one without a name.
select pgq_ext.is_batch_done('c', 's', 1), pgq_ext.set_batch_done('c', 's', 1), pgq_ext.is_batch_done('c', 's', 1),
       pgq_ext.is_batch_done('c', '', 1);
select * from pgq_ext.completed_batch order by 1, 2;
\set VERBOSITY terse
select pgq_ext.set_batch_done(null, 1);
select pgq_ext.set_batch_done('c', null);
\set VERBOSITY default

-- Ticks.
select pgq_ext.get_last_tick('c'), pgq_ext.set_last_tick('c', 10), pgq_ext.get_last_tick('c');
select pgq_ext.set_last_tick('c', 5), pgq_ext.get_last_tick('c'), pgq_ext.get_last_tick('c', 's');
select pgq_ext.set_last_tick('c', 's', 7), pgq_ext.get_last_tick('c', 's'), pgq_ext.get_last_tick('c', '');
-- Rule: NULL forgets.
select pgq_ext.set_last_tick('c', null), pgq_ext.get_last_tick('c'), pgq_ext.get_last_tick('c', 's');
select pgq_ext.set_last_tick('c', null);
select * from pgq_ext.completed_tick;

-- Events. Rule: done once in a batch; a new batch forgets those of the one before, of this consumer only.
select pgq_ext.is_event_done('c', 1, 100), pgq_ext.set_event_done('c', 1, 100), pgq_ext.is_event_done('c', 1, 100);
select pgq_ext.set_event_done('c', 1, 100) as again, pgq_ext.set_event_done('c', 1, 101) as other,
       pgq_ext.set_event_done('c', 's', 1, 100) as sub, pgq_ext.is_event_done('c', 's', 1, 101) as sub_other;
select pgq_ext.set_event_done('c', 2, 100), pgq_ext.is_event_done('c', 1, 100), pgq_ext.is_event_done('c', 2, 100),
       pgq_ext.is_event_done('c', 's', 1, 100);
select * from pgq_ext.completed_event order by 1, 2, 3, 4;
select * from pgq_ext.partial_batch order by 1, 2;

-- Rule: who writes to the tables himself need not know of versions, and cannot enter a consumer twice.
select pgq_ext.set_last_tick('own', 1), pgq_ext.set_last_tick('own', 2);
update pgq_ext.completed_tick set last_tick_id = 3 where consumer_id = 'own';
update pgq_ext.completed_batch set last_batch_id = 9 where consumer_id = 'c' and subconsumer_id = '';
select pgq_ext.get_last_tick('own'), pgq_ext.is_batch_done('c', 9), pgq_ext.set_batch_done('c', 9);
\set VERBOSITY terse
insert into pgq_ext.completed_tick (consumer_id, last_tick_id) values ('own', 4);
insert into pgq_ext.completed_batch (consumer_id, last_batch_id) values ('c', 10);
\set VERBOSITY default
select * from pgq_ext.completed_tick order by 1, 2;

-- Rule: a mark belongs to the transaction that does the work.
begin;
select pgq_ext.set_batch_done('c', 50), pgq_ext.set_event_done('c', 50, 1), pgq_ext.set_last_tick('c', 50);
rollback;
select pgq_ext.is_batch_done('c', 50), pgq_ext.is_event_done('c', 50, 1), pgq_ext.get_last_tick('c');

-- Rights.
create role pgq_test_writer in role pgq_writer;
create role pgq_test_nobody;
set role pgq_test_writer;
select pgq_ext.set_batch_done('w', 1), pgq_ext.set_event_done('w', 1, 1), pgq_ext.set_last_tick('w', 1);
select * from pgq_ext.completed_batch;
set role pgq_test_nobody;
select pgq_ext.set_batch_done('w', 2);
select pgq_ext.version();
reset role;
drop role pgq_test_writer, pgq_test_nobody;

-- Rule: tables from before version 3 get their subconsumers; nothing changes the second time.
select pgq_ext.upgrade_schema();
alter table pgq_ext.completed_tick alter column subconsumer_id drop default;
select pgq_ext.upgrade_schema();
truncate pgq_ext.completed_batch, pgq_ext.completed_tick, pgq_ext.completed_event, pgq_ext.partial_batch;
insert into pgq_ext.completed_batch values ('old', '', 7);
alter table pgq_ext.completed_batch drop column subconsumer_id, add primary key (consumer_id);
alter table pgq_ext.completed_tick drop column subconsumer_id, add primary key (consumer_id);
alter table pgq_ext.completed_event drop column subconsumer_id, add primary key (consumer_id, batch_id, event_id);
alter table pgq_ext.partial_batch drop column subconsumer_id, add primary key (consumer_id);
select pgq_ext.upgrade_schema(), pgq_ext.upgrade_schema();
select conrelid::regclass, pg_get_constraintdef(oid)
  from pg_constraint where connamespace = 'pgq_ext'::regnamespace and contype = 'p' order by conrelid::regclass::text;
select pgq_ext.is_batch_done('old', 7), pgq_ext.is_batch_done('old', 'sub', 7), pgq_ext.set_batch_done('old', 'sub', 7),
       pgq_ext.set_event_done('old', 'sub', 1, 1), pgq_ext.set_last_tick('old', 'sub', 1);
select pgq_ext.upgrade_schema() as after_use;
drop extension pgq_ext;
