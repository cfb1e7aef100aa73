/*
 * SPDX-License-Identifier: ISC
 *
 * event_table.h
 *	  Rows of event tables.
 */
#ifndef PGQ_EVENT_TABLE_H
#define PGQ_EVENT_TABLE_H

#include "pgq.h"

#include "catalog/indexing.h"
#include "executor/tuptable.h"
#include "utils/rel.h"

/* Columns of pgq.event_template. */
typedef enum PgqEventColumn
{
	PGQ_EV_ID,
	PGQ_EV_TIME,
	PGQ_EV_TXID,
	PGQ_EV_OWNER,
	PGQ_EV_RETRY,
	PGQ_EV_FIELDS				/* PGQ_NFIELDS of them */
} PgqEventColumn;

#define PGQ_NCOLUMNS (PGQ_EV_FIELDS + PGQ_NFIELDS)

/* As many rows are kept before they are written together: bounds of COPY, too. */
#define PGQ_MAX_ROWS 1000
#define PGQ_MAX_BYTES 65535

/* Many rows on their way into a table. */
typedef struct PgqRows
{
	Relation	rel;
	PgqRights	rights;
	CatalogIndexState indexes;	/* NULL: each by an INSERT */
	MemoryContext context;		/* of tuples that are not written yet */
	TupleTableSlot **slots;
	int			nslots;			/* made */
	int			count;			/* in use */
	Size		bytes;
} PgqRows;

/* event_table.c */
extern void pgq_insert_row(Relation rel, PgqRights rights, Datum *values, bool *nulls);
extern void pgq_begin_rows(PgqRows *rows, Relation rel, PgqRights rights);
extern void pgq_add_row(PgqRows *rows, Datum *values, bool *nulls);
extern void pgq_end_rows(PgqRows *rows);

#endif
