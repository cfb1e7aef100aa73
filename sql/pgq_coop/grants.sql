-- SPDX-License-Identifier: ISC
-- Who may do what. Repeated at each update of the extension, so rights are first taken from all.
revoke all on all functions in schema pgq_coop from public, pgq_reader, pgq_writer, pgq_admin;

grant usage on schema pgq_coop to public;

grant execute on function pgq_coop.version() to public;

grant execute on function
    pgq_coop.register_subconsumer(text, text, text),
    pgq_coop.unregister_subconsumer(text, text, text, integer),
    pgq_coop.next_batch(text, text, text), pgq_coop.next_batch(text, text, text, interval),
    pgq_coop.next_batch_custom(text, text, text, interval, integer, interval),
    pgq_coop.next_batch_custom(text, text, text, interval, integer, interval, interval),
    pgq_coop.heartbeat(bigint), pgq_coop.finish_batch(bigint)
   to pgq_reader;
