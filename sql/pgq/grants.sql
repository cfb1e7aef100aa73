-- SPDX-License-Identifier: ISC
-- Who may do what. Repeated at each update of the extension, so rights are first taken from all.
-- Not from the tables of queues: these have their grants from pgq.grant_perms.
revoke all on pgq.consumer, pgq.queue, pgq.tick, pgq.subscription, pgq.event_template, pgq.retry_queue,
    pgq.failed_queue
  from public, pgq_reader, pgq_writer, pgq_admin;
revoke all on all functions in schema pgq from public, pgq_reader, pgq_writer, pgq_admin;
grant usage on schema pgq to public;

grant select on pgq.consumer, pgq.queue, pgq.tick, pgq.subscription to public, pgq_reader;
grant select, insert, update, delete on pgq.consumer, pgq.queue, pgq.tick, pgq.subscription, pgq.retry_queue
   to pgq_admin;
grant select on pgq.failed_queue to pgq_admin;
grant select on pgq.event_template to pgq_reader;
grant select, insert, truncate on pgq.event_template to pgq_admin;

grant execute on function
    pgq.seq_getval(text), pgq.get_queue_info(), pgq.get_queue_info(text), pgq.get_consumer_info(),
    pgq.get_consumer_info(text), pgq.get_consumer_info(text, text), pgq.quote_fqname(text), pgq.version()
   to public;

grant execute on function
    pgq.batch_event_sql(bigint), pgq.batch_event_tables(bigint),
    pgq.find_tick_helper(integer, bigint, timestamptz, bigint, bigint, interval),
    pgq.register_consumer(text, text), pgq.register_consumer_at(text, text, bigint),
    pgq.unregister_consumer(text, text), pgq.next_batch(text, text), pgq.next_batch_info(text, text),
    pgq.next_batch_custom(text, text, interval, integer, interval), pgq.get_batch_events(bigint),
    pgq.get_batch_info(bigint), pgq.get_batch_cursor(bigint, text, integer),
    pgq.get_batch_cursor(bigint, text, integer, text), pgq.event_retry(bigint, bigint, timestamptz),
    pgq.event_retry(bigint, bigint, integer), pgq.batch_retry(bigint, integer), pgq.force_tick(text),
    pgq.finish_batch(bigint)
   to pgq_reader;

grant execute on function
    pgq.insert_event(text, text, text), pgq.insert_event(text, text, text, text, text, text, text),
    pgq.current_event_table(text), pgq.jsontriga(), pgq.logutriga(), pgq.sqltriga()
   to pgq_writer;

grant execute on function
    pgq.ticker(text, bigint, timestamptz, bigint), pgq.ticker(text), pgq.ticker(), pgq.ticker_round(integer[]),
    pgq.ticker_sleep(integer[]), pgq.ticker_wake(integer[]), pgq.ticker_lock(), pgq.tick_snapshot(text),
    pgq.maint_retry_events(), pgq._retry_events_of(integer, text, integer), pgq.maint_rotate_tables_step1(text),
    pgq.maint_rotate_tables_step2(), pgq.maint_tables_to_vacuum(), pgq.maint_operations(), pgq.upgrade_schema(),
    pgq.grant_perms(text), pgq._grant_perms_from(text, text, text, text), pgq.tune_storage(text),
    pgq.seq_setval(text, bigint), pgq.create_queue(text), pgq.drop_queue(text, boolean), pgq.drop_queue(text),
    pgq.set_queue_config(text, text, text),
    pgq.insert_event_raw(text, bigint, timestamptz, integer, integer, text, text, text, text, text, text),
    pgq.event_retry_raw(text, text, timestamptz, bigint, timestamptz, integer, text, text, text, text, text, text)
   to pgq_admin;

-- Retry and dead letters of one's own consumer, as with all that concerns a consumer.
grant execute on function
    pgq.fail_events(bigint, bigint[], text[], integer, interval, interval), pgq.event_failed(bigint, bigint, text),
    pgq.failed_event_list(text, text), pgq.failed_event_list(text, text, integer, integer),
    pgq.failed_event_count(text, text), pgq.failed_event_delete(text, text, bigint),
    pgq.failed_event_retry(text, text, bigint),
    pgq.failed_event_redrive(text, text, bigint[], text, text, timestamptz),
    pgq.failed_event_purge(text, text, bigint[], text, text, timestamptz),
    pgq.register_keyed(text, text, integer), pgq.unregister_keyed(text, text, integer),
    pgq.move_consumer(text, text, bigint, bigint),
    pgq.why_not_rotated(), pgq._rotation_blockers(integer, bigint, regclass), pgq._full_txid(xid),
    pgq._is_other_era(integer), pgq._events_sql(text, pgq.tick, pgq.tick, text),
    pgq._event_tables(pgq.tick, pgq.tick), pgq.register_consumer_at_time(text, text, timestamptz),
    pgq.register_consumer_at_event(text, text, bigint), pgq.replay_range(text), pgq.gone_consumers()
   to pgq_reader;
grant execute on function
    pgq.insert_events(text, text[], text[], text[], text[], text[], text[]),
    pgq.insert_event_at(text, timestamptz, text, text),
    pgq.insert_event_at(text, timestamptz, text, text, text, text, text, text)
   to pgq_writer;
grant execute on function
    pgq.maint_compact(), pgq._tables_to_compact(), pgq.maint_gone_consumers(), pgq._upgrade_columns(), pgq._make_roles()
   to pgq_admin;
