-- SPDX-License-Identifier: ISC
create schema if not exists pgq_node;
