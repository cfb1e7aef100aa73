-- SPDX-License-Identifier: ISC
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\i :abs_srcdir/setup.sql

select pgq_node.version() = (select extversion from pg_extension where extname = 'pgq_node') as version;
select pgq_node.upgrade_schema();
select extconfig::regclass[] from pg_extension where extname = 'pgq_node';

-- functions that run as their owner do not look up names where a user can put his own
select proname from pg_proc
 where pronamespace = 'pgq_node'::regnamespace and prosecdef
   and not coalesce(proconfig @> array['search_path=pg_catalog, pg_temp'], false);
select count(*) from pg_proc where pronamespace = 'pgq_node'::regnamespace and not prosecdef and proname !~ '^_';

-- who may call what
select p.proname,
       has_function_privilege('public', p.oid, 'execute') as public,
       has_function_privilege('pgq_reader', p.oid, 'execute') as reader,
       has_function_privilege('pgq_writer', p.oid, 'execute') as writer,
       has_function_privilege('pgq_admin', p.oid, 'execute') as admin
  from pg_proc p
 where pronamespace = 'pgq_node'::regnamespace
 order by p.proname;
select c.relname, a.grantee::regrole, string_agg(a.privilege_type, ' ' order by a.privilege_type)
  from pg_class c, aclexplode(c.relacl) a
 where c.relnamespace = 'pgq_node'::regnamespace and c.relkind = 'r' and a.grantee <> c.relowner
 group by 1, 2 order by 1, 2;

-- a member can do his part
create role node_admin in role pgq_admin;
create role node_worker in role pgq_reader;
set role node_admin;
call pg_temp.locations('q', 'n1', 'n2');
select * from pgq_node.create_node('q', 'root', 'n1', 'w1', null, null, null);
select pgq_node.maint_watermark('q');
set role node_worker;
select * from pgq_node.register_subscriber('q', 'n2', 'w2', null);
select * from pgq_node.set_subscriber_watermark('q', 'n2', 1);
select pgq_node.is_root_node('q');
select * from pgq_node.drop_node('q', 'n1');
set role node_admin;
select * from pgq_node.drop_node('q', 'n1');
reset role;
drop role node_admin, node_worker;
