-- SPDX-License-Identifier: ISC
-- DDL through the queue: each file once.
set client_min_messages = warning;
drop extension if exists pgq cascade;
drop schema if exists work, other cascade;
create extension londiste cascade;
create schema work;
reset client_min_messages;
\set VERBOSITY terse
\pset format unaligned
\pset footer off
-- A node of queue $1: type, combined queue.
create function pg_temp.node(queue text, type text, combined text default null) returns text language plpgsql as $$
declare
    code integer;
    note text;
begin
    perform pgq_node.register_location(queue, 'n1', 'dbname=n1', false),
            pgq_node.register_location(queue, 'n2', 'dbname=n2', false);
    select ret_code, ret_note into code, note
      from pgq_node.create_node(queue, type, case type when 'root' then 'n1' else 'n2' end, queue || '_w',
                                case when type <> 'root' then 'n1' end, case when type <> 'root' then 1 end, combined);
    return code || ' ' || note;
end;
$$;
create view pg_temp.tables as
    select queue_name, table_name, local, merge_state, custom_snapshot, dropped_ddl, table_attrs, dest_table
      from londiste.table_info order by nr;
create view pg_temp.triggers as
    select regexp_replace(pg_get_triggerdef(t.oid), '^CREATE TRIGGER | EXECUTE FUNCTION| FOR EACH', '', 'g') as trigger
      from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
     where not t.tgisinternal and n.nspname !~ '^(pg|lond)' order by t.tgrelid::regclass::text, t.tgname;
create view pg_temp.events as
    select ev_type, ev_data, ev_extra1, ev_extra2 from pgq.event_template where ev_type !~ '^pgq' order by ev_id;
select pg_temp.node('q', 'root');
select pg_temp.node('b', 'branch');
select pg_temp.node('l', 'leaf');
-- Rule: codes and notes are those of 3.8.
select * from londiste.execute_start('q', 'a.sql', 'create table work.t (id int);', true);
create table work.t (id int);
select * from londiste.execute_finish('q', 'a.sql');
select * from londiste.execute_finish('q', 'nosuch.sql');
select * from londiste.execute_start('q', 'b.sql', 'select ''ä'';', true, 'local-table=work.t');
select * from londiste.execute_finish('q', 'b.sql');
select * from events;
-- Rule: a file is executed once in a database, whatever queue it comes by.
select * from londiste.execute_start('q', 'a.sql', 'other', true);
select * from londiste.execute_start('b', 'a.sql', 'other', false);
select * from londiste.execute_start('l', 'a.sql', 'other', false);
-- Rule: it begins on the root.
select * from londiste.execute_start('b', 'c.sql', 'select 1', true);
select * from londiste.execute_start('b', 'c.sql', 'select 1', false, 'x=y');
select * from londiste.execute_finish('b', 'c.sql');
select * from londiste.execute_start('nosuch', 'd.sql', 'select 1', true);
select * from londiste.execute_start('nosuch', 'd.sql', 'select 1', false);
select * from londiste.execute_finish('nosuch', 'c.sql');
select * from events offset 2;
select queue_name, execute_file, execute_sql, execute_attrs from londiste.applied_execute order by execute_file;
-- Rule: one that was rolled back was not executed.
begin;
select * from londiste.execute_start('q', 'e.sql', 'select 1', true);
rollback;
select * from londiste.execute_start('q', 'e.sql', 'select 1', true);
-- Rule: files are remembered for 3 months.
update londiste.applied_execute set execute_time = now() - interval '3 months 1 day' where execute_file = 'a.sql';
update londiste.applied_execute set execute_time = now() - interval '3 months' + interval '1 day' where execute_file = 'b.sql';
select func_name, func_arg from pgq.maint_operations() where func_name ~ 'londiste';
select londiste.periodic_maintenance();
select execute_file from londiste.applied_execute order by 1;
select * from londiste.execute_start('l', 'a.sql', 'select 1', false);
