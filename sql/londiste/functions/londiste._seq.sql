-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: londiste._seq(1)
--
--      Look at a sequence of this database.
--
-- Parameters:
--      i_seq_name  - name
-- Returns:
--      last_value, is_called - as the sequence has them
--      step, low, high, cycle - how it goes on
--      NULLs: there is no such sequence
-- Tables:
--      select: the sequence, pg_sequence
-- Locks:
--      none
-- Raises:
--      insufficient_privilege - the sequence cannot be read
-- ----------------------------------------------------------------------
create or replace function londiste._seq(
    i_seq_name text, out last_value bigint, out is_called boolean, out step bigint, out low bigint, out high bigint,
    out cycle boolean)
returns record as $$
declare
    rel constant oid := londiste.find_seq_oid(i_seq_name);
begin
    if rel is null then
        return;
    end if;
    select s.seqincrement, s.seqmin, s.seqmax, s.seqcycle into step, low, high, cycle
      from pg_sequence s where s.seqrelid = rel;
    execute format('select last_value, is_called from %s', londiste.quote_fqname(i_seq_name)) into last_value, is_called;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste._seq_ahead(2)
--
--      Choose the value to publish for a sequence of the root: three buffers ahead of what is used, so that a node that
--      takes over does not give out a value a second time. Near the end of its range it is half of what is left. A
--      sequence that cycles is published as it is.
--
-- Parameters:
--      i_seq_name  - name
--      i_buffer    - number of steps
-- Returns:
--      value; NULL: there is no such sequence
-- Tables:
--      as _seq
-- Locks:
--      none
-- Raises:
--      nothing
-- ----------------------------------------------------------------------
create or replace function londiste._seq_ahead(i_seq_name text, i_buffer bigint default 10000)
returns bigint as $$
declare
    seq constant record := londiste._seq(i_seq_name);
    room numeric;
begin
    if seq.cycle then
        return seq.last_value;
    end if;
    room := (case when seq.step > 0 then seq.high else seq.low end)::numeric - seq.last_value;
    return seq.last_value + case when seq.step > 0 then least(3::numeric * i_buffer * seq.step, trunc(room / 2))
                                 else greatest(3::numeric * i_buffer * seq.step, trunc(room / 2)) end;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: londiste._seq_advance(2)
--
--      Bring a sequence of this database to a value, if it is not there yet, in the direction in which it goes, and
--      within its range. One that cycles is set in any case. Where the sequence is missing there is a warning only: it
--      must not hold up what else is replicated.
--
-- Parameters:
--      i_seq_name  - name
--      i_value     - value that has been used
-- Returns:
--      nothing
-- Tables:
--      update: the sequence
-- Locks:
--      none
-- Raises:
--      insufficient_privilege - the sequence cannot be set
-- ----------------------------------------------------------------------
create or replace function londiste._seq_advance(i_seq_name text, i_value bigint)
returns void as $$
declare
    seq constant record := londiste._seq(i_seq_name);
    val constant bigint := greatest(least(i_value, seq.high), seq.low);
begin
    if seq.step is null then
        raise warning 'sequence % does not exist', i_seq_name;
    elsif seq.cycle or (val - seq.last_value::numeric) * sign(seq.step) > 0 or val = seq.last_value and not seq.is_called then
        perform setval(londiste.quote_fqname(i_seq_name)::regclass, val);
    end if;
end;
$$ language plpgsql set search_path = pg_catalog, pg_temp;
