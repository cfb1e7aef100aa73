/*
 * SPDX-License-Identifier: ISC
 *
 * module.c
 *	  Loading of the library.
 */
#include "pgq.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	pgq_init_queues();
	pgq_init_target();
	pgq_init_wakeup();
	pgq_init_triggers();
}
