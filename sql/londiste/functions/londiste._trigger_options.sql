-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste._trigger_options(1)
--
--      Part the arguments of local_add_table into what is meant for Londiste and what its trigger gets.
--
-- Parameters:
--      i_trg_args  - tgflags=X: I U D operations, B or A before or after, Q L J format sql, urlencoded, json, S skip;
--                    no_triggers, skip_truncate, expect_sync, merge_all, no_merge, skip, virtual_table;
--                    all others are arguments for the trigger
-- Returns:
--      on_events       - operations for CREATE TRIGGER
--      is_before       - fires before the row operation
--      trigger_func    - function of pgq
--      skip_rows       - rows are only written to the queue
--      trigger_args    - arguments for the trigger
--      key_args        - arguments for the trigger that nobody asked for: what is done when a key changes
--      the rest        - whether the argument of this name is there
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._trigger_options(
    i_trg_args text[], out on_events text, out is_before boolean, out trigger_func text, out skip_rows boolean,
    out trigger_args text[], out no_triggers boolean, out expect_sync boolean, out merge_all boolean,
    out no_merge boolean, out virtual_table boolean, out key_args text[])
returns record as $$
declare
    args constant text[] := coalesce(i_trg_args, '{}');
    flags constant text := coalesce(
        (select string_agg(substr(arg, 9), '') from unnest(args) as arg where starts_with(arg, 'tgflags=')), '');
    letters constant text := case when flags ~ '[IUD]' then flags else 'IUD' end;
begin
    on_events := concat_ws(' or ', case when letters ~ 'I' then 'insert' end, case when letters ~ 'U' then 'update' end,
                           case when letters ~ 'D' then 'delete' end);
    is_before := flags ~ 'B' and flags !~ 'A';
    trigger_func := case when flags ~ 'J' then 'jsontriga' when flags ~ 'L' then 'logutriga'
                         when flags ~ 'Q' then 'sqltriga' else 'logutriga' end;
    skip_rows := flags ~ 'S' or 'skip' = any (args) or 'SKIP' = any (args);
    virtual_table := 'virtual_table' = any (args);
    no_triggers := virtual_table or 'no_triggers' = any (args);
    expect_sync := virtual_table or 'expect_sync' = any (args);
    merge_all := 'merge_all' = any (args);
    no_merge := 'no_merge' = any (args);
    trigger_args := array(
        select a.arg
          from unnest(args) with ordinality as a (arg, nr)
         where not starts_with(a.arg, 'tgflags=')
           and a.arg not in ('no_triggers', 'skip_truncate', 'expect_sync', 'merge_all', 'no_merge', 'skip', 'SKIP',
                             'virtual_table')
         order by a.nr);
    key_args := array(
        select 'pkey_update' where letters ~ 'I' and letters ~ 'U' and letters ~ 'D' and pgq.version() !~ '^[0-3][.]'
                               and 'pkey_update' <> all (trigger_args));
end;
$$ language plpgsql stable set search_path = pg_catalog, pg_temp;
