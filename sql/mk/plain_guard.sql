-- SPDX-License-Identifier: ISC
do $$
begin
    if exists (select 1 from pg_catalog.pg_extension where extname = '@EXTENSION@') then
        raise exception '@EXTENSION@ is an extension in this database' using errcode = 'duplicate_object',
            hint = 'Update it: alter extension @EXTENSION@ update; or first turn it into plain objects: '
                   'psql -f skytools/@EXTENSION@_unpackage.sql';
    end if;
end;
$$;
