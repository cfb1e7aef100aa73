-- SPDX-License-Identifier: ISC
-- A root with tables, sequences, an executed file and a foreign key that waits; a leaf in the middle of a copy. Made
-- without the functions of Londiste 3: stand-ins have none that work.
do $$
begin
    perform pgq_node.register_location(queue, node, 'dbname=' || node, false)
       from unnest(array['q', 'l']) queue, unnest(array['n1', 'n2']) node;
    perform pgq_node.create_node('q', 'root', 'n1', 'w', null, null, null);
    perform pgq_node.create_node('l', 'leaf', 'n2', 'lw', 'n1', 1, null);
end;
$$;
create table public.parent (id serial primary key, v text);
create table public.child (id int primary key, parent int);
create table public.copied (id int, v text);
insert into public.copied values (1, 'part of a copy');
create trigger _londiste_q after insert or update or delete on public.parent
    for each row execute function pgq.logutriga('q');
create trigger _londiste_q_truncate after truncate on public.parent for each statement execute function pgq.sqltriga('q');
insert into londiste.table_info (queue_name, table_name, local, merge_state, table_attrs)
values ('q', 'public.parent', true, 'ok', 'handler=x'), ('q', 'public.child', true, 'ok', null);
insert into londiste.table_info (queue_name, table_name, local, merge_state, dropped_ddl)
values ('l', 'public.copied', true, 'in-copy', 'alter table copied add constraint copied_pkey primary key (id)');
insert into londiste.seq_info (queue_name, seq_name, local, last_value) values ('q', 'public.parent_id_seq', true, 30001);
insert into londiste.applied_execute (queue_name, execute_file, execute_sql) values ('q', 'done.sql', 'select 1');
insert into londiste.pending_fkeys (from_table, to_table, fkey_name, fkey_def)
values ('public.child', 'public.parent', 'fk', 'alter table only public.child add constraint fk foreign key (parent) references parent(id)');
