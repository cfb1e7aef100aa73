-- SPDX-License-Identifier: ISC
-- logutriga: deny, when=, expressions for fields, backup, magic columns.
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
create table t (id int primary key, kind text, "Quoted" text, amount numeric);
insert into t values (1, 'old', 'q', 5);
create function set_trigger(variadic args text[]) returns void language plpgsql as $$
begin
    drop trigger if exists log on t;
    execute format('create trigger log after insert or update or delete on t for each row execute function pgq.logutriga(%s)',
                   (select string_agg(quote_literal(arg), ', ') from unnest(args) arg));
    truncate pgq.event_1_0;
end;
$$;
set client_min_messages = warning;

-- Rule: deny stops every change, and names table, queue and operation.
select set_trigger('q', 'deny');
insert into t values (2);
update t set kind = 'x';
delete from t;
\set VERBOSITY sqlstate
delete from t;
\set VERBOSITY default
-- Not in local role.
set session_replication_role = local;
update t set kind = kind;
reset session_replication_role;

-- Rule: when= decides; names of columns stand for the new row, for DELETE the old one.
select set_trigger('q', 'when=kind = ''yes'' and amount > 0');
insert into t values (2, 'no', null, 1), (3, 'yes', null, 1);
update t set kind = 'yes' where id = 2;
update t set kind = 'no' where id = 3;
delete from t where id in (2, 3);
select ev_type, ev_data from log;
-- Rule: it must be boolean, not NULL, one value.
insert into t values (4, null, null, 1);
select set_trigger('q', 'when=kind');
insert into t values (4, 'x');
select set_trigger('q', 'when=true, false');
insert into t values (4, 'x');
select set_trigger('q', 'when=true from generate_series(1, 2)');
insert into t values (4, 'x');
select set_trigger('q', 'when=true where false');
insert into t values (4, 'x');
select set_trigger('q', 'when=no such column');
insert into t values (4, 'x');
-- Rule: a key may change where when= is false.
select set_trigger('q', 'when=kind <> ''old''');
update t set id = 100 where id = 1;
update t set id = 1, kind = 'new' where id = 100;
update t set id = 1 where id = 100;

-- Rule: expressions replace fields; NULL makes the field NULL.
select set_trigger('q', 'ev_type=''T'' || id', 'ev_data=kind || ''/'' || amount', 'ev_extra1=null', 'ev_extra2=upper(kind)',
                   'ev_extra3=(select count(*) from t)', 'ev_extra4=amount::int * 2');
insert into t values (10, 'kind', null, 2.5), (11, null, null, null);
delete from t where id = 10;
select * from log;
-- Rule: only bare names stand for columns: not those in strings, quotes, dotted names, comments, dollar quotes, numbers,
-- types, functions.
select set_trigger('q', 'ev_extra1=''kind it''''s kind'' || kind', 'ev_extra2=E''kind \'' kind'' || $x$ kind $x$ || kind',
                   'ev_extra3=(select x.kind from (select ''sub'' as "kind") x) /* kind /* id */ kind */ || kind -- kind',
                   'ev_extra4=1e2::numeric + amount + length(kind)');
insert into t values (12, 'K', null, 1);
select ev_extra1, ev_extra2, ev_extra3, ev_extra4 from log;
create table id (text text primary key, length int, id int);
insert into id values ('x');
create trigger log after update on id for each row execute function pgq.logutriga(
    'q', 'ev_extra2=length::text || length(text)', 'ev_extra4=id');
truncate pgq.event_1_0;
update id set length = 7, id = 5;
select ev_extra2, ev_extra4 from log;
drop table id;
-- Rule: strings are read as standard_conforming_strings says.
set escape_string_warning = off;
set standard_conforming_strings = off;
drop trigger log on t;
create trigger log after insert on t for each row execute function pgq.logutriga('q', 'ev_extra2=''it\\''s kind'' || kind');
truncate pgq.event_1_0;
insert into t values (13, 'K');
select ev_extra2 from log;
set standard_conforming_strings = on;
-- Rule: an expression runs as the current user.
select set_trigger('q', 'ev_extra2=current_user');
create role pgq_test_writer in role pgq_writer;
grant insert on t to pgq_test_writer;
set role pgq_test_writer;
insert into t values (15, 'x');
reset role;
select ev_extra2 from log;
-- Rule: plans follow the objects they use, and the table.
select set_trigger('q', 'ev_extra2=helper(kind)');
create function helper(text) returns text language sql as 'select ''one'' || $1';
insert into t values (16, 'x');
create or replace function helper(text) returns text language sql as 'select ''two'' || $1';
insert into t values (17, 'x');
alter table t alter column kind type varchar(50);
insert into t values (18, 'x');
select ev_extra2 from log;

-- Rule: backup keeps the old row of an UPDATE, without what ignore= leaves out.
select set_trigger('q', 'backup', 'ignore=Quoted');
insert into t values (20, 'a b', 'q', 1);
update t set kind = 'c', "Quoted" = 'r' where id = 20;
update t set kind = null where id = 20;
delete from t where id = 20;
select ev_type, ev_data, ev_extra1, ev_extra2 from log;
-- Rule: an expression for the same field wins.
select set_trigger('q', 'backup', 'ev_extra2=''expr''');
update t set kind = 'c' where id = 1;
select distinct ev_extra2 from log;

-- Rule: magic columns replace fields, are not data, and yield to expressions.
create table m (id int primary key, _pgq_ev_type text, _pgq_ev_data text, v int, _pgq_ev_extra1 int, _pgq_ev_extra2 text,
                _pgq_ev_extra3 text, _pgq_ev_extra4 text);
create trigger log before insert or update or delete on m for each row execute function pgq.logutriga('q', 'SKIP');
truncate pgq.event_1_0;
insert into m values (1, 'T', 'D', 5, 1, '2', '3', '4');
insert into m (id) values (2);
select * from log;
drop trigger log on m;
create trigger log before insert on m for each row execute function pgq.logutriga('q', 'SKIP', 'ev_type=''expr '' || _pgq_ev_type');
truncate pgq.event_1_0;
insert into m values (1, 'T', 'D', 5, 1, '2', '3', '4');
select * from log;
alter table m drop column _pgq_ev_data, drop column _pgq_ev_type;
drop trigger log on m;
create trigger log before insert on m for each row execute function pgq.logutriga('q', 'SKIP');
truncate pgq.event_1_0;
insert into m (id, v, _pgq_ev_extra2) values (1, 5, 'two');
select * from log;
alter table m add column _pgq_ev_other text;
insert into m (id) values (1);
drop table t, m;
drop role pgq_test_writer;
