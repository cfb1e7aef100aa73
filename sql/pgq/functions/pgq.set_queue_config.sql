-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.set_queue_config(3)
--
--      Change a setting of a queue. A sleeping ticker looks at the queue again when this commits.
--
-- Parameters:
--      x_queue_name    - name of the queue
--      x_param_name    - ticker_max_count, ticker_max_lag, ticker_idle_period, ticker_paused, rotation_period,
--                        external_ticker, batch_max_events (0: no limit), retention, gone_after, gone_policy
--      x_param_value   - new value, as text
-- Returns:
--      1
-- Tables:
--      update: pgq.queue
--      create or drop: indexes on ev_id, of event tables, for batch_max_events
-- Locks:
--      queue row: FOR NO KEY UPDATE; for batch_max_events, event tables: SHARE, while the indexes are made
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
        when 'batch_max_events' then 'integer'
        when 'retention' then 'interval'
        when 'gone_after' then 'interval'
        when 'gone_policy' then 'text'
    end;
    if param_type is null then
        raise exception 'cannot change parameter "%"', x_param_name using errcode = 'undefined_object',
            hint = 'Settings: ticker_max_count, ticker_max_lag, ticker_idle_period, ticker_paused, '
                   'rotation_period, external_ticker, batch_max_events, retention, gone_after, gone_policy.';
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
    if x_param_name = 'gone_policy' and x_param_value not in ('keep', 'alarm', 'detach') then
        raise exception 'gone_policy of queue % must be keep, alarm or detach: %', x_queue_name, x_param_value
            using errcode = 'invalid_parameter_value';
    end if;

    execute format('update pgq.queue set %I = $1::%s where queue_name = $2 returning queue_id',
                   'queue_' || x_param_name, param_type)
       into the_queue_id using x_param_value, x_queue_name;
    if x_param_name = 'batch_max_events' then
        perform pgq._index_event_ids(the_queue_id, x_param_value::integer > 0);
    end if;
    perform pg_notify('pgq_wakeup', the_queue_id::text);
    return 1;
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._index_event_ids(2)
--
--      Make the indexes on ev_id that a queue with a limit on batches has, or drop them.
-- ----------------------------------------------------------------------
create or replace function pgq._index_event_ids(i_queue_id integer, i_wanted boolean)
returns void as $$
declare
    leaf text;
    index_name text;
begin
    for leaf in
        select queue_data_pfx || '_' || i
          from pgq.queue, generate_series(0, queue_ntables - 1) as i where queue_id = i_queue_id
    loop
        index_name := leaf || '_id_idx';
        if to_regclass(pgq.quote_fqname(index_name)) is not null then
            if not i_wanted then
                execute format('drop index %s', pgq.quote_fqname(index_name));
            end if;
        elsif i_wanted then
            execute format('create index %I on %s using btree (ev_id)',
                           substr(index_name, strpos(index_name, '.') + 1), pgq.quote_fqname(leaf));
        end if;
    end loop;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
