-- SPDX-License-Identifier: ISC
-- Sequences: what the root publishes, and what others make of it.
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\i :abs_srcdir/setup.sql
select pg_temp.node('q', 'root');
select pg_temp.node('b', 'branch');
create sequence work.s;
create sequence work.next_s;

-- Rule: codes and notes are those of 3.8.
select * from londiste.local_add_seq('q', 'work.s');
select * from londiste.local_add_seq('q', 'work.s');
select * from londiste.local_add_seq('q', 'work.nosuch');
select * from londiste.local_add_seq('nosuch', 'work.s');
select * from londiste.root_check_seqs('b');
select * from londiste.root_check_seqs('nosuch');
select * from londiste.global_update_seq('q', 'work.s', 5);
select * from londiste.global_update_seq('nosuch', 'work.s', 5);
select * from londiste.local_add_seq('b', 'work.s');
select * from londiste.get_seq_list('q');

-- Rule: the root publishes 30000 ahead, when 10000 or the buffer are left.
create function pg_temp.at(val bigint, buffer bigint default 10000) returns bigint language plpgsql as $$
begin
    perform setval('work.s', val), londiste.root_check_seqs('q', buffer);
    return (select last_value from londiste.seq_info where queue_name = 'q' and seq_name = 'work.s');
end;
$$;
select pg_temp.at(20000), pg_temp.at(20001), pg_temp.at(40000), pg_temp.at(49900, 100), pg_temp.at(49901, 100);
select pg_temp.at(69900, 9), pg_temp.at(90000);
select * from londiste.root_check_seqs('q');
select * from events;

-- Rule: others follow, and never go back.
create function pg_temp.follow(queue text, seq text, val bigint) returns text language plpgsql as $$
declare
    res record;
begin
    perform londiste.global_update_seq(queue, seq, val);
    execute format('select last_value, is_called from %s', seq) into res;
    return res.last_value || case when res.is_called then '' else ' unused' end;
end;
$$;
select * from londiste.global_update_seq('b', 'work.next_s', 500);
select * from londiste.local_add_seq('b', 'work.next_s');
select * from londiste.local_add_seq('b', 'work.next_s');
select last_value from work.next_s;
select pg_temp.follow('b', 'work.next_s', 700), pg_temp.follow('b', 'work.next_s', 600);
select * from londiste.get_seq_list('b');
create sequence work.one;
select londiste.global_update_seq('b', 'work.one', 1), londiste.local_add_seq('b', 'work.one');
select nextval('work.one');

-- Rule: steps and directions: others are ahead in the direction in which it goes, and stay in its range.
create sequence work.tens increment 10;
create sequence work.down increment -1;
create sequence work.small as smallint;
create sequence work.near start 2147483000 maxvalue 2147483647;
create sequence work.full maxvalue 10;
select setval('work.full', 10);
create sequence work.cycle maxvalue 100 cycle;
select setval('work.cycle', 50);
create sequence work.big increment 9000000000000000000;
select londiste.local_add_seq('q', 'work.' || s) from unnest(array['tens', 'down', 'small', 'near', 'full', 'cycle', 'big']) s;
select * from londiste.get_seq_list('q') where seq_name <> 'work.s';
select * from londiste.root_check_seqs('q');
select * from londiste.get_seq_list('q') where seq_name <> 'work.s';
select setval('work.tens', 200001), setval('work.down', -20001), setval('work.near', 2147483320), setval('work.cycle', 2);
select * from londiste.root_check_seqs('q');
select * from londiste.get_seq_list('q') where seq_name in ('work.tens', 'work.down', 'work.near', 'work.full', 'work.cycle');
create sequence work.d increment -1;
create sequence work.c maxvalue 100 cycle;
create sequence work.m maxvalue 100;
select londiste.global_update_seq('b', 'work.' || s, case s when 'd' then -10 else 10 end), londiste.local_add_seq('b', 'work.' || s)
  from unnest(array['d', 'c', 'm']) s;
select pg_temp.follow('b', 'work.d', -50), pg_temp.follow('b', 'work.d', -20), pg_temp.follow('b', 'work.d', 7);
select pg_temp.follow('b', 'work.c', 90), pg_temp.follow('b', 'work.c', 5);
select pg_temp.follow('b', 'work.m', 30000);

-- Rule: a sequence that is gone holds up nothing.
drop sequence work.tens, work.m;
select * from londiste.root_check_seqs('q');
select * from londiste.global_update_seq('b', 'work.m', 40000);
select func_name, func_arg from pgq.maint_operations() where func_name ~ 'londiste';

-- Rule: to add a sequence is to look at no other: that takes as long with a thousand of them.
select setval('work.s', 500000);
create sequence work.last;
select * from londiste.local_add_seq('q', 'work.last');
select * from londiste.get_seq_list('q') where seq_name in ('work.s', 'work.last');

-- Rule: a root that is being demoted publishes nothing.
select pg_temp.at(1000000);
update pgq.queue set queue_disable_insert = true where queue_name = 'q';
select pg_temp.at(2000000);
select * from londiste.root_check_seqs('q');
update pgq.queue set queue_disable_insert = false where queue_name = 'q';

-- Rule: at a takeover the exact values are brought over: nothing used is given out again.
select * from londiste.get_seq_values('q') where seq_name <> 'work.big';
select * from londiste.get_seq_values('b');
select * from londiste.set_seq_values('b', array['work.next_s', 'work.s'], array[1, 2]);
select * from londiste.set_seq_values('b', array['work.next_s', 'work.d', 'work.c', 'work.one'], array[123456, -123456, 50, null]);
select * from londiste.get_seq_values('b');
select nextval('work.next_s'), nextval('work.d');

-- leave
select * from londiste.local_remove_seq('b', 'work.next_s');
select * from londiste.local_remove_seq('b', 'work.next_s');
select * from londiste.local_remove_seq('b', 'work.nosuch');
select * from londiste.local_remove_seq('nosuch', 'work.s');
select * from londiste.global_remove_seq('b', 'work.next_s');
select * from londiste.global_remove_seq('b', 'work.next_s');
select * from londiste.local_show_missing('b');
select * from londiste.local_remove_seq('q', 'work.s');
select * from londiste.local_remove_seq('q', 'work.s');
select * from londiste.global_remove_seq('nosuch', 'work.s');
select ev_type, ev_data, ev_extra1 from events where ev_type = 'londiste.remove-seq';
