-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq._pl_options(2)
--
--      Read the arguments of a trigger: the queue, then options in any order.
--
-- Parameters:
--      i_trigger - its name; i_args - arguments
-- Returns:
--      the options; fields: expressions in the order type, data, extra1 .. 4
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      trigger_protocol_violated, invalid_parameter_value
-- ----------------------------------------------------------------------
create or replace function pgq._pl_options(
    i_trigger text, i_args text[], out queue text, out skip boolean, out deny boolean, out backup boolean,
    out pkey_update boolean, out ignored text[], out pkey text[], out when_expr text, out fields text[])
as $$
declare
    arg text;
    value text;
begin
    skip := false;
    deny := false;
    backup := false;
    pkey_update := false;
    fields := array_fill(null::text, array[6]);
    if coalesce(cardinality(i_args), 0) = 0 then
        raise exception 'pgq trigger "%" needs the name of a queue as its first argument', i_trigger
            using errcode = 'trigger_protocol_violated';
    end if;
    foreach arg in array i_args loop
        value := substr(arg, strpos(arg, '=') + 1);
        if queue is null then
            queue := arg;
        elsif arg = 'SKIP' then
            skip := true;
        elsif arg = 'backup' then
            backup := true;
        elsif arg = 'deny' then
            deny := true;
        elsif arg = 'pkey_update' then
            pkey_update := true;
        elsif arg like 'ignore=%' then
            ignored := pgq._pl_names(value);
        elsif arg like 'pkey=%' then
            pkey := pgq._pl_names(value);
        elsif arg like 'when=%' then
            when_expr := value;
        elsif arg ~ '^ev_(type|data|extra[1-4])=' then
            fields[pgq._pl_field(split_part(arg, '=', 1))] := value;
        else
            raise exception 'bad param to pgq trigger: "%"', arg using errcode = 'invalid_parameter_value',
                hint = 'Options: SKIP, backup, deny, pkey_update, ignore=, pkey=, when=, ev_type=, ev_data=, '
                       'ev_extra1= to ev_extra4=.';
        end if;
    end loop;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._pl_names(1)
--
--      Cut a list of names at its commas; blanks around names do not count, nor do empty names.
-- ----------------------------------------------------------------------
create or replace function pgq._pl_names(i_list text)
returns text[] as $$
begin
    return (
        select coalesce(pg_catalog.array_agg(pg_catalog.btrim(n, e' \t\n\r') order by nr), '{}')
          from pg_catalog.unnest(pg_catalog.string_to_array(i_list, ',')) with ordinality as t (n, nr)
         where pg_catalog.btrim(n, e' \t\n\r') <> '');
end;
$$ language plpgsql immutable;

-- ----------------------------------------------------------------------
-- Function: pgq._pl_field(1)
--
--      Number of a field of an event by its name.
-- ----------------------------------------------------------------------
create or replace function pgq._pl_field(i_name text)
returns integer as $$
    select pg_catalog.array_position(
        array['ev_type', 'ev_data', 'ev_extra1', 'ev_extra2', 'ev_extra3', 'ev_extra4'], i_name)
$$ language sql immutable;
