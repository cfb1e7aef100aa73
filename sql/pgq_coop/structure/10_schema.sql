-- SPDX-License-Identifier: ISC
-- No tables: a subconsumer is a row of pgq.subscription that shares the sub_id of its main consumer.
create schema if not exists pgq_coop;
