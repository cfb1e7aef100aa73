\set ECHO none
-- SPDX-License-Identifier: ISC
-- What each test begins with; not a word of it is in their output.
set client_min_messages = warning;
create extension if not exists pgq;
create extension if not exists pgq_node;
reset client_min_messages;
\set VERBOSITY terse
\pset format unaligned
\pset footer off
create function pg_temp.tick(queue text) returns bigint language sql as
    'select pgq.force_tick(queue); select pgq.ticker(queue)';
create function pg_temp.positions(queue text) returns table (name text, last_tick bigint) language sql as
    'select consumer_name, last_tick from pgq.get_consumer_info(queue) order by 1';
create function pg_temp.told(i_queue text) returns table (ev_type text, ev_data text, extra1 text, extra2 text, extra3 text)
    language plpgsql as $$
begin
    return query execute format(
        'select ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3 from %s where ev_type like ''pgq.%%'' order by ev_id',
        (select queue_data_pfx from pgq.queue where queue_name = i_queue));
end;
$$;
create procedure pg_temp.locations(queue text, variadic nodes text[]) language sql as
    'select pgq_node.register_location(queue, name, ''dbname='' || name, false) from unnest(nodes) as name';
\set ECHO all
