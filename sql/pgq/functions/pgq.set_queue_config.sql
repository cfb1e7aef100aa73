-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.set_queue_config(3)
--
--      Change a setting of a queue. A sleeping ticker looks at the queue again when this commits.
--
-- Parameters:
--      x_queue_name    - name of the queue
--      x_param_name    - ticker_max_count, ticker_max_lag, ticker_idle_period, ticker_paused, rotation_period or
--                        external_ticker
--      x_param_value   - new value, as text
-- Returns:
--      1
-- Tables:
--      update: pgq.queue
-- Locks:
--      queue row: FOR NO KEY UPDATE
-- Raises:
--      null_value_not_allowed - a NULL argument
--      undefined_object - no such queue, or no such setting
--      invalid_parameter_value - a negative number or interval
-- ----------------------------------------------------------------------
create or replace function pgq.set_queue_config(x_queue_name text, x_param_name text, x_param_value text)
returns integer as $$
declare
    param_type text;
    negative boolean := false;
    the_queue_id integer;
begin
    if x_queue_name is null or x_param_name is null or x_param_value is null then
        raise exception 'pgq.set_queue_config: % must not be NULL',
            case when x_queue_name is null then 'queue name' when x_param_name is null then 'setting'
                 else format('the value of %s', x_param_name) end
            using errcode = 'null_value_not_allowed';
    end if;
    if not exists (select 1 from pgq.queue where queue_name = x_queue_name) then
        raise exception 'No such event queue' using errcode = 'undefined_object',
            detail = format('Queue: %s.', x_queue_name);
    end if;

    param_type := case x_param_name
        when 'ticker_max_count' then 'integer'
        when 'ticker_max_lag' then 'interval'
        when 'ticker_idle_period' then 'interval'
        when 'rotation_period' then 'interval'
        when 'ticker_paused' then 'boolean'
        when 'external_ticker' then 'boolean'
    end;
    if param_type is null then
        raise exception 'cannot change parameter "%"', x_param_name using errcode = 'undefined_object',
            hint = 'Settings: ticker_max_count, ticker_max_lag, ticker_idle_period, ticker_paused, '
                   'rotation_period, external_ticker.';
    end if;
    if param_type = 'interval' then
        negative := x_param_value::interval < interval '0';
    elsif param_type = 'integer' then
        negative := x_param_value::integer < 0;
    end if;
    if negative then
        raise exception '% of queue % must not be negative: %', x_param_name, x_queue_name, x_param_value
            using errcode = 'invalid_parameter_value';
    end if;

    execute format('update pgq.queue set %I = $1::%s where queue_name = $2 returning queue_id',
                   'queue_' || x_param_name, param_type)
       into the_queue_id using x_param_value, x_queue_name;
    perform pg_notify('pgq_wakeup', the_queue_id::text);
    return 1;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
