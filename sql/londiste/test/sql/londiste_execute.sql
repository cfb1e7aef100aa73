-- SPDX-License-Identifier: ISC
-- DDL through the queue: each file once.
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\i :abs_srcdir/setup.sql
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
