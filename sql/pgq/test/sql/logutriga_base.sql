-- SPDX-License-Identifier: ISC
-- logutriga: rows, shapes of tables, BEFORE and AFTER, wrong use.
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
create table cats (id int primary key, name text, "Odd Col" text, weight numeric);
create trigger log after insert or update or delete on cats for each row execute function pgq.logutriga('q');

-- Rule: a row is name=value joined by &, NULL is the name alone; the operation carries the key columns.
insert into cats values (7, 'a b', null, 1.50);
update cats set weight = 2 where id = 7;
update cats set name = null, "Odd Col" = '' where id = 7;
-- Rule: an UPDATE that changes nothing is an event.
update cats set name = name where id = 7;
delete from cats where id = 7;
-- Rule: several rows of one statement are events in their order.
insert into cats select i, 'cat ' || i from generate_series(1, 3) i;
delete from cats where id < 3;
select ev_type, ev_data, ev_extra1 from log;
truncate pgq.event_1_0;

-- Rule: letters, digits, _ . - stand for themselves, blank is +, any other byte %xx in lower case.
insert into cats values (8, 'azAZ09_.-', E'&=%+/:;,?#@!~*''"\\()<>[]{}|^`$');
insert into cats values (9, E'\u00e9\u20ac', E'\n\t\u007f');
select ev_data from log;
truncate pgq.event_1_0;

-- Rule: what is rolled back makes no event, what a savepoint keeps does.
begin;
insert into cats values (20);
rollback;
begin;
savepoint s;
insert into cats values (21);
rollback to s;
insert into cats values (22);
commit;
select ev_data from log;
truncate pgq.event_1_0;

-- Rule: the shape of the table is followed: columns added, dropped, renamed, the table too.
alter table cats add column age int default 3;
insert into cats (id) values (30);
alter table cats drop column name;
insert into cats (id) values (31);
alter table cats rename column age to "how old";
alter table cats rename to dogs;
create schema zoo;
alter table dogs set schema zoo;
insert into zoo.dogs (id) values (32);
alter schema zoo rename to "Big zoo";
insert into "Big zoo".dogs (id) values (33);
alter table "Big zoo".dogs alter column id type text;
insert into "Big zoo".dogs (id) values ('x');
select ev_type, ev_data, ev_extra1 from log;
truncate pgq.event_1_0;

-- Rule: BEFORE triggers let the operation go on, with SKIP they do not.
create table b (id int primary key, v text);
create trigger log before insert or update or delete on b for each row execute function pgq.logutriga('q');
insert into b values (1, 'a'), (2, 'b');
update b set v = 'c' where id = 1;
delete from b where id = 2;
select * from b;
drop trigger log on b;
create trigger log before insert or update or delete on b for each row execute function pgq.logutriga('q', 'SKIP');
insert into b values (3, 'd');
update b set v = 'e' where id = 1;
delete from b where id = 1;
select * from b;
select ev_type, ev_data from log;
truncate pgq.event_1_0;

-- Rule: generated columns are data, except where they are not computed yet.
create table g (id int primary key, n int, twice int generated always as (n * 2) stored, i int generated always as identity);
create trigger log_after after insert or update or delete on g for each row execute function pgq.logutriga('q');
insert into g (id, n) values (1, 5);
update g set n = 6;
delete from g;
drop trigger log_after on g;
create trigger log_before before insert or update or delete on g for each row execute function pgq.logutriga('q');
insert into g (id, n) values (1, 5);
update g set n = 6;
delete from g;
select ev_type, ev_data from log;

-- Rule: used in a wrong way, it says how.
select pgq.logutriga();
create table w (id int primary key);
create trigger bad after insert on w for each row execute function pgq.logutriga();
insert into w values (1);
drop trigger bad on w;
create trigger bad after insert on w execute function pgq.logutriga('q');
insert into w values (1);
drop trigger bad on w;
create trigger bad after insert on w for each row execute function pgq.logutriga('q', 'SKIP');
insert into w values (1);
drop trigger bad on w;
create trigger bad after insert on w for each row execute function pgq.logutriga('q', 'nonsense=1');
insert into w values (1);
drop trigger bad on w;
create trigger bad after insert on w for each row execute function pgq.logutriga('q', 'skip');
insert into w values (1);
drop trigger bad on w;
create trigger bad after insert on w for each row execute function pgq.logutriga('no such queue');
insert into w values (1);
drop trigger bad on w;
create view v as select id from w;
create trigger bad instead of insert on v for each row execute function pgq.logutriga('q');
insert into v values (1);
select count(*) from w;
set client_min_messages = warning;
drop schema "Big zoo" cascade;
