/*
 * SPDX-License-Identifier: ISC
 *
 * event_table.c
 *	  Rows of event tables: one by one, or many at a time.
 *
 *	  Event tables as we make them are written to directly. One that has got triggers, constraints, rules or other
 *	  columns is written to by an INSERT.
 */
#include "compat.h"
#include "event_table.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

static const Oid column_types[PGQ_NCOLUMNS] = {
	INT8OID, TIMESTAMPTZOID, INT8OID, INT4OID, INT4OID,
	TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID
};

/* Is this a table on which INSERT would do no more than store the row? */
static bool
is_plain_table(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);

	if (rel->rd_rel->relkind != RELKIND_RELATION || rel->rd_rel->relispartition ||
		rel->rd_rel->relrowsecurity || rel->rd_rules != NULL || rel->trigdesc != NULL ||
		rel->rd_tableam != GetHeapamTableAmRoutine() || desc->natts != PGQ_NCOLUMNS ||
		pgq_has_generated(desc) || (desc->constr != NULL && desc->constr->num_check > 0))
		return false;
	for (int i = 0; i < PGQ_NCOLUMNS; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		/* The first three are never NULL. */
		if (att->attisdropped || att->atttypid != column_types[i] || (att->attnotnull && i > PGQ_EV_TXID))
			return false;
	}
	return true;
}

static bool
are_plain_indexes(CatalogIndexState indexes)
{
	for (int i = 0; i < indexes->ri_NumIndices; i++)
	{
		IndexInfo  *info = indexes->ri_IndexRelationInfo[i];
		Form_pg_index form = indexes->ri_IndexRelationDescs[i]->rd_index;

		if (info->ii_Expressions != NIL || info->ii_Predicate != NIL || info->ii_ExclusionOps != NULL ||
			!form->indimmediate)
			return false;
	}
	return true;
}

/* Opens the indexes; NULL, with nothing done, if the table is not to be written to directly. */
static CatalogIndexState
open_plain(Relation rel)
{
	CatalogIndexState indexes;

	if (!is_plain_table(rel))
		return NULL;
	/* Made for catalogs, right for any heap table with plain indexes. */
	indexes = CatalogOpenIndexes(rel);
	if (are_plain_indexes(indexes))
		return indexes;
	CatalogCloseIndexes(indexes);
	return NULL;
}

static void
run_insert(Relation rel, Datum *values, bool *nulls)
{
	StringInfoData sql;
	Oid			types[PGQ_NCOLUMNS];
	char		spi_nulls[PGQ_NCOLUMNS];

	initStringInfo(&sql);
	appendStringInfo(&sql, "insert into %s (ev_id, ev_time, ev_txid, ev_owner, ev_retry, ev_type, ev_data, "
					 "ev_extra1, ev_extra2, ev_extra3, ev_extra4) "
					 "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
					 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
												RelationGetRelationName(rel)));
	for (int i = 0; i < PGQ_NCOLUMNS; i++)
	{
		types[i] = column_types[i];
		spi_nulls[i] = nulls[i] ? 'n' : ' ';
	}
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_with_args(sql.data, PGQ_NCOLUMNS, types, values, spi_nulls, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not insert into \"%s\"", RelationGetRelationName(rel));
	SPI_finish();
	pfree(sql.data);
}

/* As a function that is SECURITY DEFINER, of the owner of the table, with search_path pinned. */
static void
run_insert_as_owner(Relation rel, Datum *values, bool *nulls)
{
	Oid			user;
	int			context;
	int			nest_level = NewGUCNestLevel();

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(rel->rd_rel->relowner, context | SECURITY_LOCAL_USERID_CHANGE);
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	run_insert(rel, values, nulls);
	AtEOXact_GUC(true, nest_level);
	SetUserIdAndSecContext(user, context);
}

static void
insert_somehow(Relation rel, PgqRights rights, Datum *values, bool *nulls)
{
	if (rights == PGQ_AS_OWNER)
		run_insert_as_owner(rel, values, nulls);
	else
		run_insert(rel, values, nulls);
}

