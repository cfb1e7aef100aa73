-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq._pl_fire(9)
--
--      A trigger of the engine without C fires: is it allowed, does it make an event, which one? SQL is
--      made for the
--      columns of the table each time, since nothing can be kept from row to row safely. No search_path is pinned:
--      expressions, and the text of types such as regclass, follow that of the caller.
--
-- Parameters:
--      i_format    - url, sql or json
--      i_relid, i_trigger, i_when, i_level, i_op, i_args - what a trigger knows of itself
--      i_row       - new row; for DELETE the old one; for TRUNCATE any text
--      i_old       - for UPDATE the old row
-- Returns:
--      true - the operation goes on
--      false - it does not: option SKIP
-- Tables:
--      through pgq.insert_event(7), as the current user
-- Locks:
--      as pgq.insert_event
-- Raises:
--      as functions/pgq.logutriga.sql
-- ----------------------------------------------------------------------
create or replace function pgq._pl_fire(
    i_format text, i_relid oid, i_trigger text, i_when text, i_level text, i_op text, i_args text[],
    i_row anyelement, i_old anyelement)
returns boolean as $$
declare
    o record;
    c record;
    fields text[];
    value record;
begin
    if pg_catalog.current_setting('session_replication_role') = 'local' then
        return true;
    end if;
    perform pgq._pl_check_level(i_when, i_level, i_op);
    o := pgq._pl_options(i_trigger, i_args);
    c := pgq._pl_check(i_format, i_relid, i_trigger, i_when, i_op, o.ignored, o.pkey, o.backup, i_row, i_old);
    perform pgq._pl_check_options(i_op, i_when, c.table_name, pg_catalog.cardinality(c.keys), c.unknown_key,
        o.queue, o.skip, o.deny,
        o.ignored is not null or o.pkey is not null or o.backup or o.when_expr is not null
        or pg_catalog.num_nonnulls(variadic o.fields) > 0);

    if o.pkey_update and c.changed_key is not null
        and (o.pkey is not null or not exists (select 1 from pg_catalog.pg_index
              where indrelid = i_relid and indisprimary and not indimmediate))
    then
        perform pgq._pl_fire(i_format, i_relid, i_trigger, i_when, i_level, 'DELETE', i_args, i_old, i_old);
        return pgq._pl_fire(i_format, i_relid, i_trigger, i_when, i_level, 'INSERT', i_args, i_row, i_row);
    end if;
    if c.only_ignored and c.changed_key is null then
        return not o.skip;
    end if;
    if o.when_expr is not null then
        value := pgq._pl_value(o.when_expr, c.columns, i_row);
        perform pgq._pl_check_when(o.when_expr, value.type, value.value);
        if not value.value::boolean then
            return not o.skip;
        end if;
    end if;
    if c.changed_key is not null then
        raise exception 'primary key update not allowed' using errcode = 'feature_not_supported',
            detail = pg_catalog.format('Table "%s", column "%s".', c.table_name, c.changed_key),
            hint = 'Delete the row, and insert it with the new key.';
    end if;

    execute c.fields_sql into fields using i_row, i_old;
    for i in 1 .. 6 loop
        if o.fields[i] is not null then
            value := pgq._pl_value(o.fields[i], c.columns, i_row);
            fields[i] := value.value;
        end if;
    end loop;
    perform pgq.insert_event(o.queue, fields[1], fields[2], fields[3], fields[4], fields[5], fields[6]);
    return not o.skip;
end;
$$ language plpgsql;

-- ----------------------------------------------------------------------
-- Function: pgq._pl_check_level(3)
--
--      Raise an error if the trigger was made in a way that it is not for.
-- ----------------------------------------------------------------------
create or replace function pgq._pl_check_level(i_when text, i_level text, i_op text)
returns void as $$
begin
    if i_when = 'INSTEAD OF' then
        raise exception 'pgq trigger cannot be used INSTEAD OF' using errcode = 'trigger_protocol_violated';
    elsif i_op <> 'TRUNCATE' and i_level <> 'ROW' then
        raise exception 'pgq trigger for INSERT, UPDATE and DELETE must be FOR EACH ROW'
            using errcode = 'trigger_protocol_violated', hint = 'FOR EACH STATEMENT needs the engine in C.';
    end if;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._pl_check_options(9)
--
--      Raise an error if options do not fit, or deny the change.
-- ----------------------------------------------------------------------
create or replace function pgq._pl_check_options(
    i_op text, i_when text, i_table text, i_keys integer, i_unknown_key text, i_queue text, i_skip boolean,
    i_deny boolean, i_others boolean)
returns void as $$
begin
    if i_op = 'TRUNCATE' and i_others then
        raise exception 'pgq trigger for TRUNCATE takes no options but deny and SKIP'
            using errcode = 'invalid_parameter_value';
    elsif i_op in ('UPDATE', 'DELETE') and i_keys = 0 then
        raise exception 'Update/Delete on table without pkey' using errcode = 'feature_not_supported',
            detail = format('Table "%s".', i_table),
            hint = 'Add a primary key, or name the key columns in the trigger''s option pkey=.';
    elsif i_unknown_key is not null then
        raise exception 'key column "%" of table "%" is generated: it has no value yet in a BEFORE trigger',
            i_unknown_key, i_table using errcode = 'feature_not_supported',
            hint = 'Make it an AFTER trigger, or name other key columns in its option pkey=.';
    elsif i_skip and i_when <> 'BEFORE' then
        raise exception 'pgq trigger with SKIP must be BEFORE' using errcode = 'trigger_protocol_violated';
    elsif i_deny then
        raise exception 'Table ''%'' to queue ''%'': change not allowed (%)', i_table, i_queue, i_op
            using errcode = 'feature_not_supported';
    end if;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._pl_check_when(3)
--
--      Raise an error if when= has yielded something that is neither true nor false.
-- ----------------------------------------------------------------------
create or replace function pgq._pl_check_when(i_source text, i_type regtype, i_value text)
returns void as $$
begin
    if i_type <> 'boolean'::regtype then
        raise exception 'when= query result must be boolean, not %: "%"', i_type, i_source
            using errcode = 'datatype_mismatch';
    elsif i_value is null then
        raise exception 'when= should not be NULL' using errcode = 'null_value_not_allowed',
            detail = 'Expression: ' || i_source;
    end if;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
