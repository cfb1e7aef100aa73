-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.truncate_trigger(0)
--
--      Trigger for TRUNCATE of a table that has another name in the queue: pgq.sqltriga would tell the name here. Else
--      it does the same: event R, ev_extra1 the table, nothing when session_replication_role is local.
--
-- Parameters:
--      1. name of the queue
--      2. name of the table in the queue
--      3. deny: TRUNCATE is an error
-- Returns:
--      NULL
-- Tables:
--      insert: by pgq.insert_event, as the current user
-- Locks:
--      as pgq.insert_event
-- Raises:
--      feature_not_supported - denied
--      trigger_protocol_violated - not a trigger for TRUNCATE, or without arguments
-- ----------------------------------------------------------------------
create or replace function londiste.truncate_trigger()
returns trigger as $$
begin
    if tg_op <> 'TRUNCATE' or tg_nargs < 2 then
        raise exception 'londiste.truncate_trigger is for TRUNCATE and takes a queue and a table'
            using errcode = 'trigger_protocol_violated';
    elsif current_setting('session_replication_role') = 'local' then
        return null;
    elsif tg_argv[2] = 'deny' then
        raise exception 'Table ''%.%'' to queue ''%'': change not allowed (TRUNCATE)', tg_table_schema, tg_table_name,
            tg_argv[0] using errcode = 'feature_not_supported';
    end if;
    perform pgq.insert_event(tg_argv[0], 'R', '', tg_argv[1], null, null, null);
    return null;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
