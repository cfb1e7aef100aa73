-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node.rename_node(3)
--
--      Rename a node of the cascade, in the database of one member: itself, or one that knows it. May be repeated.
--      Nobody is told: it has to be called on every member, when all have caught up, as an older event would bring
--      the old name back. Until then a worker whose provider has another name for it goes on, but its watermark
--      does not move there. Node names in node_attrs are not changed.
--
-- Parameters:
--      i_queue_name        - name of the queue
--      i_old_name          - name of the node
--      i_new_name          - its new name
-- Returns:
--      200 - done
--      201 - it has the new name already
--      401 - another node has the new name, or no new name is given
--      404 - there is no such node
-- Tables:
--      insert, update, delete: all of pgq_node, pgq.consumer, pgq.subscription
-- Locks:
--      node_info row: FOR NO KEY UPDATE, which foreign keys to it do not wait for
-- Raises:
--      nothing of its own
-- ----------------------------------------------------------------------
create or replace function pgq_node.rename_node(
    i_queue_name text, i_old_name text, i_new_name text, out ret_code integer, out ret_note text)
returns record as $$
declare
    old_place text;
    new_place text;
begin
    perform 1 from pgq_node.node_info n where n.queue_name = i_queue_name for no key update;
    select l.node_location into old_place
      from pgq_node.node_location l where l.queue_name = i_queue_name and l.node_name = i_old_name;
    select l.node_location into new_place
      from pgq_node.node_location l where l.queue_name = i_queue_name and l.node_name = i_new_name;
    if i_new_name is null or i_new_name = '' then
        ret_code := 401;
        ret_note := 'new name not given';
    elsif old_place is null then
        ret_code := case when new_place is null then 404 else 201 end;
        ret_note := format(case when new_place is null then 'Unknown location: %s/%s' else 'Node was renamed already: %s/%s' end,
                           i_queue_name, i_old_name);
    elsif i_new_name = i_old_name then
        ret_code := 201;
        ret_note := format('Node has the name already: %s', i_new_name);
    elsif new_place <> old_place then
        ret_code := 401;
        ret_note := format('Another node has the name: %s, at %s', i_new_name, new_place);
    end if;
    if ret_code is not null then
        return;
    end if;

    insert into pgq_node.node_location (queue_name, node_name, node_location, dead)
    select l.queue_name, i_new_name, l.node_location, l.dead
      from pgq_node.node_location l where l.queue_name = i_queue_name and l.node_name = i_old_name
        on conflict (queue_name, node_name) do nothing;
    update pgq_node.node_info n set node_name = i_new_name
     where n.queue_name = i_queue_name and n.node_name = i_old_name;
    update pgq_node.local_state l set provider_node = i_new_name
     where l.queue_name = i_queue_name and l.provider_node = i_old_name;
    perform pgq_node._rename_subscriber(i_queue_name, i_old_name, i_new_name);
    delete from pgq_node.node_location l where l.queue_name = i_queue_name and l.node_name = i_old_name;
    perform pg_notify('pgq_node', i_queue_name);
    ret_code := 200;
    ret_note := format('Node renamed: %s to %s', i_old_name, i_new_name);
end;
$$ language plpgsql security definer set search_path = pg_catalog, pg_temp;
