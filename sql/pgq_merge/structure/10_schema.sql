-- SPDX-License-Identifier: ISC
-- Helpers live here; the functions that users name in their configuration are in public, as they always were.
create schema if not exists pgq_merge;
