-- SPDX-License-Identifier: ISC
-- An extension without anything in it: alter extension @EXTENSION@ update; adopts what a script has loaded.
do $$
begin
    if not exists (select 1 from pg_catalog.pg_namespace where nspname = '@EXTENSION@') then
        raise exception 'there is no schema @EXTENSION@ to adopt' using errcode = 'undefined_schema',
            hint = 'Make it: create extension @EXTENSION@;';
    end if;
end;
$$;
