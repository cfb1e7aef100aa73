-- SPDX-License-Identifier: ISC
-- What before.sql has made is as it was, and works. STEPS: how often during.sql was run.
select set_config('test.steps', :'STEPS', false) \g /dev/null
do $$
declare
    res record;
begin
    assert (select count(*) = current_setting('test.steps')::integer from pgq.event_template where ev_type = 'I:id'), 'events';
    assert (select table_attrs = 'handler=x' and local from londiste.table_info where table_name = 'public.parent'), 'attributes';
    assert (select ret_code = 201 from londiste.execute_start('q', 'done.sql', 'x', true)), 'executed file';
    assert (select ret_code = 201 from londiste.local_add_seq('q', 'parent_id_seq')), 'sequence';
    assert (select fkey_name = 'fk' from londiste.get_valid_pending_fkeys('q')), 'pending foreign key';
    assert londiste.restore_table_fkey('child', 'fk') = '', 'restore';
    assert exists (select 1 from pg_constraint where conname = 'fk' and convalidated), 'foreign key';
    select * into res from londiste.local_remove_table('l', 'copied');
    assert res.ret_code = 200, res.ret_note;
    assert exists (select 1 from pg_constraint where conname = 'copied_pkey'), 'dropped index';
    select * into res from londiste.local_remove_table('q', 'parent');
    assert res.ret_code = 200, res.ret_note;
    assert not exists (select 1 from pg_trigger where tgname ~ '^_londiste'), 'triggers';
    assert not exists (select 1 from londiste.seq_info), 'sequence of a removed table';
end;
$$;
