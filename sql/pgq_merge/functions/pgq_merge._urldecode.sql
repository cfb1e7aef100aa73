-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq_merge._urldecode(1)
--
--      Decode a urlencoded string: + is a blank, %xx a byte in the encoding of the database.
--
-- Parameters:
--      i_text  - the string
-- Returns:
--      the string decoded
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      character_not_in_repertoire - the bytes are no text in the encoding of the database
-- ----------------------------------------------------------------------
create or replace function pgq_merge._urldecode(i_text text)
returns text as $$
    select case when strpos(i_text, '%') = 0 then replace(i_text, '+', ' ') else (
        select convert_from(string_agg(
                   case when m[1] ~ '^%[0-9A-Fa-f]{2}$' then decode(substr(m[1], 2), 'hex')
                        else convert_to(replace(m[1], '+', ' '), getdatabaseencoding()) end, '' order by nr),
                   getdatabaseencoding())
          from regexp_matches(i_text, '(%[0-9A-Fa-f]{2}|%|[^%]+)', 'g') with ordinality as part (m, nr)) end
$$ language sql stable strict set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq_merge._urldecode_row(1)
--
--      Decode the fields of a row: name=value joined by &, a name alone is NULL. Values are strings or null.
-- ----------------------------------------------------------------------
create or replace function pgq_merge._urldecode_row(i_text text)
returns jsonb as $$
    select coalesce(jsonb_object_agg(
               pgq_merge._urldecode(split_part(field, '=', 1)),
               case when strpos(field, '=') > 0
                    then pgq_merge._urldecode(substr(field, strpos(field, '=') + 1)) end), '{}')
      from regexp_split_to_table(i_text, '&') as field
     where field <> ''
$$ language sql stable strict set search_path = pg_catalog, pg_temp;