/* Write one row. */
void
pgq_insert_row(Relation rel, PgqRights rights, Datum *values, bool *nulls)
{
	CatalogIndexState indexes = open_plain(rel);
	HeapTuple	tuple;

	if (indexes == NULL)
	{
		insert_somehow(rel, rights, values, nulls);
		return;
	}
	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	CatalogTupleInsertWithInfo(rel, tuple, indexes);
	heap_freetuple(tuple);
	CatalogCloseIndexes(indexes);
}

/* Start to write many rows to a table that stays open; pgq_end_rows ends it, or an error. */
void
pgq_begin_rows(PgqRows *rows, Relation rel, PgqRights rights)
{
	rows->rel = rel;
	rows->rights = rights;
	rows->indexes = open_plain(rel);
	rows->count = 0;
	rows->bytes = 0;
	if (rows->indexes == NULL)
		return;
	rows->context = AllocSetContextCreate(CurrentMemoryContext, "pgq rows", ALLOCSET_DEFAULT_SIZES);
	rows->slots = palloc(sizeof(TupleTableSlot *) * PGQ_MAX_ROWS);
	rows->nslots = 0;
}

static void
insert_into_indexes(PgqRows *rows, TupleTableSlot *slot)
{
	CatalogIndexState indexes = rows->indexes;

	for (int i = 0; i < indexes->ri_NumIndices; i++)
	{
		Relation	index = indexes->ri_IndexRelationDescs[i];
		IndexInfo  *info = indexes->ri_IndexRelationInfo[i];
		Datum		values[INDEX_MAX_KEYS];
		bool		nulls[INDEX_MAX_KEYS];

		if (!info->ii_ReadyForInserts)
			continue;
		FormIndexDatum(info, slot, NULL, values, nulls);
		index_insert(index, values, nulls, &slot->tts_tid, rows->rel,
					 index->rd_index->indisunique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, false, info);
	}
}

static void
flush(PgqRows *rows)
{
	MemoryContext old_context;

	if (rows->count == 0)
		return;
	old_context = MemoryContextSwitchTo(rows->context);
	heap_multi_insert(rows->rel, rows->slots, rows->count, GetCurrentCommandId(true), 0, NULL);
	for (int i = 0; i < rows->count; i++)
	{
		insert_into_indexes(rows, rows->slots[i]);
		ExecClearTuple(rows->slots[i]);
	}
	MemoryContextSwitchTo(old_context);
	MemoryContextReset(rows->context);
	rows->count = 0;
	rows->bytes = 0;
}

/* Write a row, not before the next call or pgq_end_rows: it is copied. */
void
pgq_add_row(PgqRows *rows, Datum *values, bool *nulls)
{
	MemoryContext old_context;
	HeapTuple	tuple;

	if (rows->indexes == NULL)
	{
		insert_somehow(rows->rel, rows->rights, values, nulls);
		return;
	}
	if (rows->count == rows->nslots)
		rows->slots[rows->nslots++] = MakeSingleTupleTableSlot(RelationGetDescr(rows->rel), &TTSOpsHeapTuple);
	old_context = MemoryContextSwitchTo(rows->context);
	tuple = heap_form_tuple(RelationGetDescr(rows->rel), values, nulls);
	MemoryContextSwitchTo(old_context);
	ExecStoreHeapTuple(tuple, rows->slots[rows->count++], false);
	rows->bytes += tuple->t_len;
	if (rows->count == PGQ_MAX_ROWS || rows->bytes >= PGQ_MAX_BYTES)
		flush(rows);
}

void
pgq_end_rows(PgqRows *rows)
{
	if (rows->indexes == NULL)
		return;
	flush(rows);
	for (int i = 0; i < rows->nslots; i++)
		ExecDropSingleTupleTableSlot(rows->slots[i]);
	pfree(rows->slots);
	MemoryContextDelete(rows->context);
	CatalogCloseIndexes(rows->indexes);
}
