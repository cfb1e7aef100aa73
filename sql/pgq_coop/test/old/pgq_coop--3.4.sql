-- SPDX-License-Identifier: ISC
-- Stands for pgq_coop 3.4: what it has in the catalog, with nothing in it. For the test of updates.
create schema pgq_coop;
grant usage on schema pgq_coop to public;
create function pgq_coop.register_subconsumer(queue text, consumer text, subconsumer text)
returns integer as $$ begin return null; end; $$ language plpgsql security definer;
create function pgq_coop.unregister_subconsumer(queue text, consumer text, subconsumer text, handling integer)
returns integer as $$ begin return null; end; $$ language plpgsql security definer;
create function pgq_coop.next_batch(queue text, consumer text, subconsumer text)
returns bigint as $$ begin return null; end; $$ language plpgsql security definer;
create function pgq_coop.next_batch(queue text, consumer text, subconsumer text, dead interval)
returns bigint as $$ begin return null; end; $$ language plpgsql security definer;
create function pgq_coop.next_batch_custom(
    queue text, consumer text, subconsumer text, lag interval, events integer, period interval)
returns bigint as $$ begin return null; end; $$ language plpgsql security definer;
create function pgq_coop.next_batch_custom(
    queue text, consumer text, subconsumer text, lag interval, events integer, period interval, dead interval)
returns bigint as $$ begin return null; end; $$ language plpgsql security definer;
create function pgq_coop.finish_batch(batch bigint)
returns integer as $$ begin return null; end; $$ language plpgsql security definer;
create function pgq_coop.version()
returns text as $$ begin return null; end; $$ language plpgsql;
