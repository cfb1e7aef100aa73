-- SPDX-License-Identifier: ISC
-- The trigger functions with each of their arguments. TRIGA stands for one of the three.

create table seen (n serial, ev_type text, ev_data text, e1 text, e2 text, e3 text, e4 text);
select pgq.create_queue('q');
create function events(out ev_type text, out ev_data text, out ev_extra1 text, out ev_extra2 text, out ev_extra3 text, out ev_extra4 text) returns setof record language sql as 'delete from pgq.event_1_0 returning ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3, ev_extra4';

-- The three operations, NULLs, names and values that need quotes.
create table plain (id int primary key, "Odd col" text, n numeric(10,2), b bool, t timestamptz);
create trigger tr after insert or update or delete on plain for each row execute function pgq.TRIGA('q');
insert into plain values (1, 'a b', 1.5, true, '2024-05-01 10:00+00'), (2, null, null, null, null), (3, '', 'NaN', false, 'infinity');
select * from events();
insert into plain values (4, E'é/&=+%\'"\\\n\t', -0.01, null, '1999-12-31 23:59:59.123456+00');
select * from events();
update plain set "Odd col" = 'changed' where id = 1;
update plain set n = null where id = 1;
update plain set b = b where id = 1;
update plain set "Odd col" = E'back\\slash', n = 7 where id = 2;
select * from events();
update plain set id = 10 where id = 1;
delete from plain where id in (1, 2);
delete from plain;
select * from events();

-- Keys of several columns, not in the order of the table; no key.
create table twokeys (a int, b text, c int, d text, primary key (c, b));
create trigger tr after insert or update or delete on twokeys for each row execute function pgq.TRIGA('q');
insert into twokeys values (1, 'x', 2, 'y');
update twokeys set a = 5, d = null;
update twokeys set b = 'new';
delete from twokeys;
select * from events();
create table nokey (a int, b text);
create trigger tr after insert or update or delete on nokey for each row execute function pgq.TRIGA('q');
insert into nokey values (1, 'x');
update nokey set a = 2;
delete from nokey;
select * from events();
drop trigger tr on nokey;
create trigger tr after insert or update or delete on nokey for each row execute function pgq.TRIGA('q', 'pkey=a');
update nokey set b = 'y';
update nokey set a = 2;
delete from nokey;
select * from events();

-- ignore=
create table ign (id int primary key, a text, b text, c text);
create trigger tr after insert or update or delete on ign for each row execute function pgq.TRIGA('q', 'ignore=b,c');
insert into ign values (1, 'a', 'b', 'c');
update ign set b = 'x';
update ign set b = 'y', c = 'z';
update ign set a = 'x', b = 'z';
update ign set a = a;
delete from ign;
select * from events();

-- backup, SKIP, deny
create table bak (id int primary key, a text, b text);
create trigger tr after insert or update or delete on bak for each row execute function pgq.TRIGA('q', 'backup');
insert into bak values (1, 'a', null);
update bak set a = 'x y';
update bak set a = a;
delete from bak;
select * from events();
create table skipped (id int primary key, a text);
create trigger tr before insert or update or delete on skipped for each row execute function pgq.TRIGA('q', 'SKIP');
insert into skipped values (1, 'a');
select * from skipped;
select * from events();
drop trigger tr on skipped;
create trigger tr after insert on skipped for each row execute function pgq.TRIGA('q', 'SKIP');
insert into skipped values (1, 'a');
drop trigger tr on skipped;
create trigger tr before insert or update or delete on skipped for each row execute function pgq.TRIGA('q');
insert into skipped values (1, 'a');
update skipped set a = 'b';
select * from skipped;
delete from skipped;
select * from events();
create table denied (id int primary key, a text);
insert into denied values (1, 'a');
create trigger tr after insert or update or delete on denied for each row execute function pgq.TRIGA('q', 'deny');
create trigger tt after truncate on denied for each statement execute function pgq.TRIGA('q', 'deny');
-- literal: Table 'public.denied' to queue 'q': change not allowed (INSERT)
insert into denied values (2, 'a');
-- literal: Table 'public.denied' to queue 'q': change not allowed (UPDATE)
update denied set a = 'b';
-- literal: Table 'public.denied' to queue 'q': change not allowed (DELETE)
delete from denied;
-- literal: Table 'public.denied' to queue 'q': change not allowed (TRUNCATE)
truncate denied;
set session_replication_role = local;
update denied set a = 'c';
reset session_replication_role;

