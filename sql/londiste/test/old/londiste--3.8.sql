-- SPDX-License-Identifier: ISC
-- Stands for londiste 3.8: what it has in the catalog, with nothing in it. For the test of updates.
create schema londiste;
grant usage on schema londiste to public;

create table londiste.table_info (
    nr serial not null,
    queue_name text not null,
    table_name text not null,
    local boolean not null default false,
    merge_state text,
    custom_snapshot text,
    dropped_ddl text,
    table_attrs text,
    dest_table text,
    primary key (queue_name, table_name),
    foreign key (queue_name) references pgq_node.node_info (queue_name) on delete cascade,
    check (dropped_ddl is null or merge_state in ('in-copy', 'catching-up'))
);
create table londiste.seq_info (
    nr serial not null,
    queue_name text not null,
    seq_name text not null,
    local boolean not null default false,
    last_value bigint not null,
    primary key (queue_name, seq_name),
    foreign key (queue_name) references pgq_node.node_info (queue_name) on delete cascade
);
create table londiste.applied_execute (
    queue_name text not null,
    execute_file text not null,
    execute_time timestamptz not null default now(),
    execute_sql text not null,
    execute_attrs text,
    primary key (execute_file)
);
create table londiste.pending_fkeys (
    from_table text not null,
    to_table text not null,
    fkey_name text not null,
    fkey_def text not null,
    primary key (from_table, fkey_name)
);
select pg_catalog.pg_extension_config_dump('londiste.table_info', '');
select pg_catalog.pg_extension_config_dump('londiste.seq_info', '');
select pg_catalog.pg_extension_config_dump('londiste.applied_execute', '');
select pg_catalog.pg_extension_config_dump('londiste.pending_fkeys', '');
grant select on londiste.table_info, londiste.seq_info, londiste.applied_execute, londiste.pending_fkeys to public;

create function londiste._coordinate_copy(i_queue_name text, i_table_name text, OUT copy_role text, OUT copy_pos
    integer)
returns record as $$ begin return; end; $$ language plpgsql stable strict;
create function londiste.create_partition(i_table text, i_part text, i_pkeys text, i_part_field text, i_part_time
    timestamp with time zone, i_part_period text)
returns integer as $$ begin return null; end; $$ language plpgsql;
create function londiste.create_trigger(i_queue_name text, i_table_name text, i_trg_args text[], i_dest_table text,
    i_node_type text, OUT ret_code integer, OUT ret_note text, OUT trigger_name text)
returns record as $$ begin return; end; $$ language plpgsql;
create function londiste.drop_obsolete_partitions(i_parent_table text, i_retention_period interval,
    i_partition_period text)
returns SETOF text as $$ begin  end; $$ language plpgsql;
create function londiste.drop_table_fkey(i_from_table text, i_fkey_name text)
returns integer as $$ begin return null; end; $$ language plpgsql strict;
create function londiste.drop_table_triggers(i_queue_name text, i_table_name text)
returns void as $$ begin  end; $$ language plpgsql strict;
create function londiste.execute_finish(i_queue_name text, i_file_name text, OUT ret_code integer, OUT ret_note text)
returns record as $$ begin return; end; $$ language plpgsql strict;
create function londiste.execute_start(i_queue_name text, i_file_name text, i_sql text, i_expect_root boolean, OUT
    ret_code integer, OUT ret_note text)
returns record as $$ begin return; end; $$ language plpgsql;
create function londiste.execute_start(i_queue_name text, i_file_name text, i_sql text, i_expect_root boolean,
    i_attrs text, OUT ret_code integer, OUT ret_note text)
returns record as $$ begin return; end; $$ language plpgsql;
create function londiste.find_column_types(tbl text)
returns text as $$ begin return null; end; $$ language plpgsql stable strict;
create function londiste.find_rel_oid(i_fqname text, i_kind text)
returns oid as $$ begin return null; end; $$ language plpgsql stable strict;
create function londiste.find_seq_oid(seq text)
returns oid as $$ begin return null; end; $$ language plpgsql stable strict;
create function londiste.find_table_fkeys(i_table_name text)
returns SETOF londiste.pending_fkeys as $$ begin  end; $$ language plpgsql stable strict;
create function londiste.find_table_oid(tbl text)
returns oid as $$ begin return null; end; $$ language plpgsql stable strict;
create function londiste.get_seq_list(i_queue_name text, OUT seq_name text, OUT last_value bigint, OUT local boolean)
returns SETOF record as $$ begin  end; $$ language plpgsql strict;
create function londiste.get_table_list(i_queue_name text, OUT table_name text, OUT local boolean, OUT merge_state
    text, OUT custom_snapshot text, OUT table_attrs text, OUT dropped_ddl text, OUT copy_role text, OUT copy_pos
    integer, OUT dest_table text)
returns SETOF record as $$ begin  end; $$ language plpgsql stable strict;
create function londiste.get_table_pending_fkeys(i_table_name text)
returns SETOF londiste.pending_fkeys as $$ begin  end; $$ language plpgsql stable strict;
create function londiste.get_valid_pending_fkeys(i_queue_name text)
returns SETOF londiste.pending_fkeys as $$ begin  end; $$ language plpgsql stable strict;
create function londiste.global_add_table(i_queue_name text, i_table_name text, OUT ret_code integer, OUT ret_note
    text)
