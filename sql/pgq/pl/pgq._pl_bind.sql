-- SPDX-License-Identifier: ISC
-- ----------------------------------------------------------------------
-- Function: pgq._pl_bind(2)
--
--      Put values of a row in place of columns in an SQL expression: bare words that are names of
--      columns. Words in strings, quotes, comments, dotted names, after :: and names of functions are
--      left alone.
--
-- Parameters:
--      i_expr - the expression; i_columns - names
-- Returns:
--      the expression, with ($1).name for columns
-- Tables:
--      none
-- Locks:
--      none
-- Raises:
--      nothing of its own
-- ----------------------------------------------------------------------
create or replace function pgq._pl_bind(i_expr text, i_columns text[])
returns text as $$
declare
    rest text := i_expr;
    res text := '';
    token text;
    after text := '';
begin
    while rest <> '' loop
        token := pgq._pl_token(rest, after);
        rest := substr(rest, length(token) + 1);
        if token = any (i_columns) and token ~ '^[[:alpha:]_]' and after not in ('.', '::')
            and rest !~ '^&?[''"]' and rest !~ '^\s*[.(]'
        then
            res := res || '($1).' || quote_ident(token);
        else
            res := res || token;
        end if;
        if token !~ '^\s+$' then
            after := token;
        elsif after in ('E', 'e') then
            after := '';
        end if;
    end loop;
    return res;
end;
$$ language plpgsql stable set search_path = pg_catalog, pg_temp;

-- ----------------------------------------------------------------------
-- Function: pgq._pl_token(2)
--
--      Cut the first token off a text of SQL: a word, a string, a comment, blanks, ::, or one character.
-- ----------------------------------------------------------------------
create or replace function pgq._pl_token(i_text text, i_after text)
returns text as $$
declare
    tag text;
    depth integer := 0;
    stop integer := 1;
begin
    if i_text ~ '^''' then
        return substring(i_text from case
            when i_after in ('E', 'e') or current_setting('standard_conforming_strings') = 'off'
            then '^''(?:[^''\\]|\\.|'''')*''?' else '^''(?:[^'']|'''')*''?' end);
    elsif i_text ~ '^/\*' then
        loop
            case substr(i_text, stop, 2)
                when '/*' then depth := depth + 1; stop := stop + 2;
                when '*/' then depth := depth - 1; stop := stop + 2;
                else stop := stop + 1;
            end case;
            exit when depth = 0 or stop > length(i_text);
        end loop;
        return substr(i_text, 1, stop - 1);
    elsif i_text ~ '^\$[[:alpha:]_]*[[:alnum:]_]*\$' and i_text !~ '^\$[0-9]' then
        tag := substring(i_text from '^\$[[:alnum:]_]*\$');
        stop := strpos(substr(i_text, length(tag) + 1), tag);
        return case when stop = 0 then i_text else substr(i_text, 1, stop - 1 + 2 * length(tag)) end;
    end if;
    return coalesce(
        substring(i_text from '^"(?:[^"]|"")*"?'), substring(i_text from '^--[^\n]*'),
        substring(i_text from '^[[:alpha:]_][[:alnum:]_$]*'), substring(i_text from '^[0-9][[:alnum:]_$]*'),
        substring(i_text from '^\s+'), substring(i_text from '^::'), substr(i_text, 1, 1));
end;
$$ language plpgsql stable set search_path = pg_catalog, pg_temp;
