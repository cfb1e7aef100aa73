-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.create_partition(6)
--
--      Create the part of a table for the period in which a time falls, like the table in all: columns, indexes, owner,
--      grants, rules and triggers. A partition where the table is partitioned, else a child that inherits.
--
-- Parameters:
--      i_table         - the table
--      i_part          - name of the part
--      i_pkeys         - not used
--      i_part_field    - column with the time; empty: no check on the child
--      i_part_time     - a time in the period, in the time zone of the session
--      i_part_period   - unit as for date_trunc: hour, day, week, month, year
-- Returns:
--      1 - created
--      0 - it exists
-- Tables:
--      create: the part
-- Locks:
--      londiste.table_info and the table: SHARE UPDATE EXCLUSIVE
-- Raises:
--      undefined_table - no such table
--      invalid_parameter_value - no such unit, or one shorter than the type of the column can tell; no time
-- ----------------------------------------------------------------------
create or replace function londiste.create_partition(
    i_table text, i_part text, i_pkeys text, i_part_field text, i_part_time timestamptz, i_part_period text)
returns integer as $$
declare
    parent constant text := londiste.quote_fqname(i_table);
    part constant text := londiste.quote_fqname(i_part);
    bounds record;
    is_partitioned boolean;
begin
    -- Waits for others that do the same.
    lock table londiste.table_info in share update exclusive mode;
    if londiste.find_table_oid(i_part) is not null then
        return 0;
    end if;
    execute format('lock table only %s in share update exclusive mode', parent);
    select relkind = 'p' into is_partitioned from pg_class where oid = parent::regclass;
    select * into bounds from londiste._partition_bounds(i_table, i_part_field, i_part_time, i_part_period);

    if is_partitioned then
        execute format('create table %s partition of %s for values from (%L) to (%L)',
                       part, parent, bounds.since, bounds.before);
    else
        execute format('create table %s (like %s including all%s)', part, parent,
                       case when i_part_field <> '' then format(', check (%1$I >= %2$L and %1$I < %3$L)',
                       i_part_field, bounds.since, bounds.before) else '' end);
        execute format('alter table %s inherit %s', part, parent);
    end if;
    execute format('alter table %s owner to %I', part,
                   (select pg_get_userbyid(relowner) from pg_class where oid = parent::regclass));
    perform londiste._copy_grants(parent::regclass, part::regclass);
    perform londiste._copy_rules(parent::regclass, part::regclass);
    perform londiste._copy_triggers(parent::regclass, part::regclass);
    return 1;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste._partition_bounds(4)
--
--      Find the limits of a period, as values of the column.
--
-- Parameters:
--      as for create_partition
-- Returns:
--      since: first value; before: first value after it; NULLs: no column is given
-- Tables:
--      select: pg_attribute
-- Locks:
--      none
-- Raises:
--      invalid_parameter_value - no such unit, or one shorter than the type of the column can tell; no time
-- ----------------------------------------------------------------------
create or replace function londiste._partition_bounds(
    i_table text, i_part_field text, i_part_time timestamptz, i_part_period text, out since text, out before text)
returns record as $$
declare
    type_name text;
    start_time timestamptz;
begin
    if coalesce(i_part_field, '') = '' then
        return;
    elsif i_part_time is null or i_part_period is null then
        raise exception 'no time or no period given for a part of %', i_table using errcode = 'invalid_parameter_value';
    end if;
    select format_type(a.atttypid, a.atttypmod) into type_name
      from pg_attribute a
     where a.attrelid = londiste.quote_fqname(i_table)::regclass and a.attname = i_part_field and not a.attisdropped;
    start_time := date_trunc(i_part_period, i_part_time);
    -- Without a cast a timestamp would keep its zone in the text.
    execute format('select cast($1 as %1$s)::text, cast($2 as %1$s)::text', coalesce(type_name, 'timestamptz'))
       into since, before using start_time, start_time + ('1 ' || i_part_period)::interval;
    if since = before then
        raise exception 'a period of one % is too short for column % of type %', i_part_period, i_part_field, type_name
            using errcode = 'invalid_parameter_value';
    end if;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste._copy_grants(2)
--
--      Give a table the grants of another.
--
-- Parameters:
--      i_from, i_to    - tables
-- Returns:
--      nothing
-- Tables:
--      grants on the second table
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._copy_grants(i_from regclass, i_to regclass)
returns void as $$
declare
    acl record;
begin
    for acl in
        select a.privilege_type, case when a.is_grantable then ' with grant option' else '' end as option,
               case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end as grantee
          from pg_class c cross join aclexplode(c.relacl) a
         where c.oid = i_from and a.grantee <> c.relowner
         order by a.grantee, a.privilege_type
    loop
        execute format('grant %s on %s to %s%s', acl.privilege_type, i_to, acl.grantee, acl.option);
    end loop;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste._copy_rules(2)
--
--      Give a table the rules of another. What they do stays the same.
--
-- Parameters:
--      i_from, i_to    - tables
-- Returns:
--      nothing
-- Tables:
--      rules on the second table
-- Locks:
--      i_to: ACCESS EXCLUSIVE, if there are any
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._copy_rules(i_from regclass, i_to regclass)
returns void as $$
declare
    rule record;
    head text;
begin
    for rule in
        select r.rulename, r.ev_enabled, pg_get_ruledef(r.oid) as def,
               (array['SELECT', 'UPDATE', 'INSERT', 'DELETE'])[r.ev_type::text::integer] as event
          from pg_rewrite r where r.ev_class = i_from order by r.rulename
    loop
        head := format('CREATE RULE %I AS'||e'\n    ON %s TO ', rule.rulename, rule.event);
        execute head || i_to || substr(rule.def, length(head || i_from) + 1);
        execute format('alter table %s %s rule %I', i_to, londiste._enable_words(rule.ev_enabled), rule.rulename);
    end loop;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste._copy_triggers(2)
--
--      Give a table the triggers of another, but for those that it has from it already.
--
-- Parameters:
--      i_from, i_to    - tables
-- Returns:
--      nothing
-- Tables:
--      triggers on the second table
-- Locks:
--      i_to: SHARE ROW EXCLUSIVE, if there are any
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._copy_triggers(i_from regclass, i_to regclass)
returns void as $$
declare
    trg record;
    target constant text := format(' ON %s ', i_from);
    head text;
begin
    for trg in
        select t.tgname, t.tgenabled, pg_get_triggerdef(t.oid) as def
          from pg_trigger t
         where t.tgrelid = i_from and not t.tgisinternal
           and not exists (select 1 from pg_trigger h where h.tgrelid = i_to and h.tgname = t.tgname)
         order by t.tgname
    loop
        head := substr(trg.def, 1, strpos(trg.def, target) - 1);
        execute head || format(' ON %s ', i_to) || substr(trg.def, length(head || target) + 1);
        execute format('alter table %s %s trigger %I', i_to, londiste._enable_words(trg.tgenabled), trg.tgname);
    end loop;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste._enable_words(1)
--
--      Say when a trigger or rule fires.
--
-- Parameters:
--      i_enabled   - as in pg_trigger: O, D, R, A
-- Returns:
--      words for ALTER TABLE
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._enable_words(i_enabled "char")
returns text as $$
    select case i_enabled when 'D' then 'disable' when 'R' then 'enable replica' when 'A' then 'enable always' else 'enable' end
$$ language sql immutable;
