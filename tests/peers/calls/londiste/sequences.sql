-- SPDX-License-Identifier: ISC
-- Sequences, executed files. What 4.0 adds to each trigger, pkey_update, is left out here.

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
select node('q', 'root'), node('b', 'branch'), node('l', 'leaf');
create sequence sq;
create table ser (id serial primary key, b bigserial, c int);
select * from londiste.local_add_seq('q', 'sq');
select * from londiste.local_add_seq('q', 'sq');
select * from londiste.local_add_seq('q', 'nope');
-- literal: queue does not exist: nosuch
select * from londiste.local_add_seq('nosuch', 'sq');
select * from londiste.local_add_seq('b', 'sq');
select * from londiste.global_update_seq('b', 'sq', 500);
select * from londiste.global_update_seq('q', 'sq', 500);
select * from londiste.global_update_seq('nosuch', 'sq', 500);
select * from londiste.local_add_seq('b', 'sq');
select * from londiste.local_add_seq('b', 'sq');
select * from londiste.global_update_seq('b', 'sq', 600);
select * from londiste.global_update_seq('b', 'sq', 550);
select last_value, is_called from sq;
select * from londiste.get_seq_list('b');
select * from londiste.get_seq_list('q');
select * from londiste.root_check_seqs('q');
select * from londiste.root_check_seqs('q', 5);
select * from londiste.root_check_seqs('b', 5);
select * from londiste.root_check_seqs('nosuch', 5);
select setval('sq', 20000);
select * from londiste.root_check_seqs('q');
select * from londiste.get_seq_list('q');
select setval('sq', 20001);
select * from londiste.root_check_seqs('q');
select * from londiste.get_seq_list('q');
select setval('sq', 50000);
select * from londiste.root_check_seqs('q', 10);
select * from londiste.get_seq_list('q');
select * from londiste.local_show_missing('l');
select * from londiste.local_remove_seq('b', 'sq');
select * from londiste.local_show_missing('b');
select * from londiste.local_remove_seq('b', 'sq');
select * from londiste.local_remove_seq('b', 'sqx');
-- literal: queue does not exist: nosuch
select * from londiste.local_remove_seq('nosuch', 'sqx');
select * from londiste.global_remove_seq('b', 'sqx');
select * from londiste.global_remove_seq('b', 'sq');
select * from londiste.local_add_table('q', 'ser');
-- 3.8 looks at all sequences whenever one is added, 4.0 leaves that to worker and ticker: a thousand would take a minute.
select * from londiste.root_check_seqs('q');
select londiste.local_add_seq('q', 'ser_id_seq'), londiste.local_add_seq('q', 'ser_b_seq');
select * from londiste.local_remove_table('q', 'ser');
select * from londiste.get_seq_list('q');
select * from londiste.local_remove_seq('q', 'sq');
select * from londiste.local_remove_seq('q', 'sq');
select * from londiste.global_remove_seq('nosuch', 'sq');
select * from events;
-- differs: a sequence that goes down is ahead downwards
-- 3.5: [[29999]]
-- 4.0: [[-30001]]
create sequence down increment -1; select londiste.local_add_seq('q', 'down'); select last_value from londiste.get_seq_list('q');
select * from londiste.execute_start('q', 'f.sql', 'select 1', true);
select * from londiste.execute_finish('q', 'f.sql');
select * from londiste.execute_finish('q', 'g.sql');
select * from londiste.execute_start('q', 'f.sql', 'select 1', true);
select * from londiste.execute_start('q', 'f.sql', 'select 1', false);
select * from londiste.execute_start('b', 'f.sql', 'select 1', true);
select * from londiste.execute_start('b', 'f2.sql', 'select 1', true);
select * from londiste.execute_start('b', 'f2.sql', 'select 1', false, 'a=b');
select * from londiste.execute_finish('b', 'f2.sql');
select * from londiste.execute_start('l', 'f2.sql', 'select 1', false, 'a=b');
select * from londiste.execute_finish('l', 'f.sql');
-- literal: queue does not exist: nosuch
select * from londiste.execute_start('nosuch', 'f3.sql', 'select 1', false, 'a=b');
-- literal: queue does not exist: nosuch
select * from londiste.execute_finish('nosuch', 'f3.sql');
select queue_name, execute_file, execute_sql, execute_attrs from londiste.applied_execute order by 2;
select * from events where ev_type = 'EXECUTE';
