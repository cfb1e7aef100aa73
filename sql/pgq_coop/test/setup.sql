\set ECHO none
-- SPDX-License-Identifier: ISC
-- What each test begins with; not a word of it is in their output.
set client_min_messages = warning;
create extension if not exists pgq;
create extension if not exists pgq_coop;
reset client_min_messages;
\set VERBOSITY terse
create function pg_temp.tick(queue text) returns bigint language sql as
    'select pgq.force_tick(queue); select pgq.ticker(queue)';
create function pg_temp.rows(queue text) returns table (name text, last bigint, next bigint, has_batch boolean)
    language sql as
    'select c.co_name, s.sub_last_tick, s.sub_next_tick, s.sub_batch is not null
       from pgq.subscription s
       join pgq.queue q on q.queue_id = s.sub_queue
       join pgq.consumer c on c.co_id = s.sub_consumer
      where q.queue_name = queue order by 1';
\set ECHO all
