-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.jsontriga(0)
--
--      Engine without C: see functions/.
--
-- Parameters:
--      see functions/
-- Returns:
--      what a trigger has to
-- Tables:
--      through pgq.insert_event(7), as the current user
-- Locks:
--      as pgq.insert_event
-- Raises:
--      as pgq._pl_fire
-- ----------------------------------------------------------------------
create or replace function pgq.jsontriga()
returns trigger as $$
begin
    if tg_op = 'INSERT' and pgq._pl_fire('json', tg_relid, tg_name, tg_when, tg_level, tg_op, tg_argv, new, new)
        or tg_op = 'UPDATE' and pgq._pl_fire('json', tg_relid, tg_name, tg_when, tg_level, tg_op, tg_argv, new, old)
    then
        return new;
    elsif tg_op = 'DELETE' and pgq._pl_fire('json', tg_relid, tg_name, tg_when, tg_level, tg_op, tg_argv, old, old)
    then
        return old;
    elsif tg_op = 'TRUNCATE' then
        perform pgq._pl_fire('json', tg_relid, tg_name, tg_when, tg_level, tg_op, tg_argv, ''::text, ''::text);
    end if;
    return null;
end;
$$ language plpgsql;
