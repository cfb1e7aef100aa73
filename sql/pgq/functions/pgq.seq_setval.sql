-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq.seq_setval(2)
--
--      Raise a sequence to a value. It is never lowered.
--
-- Parameters:
--      i_seq_name  - name, split as by pgq.quote_fqname
--      i_new_value - value that it shall have at least
-- Returns:
--      the value it has now
-- Tables:
--      the sequence
-- Locks:
--      none
-- Raises:
--      undefined_table - no such sequence
-- ----------------------------------------------------------------------
create or replace function pgq.seq_setval(i_seq_name text, i_new_value bigint)
returns bigint as $$
declare
    res bigint;
begin
    res := pgq.seq_getval(i_seq_name);
    -- A sequence that was never used says 1 as well: it is marked as used, or its next value would be 1 again.
    if res < i_new_value
        or (res = i_new_value and pg_sequence_last_value(pgq.quote_fqname(i_seq_name)::regclass) is null)
    then
        perform setval(pgq.quote_fqname(i_seq_name)::regclass, i_new_value);
        return i_new_value;
    end if;
    return res;
end;
$$ language plpgsql strict set search_path = pg_catalog, pg_temp;
