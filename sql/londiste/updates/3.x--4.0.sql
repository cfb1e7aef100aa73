-- SPDX-License-Identifier: ISC
-- From londiste 3.1 and later: columns that came after that, functions whose result or arguments differ.
alter table londiste.table_info add column if not exists table_attrs text;
alter table londiste.table_info add column if not exists dest_table text;
alter table londiste.table_info add column if not exists copy_error text;
alter table londiste.applied_execute add column if not exists execute_attrs text;
drop function if exists londiste.restore_table_fkey(text, text);
drop function if exists londiste.create_trigger(text, text, text[], text, text);
drop function if exists londiste.get_table_list(text);
