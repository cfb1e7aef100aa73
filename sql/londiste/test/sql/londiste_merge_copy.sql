-- SPDX-License-Identifier: ISC
-- Several queues bring one table: who copies when, what becomes of dropped indexes.
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\i :abs_srcdir/setup.sql
select pg_temp.node('root', 'root') \g /dev/null
select pg_temp.node('l' || i, 'leaf', 'root') from generate_series(1, 3) i \g /dev/null
create table work.t (id int primary key);
create table work.u (id int primary key);
select ret_code from unnest(array['l1', 'l2', 'l3']) queue, londiste.global_add_table(queue, 'work.t');
select ret_code from londiste.local_add_table('l1', 'work.t', array['merge_all']);
-- Who may copy, who may replay: states of three queues; a + has the dropped indexes; a - takes no part.
create function pg_temp.set_states(variadic states text[]) returns void language sql as $$
    update londiste.table_info
       set local = states[substr(queue_name, 2)::int] <> '-',
           merge_state = nullif(rtrim(states[substr(queue_name, 2)::int], '+'), ''),
           dropped_ddl = substring(states[substr(queue_name, 2)::int] from '[+]')
     where queue_name ~ '^l.$';
$$;
create function pg_temp.roles(variadic states text[]) returns text language plpgsql as $$
begin
    perform pg_temp.set_states(variadic states);
    return (select string_agg(coalesce(copy_role, '') || ' ' || copy_pos, ', ' order by q.queue_name)
              from pgq_node.node_info q cross join lateral londiste.get_table_list(q.queue_name)
             where q.queue_name ~ '^l.$');
end;
$$;
select a || ' | ' || b || ' | ' || c as states, pg_temp.roles(a, b, c) as roles
  from (values ('in-copy', 'ok', 'ok'), ('in-copy', '-', '-'), ('in-copy', '', ''), ('', 'in-copy', ''),
               ('in-copy', 'in-copy', 'in-copy'), ('', 'in-copy', 'in-copy'), ('-', 'in-copy', 'in-copy'),
               ('ok', 'in-copy', 'in-copy'), ('in-copy+', 'in-copy', 'in-copy'), ('in-copy', 'in-copy+', 'in-copy'),
               ('catching-up+', 'in-copy', 'catching-up'), ('catching-up+', 'catching-up', 'catching-up'),
               ('catching-up+', '', 'wanna-sync:5'), ('catching-up+', 'ok', 'ok'), ('catching-up', 'in-copy', 'in-copy'),
               ('catching-up', 'catching-up', 'in-copy'), ('in-copy', 'catching-up', 'in-copy'),
               ('in-copy', 'in-copy', 'wanna-sync:5'), ('in-copy', 'do-sync:5', 'ok'), ('', 'catching-up', 'in-copy'),
               ('catching-up', 'in-copy+', 'in-copy'), ('in-copy', 'catching-up+', 'catching-up'),
               ('do-sync:5', 'in-copy', '-'), ('ok', 'ok', 'ok')) as s (a, b, c);

-- Rule: a copy that is given up leaves its indexes to another that is copying, and no row is lost.
insert into work.u select 1;
create function pg_temp.dropped(variadic states text[]) returns void language plpgsql as $$
begin
    perform londiste.set_session_replication_role('replica', true);
    truncate work.t;
    alter table work.t drop constraint if exists t_pkey;
    insert into work.t values (1);
    perform pg_temp.set_states(variadic states);
    update londiste.table_info set dropped_ddl = 'alter table only work.t add constraint t_pkey primary key (id);'
     where dropped_ddl = '+';
    perform londiste.set_session_replication_role('origin', true);
end;
$$;
create view pg_temp.left_over as
    select (select string_agg(t.queue_name || ' ' || coalesce(t.merge_state, 'null') || ' ' || coalesce(t.dropped_ddl, ''), ', '
                              order by queue_name) from pg_temp.tables t where queue_name ~ '^l.$' and local) as tables,
           (select count(*) from work.t) as rows,
           (select string_agg(conname, ' ') from pg_constraint where conrelid = 'work.t'::regclass and contype <> 'n') as constraints;
select pg_temp.dropped('catching-up+', 'in-copy', 'catching-up');
select * from londiste.local_set_table_state('l1', 'work.t', null, null);
select * from left_over;
select * from londiste.local_remove_table('l2', 'work.t');
select * from left_over;
-- Rule: where nobody else copies, the table is emptied, and has its indexes back; deny is no obstacle.
select * from londiste.local_set_table_state('l3', 'work.t', null, null);
select * from left_over;
select pg_temp.dropped('in-copy+', '', '-');
begin; select * from londiste.local_remove_table('l1', 'work.t'); select * from left_over; rollback;
begin; select * from londiste.global_remove_table('l1', 'work.t'); select * from left_over; rollback;
select * from londiste.local_set_table_state('l1', 'work.t', null, null);
select * from left_over;
-- Rule: where rows may be of others, or were there before, they stay.
select pg_temp.dropped('in-copy+', '', 'ok');
begin; select * from londiste.local_remove_table('l1', 'work.t'); select * from left_over; rollback;
select pg_temp.dropped('in-copy+', '', '-');
begin;
select * from londiste.local_set_table_attrs('l1', 'work.t', 'a=b&skip_truncate=1');
select * from londiste.local_remove_table('l1', 'work.t');
select * from left_over;
rollback;
begin;
select * from londiste.local_set_table_attrs('l1', 'work.t', 'skip_truncate=0');
select * from londiste.local_remove_table('l1', 'work.t');
select * from left_over;
rollback;
select * from londiste.local_set_table_state('l1', 'work.t', null, null);
show session_replication_role;
insert into work.t values (1);
-- Rule: what a copy has dropped is made again as it was written, under the search_path of the caller.
select pg_temp.dropped('in-copy+', '', '-');
update londiste.table_info set dropped_ddl = 'alter table t add constraint t_pkey primary key (id);' where dropped_ddl <> '';
set search_path = work;
select * from londiste.local_remove_table('l1', 'work.t');
reset search_path;
select * from left_over;
-- Rule: it works on the name that the table has here; and when the table is gone.
select * from londiste.local_remove_table('l2', 'work.t');
select * from londiste.local_add_table('l1', 'work.t', array['no_merge'], null, 'work.u');
update londiste.table_info set merge_state = 'in-copy', dropped_ddl = 'create index back on work.u (id)' where queue_name = 'l1';
begin; select * from londiste.local_remove_table('l1', 'work.t'); select * from work.u; \d work.u
rollback;
drop table work.u;
select * from londiste.local_set_table_state('l1', 'work.t', null, null);
select * from londiste.local_remove_table('l1', 'work.t');
