-- SPDX-License-Identifier: ISC
do $$
begin
    assert pgq_ext.get_last_tick('c') = 5, 'tick';
    assert pgq_ext.is_batch_done('c', 's', 6), 'batch';
    assert not pgq_ext.set_event_done('c', 7, 8), 'event that was done';
    assert pgq_ext.set_event_done('c', 7, 9), 'event that was not';
end;
$$;
