-- SPDX-License-Identifier: ISC
create schema pgq_node;
