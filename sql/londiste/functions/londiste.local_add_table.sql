-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.local_add_table(5)
--
--      Take part with a table of this database in what a queue replicates. On the root the queue gets the table. Else
--      it is copied first, unless it is in sync already.
--      On a leaf that is one of several bringing the same table, all of them are added at once (merge_all); their
--      combined queue gets it too. Nothing is changed where the result is 400 or more, if the caller rolls back.
--
-- Parameters:
--      i_queue_name    - name of the queue
--      i_table_name    - name of the table in the queue; without a schema: public
--      i_trg_args      - see _trigger_options
--      i_table_attrs   - urlencoded: handler, copy_node, skip_truncate, max_parallel_copy
--      i_dest_table    - name of the table here, NULL: the same
-- Returns:
--      200 - added, or it was so already
--      301 - added; another trigger of the table fires before that of the queue
--      302 - added; the table has neither primary key nor unique index: see _check_table
--      400 - this database is no node of the queue
--      403, 405 - see create_trigger
--      404 - no such table here, or the queue does not have it
--      405 - merge_all and no_merge; several sources, and neither is given; added already in another queue, or under another
--            name, or as a part of a partitioned table or its parent
--      410 - added already, with other attributes or another table
-- Tables:
--      select: pgq_node.node_info
--      insert, update: londiste.table_info
--      insert: by pgq.insert_event, event londiste.add-table
-- Locks:
--      row of londiste.table_info; the table as in create_trigger
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.local_add_table(
    i_queue_name text, i_table_name text, i_trg_args text[], i_table_attrs text, i_dest_table text,
    out ret_code integer, out ret_note text)
returns record as $$
declare
    fq constant text := londiste.make_fqname(i_table_name);
    dest constant text := londiste.make_fqname(coalesce(i_dest_table, i_table_name));
    opts constant record := londiste._trigger_options(i_trg_args);
    node constant record := londiste._node(i_queue_name);
    title constant text := londiste._title(fq, dest);
    new_state text;
    checked record;
begin
    if opts.merge_all and opts.no_merge then
        ret_code := 405;
        ret_note := 'Cannot use merge-all and no-merge together';
        return;
    end if;
    select * into checked from londiste._check_table(i_queue_name, fq, dest, i_trg_args);
    if checked.code is null then
        select * into checked
          from londiste._check_registered(i_queue_name, fq, i_dest_table, coalesce(i_table_attrs, ''), title);
    end if;
    if checked.code is null then
        if node.node_type = 'root' or node.combined_type is not distinct from 'branch' or opts.expect_sync then
            new_state := 'ok';
        end if;
        if node.node_type = 'leaf' and not opts.no_merge then
            select * into checked from londiste._add_merged(
                i_queue_name, fq, i_trg_args, i_table_attrs, i_dest_table, new_state);
        end if;
    end if;
    if checked.code is not null then
        ret_code := checked.code;
        ret_note := checked.note;
        return;
    end if;

    select * into ret_code, ret_note
      from londiste._add_local(i_queue_name, fq, dest, i_table_attrs, new_state, i_trg_args, node.node_type);
    if ret_code < 400 then
        ret_note := concat(case when ret_code = 201 then 'Table added with no triggers: ' else 'Table added: ' end,
                           title, ret_note);
        ret_code := case when ret_code = 201 then 200 else ret_code end;
    end if;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste.local_add_table(4), (3), (2)
--
--      The same without what is not given.
--
-- Parameters:
--      as above
-- Returns:
--      as above
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste.local_add_table(
    i_queue_name text, i_table_name text, i_trg_args text[], i_table_attrs text,
    out ret_code integer, out ret_note text)
returns record as $$
begin
    select f.ret_code, f.ret_note into ret_code, ret_note
      from londiste.local_add_table(i_queue_name, i_table_name, i_trg_args, i_table_attrs, null) f;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

create or replace function londiste.local_add_table(
    i_queue_name text, i_table_name text, i_trg_args text[], out ret_code integer, out ret_note text)
returns record as $$
begin
    select f.ret_code, f.ret_note into ret_code, ret_note
      from londiste.local_add_table(i_queue_name, i_table_name, i_trg_args, null, null) f;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

create or replace function londiste.local_add_table(
    i_queue_name text, i_table_name text, out ret_code integer, out ret_note text)
returns record as $$
begin
    select f.ret_code, f.ret_note into ret_code, ret_note
      from londiste.local_add_table(i_queue_name, i_table_name, null, null, null) f;
end;
$$ language plpgsql strict set search_path = pg_catalog, pg_temp;