returns record as $$ begin return; end; $$ language plpgsql strict;
create function londiste.global_remove_seq(i_queue_name text, i_seq_name text, OUT ret_code integer, OUT ret_note
    text)
returns record as $$ begin return; end; $$ language plpgsql strict;
create function londiste.global_remove_table(i_queue_name text, i_table_name text, OUT ret_code integer, OUT
    ret_note text)
returns record as $$ begin return; end; $$ language plpgsql strict;
create function londiste.global_update_seq(i_queue_name text, i_seq_name text, i_value bigint, OUT ret_code integer,
    OUT ret_note text)
returns record as $$ begin return; end; $$ language plpgsql;
create function londiste.is_obsolete_partition(i_partition_table text, i_retention_period interval,
    i_partition_period text)
returns boolean as $$ begin return null; end; $$ language plpgsql;
create function londiste.is_replica_func(func_oid oid)
returns boolean as $$ begin return null; end; $$ language plpgsql stable strict;
create function londiste.list_obsolete_partitions(i_parent_table text, i_retention_period interval,
    i_partition_period text)
returns SETOF text as $$ begin  end; $$ language plpgsql;
create function londiste.local_add_seq(i_queue_name text, i_seq_name text, OUT ret_code integer, OUT ret_note text)
returns record as $$ begin return; end; $$ language plpgsql;
create function londiste.local_add_table(i_queue_name text, i_table_name text, OUT ret_code integer, OUT ret_note
    text)
returns record as $$ begin return; end; $$ language plpgsql strict;
create function londiste.local_add_table(i_queue_name text, i_table_name text, i_trg_args text[], OUT ret_code
    integer, OUT ret_note text)
returns record as $$ begin return; end; $$ language plpgsql;
create function londiste.local_add_table(i_queue_name text, i_table_name text, i_trg_args text[], i_table_attrs
    text, OUT ret_code integer, OUT ret_note text)
returns record as $$ begin return; end; $$ language plpgsql;
create function londiste.local_add_table(i_queue_name text, i_table_name text, i_trg_args text[], i_table_attrs
    text, i_dest_table text, OUT ret_code integer, OUT ret_note text)
returns record as $$ begin return; end; $$ language plpgsql;
create function londiste.local_change_handler(i_queue_name text, i_table_name text, i_trg_args text[], i_table_attrs
    text, OUT ret_code integer, OUT ret_note text)
returns record as $$ begin return; end; $$ language plpgsql;
create function londiste.local_remove_seq(i_queue_name text, i_seq_name text, OUT ret_code integer, OUT ret_note text)
returns record as $$ begin return; end; $$ language plpgsql strict;
create function londiste.local_remove_table(i_queue_name text, i_table_name text, OUT ret_code integer, OUT ret_note
    text)
returns record as $$ begin return; end; $$ language plpgsql strict;
create function londiste.local_set_table_attrs(i_queue_name text, i_table_name text, i_table_attrs text, OUT
    ret_code integer, OUT ret_note text)
returns record as $$ begin return; end; $$ language plpgsql;
create function londiste.local_set_table_state(i_queue_name text, i_table_name text, i_snapshot text, i_merge_state
    text, OUT ret_code integer, OUT ret_note text)
returns record as $$ begin return; end; $$ language plpgsql;
create function londiste.local_set_table_struct(i_queue_name text, i_table_name text, i_dropped_ddl text, OUT
    ret_code integer, OUT ret_note text)
returns record as $$ begin return; end; $$ language plpgsql;
create function londiste.local_show_missing(i_queue_name text, OUT obj_kind text, OUT obj_name text)
returns SETOF record as $$ begin  end; $$ language plpgsql stable strict;
create function londiste.make_fqname(i_name text)
returns text as $$ begin return null; end; $$ language plpgsql immutable strict;
create function londiste.periodic_maintenance()
returns integer as $$ begin return null; end; $$ language plpgsql;
create function londiste.quote_fqname(i_name text)
returns text as $$ begin return null; end; $$ language plpgsql immutable strict;
create function londiste.restore_table_fkey(i_from_table text, i_fkey_name text, i_lazy boolean DEFAULT false)
returns text as $$ begin return null; end; $$ language plpgsql strict;
create function londiste.root_check_seqs(i_queue_name text, OUT ret_code integer, OUT ret_note text)
returns record as $$ begin return; end; $$ language plpgsql;
create function londiste.root_check_seqs(i_queue_name text, i_buffer bigint, OUT ret_code integer, OUT ret_note text)
returns record as $$ begin return; end; $$ language plpgsql;
create function londiste.root_notify_change(i_queue_name text, i_ev_type text, i_ev_data text)
returns integer as $$ begin return null; end; $$ language plpgsql;
create function londiste.set_session_replication_role(val text, is_local boolean)
returns void as $$ begin  end; $$ language plpgsql security definer;
create function londiste.split_fqname(i_fqname text, OUT schema_part text, OUT name_part text)
returns record as $$ begin return; end; $$ language plpgsql immutable strict;
create function londiste.table_info_trigger()
returns trigger as $$ begin return null; end; $$ language plpgsql;
create function londiste.upgrade_schema()
returns integer as $$ begin return null; end; $$ language plpgsql;
create function londiste.version()
returns text as $$ begin return null; end; $$ language plpgsql;
create trigger table_info_trigger_sync before delete on londiste.table_info
    for each row execute function londiste.table_info_trigger();
