-- SPDX-License-Identifier: ISC
-- pg_dump saves the contents of these, with the sequences, or the first create_queue after a restore would fail.
select pg_catalog.pg_extension_config_dump('pgq.queue', '');
select pg_catalog.pg_extension_config_dump('pgq.consumer', '');
select pg_catalog.pg_extension_config_dump('pgq.tick', '');
select pg_catalog.pg_extension_config_dump('pgq.subscription', '');
select pg_catalog.pg_extension_config_dump('pgq.event_template', '');
select pg_catalog.pg_extension_config_dump('pgq.retry_queue', '');
select pg_catalog.pg_extension_config_dump('pgq.failed_queue', '');
select pg_catalog.pg_extension_config_dump('pgq.batch_id_seq', '');
select pg_catalog.pg_extension_config_dump('pgq.queue_queue_id_seq', '');
select pg_catalog.pg_extension_config_dump('pgq.consumer_co_id_seq', '');
select pg_catalog.pg_extension_config_dump('pgq.subscription_sub_id_seq', '');
