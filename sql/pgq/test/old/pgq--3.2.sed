# Makes the stand-in of 3.2 from that of 3.5: columns that came later, functions that did, rights that were wider.
s/^-- Stands for pgq 3.5/-- Stands for pgq 3.2/
/queue_extra_maint/d
s/^    tick_event_seq bigint not null/    tick_event_seq bigint/
s/^    sub_last_tick bigint,/    sub_last_tick bigint not null,/
/^create function pgq\.\(version\|tune_storage\|seq_setval\)(/,/^returns/d
s/^grant select, insert, truncate on pgq.event_template to pgq_admin;/grant select on pgq.event_template to pgq_admin, public;/
