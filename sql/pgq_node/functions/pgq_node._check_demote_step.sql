-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_node._check_demote_step(2)
--
--      Check that a step of pgq_node.demote_root may be done.
--
-- Parameters:
--      i_step              - the step
--      i_closed            - step 1 has been done
-- Returns:
--      nothing
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      invalid_parameter_value - no such step
--      object_not_in_prerequisite_state - it is not its turn
-- ----------------------------------------------------------------------
create or replace function pgq_node._check_demote_step(i_step integer, i_closed boolean)
returns void as $$
begin
    if i_step is null or i_step not in (1, 2, 3) then
        raise exception 'no such step of demoting a root: %', coalesce(i_step::text, 'NULL')
            using errcode = 'invalid_parameter_value', hint = 'Steps are 1, 2, 3.';
    end if;
    if i_step > 1 and not i_closed then
        raise exception 'steps in wrong order' using errcode = 'object_not_in_prerequisite_state',
            hint = 'The queue is open for writing: do step 1 first, and commit.';
    end if;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
