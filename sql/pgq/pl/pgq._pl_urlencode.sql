-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq._pl_urlencode(1)
--
--      Encode a text for a URL: blank is +, bytes that do not stand for themselves %xx. One replacement for each
--      character that occurs, which is fast for long texts too.
--
-- Parameters:
--      val - any text
-- Returns:
--      the same, encoded
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      nothing of its own
-- ----------------------------------------------------------------------
create or replace function pgq._pl_urlencode(val text)
returns text as $$
declare
    -- Those first that others are replaced by.
    rest text := '%+' ||
        translate(val, 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-', '');
    res text := val;
    c text;
begin
    while rest <> '' and (rest <> '%+' or strpos(val, '%') > 0 or strpos(val, '+') > 0) loop
        c := left(rest, 1);
        rest := replace(rest, c, '');
        res := replace(res, c, case c when ' ' then '+' else
            regexp_replace(encode(convert_to(c, getdatabaseencoding()), 'hex'), '(..)', '%\1', 'g') end);
    end loop;
    return res;
end;
$$ language plpgsql stable strict set search_path = pg_catalog, pg_temp;
