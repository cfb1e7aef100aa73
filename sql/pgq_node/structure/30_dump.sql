-- SPDX-License-Identifier: ISC
-- pg_dump saves the contents of these.
select pg_catalog.pg_extension_config_dump(name::pg_catalog.regclass, '')
  from pg_catalog.unnest(array[
        'pgq_node.node_location', 'pgq_node.node_info', 'pgq_node.local_state', 'pgq_node.subscriber_info'
    ]) as name;
