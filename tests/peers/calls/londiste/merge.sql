-- SPDX-License-Identifier: ISC
-- Several queues bring one table. What 4.0 adds to each trigger, pkey_update, is left out here.

create function node(q text, t text, comb text default null) returns text language plpgsql as $$ declare r record; begin
    perform pgq_node.register_location(q, 'n1', 'dbname=x', false), pgq_node.register_location(q, 'n2', 'dbname=x', false); --
    select * into r from pgq_node.create_node(q, t, case t when 'root' then 'n1' else 'n2' end, q || '_w',
        case when t <> 'root' then 'n1' end, case when t <> 'root' then 1 end, comb); --
    return r.ret_code; end $$;
create view tables as select queue_name, table_name, local, merge_state, custom_snapshot, dropped_ddl, table_attrs, dest_table
    from londiste.table_info order by nr;
create view triggers as select tgrelid::regclass::text as tbl, replace(pg_get_triggerdef(oid), $$, 'pkey_update'$$, '') as def from pg_trigger
    where not tgisinternal and tgname ~ 'londiste|^zzz|^a' and tgrelid::regclass::text !~ '^pg|^londiste' order by 1, tgname;
create view events as select ev_type, ev_data, ev_extra1, ev_extra2 from pgq.event_template where ev_type !~ '^pgq' order by ev_id;
select node('r', 'root'), node('cb', 'branch'), node('b', 'branch'), node('la', 'leaf', 'r'), node('lb', 'leaf', 'r'),
    node('lc', 'leaf', 'r'), node('ca', 'leaf', 'cb'), node('cc', 'leaf', 'cb'), node('xa', 'leaf'), node('xb', 'leaf');
create table m (id int primary key);
create table o (id int primary key);
create function look() returns table (l text) language sql as $$ select 'table ' || (t.*)::text from tables t where local
    union all select 'trigger ' || (t.*)::text from triggers t union all select 'event ' || (e.*)::text from events e order by 1 $$;
select londiste.global_add_table(q, 'm') from unnest(array['la', 'lb', 'lc', 'ca', 'cc', 'xa', 'xb', 'b']) q;
select * from tables;
begin;
select * from londiste.local_add_table('la', 'm');
-- differs: what is refused changes nothing
-- 4.0: []
select * from look();
rollback;
begin;
select * from londiste.local_add_table('la', 'm', array['merge_all', 'backup', 'ev_extra4=4'], 'a=b');
select * from look();
select * from londiste.local_add_table('lb', 'm', array['merge_all', 'backup'], 'a=b');
select * from londiste.local_remove_table('la', 'm');
select * from londiste.global_remove_table('la', 'm');
select * from tables;
rollback;
begin;
select * from londiste.local_add_table('la', 'm', array['merge_all', 'expect_sync', 'tgflags=BIQ'], 'a=b');
select * from look();
rollback;
begin;
select * from londiste.local_add_table('la', 'm', array['expect_sync']);
select * from look();
rollback;
begin;
select * from londiste.local_add_table('la', 'm', array['merge_all', 'no_triggers'], 'a=b');
select * from look();
rollback;
begin;
select * from londiste.local_add_table('la', 'm', array['no_merge']);
select * from look();
select * from londiste.local_add_table('lb', 'm');
rollback;
begin;
select * from londiste.local_add_table('ca', 'm');
select * from look();
select * from londiste.local_add_table('cc', 'm');
rollback;
begin;
select * from londiste.local_add_table('ca', 'm', array['merge_all']);
select * from look();
rollback;
begin;
select * from londiste.local_add_table('cb', 'm');
select * from londiste.local_add_table('ca', 'm');
select * from look();
rollback;
begin;
select * from londiste.local_add_table('xa', 'm', array['merge_all']);
-- differs: only leaves are added together, not a root whose state would be lost
select * from look();
rollback;
begin;
select * from londiste.local_add_table('xa', 'm', array['no_merge']);
select * from londiste.local_add_table('xb', 'm', array['merge_all']);
rollback;
insert into londiste.table_info (queue_name, table_name) select q, 'public.mm' from unnest(array['la', 'lb', 'lc']) q;
create function roles() returns table (states text, roles text) language plpgsql as $$ declare
    st text[] := array[null, 'in-copy', 'in-copy+', 'catching-up', 'catching-up+', 'wanna-sync:1', 'do-sync:2', 'ok', '-']; --
    qs text[] := array['la', 'lb', 'lc']; s text[]; a text; b text; c text; begin
    foreach a in array st loop foreach b in array st loop foreach c in array st loop
        s := array[a, b, c]; --
        for i in 1 .. 3 loop
            update londiste.table_info set merge_state = replace(s[i], '+', ''), dropped_ddl = case when s[i] ~ '[+]' then 'x' end,
                local = s[i] is distinct from '-' where queue_name = qs[i] and table_name = 'public.mm'; end loop; --
        states := concat_ws('|', coalesce(a, 'null'), coalesce(b, 'null'), coalesce(c, 'null')); --
        select string_agg(coalesce(f.copy_role, '') || '/' || coalesce(f.copy_pos, -1), ' ' order by x.q) into roles
            from unnest(qs) x (q), lateral londiste.get_table_list(x.q) f where f.table_name = 'public.mm'; --
        return next; end loop; end loop; end loop; end $$;
select * from roles();
