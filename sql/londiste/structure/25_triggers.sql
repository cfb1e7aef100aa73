-- SPDX-License-Identifier: ISC
-- With its row a table loses the triggers, whoever deletes it, a dropped node among them.
create or replace function londiste.table_info_trigger()
returns trigger as $$
begin
    if old.local then
        perform londiste._drop_replica_triggers(old.queue_name, coalesce(old.dest_table, old.table_name));
    end if;
    return old;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

create or replace trigger table_info_trigger_sync
    before delete on londiste.table_info
    for each row execute function londiste.table_info_trigger();
