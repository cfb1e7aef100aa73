-- SPDX-License-Identifier: ISC
-- Tables of a root, a branch and a leaf. What 4.0 adds to each trigger, pkey_update, is left out here.

create function node(q text, t text, comb text default null) returns text language plpgsql as $$ declare r record; begin
    perform pgq_node.register_location(q, 'n1', 'dbname=x', false), pgq_node.register_location(q, 'n2', 'dbname=x', false); --
    select * into r from pgq_node.create_node(q, t, case t when 'root' then 'n1' else 'n2' end, q || '_w',
        case when t <> 'root' then 'n1' end, case when t <> 'root' then 1 end, comb); --
    return r.ret_code; end $$;
create view tables as select queue_name, table_name, local, merge_state, custom_snapshot, dropped_ddl, table_attrs, dest_table
    from londiste.table_info order by nr;
create view triggers as select tgrelid::regclass::text as tbl, replace(pg_get_triggerdef(oid), $$, 'pkey_update'$$, '') as def from pg_trigger
    where not tgisinternal and tgname ~ 'londiste|^zzz|^a' and tgrelid::regclass::text !~ '^pg|^londiste' order by 1, tgname;
create view events as select ev_type, ev_data, ev_extra1, ev_extra2 from pgq.event_template where ev_type !~ '^pgq' order by ev_id;
select node('q', 'root'), node('b', 'branch'), node('l', 'leaf');
create schema s;
create table public.t1 (id int primary key, v text);
create table s.t2 (id int primary key, v text);
create table s.nopk (id int);
create view s.v as select 1 as id;
create table public."Odd ""n" (id int primary key);
select * from londiste.local_add_table('q', 't1');
select * from londiste.local_add_table('q', 't1');
select * from londiste.local_add_table('q', 'public.t1', array['backup']);
select * from londiste.local_add_table('q', 't1', array['backup'], 'a=b');
select * from londiste.local_add_table('q', 'nope');
select * from londiste.local_add_table('q', 's.v');
select * from londiste.local_add_table('nosuch', 's.t2');
select * from londiste.local_add_table('q', 's.t2', array['merge_all', 'no_merge']);
select * from londiste.local_add_table('q', 's.t2', array['tgflags=BI', 'backup', 'ignore=x', 'expect_sync'], null);
select * from londiste.local_add_table('q', 's.virtual', array['virtual_table']);
select * from londiste.local_add_table('q', 'Odd "n', array['tgflags=zzz']);
select * from londiste.local_add_table('q', null);
select * from londiste.local_add_table('q', 'x', null);
-- differs: a table without a primary key can be replicated
-- 3.5: [[400, "Primary key missing on table: s.nopk"]]
begin; select ret_code, case when ret_code >= 400 then ret_note end from londiste.local_add_table('q', 's.nopk');
rollback;
-- differs: a partitioned table can be replicated
-- 3.5: [[404, "Table does not exist: s.parted"]]
-- 4.0: [[200, "Table added: s.parted"]]
create table s.parted (id int primary key) partition by range (id); select * from londiste.local_add_table('q', 's.parted');
select * from londiste.local_remove_table('q', 's.nosuch');
drop table s.parted;
delete from londiste.table_info where table_name = 's.parted';
select * from londiste.local_add_table('b', 't1');
select * from londiste.global_add_table('b', 't1');
select * from londiste.global_add_table('b', 't1');
select * from londiste.global_add_table('nosuch', 't1');
select * from londiste.local_add_table('b', 't1');
begin;
select * from londiste.local_remove_table('b', 't1');
select * from londiste.local_add_table('b', 't1', array['virtual_table'], 'handler=x');
select * from londiste.get_table_list('b');
rollback;
select * from londiste.global_add_table('l', 's.t2');
begin;
select * from londiste.local_add_table('l', 's.t2');
rollback;
begin;
select * from londiste.local_add_table('l', 's.t2', array['no_merge', 'backup']);
select * from triggers;
rollback;
begin;
select * from londiste.local_add_table('l', 's.t2', array['expect_sync'], null, 'Odd "n');
select queue_name, table_name, local, merge_state, dest_table from tables where queue_name = 'l';
select tbl, def from triggers where tbl ~ 'Odd' and def !~ 'TRUNCATE';
-- differs: TRUNCATE of a renamed table is denied, as before, by a function of londiste
select tbl, def from triggers where tbl ~ 'Odd' and def ~ 'TRUNCATE' and def ~ 'deny';
rollback;
select * from tables;
select * from triggers;
select ev_type, ev_data, ev_extra1, ev_extra2 from events where ev_data !~ 'parted';
select * from londiste.local_change_handler('q', 'zz', array['backup'], 'handler=x');
select * from londiste.local_change_handler('zz', 'public.t1', array['backup'], 'handler=x');
select ret_code from londiste.local_change_handler('q', 'public.t1', array['backup'], 'handler=x');
-- differs: a name without a schema is one of public
-- 3.5: [[404]]
-- 4.0: [[200]]
select ret_code from londiste.local_change_handler('q', 't1', array['backup'], 'handler=x');
select tbl, def from triggers where tbl = 't1';
select * from londiste.local_set_table_state('b', 't1', null, 'ok');
select * from londiste.local_set_table_state('b', 't2', null, 'ok');
select * from londiste.local_set_table_attrs('b', 'public.t1', 'x=y');
select * from londiste.local_set_table_attrs('b', 'public.nosuch', 'x=y');
-- literal: violates check constraint "table_info_check"
select * from londiste.local_set_table_struct('b', 'public.t1', 'x=y');
select * from londiste.local_set_table_state('b', 't1', '1:2:', 'in-copy');
select * from londiste.local_set_table_struct('b', 'public.t1', 'select 1');
select * from londiste.local_set_table_struct('b', 'public.nosuch', 'x=y');
select * from londiste.get_table_list('b');
select * from londiste.get_table_list('q');
select * from londiste.get_table_list('nosuch');
select * from londiste.local_set_table_state('b', 't1', null, null);
-- differs: resync of a table whose indexes are dropped brings them back
-- 3.5: [["select 1"]]
-- 4.0: [[null]]
select dropped_ddl from tables where queue_name = 'b';
select * from londiste.local_set_table_struct('b', 'public.t1', null);
select * from londiste.local_show_missing('q');
select * from londiste.local_show_missing('b');
-- literal: queue does not exist: nosuch
select * from londiste.local_show_missing('nosuch');
select * from londiste.local_remove_table('b', 'nope');
select * from londiste.local_remove_table('q', 'nope');
select * from londiste.local_remove_table('nosuch', 'nope');
select * from londiste.local_remove_table('b', 't1');
select * from londiste.local_remove_table('b', 't1');
select * from londiste.global_remove_table('b', 't1');
select * from londiste.global_remove_table('b', 't1');
-- literal: queue does not exist: nosuch
select * from londiste.global_remove_table('nosuch', 't1');
select * from londiste.local_remove_table('q', 't1');
select * from londiste.global_remove_table('q', 's.t2');
-- literal: only root node can send events
select * from londiste.root_notify_change('b', 'x', 'y');
select * from londiste.root_notify_change('q', 'x', 'y');
select * from tables;
select * from triggers;
select ev_type, ev_data, ev_extra1, ev_extra2 from events where ev_data !~ 'parted';
select londiste.find_column_types('s.t2'), londiste.find_column_types('s.nopk');
select londiste.find_table_oid('s.t2')::regclass::text, londiste.find_table_oid('s.v'), londiste.find_rel_oid('s.v', 'v')::regclass::text,
    londiste.find_table_oid('nosuch'), londiste.find_seq_oid('nosuch');
-- differs: letters are in the order of the columns, as logtriga wants them
-- 4.0: [["vkvk"]]
create table s.mixed (a int, b int, c int, d int, primary key (b, d)); select londiste.find_column_types('s.mixed');
select londiste.make_fqname('a'), londiste.make_fqname('a.b.c'), londiste.make_fqname(''), londiste.make_fqname('a.'), londiste.make_fqname('.a');
select londiste.quote_fqname('A.b.C'), londiste.quote_fqname('A'), londiste.quote_fqname('.a'), londiste.quote_fqname('a.'), londiste.quote_fqname('');
select * from londiste.split_fqname('a.b.c');
select * from londiste.split_fqname('a');
select * from londiste.split_fqname('');
select londiste.upgrade_schema(), londiste.periodic_maintenance();
-- differs: version
-- 3.5: [["3.8"]]
-- 4.0: [["4.0"]]
select londiste.version();
select londiste.is_replica_func('pgq.sqltriga()'::regprocedure), londiste.is_replica_func('pgq.create_queue(text)'::regprocedure);
