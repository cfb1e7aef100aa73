-- SPDX-License-Identifier: ISC
-- The first event of a queue.

select pgq.create_queue('q');
-- differs: defect 4: the first event ever counts as none, for a sequence never used says 1, too
-- 3.5: [[1]]
-- 4.0: [[0]]
select tick_event_seq from pgq.tick;
select pgq.set_queue_config('q', 'ticker_max_count', '1');
select pgq.ticker('q');
select pgq.insert_event('q', 't', 'first');
-- differs: defect 4: the first event ever counts as none, for a sequence never used says 1, too
-- 3.5: [[0]]
-- 4.0: [[1]]
select ev_new from pgq.get_queue_info('q');
-- differs: defect 4: the first event ever counts as none, for a sequence never used says 1, too
-- 3.5: [[null]]
-- 4.0: [[3]]
select pgq.ticker('q');
