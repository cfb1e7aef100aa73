-- SPDX-License-Identifier: ISC
-- Branch and leaf: state, deny, names of every kind, sequences of a table that is removed.
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\i :abs_srcdir/setup.sql
select pg_temp.node('b', 'branch');
select pg_temp.node('l', 'leaf');
create table work.t (id serial primary key, other bigint generated always as identity, small smallserial, v text);
create table work.u (id int primary key);

select * from londiste.global_add_table('b', 'work.t');
select * from londiste.global_add_table('b', 'work.t');
select * from londiste.global_add_table('nosuch', 'work.t');
select * from londiste.local_add_table('b', 'work.t');
select * from londiste.local_add_table('b', 'work.u');
select * from londiste.global_add_table('b', 'work.virtual'), londiste.local_add_table('b', 'work.virtual', array['virtual_table']);
select * from londiste.get_table_list('b');
select * from londiste.get_table_list('nosuch');
select * from triggers;
-- Rule: nobody writes on a branch but the worker.
insert into work.t default values;

-- state, attributes, what a copy drops
select * from londiste.local_set_table_state('b', 'work.t', null, 'in-copy');
select * from londiste.local_set_table_state('b', 'work.u', null, 'in-copy');
select * from londiste.local_set_table_attrs('b', 'work.t', 'copy_node=x');
select * from londiste.local_set_table_attrs('b', 'work.u', 'copy_node=x');
select * from londiste.local_set_table_struct('b', 'work.t', 'select 1');
select * from londiste.local_set_table_struct('b', 'work.u', 'select 1');
select * from londiste.get_table_list('b');
select * from londiste.local_set_table_state('b', 'work.t', '1:2:', 'ok');
select * from londiste.local_set_table_struct('b', 'work.t', null);
select * from londiste.local_set_table_state('b', 'work.t', '1:2:', 'ok');
select * from londiste.local_show_missing('b');
-- Rule: what is added later is told at the end, whatever its name.
select * from londiste.global_add_table('b', 'work.a');
select table_name, merge_state, custom_snapshot from londiste.get_table_list('b');

-- Rule: sequences of its columns go with a table, also smallserial and identity; removed tables can be added again.
select londiste.global_update_seq('b', 'work.' || s, 10), londiste.local_add_seq('b', 'work.' || s)
  from unnest(array['t_id_seq', 't_other_seq', 't_small_seq']) s;
select * from londiste.local_remove_table('b', 'work.t');
select * from londiste.local_remove_table('b', 'work.t');
select * from londiste.get_seq_list('b');
select * from tables;
select * from triggers;
select * from londiste.local_add_table('b', 'work.t', array['expect_sync']);
select * from londiste.global_remove_table('b', 'work.t');
select * from triggers;
select * from londiste.local_remove_table('b', 'work.a');
select * from londiste.local_show_missing('b');

-- Rule: a leaf denies all changes, but to the worker.
select * from londiste.global_add_table('l', 'work.queue name');
select * from londiste.local_add_table('l', 'work.queue name', null, null, 'work.u');
select * from triggers;
insert into work.u values (1);
truncate work.u;
begin;
select londiste.set_session_replication_role('replica', true);
insert into work.u values (1);
truncate work.u;
insert into work.u values (2);
commit;
delete from work.u;
select * from work.u;
select * from londiste.local_remove_table('l', 'work.queue name');
delete from work.u;
-- Rule: a table that still comes under another name stays denied.
select londiste.global_add_table('l', 'p' || i), londiste.local_add_table('l', 'p' || i, null, null, 'work.u')
  from generate_series(1, 2) i;
select * from londiste.local_remove_table('l', 'p2');
select * from triggers;
select * from londiste.global_remove_table('l', 'p1');
select * from triggers;

-- Rule: names are parted at the first dot; all else may be in them, in queues too.
select pg_temp.node('Ünï "q''\', 'root');
create schema other;
create table other."dot.ted ""'\ tä,ble" ("ключ, ""'\" int primary key, "v=" text);
select * from londiste.local_add_table('Ünï "q''\', 'other.dot.ted "''\ tä,ble');
select * from londiste.local_add_table('Ünï "q''\', 'näme.ïn "queue''\', null, 'handler=ä', 'other.dot.ted "''\ tä,ble');
select * from londiste.local_remove_table('Ünï "q''\', 'other.dot.ted "''\ tä,ble');
select * from londiste.local_add_table('Ünï "q''\', 'näme.ïn "queue''\', null, 'handler=ä', 'other.dot.ted "''\ tä,ble');
insert into other."dot.ted ""'\ tä,ble" values (1, 'x');
update other."dot.ted ""'\ tä,ble" set "v=" = 'y';
-- Rule: TRUNCATE is told under the name that the table has in the queue, and not in role local.
truncate other."dot.ted ""'\ tä,ble";
begin;
select londiste.set_session_replication_role('local', true);
truncate other."dot.ted ""'\ tä,ble";
commit;
select * from events;
create trigger wrong after insert on work.u execute function londiste.truncate_trigger('q', 't');
insert into work.u values (1);
drop trigger wrong on work.u;
create sequence other."sëq. ""'\";
select * from londiste.local_add_seq('Ünï "q''\', 'other.sëq. "''\');
select * from londiste.get_seq_values('Ünï "q''\');
select * from londiste.local_remove_table('Ünï "q''\', 'näme.ïn "queue''\');
select * from triggers;

-- names and catalog
select londiste.make_fqname('a'), londiste.make_fqname('a.b.c'), londiste.make_fqname(''), londiste.make_fqname(null);
select londiste.quote_fqname('A.b.C'), londiste.quote_fqname('A'), londiste.quote_fqname('.a"');
select londiste.split_fqname('a.b.c'), londiste.split_fqname('a');
create view work.v as select 1;
create table work.parts (id int, k int, v text, primary key (k, id)) partition by range (id);
select londiste.find_table_oid('work.u')::regclass, londiste.find_table_oid('work.v'), londiste.find_table_oid('work.parts')::regclass,
       londiste.find_rel_oid('work.v', 'v')::regclass, londiste.find_seq_oid('work.t_id_seq')::regclass, londiste.find_seq_oid('work.u');
select londiste.find_column_types('work.parts'), londiste.find_column_types('work.nosuch');
select londiste.is_replica_func('pgq.sqltriga'::regproc), londiste.is_replica_func('londiste.truncate_trigger'::regproc),
       londiste.is_replica_func('londiste.table_info_trigger'::regproc);
