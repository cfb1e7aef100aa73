-- SPDX-License-Identifier: ISC
-- What the trigger functions of 3.5 get wrong.

select pgq.create_queue('q');
create function events(out ev_type text, out ev_data text, out ev_extra1 text) returns setof record language sql as 'delete from pgq.event_1_0 returning ev_type, ev_data, ev_extra1';
create table t (id int primary key, a text, b text);
insert into t values (1, 'a', 'b');

create trigger tr after insert or update or delete on t for each row execute function pgq.logutriga('q', 'pkey=nope');
-- differs: defect 9: names in pkey= are not validated
update t set a = 'x';
select count(*) from events() having count(*) > 1;
drop trigger tr on t;
create table late_key (a text, b text, id int primary key);
insert into late_key values ('a', 'b', 1);
create trigger tr after insert or update or delete on late_key for each row execute function pgq.logutriga('q', 'ignore=b');
-- differs: defect 10: a changed key is not seen when ignore= is set and an earlier column changed
-- 3.5: []
-- 4.0: "primary key update not allowed"
update late_key set a = 'x', id = 2;
