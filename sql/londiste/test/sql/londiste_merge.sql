-- SPDX-License-Identifier: ISC
-- Several queues bring one table: what is added.
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\i :abs_srcdir/setup.sql
select pg_temp.node('root', 'root') \g /dev/null
select pg_temp.node('l' || i, 'leaf', 'root') from generate_series(1, 3) i \g /dev/null
select pg_temp.node('br', 'branch'), pg_temp.node('b1', 'leaf', 'br'), pg_temp.node('b2', 'leaf', 'br'),
       pg_temp.node('x1', 'leaf'), pg_temp.node('x2', 'leaf'), pg_temp.node('y', 'branch') \g /dev/null
create table work.t (id int primary key);
create table work.u (id int primary key);
-- Rule: a combined queue has what the queues have that are merged into it.
select londiste.global_add_table(queue, 'work.t') from unnest(array['l1', 'l2', 'l3', 'b1', 'b2', 'x1', 'x2', 'y']) queue;
select * from tables;
create function pg_temp.try(queue text, args text[], attrs text default null, dest text default null)
returns table (res text) language plpgsql as $$
begin
    return query select f.ret_code || ' ' || f.ret_note from londiste.local_add_table(queue, 'work.t', args, attrs, dest) f;
    return query select concat_ws(' ', t.queue_name, t.table_name, coalesce(t.merge_state, 'null'), t.table_attrs, t.dest_table)
                   from pg_temp.tables t where t.local;
    return query select t.trigger from pg_temp.triggers t;
    return query select e.ev_type || ' ' || e.ev_data from pg_temp.events e;
end;
$$;
-- Rule: several sources, but it is not said what to do: refused, and nothing changes.
select * from pg_temp.try('l1', null);
begin; select * from pg_temp.try('l2', array['merge_all', 'backup'], 'handler=x'); rollback;
begin; select * from pg_temp.try('l2', array['merge_all', 'expect_sync']); rollback;
begin; select * from pg_temp.try('l2', array['expect_sync']); rollback;
begin; select * from pg_temp.try('l2', array['merge_all', 'no_triggers']); rollback;
-- Rule: under another name, too, all are added.
begin; select * from pg_temp.try('l2', array['merge_all'], null, 'work.u'); rollback;
begin;
select * from pg_temp.try('l2', array['no_merge']);
select * from pg_temp.try('l1', null);
select * from pg_temp.try('l1', array['merge_all']);
select * from pg_temp.try('l1', array['no_merge']);
rollback;
-- Rule: a leaf whose combined queue is a branch gets its data by that.
begin; select * from pg_temp.try('b1', null); rollback;
begin; select * from londiste.local_add_table('br', 'work.t'); select * from pg_temp.try('b2', array['merge_all'], 'x=y'); rollback;
-- Rule: of queues without a combined one only leaves are added together, not roots and branches.
begin; select * from pg_temp.try('x1', null); rollback;
begin; select * from pg_temp.try('x1', array['merge_all']); rollback;
begin; select * from londiste.local_add_table('y', 'work.t'); select * from pg_temp.try('x1', array['merge_all']); rollback;
-- what refuses the combined queue refuses all
begin;
create trigger s before insert on work.t for each row execute function pgq.sqltriga('other', 'SKIP');
select * from pg_temp.try('l1', array['merge_all']);
rollback;
-- Rule: when one is removed, the others stay denied.
begin;
select ret_code from londiste.local_add_table('x1', 'work.t', array['merge_all']);
select * from londiste.local_remove_table('x1', 'work.t');
select * from triggers;
insert into work.t values (1);
rollback;
