-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste.set_session_replication_role(2)
--
--      Set session_replication_role, which only a superuser may, for those who replicate: members of londiste_writer
--      and pgq_admin. They can thereby switch off triggers and checks of foreign keys on any table that they may
--      change, and nobody else can.
--
-- Parameters:
--      val         - origin, replica, local
--      is_local    - until the end of the transaction, else of the session
-- Returns:
--      nothing
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      invalid_parameter_value - no such role
--      insufficient_privilege - a script has loaded the schema as a plain user
-- ----------------------------------------------------------------------
create or replace function londiste.set_session_replication_role(val text, is_local boolean)
returns void as $$
begin
    if val is null or val not in ('origin', 'replica', 'local') then
        raise exception 'bad value for session_replication_role' using errcode = 'invalid_parameter_value',
            hint = 'It is origin, replica or local.';
    end if;
    perform set_config('session_replication_role', val, is_local);
exception
    when insufficient_privilege then
        raise exception 'the owner of schema londiste may not set session_replication_role'
            using errcode = 'insufficient_privilege',
            hint = 'A superuser can allow it, from PostgreSQL 15 on: grant set on parameter session_replication_role to '
                   || quote_ident(current_user);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
