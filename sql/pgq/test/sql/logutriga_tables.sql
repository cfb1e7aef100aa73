-- SPDX-License-Identifier: ISC
-- logutriga: TRUNCATE, partitions, deferred and nested triggers.
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
-- Rule: TRUNCATE is an event without data.
create table t (id int primary key);
create trigger log after truncate on t for each statement execute function pgq.logutriga('q');
truncate t;
create trigger log_before before truncate on t for each statement execute function pgq.logutriga('q', 'SKIP');
truncate t;
select * from log;
-- Rule: options that need a row are refused, deny is not.
drop trigger log_before on t;
create function try(option text) returns void language plpgsql as $$
begin
    drop trigger if exists log on t;
    execute format('create trigger log after truncate on t for each statement execute function pgq.logutriga(%L, %L)', 'q', option);
    truncate t;
end;
$$;
select try('ignore=id');
select try('pkey=id');
select try('backup');
select try('when=true');
select try('ev_type=1');
select try('deny');
-- Rule: nothing is half done.
select count(*) from log;

-- Rule: a trigger on a partitioned table tells of that table, whatever partition the row is in.
truncate pgq.event_1_0;
create table parts (id int, kind text, v text, primary key (id, kind)) partition by list (kind);
create table parts_a partition of parts for values in ('a') partition by range (id);
create table parts_a1 partition of parts_a for values from (0) to (10);
create table parts_b (v text, kind text not null, gone int, id int not null);
alter table parts_b drop column gone;
alter table parts attach partition parts_b for values in ('b');
create trigger log after insert or update or delete on parts for each row execute function pgq.logutriga('q');
insert into parts values (1, 'a', 'x'), (2, 'b', 'y');
update parts set v = 'z';
delete from parts where kind = 'b';
select ev_type, ev_data, ev_extra1 from log;
truncate pgq.event_1_0;
-- Rule: a row that moves to another partition is deleted there and inserted here.
update parts set kind = 'b' where id = 1;
select ev_type, ev_data, ev_extra1 from log;
-- Rule: a trigger on a partition itself tells of the partition.
drop trigger log on parts;
create trigger log after insert on parts_a1 for each row execute function pgq.logutriga('q');
truncate pgq.event_1_0;
insert into parts values (3, 'a', 'direct');
alter table parts rename to portions;
select ev_type, ev_data, ev_extra1 from log;
-- Rule: a rename of the partitioned table is noticed in the partition.
drop trigger log on parts_a1;
create trigger log after insert on portions for each row execute function pgq.logutriga('q');
truncate pgq.event_1_0;
insert into portions values (4, 'a', 'x');
alter table portions rename to pieces;
insert into pieces values (5, 'a', 'x');
select ev_extra1 from log;

-- Rule: deferred triggers work, at commit.
create table d (id int primary key);
create constraint trigger log after insert on d deferrable initially deferred for each row
    execute function pgq.logutriga('q');
truncate pgq.event_1_0;
begin;
insert into d values (1);
select count(*) from log;
commit;
select ev_data from log;
-- Rule: a trigger that fires in the middle of another statement does not disturb it.
create function nested() returns trigger language plpgsql as $$
begin
    insert into d values (new.id + 100);
    return new;
end;
$$;
create trigger nested before insert on t for each row execute function nested();
drop trigger if exists log on t;
create trigger log after insert on t for each row execute function pgq.logutriga('q', 'ev_extra2=id');
truncate pgq.event_1_0;
insert into t values (1), (2);
select ev_data, ev_extra1, ev_extra2 from log;
