# SPDX-License-Identifier: ISC
"""More scripts, as in calls.py: ticks, batches, retries, rotation."""

from __future__ import annotations

from tests.peers.calls import FORCE, TICK
from tests.peers.differential import Call

EVENTS = "select count(pgq.insert_event('q', 't', n::text)) from generate_series(1, {}) n"
UNUSED = "defect 4: the first event ever counts as none, for a sequence never used says 1, too"
INFO = "select * from pgq.get_consumer_info()"

FIRST_EVENT = [
    Call("select pgq.create_queue('q')"),
    Call("select tick_event_seq from pgq.tick", why=UNUSED, theirs=[(1,)], ours=[(0,)]),
    Call("select pgq.set_queue_config('q', 'ticker_max_count', '1')"),
    Call(TICK),
    Call("select pgq.insert_event('q', 't', 'first')"),
    Call("select ev_new from pgq.get_queue_info('q')", why=UNUSED, theirs=[(0,)], ours=[(1,)]),
    Call(TICK, why=UNUSED, theirs=[(None,)], ours=[(3,)]),
]

TICKS = [
    Call("select pgq.create_queue('q')"),
    Call("select pgq.set_queue_config('q', 'ticker_max_lag', '3 s')"),
    Call("select pgq.ticker('none')"),
    Call("select pgq.ticker(null)"),
    Call("select pgq.force_tick('none')"),
    Call("select pgq.force_tick(null)"),
    # nothing new after the first tick: with a single one it ticks again
    Call(TICK),
    Call(TICK),
    # FIRST_EVENT has what differs before it
    Call(EVENTS.format(1)), Call(FORCE), Call(TICK),
    Call(EVENTS.format(3)),
    Call(TICK),
    Call("select pgq.set_queue_config('q', 'ticker_max_count', '5')"),
    Call(EVENTS.format(1)),
    Call(TICK),
    Call(EVENTS.format(1)),
    Call(TICK),
    Call(TICK),
    Call("update pgq.tick set tick_time = tick_time - interval '10 seconds'"),
    Call(EVENTS.format(1)),
    Call(TICK),
    Call("update pgq.tick set tick_time = tick_time - interval '70 seconds'"),
    Call(TICK),
    Call(FORCE),
    Call("select pgq.seq_getval('pgq.event_1_id_seq')"),
    Call(TICK),
    Call("select tick_queue, tick_id, tick_event_seq from pgq.tick where tick_id > 2"
         " order by tick_id"),
    Call("select pgq.ticker()"),
    Call(FORCE),
    Call("select pgq.create_queue('r')"),
    Call("select pgq.ticker()"),
    # paused
    Call("select pgq.set_queue_config('q', 'ticker_paused', 'true')"),
    Call(FORCE),
    Call(TICK),
    Call("select pgq.ticker()"),
    Call("select pgq.set_queue_config('q', 'ticker_paused', 'false')"),
    # external
    Call("select pgq.ticker('q', 50, now(), 100)"),
    Call("select pgq.set_queue_config('q', 'external_ticker', 'true')"),
    Call("select pgq.ticker('q', 50, now(), 10000)"),
    Call("select pgq.ticker('q', 50, now(), 10000)"),
    Call("select pgq.ticker('q', null, now(), 10000)"),
    Call("select pgq.ticker('q', 60, null, 10000)"),
    Call("select pgq.ticker('q', 60, now(), null)"),
    Call("select pgq.ticker(i_queue_name := 'q', i_tick_id := 61, i_orig_timestamp :="
         " '2020-01-01 00:00+00', i_event_seq := 5)"),
    Call("select pgq.ticker('none', 1, now(), 1)"),
    Call(TICK),
    Call(FORCE),
    Call("select tick_id, tick_time, tick_event_seq from pgq.tick where tick_queue = 1"
         " and tick_id >= 50 order by 1"),
    Call("select pgq.seq_getval('pgq.event_1_tick_seq'), pgq.seq_getval('pgq.event_1_id_seq')"),
    Call("select pgq.set_queue_config('q', 'external_ticker', 'false')"),
    Call(FORCE),
    Call(TICK),
    Call("select tick_id, tick_event_seq from pgq.tick where tick_queue = 1"
         " and tick_id > 2 order by 1"),
    Call("select * from pgq.get_queue_info('q')"),
    Call("update pgq.tick set tick_snapshot = '999999999:999999999:' where tick_id = 62"),
    Call(FORCE),
]

