-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.seq_getval(1)
--
--      Read last_value of a sequence.
--
-- Parameters:
--      i_seq_name  - name, split as by pgq.quote_fqname
-- Returns:
--      last_value: 1 also for a new sequence that was never used
-- Tables:
--      the sequence
-- Locks:
--      none
-- Raises:
--      undefined_table - no such sequence
-- ----------------------------------------------------------------------
create or replace function pgq.seq_getval(i_seq_name text)
returns bigint as $$
declare
    res bigint;
begin
    execute format('select last_value from %s', pgq.quote_fqname(i_seq_name)) into res;
    return res;
end;
$$ language plpgsql strict set search_path = pg_catalog, pg_temp;
