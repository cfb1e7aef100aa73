-- SPDX-License-Identifier: ISC
-- What create extension makes: version, dump flags, roles, rights; drop and create again.
set client_min_messages = warning;
drop extension if exists pgq cascade;
drop schema if exists work cascade;
create extension pgq;
create schema work;
grant usage on schema work to public;
set search_path = work;
reset client_min_messages;
\set SHOW_CONTEXT never

select pgq.version();
select extversion, extrelocatable from pg_extension where extname = 'pgq';

-- Saved by pg_dump: seven as in 3.5, and the sequences of serial columns.
select c.relname, c.relkind
  from pg_extension e, unnest(e.extconfig) as oid
  join pg_class c using (oid)
 where e.extname = 'pgq' order by 1;

select r.rolname, r.rolcanlogin, array_agg(m.roleid::regrole::text order by 1) filter (where m.roleid is not null)
  from pg_roles r left join pg_auth_members m on m.member = r.oid
 where r.rolname in ('pgq_reader', 'pgq_writer', 'pgq_admin')
 group by 1, 2 order by 1;

-- Rule: every SECURITY DEFINER function pins its search_path.
select oid::regprocedure from pg_proc
 where pronamespace = 'pgq'::regnamespace and prosecdef
   and not coalesce('search_path=pg_catalog, pg_temp' = any (proconfig), false);

-- Rule: public may execute these and no others.
select oid::regprocedure::text from pg_proc
 where pronamespace = 'pgq'::regnamespace and has_function_privilege('public', oid, 'execute')
 order by oid::regprocedure::text collate "C";

-- Rule: each function is for somebody, except the inner ones, whose names begin with _.
select oid::regprocedure::text from pg_proc
 where pronamespace = 'pgq'::regnamespace
   and not has_function_privilege('pgq_reader', oid, 'execute')
   and not has_function_privilege('pgq_admin', oid, 'execute') and proname !~ '^_'
 order by oid::regprocedure::text collate "C";

-- Rule: schema as clients know it: names, order and types of columns.
select attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull
  from pg_attribute
 where attrelid in (select ('pgq.' || t)::regclass from unnest(array[
                    'consumer', 'queue', 'tick', 'subscription', 'event_template', 'retry_queue']) t)
   and attnum > 0
 order by attrelid::regclass::text collate "C", attnum;

-- Rule: repeated on every update, so it may be called at any time.
select pgq.upgrade_schema(), pgq.upgrade_schema();

-- Rule: queues are not part of the extension; they are not dropped by accident.
select pgq.create_queue('q');
\set VERBOSITY terse
drop extension pgq;
\set VERBOSITY default
select pgq.drop_queue('q');
drop extension pgq;
select count(*) from pg_namespace where nspname = 'pgq';
create extension pgq;
select pgq.create_queue('again');
