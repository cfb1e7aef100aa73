-- SPDX-License-Identifier: ISC
set client_min_messages = warning;
create extension if not exists pgq_merge;
reset client_min_messages;
\set VERBOSITY terse
\pset format unaligned
\pset tuples_only on
set timezone = 'UTC';

create role part_reader;
create table sale (id int primary key, sold_at timestamptz, note text default 'x');
grant select on sale to part_reader;
grant insert on sale to public;

select public.create_partition('public.sale', 'public.sale_2024_02', 'id', 'sold_at', '2024-02-10 12:00', 'month');
select public.create_partition('public.sale', 'public.sale_2024_02', 'id', 'sold_at', '2024-02-10 12:00', 'month');
select public.create_partition('sale', 'sale_all', 'id', '', now(), 'day');
select public.create_partition('sale', 'sale_hour', 'id', 'sold_at', '2024-12-31 23:59', 'hour');
select conrelid::regclass, pg_get_constraintdef(oid) from pg_constraint
 where conrelid::regclass::text ~ '^sale_' and contype in ('c', 'p') order by 1::text, 2;
insert into sale_2024_02 values (1, '2024-02-29 23:59');
insert into sale_2024_02 values (2, '2024-03-01');
select tableoid::regclass, id, note from sale;
select has_table_privilege('part_reader', 'sale_2024_02', 'select'), has_table_privilege('part_reader', 'sale_2024_02', 'insert'),
       has_table_privilege('part_reader', 'sale_2024_02', 'delete');

-- of a table that is partitioned
create table log (id int, at timestamptz) partition by range (at);
select public.create_partition('log', 'log_2024', null, 'at', '2024-02-10', 'year');
select pg_get_expr(relpartbound, oid) from pg_class where relname = 'log_2024';
insert into log values (1, '2024-12-31 23:59:59.9');
insert into log values (1, '2025-01-01');

-- what is wrong is said
select public.create_partition('sale', 'sale_x', null, 'sold_at', now(), 'week');
select public.create_partition('nosuch', 'sale_x', null, 'sold_at', now(), 'day');
select public.create_partition('sale', 'sale_x', null, 'nosuch', now(), 'day');

drop table sale cascade;
drop table log;
drop role part_reader;
