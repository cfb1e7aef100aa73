-- SPDX-License-Identifier: ISC
-- pg_dump saves the contents of these.
select pg_catalog.pg_extension_config_dump('londiste.table_info', '');
select pg_catalog.pg_extension_config_dump('londiste.seq_info', '');
select pg_catalog.pg_extension_config_dump('londiste.applied_execute', '');
select pg_catalog.pg_extension_config_dump('londiste.pending_fkeys', '');
select pg_catalog.pg_extension_config_dump('londiste.table_info_nr_seq', '');
select pg_catalog.pg_extension_config_dump('londiste.seq_info_nr_seq', '');
