-- SPDX-License-Identifier: ISC
-- Parts of tables: made, listed, dropped.
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\i :abs_srcdir/setup.sql
set timezone = 'UTC';
set datestyle = 'ISO';
create function pg_temp.look(part regclass) returns table (what text) language sql as $$
    select conname || ' ' || pg_get_constraintdef(oid) from pg_constraint where conrelid = part and contype in ('c', 'p', 'u') union all
    select indexdef from pg_indexes where format('%I.%I', schemaname, tablename) = part::text union all
    select t.tgenabled::text || ' ' || pg_get_triggerdef(t.oid) from pg_trigger t where tgrelid = part and not tgisinternal union all
    select ev_enabled::text || ' ' || pg_get_ruledef(oid) from pg_rewrite where ev_class = part union all
    select format('%s: %s%s', case when grantee = 0 then 'public' else grantee::regrole::text end,
                  string_agg(privilege_type, ' ' order by privilege_type), case when is_grantable then ' with grant option' end)
      from pg_class, aclexplode(relacl) a
     where pg_class.oid = part and a.grantee <> relowner group by grantee, is_grantable union all
    select 'owner ' || relowner::regrole::text from pg_class where oid = part union all
    select 'partition ' || pg_get_partition_constraintdef(part) order by 1
$$;
set client_min_messages = error;
drop role if exists part_owner, part_user, "part ö";
reset client_min_messages;
create role part_owner; create role part_user; create role "part ö";
create table work.log (x text);
create table work.parent (id int primary key, at timestamptz not null default now(), v text check (v <> ''));
create index on work.parent (at);
create rule "my ""rule" as on update to work.parent where new.id = 7 do instead insert into work.log values ('on work.parent');
create rule off as on delete to work.parent do instead nothing;
alter table work.parent disable rule off;
create function work.nothing() returns trigger language plpgsql as 'begin return new; end';
create trigger "a ON b" before insert on work.parent for each row execute function work.nothing();
create trigger off after update of v on work.parent for each row when (old.v is distinct from new.v) execute function work.nothing('ON work.parent');
create constraint trigger always after delete on work.parent deferrable for each row execute function work.nothing();
alter table work.parent disable trigger off;
alter table work.parent enable always trigger always;
grant usage, create on schema work to part_owner;
alter table work.parent owner to part_owner;
grant select on work.parent to public;
grant select, insert on work.parent to part_user with grant option;
grant delete on work.parent to "part ö";

select londiste.create_partition('work.parent', 'work.parent_2011_01', 'id', 'at', '2011-01-15 12:00', 'month');
select londiste.create_partition('work.parent', 'work.parent_2011_01', 'id', 'at', '2011-01-15 12:00', 'month');
select * from pg_temp.look('work.parent_2011_01');
-- without a column there is no check
select londiste.create_partition('work.parent', 'work.whole', null, null, null, null);
select * from pg_temp.look('work.whole') where what ~ 'CHECK';
-- periods
create table work.stamps (at timestamp);
select londiste.create_partition('work.stamps', 'work.' || unit, '', 'at', '2011-12-31 23:59:59', unit)
  from unnest(array['hour', 'day', 'week', 'month', 'year']) unit;
select conrelid::regclass, pg_get_constraintdef(oid) from pg_constraint
 where connamespace = 'work'::regnamespace and conname ~ '^(hour|day|week|month|year)_at_check' order by 1::text;
select londiste.create_partition('work.stamps', 'work.x', '', 'at', '2011-12-31', 'fortnight');
select londiste.create_partition('work.stamps', 'work.x', '', 'at', null, 'day');
select londiste.create_partition('work.stamps', 'work.x', '', 'nosuch', '2011-12-31', 'day');
select londiste.create_partition('work.nosuch', 'work.x', '', 'at', '2011-12-31', 'day');
create table work.days (at date);
select londiste.create_partition('work.days', 'work.x', '', 'at', '2011-12-31', 'hour');
-- Rule: the zone of the session says where a period begins.
set timezone = 'Asia/Tokyo';
select londiste.create_partition('work.stamps', 'work.tokyo', '', 'at', '2011-12-31 16:00+00', 'day');
select pg_get_constraintdef(oid) from pg_constraint where conrelid = 'work.tokyo'::regclass and contype <> 'n';
set timezone = 'UTC';
-- Rule: a partitioned table gets a partition.
create table work."Nat ö" ("At '" timestamptz, id int, primary key (id, "At '")) partition by range ("At '");
create trigger tr after insert on work."Nat ö" for each row execute function work.nothing();
grant select on work."Nat ö" to part_user;
select londiste.create_partition('work.Nat ö', 'work.Nat ö_2011', 'id', 'At ''', '2011-05-05', 'year');
select londiste.create_partition('work.Nat ö', 'work.Nat ö_2012', 'id', 'At ''', '2012-05-05', 'year');
insert into work."Nat ö" values ('2011-12-31 23:59', 1), ('2012-01-01', 1);
select tableoid::regclass, id from work."Nat ö" order by 1::text;
select * from pg_temp.look('work."Nat ö_2012"');

-- Rule: the name tells what is obsolete.
select part, londiste.is_obsolete_partition(part, '1 year', 'year') as year, londiste.is_obsolete_partition(part, '1 month', 'monthly') as month,
       londiste.is_obsolete_partition(part, '1 day', 'day') as day, londiste.is_obsolete_partition(part, '1 hour', 'hourly') as hour
  from unnest(array['a.b_2011', 'b_2011_01', 'b_2011_01_31', 'b_2011_01_31_23', 'b', 'b_2099', 'b_2099_01', 'b_2011_1', 'b_2011_01_x', 'b_2011_13']) part;
select back, londiste.is_obsolete_partition('x_' || to_char(now() - back, 'YYYY_MM_DD'), '2 days', 'day')
  from unnest(array['1 day', '2 days', '3 days']::interval[]) back;
select londiste.is_obsolete_partition('x_2011', null, 'year'), londiste.is_obsolete_partition(null, '1 year', 'year');
select londiste.is_obsolete_partition('x_2011', '1 year', 'foo');
select londiste.is_obsolete_partition('x_2011', '1 year', null);
create table work."Nat ö_2099" partition of work."Nat ö" for values from ('2099-01-01') to ('2100-01-01');
create table work."Nat ö_other" partition of work."Nat ö" default;
select londiste.list_obsolete_partitions('work.Nat ö', '1 year', 'year');
select londiste.drop_obsolete_partitions('work.Nat ö', '1 year', 'yearly');
select londiste.list_obsolete_partitions('work.parent', '1 month', 'month');
select londiste.drop_obsolete_partitions('work.parent', '1 month', 'month');
select inhrelid::regclass from pg_inherits where inhparent in ('work.parent'::regclass, 'work."Nat ö"'::regclass) order by 1::text;
select londiste.list_obsolete_partitions('work.nosuch', '1 month', 'month');
set client_min_messages = warning;
drop schema work cascade;
drop role part_owner, part_user, "part ö";
