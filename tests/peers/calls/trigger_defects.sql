-- SPDX-License-Identifier: ISC
-- What the trigger functions of 3.5 get wrong.

select pgq.create_queue('q');
create function events(out ev_type text, out ev_data text, out ev_extra1 text) returns setof record language sql as 'delete from pgq.event_1_0 returning ev_type, ev_data, ev_extra1';

-- Names in pkey= that no column has
create table t (id int primary key, a text, b text);
create trigger tr after insert or update or delete on t for each row execute function pgq.sqltriga('q', 'pkey=nope');
-- differs: defect 9: names in pkey= are not validated
-- 3.5: []
-- 4.0: "has no column"
insert into t values (1, 'a', 'b');
set session_replication_role = local;
insert into t values (2, 'a', 'b');
reset session_replication_role;
-- differs: defect 9: the event's condition is empty
delete from t where id = 2;
drop trigger tr on t;
delete from pgq.event_1_0;

-- A key that changes while an ignored column is there
create table late_key (a text, b text, id int primary key);
insert into late_key values ('a', 'b', 1), ('a', 'b', 3);
create trigger tr after insert or update or delete on late_key for each row execute function pgq.logutriga('q', 'ignore=b');
-- differs: defect 10: a changed key is not seen when ignore= is set and an earlier column changed
-- 4.0: "primary key update not allowed"
update late_key set a = 'x', id = 2 where id = 1;
drop trigger tr on late_key;
create trigger tr after insert or update or delete on late_key for each row execute function pgq.jsontriga('q', 'ignore=b');
-- differs: defect 10, jsontriga
-- 4.0: "primary key update not allowed"
update late_key set a = 'x', id = 4 where id = 3;
delete from pgq.event_1_0;

-- Generated and identity columns
create table gen (id int primary key generated always as identity, a int, b int generated always as (a * 2) stored);
create trigger tr after insert or update or delete on gen for each row execute function pgq.sqltriga('q');
insert into gen (a) values (1);
update gen set a = 2;
-- differs: defect 11: partial SQL sets generated columns, which no server takes
-- 3.5: [["I", "(id,a,b) values ('1','1','2')", "public.gen"], ["U", "a='2',b='4' where id='1'", "public.gen"]]
-- 4.0: [["I", "(id,a) overriding system value values ('1','1')", "public.gen"], ["U", "a='2' where id='1'", "public.gen"]]
select * from events();
drop trigger tr on gen;
create trigger tr after insert or update or delete on gen for each row execute function pgq.logutriga('q');
update gen set a = 3;
select * from events();

-- Partitions
create table parted (id int primary key, a text) partition by range (id);
create table parted_1 partition of parted for values from (0) to (100);
create trigger tr after insert or update or delete on parted for each row execute function pgq.logutriga('q');
insert into parted values (1, 'a');
-- differs: defect 11: 3.5 reports the name of the partition
-- 3.5: [["public.parted_1"]]
-- 4.0: [["public.parted"]]
select ev_extra1 from events();

-- Magic columns
create table magic (id int primary key, _pgq_ev_type text);
insert into magic values (1, 'a');
create trigger tr after update on magic for each row execute function pgq.sqltriga('q');
update magic set _pgq_ev_type = 'b';
-- differs: sqltriga of 3.5 drops an update of magic columns alone, the two others do not; now all make an event
-- 3.5: []
-- 4.0: [["b", "id='1' where id='1'", "public.magic"]]
select * from events();
