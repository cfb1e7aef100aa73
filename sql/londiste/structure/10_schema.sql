-- SPDX-License-Identifier: ISC
-- Roles are global: they are made where missing, and stay when the extension goes.
do $$
begin
    if not exists (select 1 from pg_catalog.pg_roles where rolname = 'londiste_reader') then
        create role londiste_reader nologin;
        grant pgq_reader to londiste_reader;
    end if;
    if not exists (select 1 from pg_catalog.pg_roles where rolname = 'londiste_writer') then
        create role londiste_writer nologin;
        grant pgq_admin to londiste_writer;
    end if;
exception
    when insufficient_privilege or undefined_object then
        -- Who may not make roles goes on without them: only the owner has rights, and gives them to others.
        null;
end;
$$;

create schema if not exists londiste;
