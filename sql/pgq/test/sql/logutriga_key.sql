-- SPDX-License-Identifier: ISC
-- logutriga: keys, pkey=, ignore=.
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
create table t (a int, b int, c text, d numeric, e json, f int[], primary key (b, a));
create function set_trigger(variadic args text[]) returns void language plpgsql as $$
begin
    drop trigger if exists log on t;
    execute format('create trigger log after insert or update or delete on t for each row execute function pgq.logutriga(%s)',
                   (select string_agg(quote_literal(arg), ', ') from unnest(args) arg));
    truncate pgq.event_1_0;
end;
$$;
set client_min_messages = warning;

-- Rule: key columns come in the order of the key.
select set_trigger('q');
insert into t values (1, 2, 'c');
select ev_type, ev_data from log;
-- Rule: a key must not change, whichever column of it.
update t set a = 10;
update t set b = 10;
\set VERBOSITY sqlstate
update t set b = 10;
\set VERBOSITY default
update t set a = 1, b = 2, c = 'cc';

-- Rule: ignore= leaves columns out; an UPDATE of nothing else makes no event, one of nothing at all does.
select set_trigger('q', 'ignore=c,d');
insert into t values (3, 4, 'c', 1.0, '{}', '{1}');
update t set c = 'x', d = 5 where a = 3;
update t set c = 'y', f = '{2}' where a = 3;
update t set c = c where a = 3;
update t set e = '{}' where a = 3;
update t set e = '{ }', c = 'z' where a = 3;
delete from t where a = 3;
select ev_type, ev_data from log;
-- Rule: blanks around names do not count, names that are not there neither.
select set_trigger('q', 'ignore= d , none,c ');
update t set c = 'w';
update t set f = '{3}';
select ev_type, ev_data from log;
-- Rule: a value that is equal but written in another way is a change.
select set_trigger('q', 'ignore=c');
update t set d = 1.0;
update t set d = 1.00;
update t set d = 1.000, c = 'unseen';
select ev_data from log;
-- Rule: a key change is seen with ignore= too: when a column before it has changed, and when it is itself ignored.
update t set a = 11, c = 'v';
update t set f = '{4}', a = 11;
select set_trigger('q', 'ignore=a');
update t set a = 11;

-- Rule: pkey= replaces the primary key, whose columns may then change.
select set_trigger('q', 'pkey=c, a');
update t set b = 20;
update t set c = 'changed';
delete from t;
select ev_type, ev_data from log;
-- Rule: a name that is not a column is an error; a name twice counts once; no name is no key.
select set_trigger('q', 'pkey=none');
insert into t values (1, 1, 'c');
select set_trigger('q', 'pkey=a,a');
insert into t values (1, 1, 'c');
select ev_type from log;
select set_trigger('q', 'pkey=');
insert into t values (2, 2, 'c');
select ev_type from log;
update t set c = 'x';
delete from t;

-- Rule: without a key there is INSERT only.
create table nokey (a int unique, b int);
create trigger log after insert or update or delete on nokey for each row execute function pgq.logutriga('q');
truncate pgq.event_1_0;
insert into nokey values (1, 2);
update nokey set b = 3;
delete from nokey;
select ev_type, ev_data from log;
-- Rule: a key that is added later counts, also one that is deferrable.
alter table nokey add primary key (a) deferrable;
update nokey set b = 4;
select ev_type, ev_data from log;
-- Rule: equal as the key's type says is the same key.
create table words (w numeric primary key);
create trigger log after update on words for each row execute function pgq.logutriga('q');
insert into words values (1.0);
truncate pgq.event_1_0;
update words set w = 1.00;
select ev_type, ev_data from log;
update words set w = 1.001;

-- Rule: with pkey_update a change of the key is a deletion and an insertion; each is looked at by when=, and has its
-- own fields.
create table moves (a int, b text, c text, primary key (b, a));
create function set_moves(func text, variadic args text[]) returns void language plpgsql as $$
begin
    drop trigger if exists log on moves;
    execute format('create trigger log after insert or update or delete on moves for each row execute function pgq.%I(%s)',
                   func, (select string_agg(quote_literal(arg), ', ') from unnest(args) arg));
    truncate moves, pgq.event_1_0;
    insert into moves values (1, 'x', 'c'), (2, 'x', 'c');
end;
$$;
select set_moves('logutriga', 'q', 'pkey_update', 'backup', 'ignore=c', 'ev_extra3=a + 100', 'when=a < 10');
update moves set a = a - 1;
update moves set b = 'y', c = 'd' where a = 1;
update moves set c = 'e' where a = 1;
update moves set b = b;
update moves set a = 11 where a = 1;
update moves set a = 1 where a = 11;
select ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3 from log offset 2;
select set_moves('sqltriga', 'q', 'pkey_update');
update moves set a = 7 where a = 1;
select ev_type, ev_data from log offset 2;
select set_moves('jsontriga', 'q', 'pkey_update', 'pkey=a');
update moves set a = 7 where a = 1;
select ev_type, ev_data from log offset 2;
-- Rule: not so of a deferrable key, whose values rows may exchange.
alter table moves drop constraint moves_pkey, add primary key (a) deferrable;
select set_moves('logutriga', 'q', 'pkey_update');
update moves set a = 3 - a;
select set_moves('logutriga', 'q', 'pkey_update', 'pkey=b');
update moves set a = 3 - a, b = 'z' where a = 1 or a = 2;
select ev_type, ev_data from log offset 2;
