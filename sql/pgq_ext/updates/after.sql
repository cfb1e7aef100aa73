-- SPDX-License-Identifier: ISC
do $$ begin perform pgq_ext.upgrade_schema(); end $$;
