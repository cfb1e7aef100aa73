-- SPDX-License-Identifier: ISC
-- The root: tables are added, changed, removed; what the queue gets.
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\i :abs_srcdir/setup.sql
select pg_temp.node('q', 'root');
create table work.t (id int primary key, v text, w text);
create table work.other (id int primary key);
create view work.v as select 1 as id;
create table plain (id int primary key);

-- Rule: codes and notes are those of 3.8.
select * from londiste.local_add_table('q', 'work.t');
select * from londiste.local_add_table('q', 'work.t');
select * from londiste.local_add_table('q', 'work.t', array['backup']);
select * from londiste.local_add_table('q', 'work.t', null, 'handler=x');
select * from londiste.local_add_table('q', 'work.t', null, null, 'work.other');
select * from londiste.local_add_table('q', 'work.t', null, '', 'work.t');
select * from londiste.local_add_table('q', 'work.nosuch');
select * from londiste.local_add_table('q', 'work.v');
select * from londiste.local_add_table('nosuch', 'work.other');
select * from londiste.local_add_table('nosuch', 'work.nosuch');
select * from londiste.local_add_table('q', 'work.other', array['merge_all', 'no_merge']);
select * from londiste.local_add_table(null, 'work.other', null);
select * from londiste.local_add_table('q', null);
-- Rule: a name without a schema is one of public, whatever the search_path.
set search_path = work;
select * from londiste.local_add_table('q', 'other');
select * from londiste.local_add_table('q', 'plain', array['no_triggers'], 'copy_node=x');
reset search_path;
select * from londiste.local_add_table('q', 'no.table', array['virtual_table'], 'handler=vtable');
select * from londiste.local_add_table('q', 'no.table', array['virtual_table'], 'handler=vtable');
select * from tables;
select * from triggers;
select * from events;

-- Rule: on the root a table has one name: a second one would take the trigger away from the first.
select * from londiste.local_add_table('q', 'work.second', null, null, 'work.t');
select * from londiste.local_add_table('q', 'work.second', array['no_triggers'], null, 'work.t');
select * from londiste.local_remove_table('q', 'work.second');

-- changes of the table are events, TRUNCATE is one
insert into work.t values (1, 'a b', null);
update work.t set v = 'c';
delete from work.t;
truncate work.t;
select * from events offset 5;

-- arguments of triggers
create function pg_temp.try(variadic args text[]) returns table (result text) language plpgsql as $$
declare
    res record;
begin
    select * into res from londiste.local_change_handler('q', 'work.t', args, 'handler=' || array_to_string(args, '+'));
    return query select res.ret_code || ' ' || res.ret_note union all
                 select t.trigger from pg_temp.triggers t where t.trigger ~ 'work.t ';
end;
$$;
select * from pg_temp.try('backup', 'ignore=w', 'ev_extra3=id', 'when=id > 1');
select * from pg_temp.try('tgflags=UDQ', 'expect_sync', 'skip_truncate', 'merge_all', 'no_merge');
select * from pg_temp.try('tgflags=JLQ');
select * from pg_temp.try('tgflags=LQ');
select * from pg_temp.try('tgflags=BA');
select * from pg_temp.try('tgflags=BI');
select * from pg_temp.try('tgflags=');
select * from pg_temp.try('no_triggers');
select table_attrs from tables where table_name = 'work.t';
-- Rule: SKIP is for BEFORE; of several triggers one has it, that which fires last.
select * from pg_temp.try('tgflags=BIS');
select * from pg_temp.try('tgflags=BI', 'SKIP');
select * from pg_temp.try('tgflags=BI');
select * from pg_temp.try('tgflags=S');
select * from pg_temp.try('skip');
create trigger theirs before insert on work.t for each row execute function pgq.sqltriga('their', 'SKIP');
select * from pg_temp.try('backup');
select * from pg_temp.try('tgflags=BIS');
create trigger zzz_more before insert on work.t for each row execute function pgq.sqltriga('more', 'SKIP');
select * from pg_temp.try('tgflags=BIS');
drop trigger zzz_theirs on work.t;
drop trigger zzz_more on work.t;
select * from londiste.local_change_handler('nosuch', 'work.t', null, null);
select * from londiste.local_change_handler('q', 'work.nosuch', null, null);

-- create_trigger tells the name; rule: a long name of a queue does not mix up the two triggers
select * from londiste.create_trigger('q', 'work.t', null, 'work.t', 'root');
select * from londiste.create_trigger('q', 'work.t', array['tgflags=BS'], null, 'branch');
select * from londiste.create_trigger('q', 'work.nosuch', null, null, 'root');
select * from londiste.create_trigger('q', 'work.t', array['virtual_table'], null, 'root');
select * from londiste.create_trigger(repeat('long', 13), 'work.t', array['tgflags=B'], 'work.t', 'root');
select * from londiste.create_trigger(repeat('long', 13), 'work.t', array['tgflags=B'], 'work.t', 'root');
select trigger from triggers where trigger ~ 'work.t ';
select londiste.drop_table_triggers('q', 'work.t');
select trigger from triggers where trigger ~ 'work.t ';

-- Rule: a warning, where a trigger fires before ours.
create function work.nothing() returns trigger language plpgsql as 'begin return null; end';
create trigger "A first" after update on plain for each row execute function work.nothing();
create trigger "Before" before update on plain for each row execute function work.nothing();
create trigger "Statement" after update on plain execute function work.nothing();
create trigger later after update on plain for each row execute function work.nothing();
select * from londiste.local_remove_table('q', 'plain');
select * from londiste.local_add_table('q', 'plain');
select * from londiste.local_remove_table('q', 'plain');
select * from londiste.local_add_table('q', 'plain', array['tgflags=ID']);
alter table plain disable trigger "A first";
select * from londiste.local_remove_table('q', 'plain');
select * from londiste.local_add_table('q', 'plain');

-- what is missing
create sequence work.seq;
select * from londiste.local_show_missing('q');
select * from londiste.local_add_table('q', 'work.other');
select * from londiste.local_add_seq('q', 'work.seq');
select * from londiste.local_show_missing('q');
select * from londiste.local_show_missing('nosuch');

-- leave
select * from londiste.local_remove_table('q', 'nosuch');
select * from londiste.local_remove_table('nosuch', 'work.t');
select * from londiste.local_remove_table('q', 'work.t');
select * from londiste.global_remove_table('q', 'work.other');
select * from londiste.global_remove_table('q', 'work.other');
select * from londiste.global_remove_table('nosuch', 'work.other');
select londiste.root_notify_change('q', 'type', 'data'), londiste.root_notify_change('nosuch', 'type', 'data');
select * from tables;
select * from triggers;
select * from events offset 10;
-- Rule: with the node go the triggers.
select * from pgq_node.drop_node('q', 'n1');
select * from triggers;
select * from tables;
drop table plain;
