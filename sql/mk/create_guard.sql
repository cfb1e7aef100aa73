-- SPDX-License-Identifier: ISC
do $$
begin
    if exists (select 1 from pg_catalog.pg_namespace where nspname = '@EXTENSION@') then
        raise exception 'schema @EXTENSION@ is there already, loaded by a script' using errcode = 'duplicate_schema',
            hint = 'Adopt it: create extension @EXTENSION@ version ''unpackaged''; '
                   'alter extension @EXTENSION@ update; or bring it up to date: psql -f skytools/@EXTENSION@.sql';
    end if;
end;
$$;
