-- SPDX-License-Identifier: ISC
-- Which tables can be added: without a primary key, partitioned.
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\i :abs_srcdir/setup.sql
select pg_temp.node('q', 'root');
select pg_temp.node('b', 'branch');
select pg_temp.node('l', 'leaf');

-- Rule: without a primary key the key is the replica identity, else the smallest unique index without NULLs.
create table work.several (a int not null, b int not null, c int not null, d int, "e f" int not null, g text);
create unique index part on work.several (a) where b = 1;
create unique index expr on work.several (abs(a));
create unique index nulls on work.several (d);
create unique index blank on work.several ("e f");
create index plain on work.several (a);
alter table work.several add constraint later unique (a) deferrable;
select * from londiste.local_add_table('q', 'work.several');
insert into work.several values (1, 1, 1, 1, 1, 'x');
update work.several set g = 'y';
delete from work.several;
truncate work.several;
select * from londiste.local_remove_table('q', 'work.several');
select * from londiste.local_add_table('q', 'work.several', array['pkey=a']);
select trigger from triggers where trigger !~ 'TRUNC';
select * from londiste.local_remove_table('q', 'work.several');
create unique index three on work.several (c, b, a);
create unique index two on work.several (b, a) include (g);
select * from londiste.local_add_table('q', 'work.several');
select trigger from triggers where trigger !~ 'TRUNC';
insert into work.several values (1, 1, 1, 1, 1, 'x');
update work.several set g = 'y';
delete from work.several;
select * from events;
alter table work.several replica identity using index three;
select * from londiste.local_change_handler('q', 'work.several', array['backup'], null);
select trigger from triggers where trigger !~ 'TRUNC';
alter table work.several add primary key (a);
select * from londiste.local_change_handler('q', 'work.several', null, null);
select trigger from triggers where trigger !~ 'TRUNC';
select * from londiste.local_remove_table('q', 'work.several');

-- Rule: elsewhere a table without a key is taken, and it is told what that means.
create table work.none (a int);
select londiste.global_add_table(queue, 'work.none') from unnest(array['b', 'l']) queue;
select * from londiste.local_add_table('b', 'work.none');
select * from londiste.local_remove_table('b', 'work.none');
select * from londiste.local_add_table('l', 'work.none', array['no_merge']);
select * from londiste.local_remove_table('l', 'work.none');
select * from londiste.local_add_table('q', 'work.none', array['no_triggers']);
select * from londiste.local_remove_table('q', 'work.none');
-- both warnings
create function work.nothing() returns trigger language plpgsql as 'begin return null; end';
create trigger "First" after insert on work.none for each row execute function work.nothing();
select * from londiste.local_add_table('q', 'work.none');
drop table work.several, work.none;
truncate pgq.event_template;

-- Rule: a partitioned table is added as one; its parts do not tell their changes once more.
create table work.parts (id int primary key, v text) partition by range (id);
create table work.parts_1 partition of work.parts for values from (0) to (10);
create table work.parts_2 partition of work.parts for values from (10) to (20) partition by range (id);
create table work.parts_2a partition of work.parts_2 default;
select * from londiste.local_show_missing('q');
select * from londiste.local_add_table('q', 'work.parts');
select trigger from triggers where trigger ~ 'work.parts ';
select * from londiste.local_show_missing('q');
insert into work.parts values (1, 'x'), (11, 'y');
update work.parts set v = 'z' where id = 1;
insert into work.parts_2a values (12, 'y');
create table work.parts_3 partition of work.parts for values from (20) to (30);
insert into work.parts values (20, 'y');
truncate work.parts;
select * from events;
select * from londiste.local_add_table('q', 'work.parts_1');
select * from londiste.local_add_table('q', 'work.parts_2a');
select * from londiste.local_remove_table('q', 'work.parts');
select count(*) from triggers;
select * from londiste.local_add_table('q', 'work.parts_2a');
select * from londiste.local_add_table('q', 'work.parts');
select * from londiste.local_show_missing('q');
select * from londiste.local_remove_table('q', 'work.parts_2a');
-- Rule: a leaf may bring several tables into one, also a partitioned one.
select londiste.global_add_table('l', name) from unnest(array['work.parts_1', 'work.parts_2']) name;
select * from londiste.local_add_table('l', 'work.parts_1', null, null, 'work.parts');
select * from londiste.local_add_table('l', 'work.parts_2', null, null, 'work.parts');
insert into work.parts values (1, 'x');
insert into work.parts_1 values (1, 'x');
truncate work.parts;
select * from londiste.local_remove_table('l', 'work.parts_1');
insert into work.parts values (1, 'x');
select * from londiste.local_remove_table('l', 'work.parts_2');
select count(*) from triggers;

-- Rule: an UPDATE of the key is told as DELETE and INSERT, unless the trigger leaves out one of these.
create table work.moves (id int primary key, v text);
select * from londiste.local_add_table('q', 'work.moves');
insert into work.moves values (1, 'x'), (2, 'y');
truncate pgq.event_template;
update work.moves set id = id + 10, v = 'z' where id = 1;
select * from events;
select * from londiste.local_change_handler('q', 'work.moves', array['tgflags=IU'], null);
update work.moves set id = 1 where id = 11;
select * from londiste.local_remove_table('q', 'work.moves');
drop table work.moves;