-- Expressions
create table expr (id int primary key, a text, "B" text);
create trigger tr after insert or update or delete on expr for each row execute function pgq.TRIGA('q', 'ev_type=''T'' || id', 'ev_data=a || ''!''', 'ev_extra1=null::text', 'ev_extra2=id + 1', 'ev_extra3=upper(a)', 'ev_extra4=current_database() is null');
insert into expr values (1, 'a', 'b'), (2, null, null);
update expr set a = 'c' where id = 1;
delete from expr;
select * from events();
drop trigger tr on expr;
create trigger tr after insert or update or delete on expr for each row execute function pgq.TRIGA('q', 'when=id > 1 and a = ''yes''');
insert into expr values (1, 'yes', null), (2, 'no', null), (3, 'yes', null);
delete from expr where id <> 2;
select * from events();
-- literal: when= should not be NULL
insert into expr values (4, null, null);
drop trigger tr on expr;
create trigger tr after insert on expr for each row execute function pgq.TRIGA('q', 'when=a');
-- literal: when= query result must be boolean
insert into expr values (5, 'x', null);
drop trigger tr on expr;
create trigger tr after insert on expr for each row execute function pgq.TRIGA('q', 'ev_extra3=(select 1 where false)');
insert into expr values (6, 'x', null);
select * from events();
drop trigger tr on expr;
create trigger tr after insert on expr for each row execute function pgq.TRIGA('q', 'ev_extra3=no_such_thing');
insert into expr values (7, 'x', null);
drop trigger tr on expr;

-- Arguments that are wrong
create trigger tr after insert on expr for each row execute function pgq.TRIGA();
insert into expr values (7, 'x', null);
drop trigger tr on expr;
create trigger tr after insert on expr for each row execute function pgq.TRIGA('q', 'bad=1');
insert into expr values (7, 'x', null);
drop trigger tr on expr;
create trigger tr after insert on expr for each row execute function pgq.TRIGA('q', 'skip');
insert into expr values (7, 'x', null);
drop trigger tr on expr;
create trigger tr after insert on expr for each statement execute function pgq.TRIGA('q');
insert into expr values (7, 'x', null);
drop trigger tr on expr;
create trigger tr after insert on expr for each row execute function pgq.TRIGA('none');
-- literal: No such queue
insert into expr values (7, 'x', null);
drop trigger tr on expr;
select pgq.TRIGA();

-- TRUNCATE
create table trunc (id int primary key);
create trigger tr after truncate on trunc for each statement execute function pgq.TRIGA('q');
truncate trunc;
select * from events();
drop trigger tr on trunc;
create trigger tr after truncate on trunc for each statement execute function pgq.TRIGA('q', 'ignore=id');
truncate trunc;
drop trigger tr on trunc;
create trigger tr after truncate on trunc for each statement execute function pgq.TRIGA('q', 'backup');
truncate trunc;
drop trigger tr on trunc;
create trigger tr after truncate on trunc for each statement execute function pgq.TRIGA('q', 'ev_extra2=1');
truncate trunc;
drop trigger tr on trunc;

-- Magic columns
create table magic (id int primary key, a text, _pgq_ev_type text, _pgq_ev_extra1 text, _pgq_ev_extra4 text);
create trigger tr after insert or update or delete on magic for each row execute function pgq.TRIGA('q');
insert into magic values (1, 'a', 'mytype', 'mine', 'four'), (2, 'b', null, null, null);
delete from magic where id = 1;
select * from events();
create table magicdata (id int primary key, a text, _pgq_ev_data text);
create trigger tr after insert or update or delete on magicdata for each row execute function pgq.TRIGA('q', 'ev_extra4=a');
insert into magicdata values (1, 'a', 'all of it'), (2, 'b', null);
select * from events();
create table magicbad (id int primary key, _pgq_ev_id text);
create trigger tr after insert on magicbad for each row execute function pgq.TRIGA('q');
insert into magicbad values (1, 'a');

-- Tables that change, other schemas, names
create schema "Odd schema";
create table "Odd schema"."Odd.table" ("select" int primary key, "a""b" text, "ä" text);
create trigger tr after insert or update or delete on "Odd schema"."Odd.table" for each row execute function pgq.TRIGA('q');
insert into "Odd schema"."Odd.table" values (1, 'x', 'y');
update "Odd schema"."Odd.table" set "ä" = '%';
delete from "Odd schema"."Odd.table";
select * from events();
alter table plain drop column n;
insert into plain values (20, 'x', true, '2024-05-01 10:00+00');
alter table plain add column new text default 'default';
insert into plain values (21, 'x', true, '2024-05-01 10:00+00', 'new');
alter table plain rename column "Odd col" to renamed;
update plain set renamed = 'y' where id = 21;
delete from plain;
select * from events();

-- Roles of a session, a disabled queue
update pgq.queue set queue_disable_insert = true;
-- literal: Insert into queue disallowed
insert into plain values (30);
set session_replication_role = local;
insert into plain values (31);
set session_replication_role = replica;
insert into plain values (32);
alter table plain enable always trigger tr;
insert into plain values (33);
reset session_replication_role;
update pgq.queue set queue_disable_insert = false;
select * from events();

-- insert_event is called by its name: a function in its place sees all
create or replace function pgq.insert_event(queue_name text, ev_type text, ev_data text, ev_extra1 text, ev_extra2 text, ev_extra3 text, ev_extra4 text) returns bigint language sql as 'insert into seen (ev_type, ev_data, e1, e2, e3, e4) values ($2, $3, $4, $5, $6, $7) returning n::bigint';
insert into twokeys values (1, 'x', 2, 'y');
select * from seen;
select * from events();
