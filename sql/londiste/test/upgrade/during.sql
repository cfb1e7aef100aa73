-- SPDX-License-Identifier: ISC
-- After each step of a database from one kind of installation to another: it works.
insert into public.parent (v) values ('step');
do $$
begin
    assert (select ret_code = 100 from londiste.root_check_seqs('q')), 'sequences';
    assert (select count(*) = 2 and bool_and(merge_state = 'ok') from londiste.get_table_list('q')), 'tables';
end;
$$;