BATCHES = [
    Call("select pgq.create_queue('q')"),
    # FIRST_EVENT has what differs before it
    Call("select pgq.insert_event('q', 't', 'first')"), Call(FORCE), Call(TICK),
    Call("select * from pgq.next_batch_info('q', 'c')", literal="Not subscriber to queue: q/c"),
    Call("select pgq.next_batch('none', 'c')", literal="Not subscriber to queue: none/c"),
    Call("select pgq.next_batch(null, null)", literal="Not subscriber to queue: NULL/NULL"),
    Call("select pgq.register_consumer('q', 'c'), pgq.register_consumer('q', 'other')"),
    Call("select * from pgq.next_batch_info('q', 'c')"),
    Call("select pgq.next_batch('q', 'c')"),
    Call("select pgq.insert_event_raw('q', n, now(), null, null, 't', n::text, null, null, null,"
         " null) from generate_series(1, 3) n"),
    Call(FORCE), Call(TICK),
    Call("select pgq.next_batch('q', 'c')"),
    Call("select * from pgq.next_batch_info('q', 'c')"),
    Call("select * from pgq.next_batch_custom('q', 'c', '1 hour', 1000, '1 day')"),
    Call(INFO),
    Call("select * from pgq.get_batch_info(1)"),
    Call("select * from pgq.get_batch_info(99)"),
    Call("select * from pgq.get_batch_info(null)"),
    Call("select * from pgq.get_batch_events(1)"),
    Call("select * from pgq.get_batch_events(x_batch_id := 1)"),
    Call("select * from pgq.get_batch_events(99)", literal="batch not found"),
    Call("select * from pgq.get_batch_events(null)"),
    Call("select * from pgq.batch_event_tables(1)"),
    Call("select * from pgq.batch_event_tables(99)"),
    Call("select right(pgq.batch_event_sql(1), 11), position('pgq.event_1_0' in"
         " pgq.batch_event_sql(1)) > 0"),
    Call("select pgq.batch_event_sql(99)", literal="batch not found"),
    # cursors
    Call("select * from pgq.get_batch_cursor(1, 'cur', 2)"),
    Call("begin"),
    Call("select * from pgq.get_batch_cursor(1, 'cur', 2)"),
    Call("fetch 1 from cur"),
    Call("fetch 10 from cur"),
    Call("fetch 10 from cur"),
    Call("close cur"),
    Call("select * from pgq.get_batch_cursor(1, 'Odd \"name', 0)"),
    Call('fetch all from "Odd ""name"'),
    Call("select * from pgq.get_batch_cursor(1, 'w', 10, $$ev_data = '2' or ev_extra1 = 'x'$$)"),
    Call("select * from pgq.get_batch_cursor(i_batch_id := 1, i_cursor_name := 'n',"
         " i_quick_limit := -1, i_extra_where := $$ev_id > 1$$)"),
    Call("fetch all from n"),
    Call("select * from pgq.get_batch_cursor(1, 'every', 100, null)"),
    Call("fetch 1 from every"),
    Call("rollback"),
    Call("select * from pgq.get_batch_cursor(1, null, 10, null)"),
    Call("select * from pgq.get_batch_cursor(null, 'x', 10)"),
    Call("select * from pgq.get_batch_cursor(null, 'x', 10, null)"),
    Call("select * from pgq.get_batch_cursor(1, 'x', null)"),
    Call("select * from pgq.get_batch_cursor(1, 'x', null, null)"),
    Call("select * from pgq.get_batch_cursor(99, 'none', 100, null)", literal="batch not found"),
    Call("select * from pgq.get_batch_cursor(1, 'x', 10, 'no such column')"),
    # retries
    Call("select pgq.event_retry(1, 1, 0)"),
    Call("select pgq.event_retry(1, 1, 0)"),
    Call("select pgq.event_retry(1, 2, now() + interval '1 hour')"),
    Call("select pgq.event_retry(1, 99, 0)", literal="event not found"),
    Call("select pgq.event_retry(99, 1, 0)", literal="event not found"),
    Call("select pgq.event_retry(x_batch_id := 1, x_event_id := 2, x_retry_seconds := 1)"),
    Call("select pgq.batch_retry(1, 3600)"),
    Call("select pgq.batch_retry(1, 3600)"),
    Call("select pgq.batch_retry(99, 3600)"),
    Call("select ev_queue, ev_id, ev_time, ev_txid, ev_owner, ev_retry, ev_type, ev_data,"
         " ev_retry_after > now() from pgq.retry_queue order by ev_id"),
    Call("select pgq.maint_retry_events()"),
    Call("select pgq.maint_retry_events()"),
    Call("select pgq.finish_batch(1)"),
    Call("select pgq.finish_batch(1)"),
    Call("select pgq.finish_batch(null)"),
    Call(INFO),
    Call(FORCE), Call(TICK),
    Call("select pgq.next_batch('q', 'c'), pgq.next_batch('q', 'other')"),
    Call("select * from pgq.get_batch_events(2)"),
    Call("select * from pgq.get_batch_events(3)"),
    Call("select pgq.event_retry(2, 1, 0)"),
    Call("select ev_id, ev_retry from pgq.retry_queue order by 1"),
    Call("select pgq.event_retry_raw('q', 'c', now(), 666, '2020-01-01 00:00+00', 5, 't', 'd',"
         " '1', '2', '3', '4')"),
    Call("select pgq.event_retry_raw('q', 'c', now(), null, now(), null, 't', 'd', null, null,"
         " null, null)"),
    Call("select pgq.event_retry_raw('q', 'c', now(), 666, now(), 5, 't', 'd', '1', '2', '3', '4')"),
    Call("select pgq.event_retry_raw('q', 'none', now(), 1, now(), 0, 't', 'd', null, null, null,"
         " null)"),
    Call("select pgq.finish_batch(2), pgq.finish_batch(3)"),
    Call("select pgq.maint_retry_events()"),
    Call(FORCE), Call(TICK),
    Call("select pgq.next_batch('q', 'c')"),
    Call("select * from pgq.get_batch_events(4)"),
    Call("select pgq.register_consumer_at('q', 'c', 2)"),
    Call("select pgq.finish_batch(4)"),
    Call(INFO),
    # a batch that is open when its consumer leaves
    Call("select pgq.next_batch('q', 'c')"),
    Call("select pgq.unregister_consumer('q', 'c')"),
    Call("select count(*) from pgq.retry_queue"),
    Call("select * from pgq.get_batch_events(5)", literal="batch not found"),
    # events of others are never seen
    Call("select pgq.next_batch('q', 'other')"),
    Call("select ev_id, ev_type, ev_data from pgq.get_batch_events(6)"),
]

