-- SPDX-License-Identifier: ISC
-- What is installed, what pg_dump saves, who may do what.
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\i :abs_srcdir/setup.sql
select londiste.version() = (select extversion from pg_extension where extname = 'londiste') as version;
select londiste.upgrade_schema();
select unnest(extconfig)::regclass from pg_extension where extname = 'londiste';
-- Rule: what runs as its owner does not look up names where a user can put his own; there is one such function.
select oid::regprocedure, proconfig from pg_proc where pronamespace = 'londiste'::regnamespace and prosecdef;
-- Rule: functions that run statements which a copy has saved take the search_path of the caller, and no others.
select proname from pg_proc
 where pronamespace = 'londiste'::regnamespace and prolang = (select oid from pg_language where lanname = 'plpgsql')
   and proconfig is null order by 1;
select p.oid::regprocedure,
       has_function_privilege('public', p.oid, 'execute') as public,
       has_function_privilege('londiste_reader', p.oid, 'execute') as reader,
       has_function_privilege('pgq_admin', p.oid, 'execute') as admin,
       has_function_privilege('londiste_writer', p.oid, 'execute') as writer
  from pg_proc p
 where pronamespace = 'londiste'::regnamespace and p.proname !~ '^_'
 order by p.oid::regprocedure::text;
-- helpers: those who replicate can call all
select bool_and(has_function_privilege('londiste_writer', oid, 'execute') and has_function_privilege('pgq_admin', oid, 'execute')) as writer
  from pg_proc where pronamespace = 'londiste'::regnamespace and proname ~ '^_';
select oid::regprocedure, has_function_privilege('public', oid, 'execute') as public
  from pg_proc
 where pronamespace = 'londiste'::regnamespace and proname ~ '^_' and has_function_privilege('londiste_reader', oid, 'execute')
 order by 1::text;
select c.relname, case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee,
       string_agg(a.privilege_type, ' ' order by a.privilege_type)
  from pg_class c, aclexplode(c.relacl) a
 where c.relnamespace = 'londiste'::regnamespace and c.relkind in ('r', 'S') and a.grantee <> c.relowner
 group by 1, 2 order by 1, 2;
select pg_has_role('londiste_reader', 'pgq_reader', 'usage'), pg_has_role('londiste_writer', 'pgq_admin', 'usage');

-- Rule: a worker, and who runs commands, need no superuser: they need one of the roles, and tables of their own.
set client_min_messages = warning;
drop role if exists lond_user, lond_reader, lond_writer, lond_admin;
reset client_min_messages;
create role lond_user;
create role lond_reader in role londiste_reader;
create role lond_writer in role londiste_writer;
create role lond_admin in role pgq_admin;
grant usage, create on schema work to lond_writer, lond_admin;
create function pg_temp.go(who text) returns setof text language plpgsql as $$
declare
    code text;
begin
    execute format('set role %I', who);
    foreach code in array array[
        'select pgq_node.register_location(%1$L, ''n1'', ''dbname=n1'', false)',
        'select pgq_node.create_node(%1$L, ''root'', ''n1'', ''w'', null, null, null)',
        'create table work.%1$s (id serial primary key, at date)',
        'select londiste.local_add_table(%1$L, ''work.%1$s'')',
        'select londiste.local_add_seq(%1$L, ''work.%1$s_id_seq'')',
        'insert into work.%1$s default values',
        'truncate work.%1$s',
        'select londiste.root_check_seqs(%1$L)',
        'select count(*) from londiste.get_table_list(%1$L)',
        'select count(*) from londiste.local_show_missing(%1$L) where obj_name ~ %1$L',
        'select londiste.execute_start(%1$L, ''f.%1$s'', ''select 1'', true)',
        'select londiste.execute_finish(%1$L, ''f.%1$s'')',
        'select londiste.create_partition(''work.%1$s'', ''work.%1$s_2011'', ''id'', ''at'', ''2011-05-05'', ''year'')',
        'select londiste.drop_obsolete_partitions(''work.%1$s'', ''1 year'', ''year'')',
        'select londiste.local_change_handler(%1$L, ''work.%1$s'', array[''backup''], null)',
        'select londiste.set_session_replication_role(''replica'', true)',
        'select londiste.set_session_replication_role(''origin'', true)',
        'select londiste.local_remove_table(%1$L, ''work.%1$s'')',
        'select pgq_node.drop_node(%1$L, ''n1'')']
    loop
        begin
            if code ~ '^select' then
                execute format(code, who) into code;
                return next code;
            else
                execute format(code, who);
            end if;
        exception when insufficient_privilege then
            return next sqlerrm;
        end;
    end loop;
    reset role;
end;
$$;
select * from pg_temp.go('lond_writer');
select * from pg_temp.go('lond_admin');
select pg_temp.node('q', 'root');
create table work.t (id int primary key);
set role lond_writer;
select * from londiste.local_add_table('q', 'work.t');
set role lond_reader;
select * from londiste.get_table_list('q');
select * from londiste._coordinate_copy('q', 'work.t');
select * from londiste.get_seq_list('q');
select * from londiste.local_remove_table('q', 'work.t');
select londiste.set_session_replication_role('replica', true);
set role lond_user;
select count(*) from londiste.table_info;
select londiste.quote_fqname('a.b');
select londiste.set_session_replication_role('replica', true);
select * from londiste.get_table_list('q');
select londiste.local_change_handler('q', 'work.t', null, null);
reset role;
select londiste.set_session_replication_role('bogus', true);
select londiste.set_session_replication_role(null, true);
begin;
select londiste.set_session_replication_role('local', true);
show session_replication_role;
commit;
show session_replication_role;
select londiste.set_session_replication_role('replica', false);
show session_replication_role;
reset session_replication_role;
set client_min_messages = warning;
drop schema work cascade;
drop role lond_user, lond_reader, lond_writer, lond_admin;
