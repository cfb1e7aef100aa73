-- SPDX-License-Identifier: ISC
-- Foreign keys, which queue brings them back.

create function node(q text, t text, comb text default null) returns text language plpgsql as $$ declare r record; begin
    perform pgq_node.register_location(q, 'n1', 'dbname=x', false), pgq_node.register_location(q, 'n2', 'dbname=x', false); --
    select * into r from pgq_node.create_node(q, t, case t when 'root' then 'n1' else 'n2' end, q || '_w',
        case when t <> 'root' then 'n1' end, case when t <> 'root' then 1 end, comb); --
    return r.ret_code; end $$;
select node('r', 'root'), node('cb', 'branch'), node('la', 'leaf', 'r'), node('lb', 'leaf', 'r'), node('ca', 'leaf', 'cb'), node('xa', 'leaf'), node('b', 'branch');
create schema s;
create table s.p (id int primary key);
create table s.ch (id int primary key, pid int references s.p);
create table s.ch2 (id int primary key, pid int references s.p on delete cascade deferrable initially deferred);
create table s.self (id int primary key, up int references s.self);
select * from londiste.find_table_fkeys('s.p');
select * from londiste.find_table_fkeys('s.ch');
select * from londiste.find_table_fkeys('s.self');
select * from londiste.find_table_fkeys('nope');
select londiste.local_add_table('r', t) from unnest(array['s.p', 's.ch', 's.self', 's.ch2']) t;
select londiste.drop_table_fkey('s.ch', 'ch_pid_fkey');
select londiste.drop_table_fkey('s.ch', 'ch_pid_fkey');
select londiste.drop_table_fkey('s.self', 'self_up_fkey');
select londiste.drop_table_fkey('s.ch2', 'ch2_pid_fkey');
select * from londiste.pending_fkeys order by 1;
select * from londiste.get_table_pending_fkeys('s.p');
select * from londiste.get_valid_pending_fkeys('r');
select * from londiste.get_valid_pending_fkeys('nosuch');
select londiste.restore_table_fkey('s.ch', 'nope');
select londiste.restore_table_fkey('s.ch', 'ch_pid_fkey', true);
select londiste.restore_table_fkey('s.ch', 'ch_pid_fkey', true);
alter table only s.ch add constraint ch_pid_fkey foreign key (pid) references s.p (id) not valid;
select londiste.restore_table_fkey('s.ch', 'ch_pid_fkey', true);
select from_table from londiste.pending_fkeys order by 1;
alter table s.ch validate constraint ch_pid_fkey;
select londiste.restore_table_fkey('s.ch', 'ch_pid_fkey', true);
select from_table from londiste.pending_fkeys order by 1;
select londiste.restore_table_fkey('s.self', 'self_up_fkey');
select londiste.restore_table_fkey('s.ch2', 'ch2_pid_fkey', false);
select conname, convalidated from pg_constraint where contype = 'f' and connamespace = 's'::regnamespace order by 1;
select count(*) from londiste.pending_fkeys;
delete from londiste.table_info;
insert into londiste.pending_fkeys values ('s.fa', 's.fb', 'fk', 'x');
create function pg_temp.who() returns text language sql as $$ select string_agg(n.queue_name, ',' order by n.queue_name)
    from pgq_node.node_info n, lateral londiste.get_valid_pending_fkeys(n.queue_name) f $$;
create function who(qs text[]) returns table (registered text, who text) language plpgsql as $$ declare i int; j int; begin
    for i in 1 .. 2 ^ cardinality(qs) - 1 loop
        delete from londiste.table_info; --
        for j in 1 .. cardinality(qs) loop if (i >> (j - 1)) & 1 = 1 then
            insert into londiste.table_info (queue_name, table_name, local, merge_state)
                select qs[j], t, true, 'ok' from unnest(array['s.fa', 's.fb']) t; end if; end loop; --
        select string_agg(distinct queue_name, ' ') into registered from londiste.table_info; --
        who := pg_temp.who(); return next; end loop; end $$;
create function who_ends(qs text[], change text) returns table (ends text, who text) language plpgsql as $$ declare a text; b text; begin
    foreach a in array qs loop foreach b in array qs loop
        delete from londiste.table_info; --
        insert into londiste.table_info (queue_name, table_name, local, merge_state) values (a, 's.fa', true, 'ok'), (b, 's.fb', true, 'ok'); --
        execute change; --
        ends := a || ' ' || b; who := pg_temp.who(); return next; end loop; end loop; end $$;
select * from who(array['r', 'cb', 'la', 'lb', 'xa']);
select * from who_ends(array['r', 'cb', 'la', 'lb', 'xa'], 'select 1');
select * from who_ends(array['r', 'la'], $$ insert into londiste.table_info (queue_name, table_name, local) values ('b', 's.fa', true) $$);
select * from who_ends(array['r', 'la'], $$ insert into londiste.table_info (queue_name, table_name, local) values ('b', 's.fa', false) $$);
select * from who_ends(array['r', 'la'], $$ insert into londiste.table_info (queue_name, table_name, local, merge_state, custom_snapshot) values ('b', 's.fa', true, 'ok', '1:2:') $$);
select * from who_ends(array['r', 'la'], $$ update londiste.table_info set dest_table = 's.other' where table_name = 's.fb' $$) where who is not null and false;
-- differs: a leaf whose combined branch does not have the table does it itself
select * from who(array['r', 'ca', 'xa']);
-- differs: one whose other table is in no queue comes back too
-- 3.5: [["r r", null]]
-- 4.0: [["r r", "r"]]
select * from who_ends(array['r'], $$ delete from londiste.table_info where table_name = 's.fb' $$);
