-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.create_trigger(5)
--
--      Give a table the triggers that write to the queue: one for rows, one for TRUNCATE. Those of the same name are
--      made anew. A table without a primary key gets the key of _key_arg; with no key at all the trigger takes INSERT
--      only, and refuses UPDATE and DELETE. A trigger for all three operations tells an UPDATE of the key as DELETE and
--      INSERT, which any consumer understands; pgq before 4.0 refuses it.
--      Of several triggers with SKIP on a table one is enough, and it has to fire last: it is named zzz_.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_table_name    - name of the table in the queue
--      i_trg_args      - as for local_add_table, see _trigger_options
--      i_dest_table    - name of the table here, NULL: the same
--      i_node_type     - root, branch, leaf: on a leaf all changes are denied
-- Returns:
--      200 - done; trigger_name: the trigger for rows
--      201 - not asked for, or leaf and the functions of pgq are not there
--      403 - AFTER cannot work with SKIP
--      405 - there are several triggers with SKIP on the table
--      404 - no such table
-- Tables:
--      none
-- Locks:
--      the table: SHARE ROW EXCLUSIVE; ACCESS EXCLUSIVE if it had the triggers
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.create_trigger(
    i_queue_name text, i_table_name text, i_trg_args text[], i_dest_table text, i_node_type text,
    out ret_code integer, out ret_note text, out trigger_name text)
returns record as $$
declare
    dest constant text := londiste.make_fqname(coalesce(i_dest_table, i_table_name));
    rel constant oid := londiste.find_table_oid(dest);
    opts constant record := londiste._trigger_options(i_trg_args);
    own constant name := '_londiste_' || i_queue_name;
    has_skip name[] := array(select t.trigger_name from londiste._replica_triggers(rel) t
                              where t.skip_rows and t.for_row and t.trigger_name not in (own, ('zzz_' || own)::name));
    skip_arg boolean := opts.skip_rows and has_skip = '{}';
begin
    if opts.no_triggers or i_node_type = 'leaf' and to_regprocedure('pgq.logutriga()') is null then
        ret_code := 201;
        ret_note := 'Trigger not created';
        return;
    elsif rel is null then
        ret_code := 404;
        ret_note := 'Table does not exist: ' || dest;
        return;
    elsif not opts.is_before and (opts.skip_rows or has_skip <> '{}') then
        ret_code := 403;
        ret_note := 'AFTER trigger cannot work with SKIP trigger(s)';
        return;
    elsif opts.skip_rows and cardinality(has_skip) > 1 then
        ret_code := 405;
        ret_note := 'Multiple SKIP triggers';
        return;
    end if;

    if opts.skip_rows and not starts_with(has_skip[1]::text, 'zzz_') then
        execute format('alter trigger %I on %s rename to %I', has_skip[1], londiste.quote_fqname(dest),
                       'zzz_' || has_skip[1]);
    end if;
    trigger_name := (case when skip_arg then 'zzz_' || own else own::text end)::name;
    perform londiste._replace_trigger(dest, array[own, ('zzz_' || own)::name], trigger_name, format(
        '%s %s on %s for each row execute function pgq.%I(%s)', case when opts.is_before then 'before' else 'after' end,
        opts.on_events, londiste.quote_fqname(dest), opts.trigger_func, londiste._trigger_args(
            i_queue_name, londiste.make_fqname(i_table_name), dest, opts.trigger_args || case when i_node_type <> 'leaf' then opts.key_args end, skip_arg,
            i_node_type)));
    perform londiste._create_truncate_trigger(i_queue_name, londiste.make_fqname(i_table_name), dest, i_node_type);
    ret_code := 200;
    ret_note := 'OK';
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste._replace_trigger(4)
--
--      Create a trigger in place of others.
--
-- Parameters:
--      i_dest_table    - name of the table here
--      i_old           - names of triggers that go, if they are there
--      i_new           - name of the new one
--      i_definition    - what follows the name in CREATE TRIGGER
-- Returns:
--      nothing
-- Tables:
--      none
-- Locks:
--      as CREATE and DROP TRIGGER
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._replace_trigger(i_dest_table text, i_old name[], i_new name, i_definition text)
returns void as $$
declare
    trg name;
begin
    for trg in
        select t.tgname from pg_trigger t
         where t.tgrelid = londiste.find_table_oid(i_dest_table) and t.tgname = any (i_old) and not t.tgisinternal
    loop
        execute format('drop trigger %I on %s', trg, londiste.quote_fqname(i_dest_table));
    end loop;
    execute format('create trigger %I ', i_new) || i_definition;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste._trigger_args(6)
--
--      List the arguments of a trigger for rows.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_table_name    - name of the table in the queue
--      i_dest_table    - name of the table here
--      i_args          - what was asked for
--      i_skip          - with SKIP
--      i_node_type     - root, branch, leaf
-- Returns:
--      arguments, as SQL
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._trigger_args(
    i_queue_name text, i_table_name text, i_dest_table text, i_args text[], i_skip boolean, i_node_type text)
returns text as $$
declare
    rel constant oid := londiste.find_table_oid(i_dest_table);
    args text[] := i_queue_name || i_args;
    key constant text := londiste._key_arg(rel);
begin
    if key <> '' and not exists (select 1 from unnest(i_args) as arg where starts_with(arg, 'pkey=')) then
        args := args || key;
    end if;
    -- pgq 3 tells the name of the partition, not that of the partitioned table.
    if (i_dest_table <> i_table_name or exists (select 1 from pg_class where oid = rel and relkind = 'p'))
        and not exists (select 1 from unnest(i_args) as arg where starts_with(arg, 'ev_extra1='))
    then
        args := args || ('ev_extra1=' || quote_literal(i_table_name));
    end if;
    if i_skip then
        args := args || 'SKIP'::text;
    end if;
    if i_node_type = 'leaf' then
        args := args || 'deny'::text;
    end if;
    return (select string_agg(quote_literal(a.arg), ', ' order by a.nr) from unnest(args) with ordinality as a (arg, nr));
end;
$$ language plpgsql stable set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste._create_truncate_trigger(4)
--
--      Give a table its trigger for TRUNCATE.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_table_name    - name of the table in the queue
--      i_dest_table    - name of the table here
--      i_node_type     - root, branch, leaf
-- Returns:
--      nothing
-- Tables:
--      none
-- Locks:
--      as CREATE and DROP TRIGGER
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._create_truncate_trigger(
    i_queue_name text, i_table_name text, i_dest_table text, i_node_type text)
returns void as $$
declare
    -- Names end at 63 bytes: the ending must stay, or it would be the name of the trigger for rows.
    trg constant name := case when octet_length(i_queue_name) <= 63 - octet_length('_londiste__truncate')
        then '_londiste_' || i_queue_name || '_truncate' else '_londiste_' || md5(i_queue_name) || '_truncate' end;
    call text;
begin
    if i_table_name = i_dest_table then
        call := format('pgq.sqltriga(%L%s)', i_queue_name, case i_node_type when 'leaf' then ', ''deny''' else '' end);
    else
        call := format('londiste.truncate_trigger(%L, %L%s)', i_queue_name, i_table_name,
                       case i_node_type when 'leaf' then ', ''deny''' else '' end);
    end if;
    perform londiste._replace_trigger(i_dest_table, array[trg], trg, format(
        'after truncate on %s for each statement execute function %s', londiste.quote_fqname(i_dest_table), call));
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
