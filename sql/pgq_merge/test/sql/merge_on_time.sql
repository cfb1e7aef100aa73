-- SPDX-License-Identifier: ISC
set client_min_messages = warning;
create extension if not exists pgq_merge;
reset client_min_messages;
\set VERBOSITY terse
\pset format unaligned
\pset tuples_only on
set timezone = 'UTC';

select pgq_merge._urldecode_row('a=1&b=x+y%2fz%c3%a9&c&d=&e%3d=%25%zz%4');
select pgq_merge._urldecode_row('');

create table item (id int primary key, name text, code text unique, at timestamptz, parent int);
create function pg_temp.merge(conf text, type text, data text) returns text language sql as
    $$ select public.merge_on_time(conf, '1', '2', null, null, null, type, data, 'public.item', null, null, null) $$;

-- new, newer, older, same age
select pg_temp.merge('timefield=at', 'I:id', 'id=1&name=one&at=2024-01-02+10%3a00%3a00%2b00');
select pg_temp.merge('timefield=at', 'I:id', 'id=1&name=newer&at=2024-01-02+11%3a00%3a00%2b00');
select pg_temp.merge('timefield=at', 'U:id', 'id=1&name=older&at=2024-01-02+09%3a00%3a00%2b00');
select pg_temp.merge('timefield=at', 'U:id', 'id=1&name=same&at=2024-01-02+11%3a00%3a00%2b00');
select pg_temp.merge('timefield=at', 'U:id', 'id=2&name=two&at=2024-01-02+09%3a00%3a00%2b00');
select * from item order by id;

-- rule: times are compared as times: other zones, other styles, days of one digit
select pg_temp.merge('timefield=at', 'U:id', 'id=1&name=zone&at=2024-01-02+09%3a30%3a00-02');
select pg_temp.merge('timefield=at', 'U:id', 'id=1&name=text+is+higher&at=2024-01-02+13%3a00%3a00%2b02');
set datestyle = 'German';
select pg_temp.merge('timefield=at', 'U:id', 'id=1&name=style&at=10.01.2024+10%3a00%3a00+UTC');
reset datestyle;
select id, name, at from item order by id;
create table plain (id int primary key, at text);
insert into plain values (1, '2024-01-02 10:00:00+00');
select public.merge_on_time('timefield=at', null, null, null, null, null, 'U:id', 'id=1&at=2024-01-02+09:30:00-02', 'plain', null, null, null);
select * from plain;

-- rule: no time is older than any
select pg_temp.merge('timefield=at', 'U:id', 'id=1&name=none&at');
select pg_temp.merge('timefield=at', 'I:id', 'id=3&name=none&at');
select pg_temp.merge('timefield=at', 'U:id', 'id=3&name=some&at=2000-01-01');

-- delete: of an older version not, of this or a newer one
select pg_temp.merge('timefield=at', 'D:id', 'id=1&at=2024-01-10+09%3a00%3a00%2b00');
select pg_temp.merge('timefield=at', 'D:id', 'id=1&at=2024-01-10+10%3a00%3a00%2b00');
select pg_temp.merge('timefield=at', 'D:id', 'id=1&at=2024-01-10+10%3a00%3a00%2b00');
select id from item order by id;

-- another key: the row that has it is replaced, if both are older
truncate item;
insert into item values (1, 'a', 'c1', '2024-01-01'), (2, 'b', 'c2', '2024-01-03');
select pg_temp.merge('timefield=at&altpk=code', 'I:id', 'id=3&name=c&code=c1&at=2024-01-02');
select pg_temp.merge('timefield=at&altpk=code', 'U:id', 'id=3&name=d&code=c1&at=2024-01-03');
-- rule: the row with the same primary key is looked at, too
select pg_temp.merge('timefield=at&altpk=code', 'U:id', 'id=2&name=older&code=c1&at=2024-01-02');
select pg_temp.merge('timefield=at&altpk=code', 'U:id', 'id=2&name=newer&code=c1&at=2024-01-04');
select pg_temp.merge('timefield=at&altpk=code', 'I:id', 'id=5&code&at=2024-01-04');
select pg_temp.merge('timefield=at&altpk=code', 'I:id', 'id=6&code&at=2024-01-04');
select id, name, code, at from item order by id;

-- parent: rule: lists of columns are split
create table parent (a int, bb int, primary key (a, bb));
insert into parent values (1, 2);
alter table item add a int, add bb int;
select pg_temp.merge('timefield=at&fkey_ref_table=public.parent&fkey_cols=a,bb&fkey_ref_cols=a,bb', 'I:id', 'id=10&a=1&bb=2&at=2024-01-01');
select pg_temp.merge('timefield=at&fkey_ref_table=public.parent&fkey_cols=a,bb&fkey_ref_cols=a,bb', 'I:id', 'id=11&a=1&bb=3&at=2024-01-01');
select pg_temp.merge('timefield=at&fkey_ref_table=parent&fkey_cols=a,bb&fkey_ref_cols=a,bb', 'I:id', 'id=12&a=1&bb&at=2024-01-01');
select pg_temp.merge('timefield=at&fkey_ref_table=parent&fkey_cols=a&fkey_ref_cols=a,bb', 'I:id', 'id=13&a=1&bb&at=2024-01-01');

-- odd names
create table "Odd Table" ("Id}" int primary key, "at it" date);
select public.merge_on_time('timefield=at+it', null, null, null, null, null, 'I:Id}', 'Id%7d=1&at+it=2024-01-01', 'public.Odd Table', null, null, null);
select * from "Odd Table";

-- what is wrong is said
select pg_temp.merge('', 'I:id', 'id=1&at=2024-01-01');
select pg_temp.merge(null, 'I:id', 'id=1&at=2024-01-01');
select pg_temp.merge('timefield=nosuch', 'I:id', 'id=1&nosuch=2024-01-01');
select pg_temp.merge('timefield=at', 'I:', 'id=1&at=2024-01-01');
select pg_temp.merge('timefield=at', 'R', '');
select pg_temp.merge('timefield=at', 'I:nosuch', 'id=1&at=2024-01-01');
select pg_temp.merge('timefield=at', 'I:id', 'id=1');
select pg_temp.merge('timefield=at', 'I:id', 'id=1&at=yesterdy');
select public.merge_on_time('timefield=at', null, null, null, null, null, 'I:id', 'id=1&at=2024-01-01', null, null, null, null);
select public.merge_on_time('timefield=at', null, null, null, null, null, 'I:id', 'id=1&at=2024-01-01', 'nosuch', null, null, null);

-- partitioned tables, and rows in children
create table log (id int, at timestamptz, note text, primary key (id, at)) partition by range (at);
select public.create_partition('log', 'log_2024', null, 'at', '2024-02-10', 'year');
select public.merge_on_time('timefield=at', null, null, null, null, null, 'I:id', 'id=1&at=2024-01-01&note=a', 'log', null, null, null);
select public.merge_on_time('timefield=at', null, null, null, null, null, 'U:id', 'id=1&at=2024-01-02&note=b', 'log', null, null, null);
select * from log;
