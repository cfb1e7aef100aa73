-- SPDX-License-Identifier: ISC
-- All run with the rights of the caller.
grant usage on schema pgq_merge to public;
