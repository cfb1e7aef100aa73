-- SPDX-License-Identifier: ISC
-- From pgq_node 3.1 and later: columns that came after that, functions whose result has other columns.
alter table pgq_node.node_info add column if not exists node_attrs text;
drop function if exists pgq_node.get_node_info(text);
