-- SPDX-License-Identifier: ISC
-- From pgq_ext 3.1 and later. Names of arguments may differ, and cannot be replaced.
drop function if exists pgq_ext.is_batch_done(text, text, bigint);
drop function if exists pgq_ext.is_batch_done(text, bigint);
drop function if exists pgq_ext.set_batch_done(text, text, bigint);
drop function if exists pgq_ext.set_batch_done(text, bigint);
drop function if exists pgq_ext.get_last_tick(text, text);
drop function if exists pgq_ext.get_last_tick(text);
drop function if exists pgq_ext.set_last_tick(text, text, bigint);
drop function if exists pgq_ext.set_last_tick(text, bigint);
drop function if exists pgq_ext.is_event_done(text, text, bigint, bigint);
drop function if exists pgq_ext.is_event_done(text, bigint, bigint);
drop function if exists pgq_ext.set_event_done(text, text, bigint, bigint);
drop function if exists pgq_ext.set_event_done(text, bigint, bigint);
