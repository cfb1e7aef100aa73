-- SPDX-License-Identifier: ISC
-- jsontriga: JSON objects of rows.
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
set timezone = 'Europe/Tallinn';
-- Rule: operation, table and key as one object; the row as another, in the order of the table, without blanks.
create table cat (id int primary key, p numeric, ok bool, at timestamptz, tags text[]);
create trigger log after insert or update or delete on cat for each row execute function pgq.jsontriga('q');
create trigger log_truncate after truncate on cat for each statement execute function pgq.jsontriga('q');
set timezone = utc;
insert into cat values (7, 1.50, true, '2024-05-01 10:00:00+00', '{a,b}');
set timezone = 'Europe/Tallinn';
update cat set ok = false, p = null;
update cat set p = p;
delete from cat;
truncate cat;
select ev_type, ev_data, ev_extra1, ev_extra2 from log;
truncate pgq.event_1_0;

-- Rule: strings as JSON wants them; names of tables and columns too.
create schema "My ""schema\";
create table "My ""schema\"."T,a.b'l" ("a""q" int, "b\s" text, "é ü" text, "c,d" text, primary key ("c,d", "a""q"));
create trigger log after insert on "My ""schema\"."T,a.b'l" for each row execute function pgq.jsontriga('q');
insert into "My ""schema\"."T,a.b'l" values (1, E'"\\/\b\f\n\r\t\u0001\u001f\u007f', E'\u00e9\u20ac\U0001f600', '</script>');
select ev_type::json ->> 'op', ev_type::json -> 'table' ->> 0, ev_type::json -> 'table' ->> 1, ev_type::json ->> 'pkey' from log;
select ev_type, ev_data, ev_extra1 from log;
select d.key, d.value, d.value = to_json(t.*) ->> d.key as same
  from log, json_each_text(ev_data::json) d, "My ""schema\"."T,a.b'l" t;
truncate pgq.event_1_0;

-- Rule: bool, whole numbers and NULL are those of JSON, times are ISO 8601, the rest are strings of their text.
create type mood as enum ('sad', 'happy');
create domain whole as int;
create domain yes as bool;
create domain moment as timestamptz;
create table types (
    id int primary key, c_bool bool, c_int2 int2, c_int8 int8, c_float4 float4, c_float8 float8, c_numeric numeric,
    c_date date, c_time time, c_timetz timetz, c_timestamp timestamp, c_timestamptz timestamptz, c_json json,
    c_jsonb jsonb, c_array int[], c_enum mood, c_whole whole, c_yes yes, c_moment moment, c_oid oid, c_bytea bytea,
    c_char char(4), c_name name);
create trigger log after insert on types for each row execute function pgq.jsontriga('q');
set datestyle = german, dmy;
insert into types values (
    1, true, -32768, -9223372036854775808, 'NaN', 0.1, 1e30, '2024-02-29', '12:34:56.789', '12:34:56+02',
    '2024-02-29 12:34:56.5', '2024-02-29 12:34:56.123456+00', '{"a": [1, null]}', '{"b": "c"}', '{1,null}', 'happy',
    5, true, '2024-01-01 00:00:00+00', 4294967295, '\x00ff', 'ab', 'name');
insert into types (id, c_date, c_timestamp, c_timestamptz) values
    (2, 'infinity', '-infinity', 'infinity'), (3, '0044-03-15 BC', '0044-03-15 12:00:00 BC', '0044-03-15 12:00:00 BC'),
    (4, '10000-01-01', '294276-12-31 23:59:59.999999', '1880-01-01 00:00:00');
select e.ev_id, d.key, d.value from pgq.event_template e, json_each(ev_data::json) d
 where d.value::text <> 'null' order by e.ev_id, row_number() over ();
reset datestyle;
truncate pgq.event_1_0;

-- Rule: backup is JSON too; ignore=, pkey=, when= and expressions as with logutriga.
create table t (id int, k text, v text, w text);
create trigger log after insert or update or delete on t for each row
    execute function pgq.jsontriga('q', 'backup', 'pkey= k , id', 'ignore=w', 'when=v <> ''no''', 'ev_extra3=upper(v)');
insert into t values (1, 'k', 'v', 'w'), (2, 'k', 'no', 'w');
update t set v = 'x' where id = 1;
update t set w = 'x' where id = 1;
update t set id = 5 where id = 1;
delete from t;
select * from log;
truncate pgq.event_1_0;

-- Rule: no key is an empty list, no column an empty object.
drop trigger log on t;
create trigger log after insert on t for each row execute function pgq.jsontriga('q', 'ignore=id,k,v,w');
insert into t values (1);
select ev_type, ev_data from log;
truncate pgq.event_1_0;

-- Rule: generated columns are data, except where they are not computed yet.
create table g (id int primary key, n int, twice int generated always as (n * 2) stored);
create trigger log_after after insert or update or delete on g for each row execute function pgq.jsontriga('q');
create trigger log_before before insert or update or delete on g for each row execute function pgq.jsontriga('q', 'backup');
insert into g (id, n) values (1, 5);
update g set n = 6;
delete from g;
select ev_type::json ->> 'op', ev_data, ev_extra2 from log;
truncate pgq.event_1_0;

-- Rule: writers may use it.
select has_function_privilege('pgq_writer', 'pgq.jsontriga()', 'execute'),
       has_function_privilege('public', 'pgq.jsontriga()', 'execute');
set client_min_messages = warning;
drop schema "My ""schema\" cascade;
