-- SPDX-License-Identifier: ISC
-- Parts of tables.

set timezone = 'UTC';
create table par (id int primary key, d timestamptz not null default now(), v text unique);
create index on par (d);
create table log (x text);
create rule "my rule" as on update to par where new.id = 7 do instead insert into log values (old.v);
create rule ins as on insert to par do also insert into log select max(v) from par;
create function nop() returns trigger language plpgsql as 'begin return new; end';
create trigger a before insert on par for each row execute function nop();
create trigger "B b" after update of d on par for each row when (old.v is distinct from new.v) execute function nop('x');
create constraint trigger cc after delete on par deferrable for each row execute function nop();
alter table par disable trigger a;
alter table par enable always trigger "B b";
alter table par enable replica trigger cc;
grant select on par to public;
grant select, insert on par to pgq_writer with grant option;
create view defs as select conrelid::regclass::text as tbl, 'c' as kind, conname::text as name, pg_get_constraintdef(oid) as def from pg_constraint
    union all select indrelid::regclass::text, 'i', indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index
    union all select tgrelid::regclass::text, 't', tgname || tgenabled::text, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
    union all select ev_class::regclass::text, 'r', rulename, pg_get_ruledef(oid) from pg_rewrite
    union all select c.oid::regclass::text, 'g', a.grantee::regrole::text, a.privilege_type || a.is_grantable::text
        from pg_class c, aclexplode(relacl) a where a.grantee <> relowner;
select londiste.create_partition('par', 'par_2011_01', 'id', 'd', '2011-01-15 12:00', 'month');
select londiste.create_partition('par', 'par_2011_01', 'id', 'd', '2011-01-15 12:00', 'month');
select * from defs where tbl = 'par_2011_01' order by 1, 2, 3, 4;
select londiste.create_partition('par', 'par_x', 'id', '', '2011-01-15 12:00', 'month');
select londiste.create_partition('par', 'par_y', 'id', null, '2011-01-15 12:00', 'month');
select londiste.create_partition('par', 'par_e', 'id', '', null, null);
select kind, def from defs where tbl in ('par_x', 'par_y', 'par_e') and kind = 'c' and name !~ 'key$' order by 1, 2;
create table plain (at timestamp, day date);
select londiste.create_partition('plain', 'plain_' || unit, '', 'at', '2011-12-31 23:59:59', unit) from unnest(array['hour', 'day', 'week', 'month', 'year']) unit;
select londiste.create_partition('plain', 'plain_day_' || unit, '', 'day', '2011-12-31 23:59:59', unit) from unnest(array['day', 'week', 'month', 'year']) unit;
select tbl, def from defs where tbl ~ '^plain' order by 1;
-- literal: fortnight
select londiste.create_partition('plain', 'plain_z', '', 'at', '2011-12-31', 'fortnight');
-- literal: "public.nope" does not exist
select londiste.create_partition('nope', 'plain_z', '', 'at', '2011-12-31', 'day');
create schema "Odd";
create table "Odd"."T t" ("I d" int primary key, "d D" timestamp);
select londiste.create_partition('Odd.T t', 'Odd.T t 2011', 'I d', 'd D', '2011-01-15 22:00', 'hour');
select * from defs where tbl ~ 'Odd' order by 1, 2, 3;
-- differs: a partitioned table gets a partition
-- 3.5: "cannot inherit from partitioned table"
-- 4.0: [[1]]
create table nat (id int, d date) partition by range (d); select londiste.create_partition('nat', 'nat_2011', '', 'd', '2011-01-15', 'year');
select p, londiste.is_obsolete_partition(p, '1 month', 'month'), londiste.is_obsolete_partition(p, '1 day', 'day'),
    londiste.is_obsolete_partition(p, '1 day', 'hourly'), londiste.is_obsolete_partition(p, '1 year', 'yearly'), londiste.is_obsolete_partition(p, '1 day', 'daily')
    from unnest(array['public.par_2011_01', 'par_2011_01_02', 'par_2011_01_02_03', 'par_2011', 'par', 's.q_2011_1', 'par_2011_01_02_x', 'par_2099', 'par_2099_01']) p;
select londiste.is_obsolete_partition('par_2011_13', '1 month', 'month'), londiste.is_obsolete_partition('par_1999_02_30', '1 month', 'day'),
    londiste.is_obsolete_partition('par_1999_02_30', null, 'day'), londiste.is_obsolete_partition(null, '1 day', 'day');
-- literal: not supported i_partition_period: foo
select londiste.is_obsolete_partition('par_1999', '1 day', 'foo');
-- literal: not supported i_partition_period: <NULL>
select londiste.is_obsolete_partition('par_1999', '1 day', null);
select n, londiste.is_obsolete_partition('x_' || to_char(now() - n * interval '1 month', 'YYYY_MM'), keep, 'month')
    from generate_series(0, 3) n, unnest(array['0', '1 month', '1 day']::interval[]) keep;
select londiste.create_partition('par', 'par_2099_01', 'id', 'd', '2099-01-15 12:00', 'month');
select londiste.create_partition('par', 'par_2010_01', 'id', 'd', '2010-01-15 12:00', 'month');
select londiste.list_obsolete_partitions('par', '1 month', 'month') order by 1;
select londiste.drop_obsolete_partitions('public.par', '1 month', 'monthly') order by 1;
select inhrelid::regclass::text from pg_inherits where inhparent = 'par'::regclass order by 1;
select londiste.list_obsolete_partitions('nope', '1 day', 'day');
create table "Odd"."T t_2011_01" () inherits ("Odd"."T t");
select londiste.drop_obsolete_partitions('Odd.T t', '1 month', 'month');
