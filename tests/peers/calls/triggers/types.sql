-- SPDX-License-Identifier: ISC
-- Values of every kind of type, in each format. TRIGA stands for one of the three functions.

select pgq.create_queue('q');
create function events(out ev_type text, out ev_data text) returns setof record language sql as 'delete from pgq.event_1_0 returning ev_type, ev_data';
create type mood as enum ('sad', 'it''s "ok"');
create type pair as (a int, b text);
create domain posint as int check (value > 0);
create table types (id bigint primary key, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, num numeric, m money, bo bool, c "char", ch char(5), vc varchar(10), tx text, nm name, by bytea, d date, tm time, tmtz timetz, ts timestamp, tstz timestamptz, iv interval, ip inet, ci cidr, mac macaddr, u uuid, bi bit(4), vb varbit, o oid, pt point, bx box, j json, jb jsonb, x xml, tv tsvector, e mood, p pair, dm posint, r int4range, rc regclass, ai int[], at text[], ab bool[], ad timestamptz[], aj jsonb[], tid txid_snapshot);
create trigger tr after insert or update or delete on types for each row execute function pgq.TRIGA('q', 'backup');
insert into types values (9223372036854775807, -32768, 2147483647, -9223372036854775808, 1.1, 2.718281828459045, 12345678901234567890.123456789, 1.23, true, 'x', 'ab', 'v', E't"\\/\b\f\n\r\t\x01€', 'n', E'\\xdeadbeef', '2024-02-29', '12:34:56.7', '12:34:56+02', '2024-02-29 12:34:56.789', '2024-02-29 12:34:56.789+02', '1 year 2 mons 3 days 04:05:06.7', '10.0.0.1', '10.0.0.0/8', '08:00:2b:01:02:03', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '1010', '101', 42, '(1,2)', '(3,4),(1,2)', '{"a": [1, 2, {"b": "c"}]}', '{"a": [1, 2.50, null]}', '<a>&amp;</a>', 'fat cat', 'it''s "ok"', '(1,"x y")', 5, '[1,10)', 'pg_class', '{1,NULL,3}', '{"a b",NULL,"q\"\\"}', '{t,f}', '{"2024-02-29 12:34:56+00"}', array['{"k": 1}'::jsonb], '1:5:2,3');
insert into types (id) values (2);
insert into types (id, f4, f8, num, d, ts, tstz, iv) values (3, 'NaN', '-Infinity', 'NaN', '-infinity', 'infinity', '-infinity', '-00:00:01');
insert into types (id, f4, f8, num, d, ts, tstz, by) values (4, 1e30, 1e-300, 1e100, '0044-03-15 BC', '0044-03-15 01:02:03 BC', '9999-12-31 23:59:59.999999+00', '');
select * from events();
update types set i2 = 1, j = '{}', ai = '{}', bo = false where id = 9223372036854775807;
update types set tx = '', at = null where id = 9223372036854775807;
select * from events();
set timezone = 'Asia/Kolkata';
set datestyle = 'SQL, DMY';
set bytea_output = 'escape';
set intervalstyle = 'iso_8601';
set extra_float_digits = -5;
update types set i2 = 2, f8 = 3.141592653589793, by = E'\\xde00' where id = 9223372036854775807;
set standard_conforming_strings = off;
update types set i2 = 3, tx = 'a\\b' where id = 9223372036854775807;
delete from types;
select * from events();
