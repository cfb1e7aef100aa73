-- SPDX-License-Identifier: ISC
-- maint_operations: what is due, in which order.
set client_min_messages = warning;
drop extension if exists pgq cascade;
drop schema if exists work cascade;
create extension pgq;
create schema work;
grant usage on schema work to public;
set search_path = work;
reset client_min_messages;
\set SHOW_CONTEXT never

-- Rule: nothing to do in an empty database, nor with a fresh queue.
select * from pgq.maint_operations();
select pgq.create_queue('b'), pgq.create_queue('a');
select * from pgq.maint_operations();
select * from pgq.maint_tables_to_vacuum();

-- Rule: step 1 by queue, then step 2, then what queues ask for, then upkeep of node and londiste.
update pgq.queue set queue_switch_time = now() - interval '1 day';
update pgq.queue set queue_extra_maint = array['first.maint', 'second.maint'] where queue_name = 'b';
select * from pgq.maint_operations();
select pgq.maint_rotate_tables_step1('a');
select * from pgq.maint_operations();
select pgq.maint_rotate_tables_step1('b');
-- Rule: step 2 stays due while any queue waits for it.
select * from pgq.maint_operations();
select pgq.maint_rotate_tables_step2();
select * from pgq.maint_operations();

create schema pgq_node;
create table pgq_node.node_info (queue_name text, node_type text);
insert into pgq_node.node_info values ('root 2', 'root'), ('branch', 'branch'), ('root 1', 'root');
create function pgq_node.maint_watermark(i_queue_name text) returns int4 language sql as 'select 0';
create schema londiste;
create table londiste.seq_info (queue_name text, seq_name text, local bool);
insert into londiste.seq_info
values ('root 1', 's1', true), ('root 1', 's2', true), ('root 2', 's', false), ('branch', 's', true);
create function londiste.root_check_seqs(i_queue_name text) returns int4 language sql as 'select 0';
create function londiste.periodic_maintenance() returns int4 language sql as 'select 0';
select * from pgq.maint_operations();
\set VERBOSITY terse
set client_min_messages = warning;
drop schema pgq_node cascade;
drop schema londiste cascade;
