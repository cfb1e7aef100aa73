-- SPDX-License-Identifier: ISC
-- Who may do what. Repeated at each update of the extension, so rights are first taken from all.
-- A writer is also an admin of pgq. Tables that are replicated are none of this: who adds one has to own it.
revoke all on londiste.table_info, londiste.seq_info, londiste.applied_execute, londiste.pending_fkeys
  from public, londiste_reader, londiste_writer, pgq_admin;
revoke all on sequence londiste.table_info_nr_seq, londiste.seq_info_nr_seq
  from public, londiste_reader, londiste_writer, pgq_admin;
revoke all on all functions in schema londiste from public, londiste_reader, londiste_writer, pgq_admin;

grant usage on schema londiste to public;

grant select on londiste.table_info, londiste.seq_info, londiste.applied_execute, londiste.pending_fkeys
   to public, londiste_reader;
grant select, insert, update, delete
   on londiste.table_info, londiste.seq_info, londiste.applied_execute, londiste.pending_fkeys
   to pgq_admin;
grant usage on sequence londiste.table_info_nr_seq, londiste.seq_info_nr_seq to londiste_writer, pgq_admin;

grant execute on function
    londiste.split_fqname(text), londiste.make_fqname(text), londiste.quote_fqname(text), londiste._fqname(oid),
    londiste.find_rel_oid(text, text), londiste.find_table_oid(text), londiste.find_seq_oid(text),
    londiste.find_column_types(text), londiste.find_table_fkeys(text), londiste.is_replica_func(oid),
    londiste.truncate_trigger(), londiste.version()
   to public;

grant execute on function
    londiste.get_table_list(text), londiste.get_seq_list(text), londiste._coordinate_copy(text, text),
    londiste._siblings(text, text)
   to londiste_reader, londiste_writer, pgq_admin;

-- The rest is for those who replicate: the worker and the commands.
do $writer$
declare
    func text;
begin
    for func in
        select p.oid::pg_catalog.regprocedure::text
          from pg_catalog.pg_proc p
         where p.pronamespace = 'londiste'::pg_catalog.regnamespace
           and not pg_catalog.has_function_privilege('londiste_writer', p.oid, 'execute')
    loop
        execute pg_catalog.format('grant execute on function %s to londiste_writer, pgq_admin', func);
    end loop;
end;
$writer$;
