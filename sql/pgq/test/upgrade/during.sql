-- SPDX-License-Identifier: ISC
-- After each step of a database from one kind of installation to another: it works.
select pgq.insert_event('used', 'step', 'by function');
do $$
begin
    execute format('insert into %s (ev_time, ev_type, ev_data) values (now(), ''step'', ''by table'')',
                   pgq.current_event_table('used'));
end;
$$;
select pgq.create_queue('new'), pgq.insert_event('new', 't', 'd');
select pgq.drop_queue('new');
