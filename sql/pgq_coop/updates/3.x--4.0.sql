-- SPDX-License-Identifier: ISC
-- From pgq_coop 3.1 and later. Names of arguments may differ, and cannot be replaced.
drop function if exists pgq_coop.register_subconsumer(text, text, text);
drop function if exists pgq_coop.unregister_subconsumer(text, text, text, integer);
drop function if exists pgq_coop.next_batch(text, text, text);
drop function if exists pgq_coop.next_batch(text, text, text, interval);
drop function if exists pgq_coop.next_batch_custom(text, text, text, interval, integer, interval);
drop function if exists pgq_coop.next_batch_custom(text, text, text, interval, integer, interval, interval);
drop function if exists pgq_coop.finish_batch(bigint);
drop function if exists pgq_coop.version();

-- Subconsumers whose batch was closed by pgq.finish_batch of PgQ 3 look like main consumers, and hold up rotation.
update pgq.subscription s
   set sub_last_tick = null
  from pgq.consumer c
 where c.co_id = s.sub_consumer and s.sub_batch is null and s.sub_last_tick is not null
   and exists (
       select 1
         from pgq.subscription m
         join pgq.consumer mc on mc.co_id = m.sub_consumer
        where m.sub_queue = s.sub_queue and m.sub_id = s.sub_id
          and pg_catalog.starts_with(c.co_name, mc.co_name || '.'));