# Ticks at known times and sequence values, so that each filter has something to refuse.
CUSTOM = [
    Call("select pgq.create_queue('q')"),
    Call("select pgq.set_queue_config('q', 'external_ticker', 'true')"),
    Call("select pgq.register_consumer('q', 'c')"),
    Call("update pgq.tick set tick_time = now() - interval '100 hours'"),
    *[Call(f"select pgq.ticker('q', {n + 2}, now() - interval '{90 - n * 10} hours',"
           f" {n * 100 + 101})") for n in range(9)],
    *[Call("select cur_tick_id, prev_tick_id, cur_tick_event_seq, prev_tick_event_seq from"
           f" pgq.next_batch_custom('q', 'c', {args})")
      for args in ("null, 1000, null", "null, null, '200 hours'", "'50 hours', 1000, '200 hours'")],
    *[Call(f"select * from pgq.find_tick_helper(1, 1, now() - interval '100 hours', 1, {args})")
      for args in ("null, null", "1000, null", "null, '200 hours'", "900, null", "600, null",
                   "300, null", "100, null", "10, null", "null, '90 hours'", "null, '60 hours'",
                   "null, '15 hours'", "300, '15 hours'", "700, '15 hours'", "1000, '15 hours'",
                   "100, '200 hours'", "0, null", "null, '0'")],
    Call("select * from pgq.find_tick_helper(99, 1, now(), 1, null, null)"),
    Call("begin"),
    Call("select batch_id, cur_tick_id, prev_tick_id from"
         " pgq.next_batch_custom('q', 'c', '200 hours', null, null)"),
    Call("select batch_id, cur_tick_id, prev_tick_id from"
         " pgq.next_batch_custom('q', 'c', '80 hours', 300, null)"),
    Call("select batch_id, cur_tick_id, prev_tick_id from"
         " pgq.next_batch_custom('q', 'c', '40 hours', 300, null)"),
    Call("rollback"),
    Call("select batch_id, cur_tick_id, prev_tick_id from pgq.next_batch_custom(i_queue_name :="
         " 'q', i_consumer_name := 'c', i_min_lag := null, i_min_count := 500, i_min_interval :="
         " null)"),
    Call("delete from pgq.tick where tick_id < 5"),
    Call("select pgq.register_consumer_at('q', 'late', 5)"),
    Call("update pgq.subscription set sub_last_tick = 2 where sub_batch is null"),
    Call("select * from pgq.next_batch_info('q', 'late')"),
]

