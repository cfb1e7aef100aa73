/*
 * SPDX-License-Identifier: ISC
 *
 * logtriga.c
 *	  Triggers of PgQ 2, for sites that still have them; they are declared by who wants them:
 *
 *	  create function pgq.logtriga() returns trigger as '$libdir/pgq', 'pgq_logtriga' language c;
 *		arguments: queue, kinds[, table]; writes what pgq.sqltriga writes
 *	  create function logtriga() returns trigger as '$libdir/pgq', 'logtriga' language c;
 *		arguments: kinds, query; runs the query with $1 = I, U or D, $2 = partial SQL, as the current user
 *
 *	  kinds has a letter for each column: k key, v value, i to be ignored, as are columns that have none.
 */
#include "trigger.h"

#include "catalog/pg_type.h"

PG_FUNCTION_INFO_V1(pgq_logtriga);
PG_FUNCTION_INFO_V1(logtriga);

static const PgqFormat to_queue = {PGQ_ARGS_KINDS, pgq_put_sql_type, pgq_put_sql_data, pgq_put_urlencoded};
static const PgqFormat to_query = {PGQ_ARGS_KINDS_QUERY, pgq_put_sql_type, pgq_put_sql_data, pgq_put_urlencoded};

static void
check_after(FunctionCallInfo fcinfo)
{
	TriggerData *data = (TriggerData *) fcinfo->context;

	if (CALLED_AS_TRIGGER(fcinfo) && !TRIGGER_FIRED_AFTER(data->tg_event))
		pgq_protocol_error("logtriga must be fired AFTER", NULL);
}

Datum
pgq_logtriga(PG_FUNCTION_ARGS)
{
	check_after(fcinfo);
	return pgq_fire(fcinfo, &to_queue);
}

Datum
logtriga(PG_FUNCTION_ARGS)
{
	check_after(fcinfo);
	return pgq_fire(fcinfo, &to_query);
}

/* Run the query of logtriga(kinds, query). */
void
pgq_run_query(PgqTrigger *info, text *const *fields)
{
	static Oid	types[] = {TEXTOID, TEXTOID};
	Datum		values[] = {PointerGetDatum(fields[PGQ_TYPE]), PointerGetDatum(fields[PGQ_DATA])};

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (info->query_plan == NULL)
		info->query_plan = pgq_keep_plan(info, info->query, lengthof(types), types);
	if (SPI_execute_plan(info->query_plan, values, NULL, false, 0) < 0)
		elog(ERROR, "query of logtriga failed: %s", SPI_result_code_string(SPI_result));
	SPI_finish();
}
