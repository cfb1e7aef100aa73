-- SPDX-License-Identifier: ISC
-- From pgq_node 3.1 and later: columns that came after that, functions whose result has other columns.
alter table pgq_node.node_info add column if not exists node_attrs text;
drop function if exists pgq_node.get_node_info(text);
do $$
begin
    if not exists (select 1 from pg_catalog.pg_attribute
                    where attrelid = 'pgq_node.local_state'::pg_catalog.regclass and attname = 'row_version')
    then
        alter table pgq_node.local_state
            add column row_version bigint not null default 0,
            drop constraint local_state_pkey,
            add constraint local_state_pkey primary key (queue_name, consumer_name, row_version);
    end if;
end;
$$;
-- What administrators have done to a cascade from here. A row without outcome is at work, or was interrupted.
create table if not exists pgq_node.admin_journal (
    id bigint generated always as identity,
    queue_name text not null,
    command text not null,
    by_whom text not null default session_user,
    started timestamptz not null default now(),
    -- The latest step that was begun, and when.
    step text,
    step_time timestamptz,
    ended timestamptz,
    -- done, or why not.
    outcome text,
    constraint admin_journal_pkey primary key (id)
);
