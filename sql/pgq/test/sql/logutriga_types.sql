-- SPDX-License-Identifier: ISC
-- logutriga: values of all kinds of types.
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
create view log as
    select ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3, ev_extra4 from pgq.event_template order by ev_id;
set datestyle = iso, ymd;
set timezone = 'Europe/Tallinn';
set bytea_output = hex;
set intervalstyle = postgres;
create type mood as enum ('sad', 'happy');
create type pair as (a int, b text);
create domain short as text check (length(value) < 10);
create table types (
    id int primary key, c_bool bool, c_int2 int2, c_int8 int8, c_float4 float4, c_float8 float8, c_numeric numeric(10, 2),
    c_text text, c_varchar varchar(20), c_char char(5), c_name name, c_bytea bytea, c_date date, c_time time,
    c_timetz timetz, c_timestamp timestamp, c_timestamptz timestamptz, c_interval interval, c_uuid uuid, c_json json,
    c_jsonb jsonb, c_inet inet, c_cidr cidr, c_macaddr macaddr, c_bit bit(4), c_varbit varbit, c_money money,
    c_point point, c_box box, c_oid oid, c_tsvector tsvector, c_range int4range, c_enum mood, c_pair pair, c_domain short,
    c_ints int[], c_texts text[], c_enums mood[], c_pairs pair[]);
create trigger log after insert or update or delete on types for each row execute function pgq.logutriga('q');
insert into types values (
    1, true, -32768, 9223372036854775807, 'infinity', 0.1, 1.5,
    'text', 'varchar', 'ch', 'name', '\x00ff', '2024-02-29', '12:34:56.789',
    '12:34:56+02', '2024-02-29 12:34:56.123456', '2024-02-29 12:34:56+00', '1 day 02:03:04',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": [1, null]}', '{"b": "c"}', '10.0.0.1/8', '10.0.0.0/8',
    '08:00:2b:01:02:03', B'1010', B'101', '12.34', '(1,2)', '(1,1),(0,0)', 4294967295, 'fat cat', '[1,5)', 'happy',
    row (1, 'x y'), 'domain', '{1,null,3}', '{"a,b",null,""}', '{sad,happy}', array[row (1, 'p')::pair]);
select regexp_split_to_table(ev_data, '&') as field from log;
truncate pgq.event_1_0;
-- Rule: all of them may be NULL.
insert into types (id) values (2);
select ev_data from log;
truncate pgq.event_1_0;
-- Rule: settings of the session shape the text.
set datestyle = german;
set bytea_output = escape;
update types set c_text = 't' where id = 1;
select regexp_split_to_table(ev_data, '&') as field from log offset 11 limit 2;
truncate pgq.event_1_0;
reset datestyle;
reset timezone;
-- Rule: long values, also those stored out of line, compressed or not.
create table big (id int primary key, a text, b text, c int);
alter table big alter column b set storage external;
create trigger log after insert or update or delete on big for each row execute function pgq.logutriga('q');
insert into big values (1, repeat('a b', 100000), repeat('%', 100000));
update big set c = 1;
delete from big;
select ev_type, length(ev_data), md5(ev_data) = md5('id=1&a=' || repeat('a+b', 100000) || '&b=' || repeat('%25', 100000)
       || case when ev_type like 'I%' then '&c' else '&c=1' end) as right_text
  from log;
-- Rule: many rows in one statement, in little memory.
truncate pgq.event_1_0;
insert into big select i, repeat('x', 100) from generate_series(1, 20000) i;
select count(*), count(distinct ev_data), min(length(ev_data)), max(length(ev_data)) from pgq.event_1_0;
