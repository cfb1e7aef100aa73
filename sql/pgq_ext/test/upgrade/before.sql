-- SPDX-License-Identifier: ISC
insert into pgq_ext.completed_tick values ('c', '', 5);
insert into pgq_ext.completed_batch values ('c', 's', 6);
insert into pgq_ext.partial_batch values ('c', '', 7);
insert into pgq_ext.completed_event values ('c', '', 7, 8);
