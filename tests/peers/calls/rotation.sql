-- SPDX-License-Identifier: ISC
-- Rotation and the list of maintenance.

select * from pgq.maint_operations();
select pgq.create_queue('q'), pgq.create_queue('r');
select pgq.register_consumer('q', 'c');
select * from pgq.maint_operations();
select pgq.maint_rotate_tables_step1('q');
select pgq.maint_rotate_tables_step1('none');
select pgq.maint_rotate_tables_step1(null);
select pgq.maint_rotate_tables_step2();
select pgq.set_queue_config('q', 'rotation_period', '0');
select * from pgq.maint_operations();
select pgq.maint_rotate_tables_step1('q');
select queue_cur_table, queue_switch_step2 from pgq.queue where queue_name = 'q';
select pgq.force_tick('q');
select pgq.ticker('q');
select pgq.next_batch('q', 'c');
select pgq.finish_batch(1);
select pgq.maint_rotate_tables_step1('q');
select queue_cur_table, queue_switch_step1, queue_switch_step2, queue_switch_time from pgq.queue
    where queue_name = 'q';
select * from pgq.maint_operations();
select pgq.maint_rotate_tables_step1('q');
select queue_cur_table from pgq.queue where queue_name = 'q';
select pgq.maint_rotate_tables_step2();
select queue_cur_table, queue_switch_step2 from pgq.queue where queue_name = 'q';
select pgq.current_event_table('q');
select pgq.insert_event('q', 't', 'after');
select tableoid::regclass::text, ev_id from pgq.event_template;
select pgq.force_tick('q');
select pgq.ticker('q');
select pgq.next_batch('q', 'c');
select * from pgq.batch_event_tables(2);
select * from pgq.get_batch_events(2);
select tick_id from pgq.tick where tick_queue = 1 order by 1;
select pgq.set_queue_config('q', 'rotation_period', '1 hour');
update pgq.queue set queue_extra_maint = array['public.mine', 'odd'] where queue_name = 'q';
select * from pgq.maint_operations();
select count(*) from pgq.maint_tables_to_vacuum();
update pgq.subscription set sub_last_tick = 77;
select pgq.set_queue_config('q', 'rotation_period', '0');
select pgq.maint_rotate_tables_step1('q');
