-- SPDX-License-Identifier: ISC
-- Roles are global: they are made where missing, and stay when the extension goes.
do $$
declare
    role_name text;
begin
    foreach role_name in array array['pgq_reader', 'pgq_writer', 'pgq_admin'] loop
        if not exists (select 1 from pg_catalog.pg_roles where rolname = role_name) then
            execute pg_catalog.format('create role %I nologin', role_name);
            if role_name = 'pgq_admin' then
                grant pgq_reader, pgq_writer to pgq_admin;
            end if;
        end if;
    end loop;
exception
    when insufficient_privilege then
        -- Who may not make roles goes on without them: only the owner has rights, and gives them to others.
        null;
end;
$$;

create schema if not exists pgq;
