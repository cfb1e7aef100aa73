\set ECHO none
-- SPDX-License-Identifier: ISC
-- What most tests begin with; not a word of it is in their output.
set client_min_messages = warning;
drop extension if exists pgq cascade;
drop schema if exists work, other cascade;
create extension londiste cascade;
create schema work;
reset client_min_messages;
\set VERBOSITY terse
\pset format unaligned
\pset footer off
-- A node of queue $1: type, combined queue.
create function pg_temp.node(queue text, type text, combined text default null) returns text language plpgsql as $$
declare
    code integer;
    note text;
begin
    perform pgq_node.register_location(queue, 'n1', 'dbname=n1', false),
            pgq_node.register_location(queue, 'n2', 'dbname=n2', false);
    select ret_code, ret_note into code, note
      from pgq_node.create_node(queue, type, case type when 'root' then 'n1' else 'n2' end, queue || '_w',
                                case when type <> 'root' then 'n1' end, case when type <> 'root' then 1 end, combined);
    return code || ' ' || note;
end;
$$;
create view pg_temp.tables as
    select queue_name, table_name, local, merge_state, custom_snapshot, dropped_ddl, table_attrs, dest_table
      from londiste.table_info order by nr;
create view pg_temp.triggers as
    select regexp_replace(pg_get_triggerdef(t.oid), '^CREATE TRIGGER | EXECUTE FUNCTION| FOR EACH', '', 'g') as trigger
      from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
     where not t.tgisinternal and n.nspname !~ '^(pg|lond)' order by t.tgrelid::regclass::text, t.tgname;
create view pg_temp.events as
    select ev_type, ev_data, ev_extra1, ev_extra2 from pgq.event_template where ev_type !~ '^pgq' order by ev_id;
\set ECHO all
