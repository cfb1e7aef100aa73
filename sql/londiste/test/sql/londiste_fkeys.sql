-- SPDX-License-Identifier: ISC
-- Foreign keys that a copy drops come back.
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\i :abs_srcdir/setup.sql
select pg_temp.node('q', 'branch');
create table work.parent (id int primary key);
create table work.child (id int primary key, parent int references work.parent on delete cascade deferrable initially deferred);
create table work.self (id int primary key, up int references work.self);
create table work.local (id int primary key, parent int references work.parent);
create view pg_temp.fkeys as
    select conrelid::regclass as "table", conname, convalidated from pg_constraint
     where contype = 'f' and connamespace = 'work'::regnamespace and conparentid = 0 order by 1::text, 2;
create function pg_temp.add(variadic names text[]) returns void language sql as $$
    select londiste.global_add_table('q', name), londiste.local_add_table('q', name, array['expect_sync'])
      from unnest(names) name;
$$;
select pg_temp.add('work.parent', 'work.child', 'work.self');

select * from londiste.find_table_fkeys('work.parent');
select * from londiste.find_table_fkeys('work.self');
select * from londiste.find_table_fkeys('work.nosuch');
select londiste.drop_table_fkey('work.child', 'child_parent_fkey');
select londiste.drop_table_fkey('work.child', 'child_parent_fkey');
select londiste.drop_table_fkey('work.nosuch', 'child_parent_fkey');
select londiste.drop_table_fkey('work.self', 'self_up_fkey');
select londiste.drop_table_fkey('work.local', 'local_parent_fkey');
select * from fkeys;
select * from londiste.pending_fkeys;
select from_table, fkey_name from londiste.get_table_pending_fkeys('work.parent');
select from_table, fkey_name from londiste.get_table_pending_fkeys('work.self');

-- Rule: not before both tables are in sync. One that is in no queue is not waited for.
select from_table, fkey_name from londiste.get_valid_pending_fkeys('q');
select from_table, fkey_name from londiste.get_valid_pending_fkeys('nosuch');
select * from londiste.local_set_table_state('q', 'work.parent', '1:2:', 'ok');
select from_table, fkey_name from londiste.get_valid_pending_fkeys('q');
select * from londiste.local_set_table_state('q', 'work.parent', null, 'wanna-sync:5');
select from_table, fkey_name from londiste.get_valid_pending_fkeys('q');
select * from londiste.local_set_table_state('q', 'work.parent', null, 'ok');

-- Rule: lazily: step by step, the caller does it.
select londiste.restore_table_fkey('work.child', 'nosuch', true) = '' as nothing;
select londiste.restore_table_fkey('work.child', 'child_parent_fkey', true) \gset
\echo :restore_table_fkey
:restore_table_fkey;
select * from fkeys;
select londiste.restore_table_fkey('work.child', 'child_parent_fkey', true) \gset
\echo :restore_table_fkey
:restore_table_fkey;
select londiste.restore_table_fkey('work.child', 'child_parent_fkey', true) = '' as done;
select * from fkeys;
-- at once
select londiste.restore_table_fkey('work.self', 'self_up_fkey') = '' as done;
select * from fkeys;
-- Rule: to a table in no queue: it comes back too, also if the rows do not fit: then for new ones.
select from_table, fkey_name from londiste.get_valid_pending_fkeys('q');
insert into work.local values (1, 77);
select londiste.restore_table_fkey('work.local', 'local_parent_fkey', true) \gset
:restore_table_fkey;
select londiste.restore_table_fkey('work.local', 'local_parent_fkey', true) = '' as done;
select * from fkeys;
insert into work.local values (2, 77);
select * from londiste.pending_fkeys;
-- Rule: one that was not valid before is not validated.
select londiste.drop_table_fkey('work.local', 'local_parent_fkey');
select fkey_def from londiste.pending_fkeys;
select londiste.restore_table_fkey('work.local', 'local_parent_fkey') = '' as done;
select * from fkeys;
-- between tables in queues rows that do not fit are an error
select pg_temp.add('work.local');
delete from londiste.pending_fkeys;
alter table work.local drop constraint local_parent_fkey;
insert into londiste.pending_fkeys values ('work.local', 'work.parent', 'local_parent_fkey',
    'alter table only work.local add constraint local_parent_fkey foreign key (parent) references work.parent');
select londiste.restore_table_fkey('work.local', 'local_parent_fkey');
select count(*) from londiste.pending_fkeys;
-- Rule: one that was dropped, made again by hand, and dropped again, is the last one.
update londiste.pending_fkeys set fkey_def = 'old';
begin;
select londiste.set_session_replication_role('replica', true);
delete from work.local;
commit;
alter table work.local add constraint local_parent_fkey foreign key (parent) references work.parent on update cascade;
select londiste.drop_table_fkey('work.local', 'local_parent_fkey');
select fkey_def from londiste.pending_fkeys;
-- Rule: when the table is gone, so is the foreign key.
drop table work.local;
select londiste.restore_table_fkey('work.local', 'local_parent_fkey', true) = '' as done;
select count(*) from londiste.pending_fkeys;

-- Rule: names of every kind, whatever the search_path; partitioned tables at either end.
create schema other;
create table other."A.b ""c'" ("Id ö" int, "k k" int, primary key ("Id ö", "k k")) partition by range ("Id ö");
create table other."p 1" partition of other."A.b ""c'" for values from (0) to (10);
create table other."Ref" (id int, "ä ref" int, "k'" int,
    constraint "Fk ""x" foreign key ("ä ref", "k'") references other."A.b ""c'") partition by range (id);
create table other."Ref 1" partition of other."Ref" for values from (0) to (10);
select * from londiste.find_table_fkeys('other.A.b "c''');
select * from londiste.find_table_fkeys('other.Ref 1');
select londiste.drop_table_fkey('other.Ref', 'Fk "x');
set search_path = work, other;
select londiste.restore_table_fkey('other.Ref', 'Fk "x', true) <> '' as statement;
select londiste.restore_table_fkey('other.Ref', 'Fk "x') = '' as done;
reset search_path;
select conname, convalidated from pg_constraint where conrelid = 'other."Ref"'::regclass and conparentid = 0;