ROTATION = [
    Call("select * from pgq.maint_operations()"),
    Call("select pgq.create_queue('q'), pgq.create_queue('r')"),
    Call("select pgq.register_consumer('q', 'c')"),
    Call("select * from pgq.maint_operations()"),
    Call("select pgq.maint_rotate_tables_step1('q')"),
    Call("select pgq.maint_rotate_tables_step1('none')"),
    Call("select pgq.maint_rotate_tables_step1(null)"),
    Call("select pgq.maint_rotate_tables_step2()"),
    Call("select pgq.set_queue_config('q', 'rotation_period', '0')"),
    Call("select * from pgq.maint_operations()"),
    Call("select pgq.maint_rotate_tables_step1('q')"),
    Call("select queue_cur_table, queue_switch_step2 from pgq.queue where queue_name = 'q'"),
    Call(FORCE), Call(TICK),
    Call("select pgq.next_batch('q', 'c')"),
    Call("select pgq.finish_batch(1)"),
    Call("select pgq.maint_rotate_tables_step1('q')"),
    Call("select queue_cur_table, queue_switch_step1, queue_switch_step2, queue_switch_time"
         " from pgq.queue where queue_name = 'q'"),
    Call("select * from pgq.maint_operations()"),
    Call("select pgq.maint_rotate_tables_step1('q')"),
    Call("select queue_cur_table from pgq.queue where queue_name = 'q'"),
    Call("select pgq.maint_rotate_tables_step2()"),
    Call("select queue_cur_table, queue_switch_step2 from pgq.queue where queue_name = 'q'"),
    Call("select pgq.current_event_table('q')"),
    Call("select pgq.insert_event('q', 't', 'after')"),
    Call("select tableoid::regclass::text, ev_id from pgq.event_template"),
    Call(FORCE), Call(TICK),
    Call("select pgq.next_batch('q', 'c')"),
    Call("select * from pgq.batch_event_tables(2)"),
    Call("select * from pgq.get_batch_events(2)"),
    Call("select tick_id from pgq.tick where tick_queue = 1 order by 1"),
    Call("select pgq.set_queue_config('q', 'rotation_period', '1 hour')"),
    Call("update pgq.queue set queue_extra_maint = array['public.mine', 'odd']"
         " where queue_name = 'q'"),
    Call("select * from pgq.maint_operations()"),
    Call("select count(*) from pgq.maint_tables_to_vacuum()"),
    Call("update pgq.subscription set sub_last_tick = 77"),
    Call("select pgq.set_queue_config('q', 'rotation_period', '0')"),
    Call("select pgq.maint_rotate_tables_step1('q')"),
]

SCRIPTS = {"first_event": FIRST_EVENT, "ticks": TICKS, "batches": BATCHES, "custom": CUSTOM, "rotation": ROTATION}
