-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq._tick_due(6)
--
--      The rules of pgq.ticker: is a tick due?
--
-- Parameters:
--      i_new           - events numbered since the last tick
--      i_lag           - age of the last tick, NULL: there is none
--      i_prev_gap      - time between the last tick and the one before, NULL: there was none
--      i_max_count, i_max_lag, i_idle_period - settings of the queue
-- Returns:
--      true when there is no tick yet; with new events, when there are max_count of them or the last tick is
--      max_lag old; without, when there is only one tick, or twice the previous gap (at least max_lag / 2, at most
--      idle_period) has passed
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function pgq._tick_due(
    i_new bigint, i_lag interval, i_prev_gap interval, i_max_count integer, i_max_lag interval,
    i_idle_period interval)
returns boolean as $$
    select case
        when i_lag is null then true
        when i_new > 0 then i_new >= i_max_count or i_lag >= i_max_lag
        when i_prev_gap is null then true
        else i_lag >= i_max_lag / 2 and (i_lag >= i_prev_gap * 2 or i_lag >= i_idle_period)
    end
$$ language sql immutable;
