/*
 * SPDX-License-Identifier: ISC
 *
 * insert_event.c
 *	  The SQL functions that producers call.
 *
 *	  pgq.insert_event(7) is the one door for events: pgq.insert_event(3) and the triggers go through it, because
 *	  users may have replaced it. As long as it is ours, they take the short way, without a call of it.
 */
#include "compat.h"
#include "pgq.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(pgq_insert_event);
PG_FUNCTION_INFO_V1(pgq_insert_event3);
PG_FUNCTION_INFO_V1(pgq_insert_event_raw);
PG_FUNCTION_INFO_V1(pgq_current_event_table);

#define TARGET_NARGS 7

/* pgq.insert_event(7), unless InvalidOid. */
static Oid	target = InvalidOid;
static bool target_is_ours;

/* Who may execute it, as far as we have asked. */
static Oid	allowed_role = InvalidOid;

static void
target_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	if (cacheid == PROCOID)
		target = InvalidOid;
	allowed_role = InvalidOid;
}

void
pgq_init_target(void)
{
	CacheRegisterSyscacheCallback(PROCOID, target_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, target_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, target_changed, (Datum) 0);
}

/* Sets target and target_is_ours; the current user must have the right to execute it. */
static void
find_target(void)
{
	Oid			role = GetUserId();
	Oid			found = target;

	if (!OidIsValid(found))
	{
		Oid			types[TARGET_NARGS];
		FmgrInfo	info;

		for (int i = 0; i < TARGET_NARGS; i++)
			types[i] = TEXTOID;
		found = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum("insert_event"),
								PointerGetDatum(buildoidvector(types, TARGET_NARGS)),
								ObjectIdGetDatum(get_namespace_oid("pgq", false)));
		if (!OidIsValid(found))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_FUNCTION),
					 errmsg("function pgq.insert_event with 7 arguments does not exist")));
		fmgr_info(found, &info);
		target_is_ours = info.fn_addr == pgq_insert_event;
		target = found;
	}
	if (role != allowed_role)
	{
		AclResult	allowed = pgq_function_aclcheck(found, role);

		if (allowed != ACLCHECK_OK)
			aclcheck_error(allowed, OBJECT_FUNCTION, "insert_event");
		allowed_role = role;
	}
}

/* Call what has replaced pgq.insert_event. Returns false if its result is NULL. */
static bool
call_target(text *queue_name, text *const *fields, int64 *result)
{
	LOCAL_FCINFO(fcinfo, TARGET_NARGS);
	FmgrInfo	info;
	Datum		value;

	fmgr_info(target, &info);
	InitFunctionCallInfoData(*fcinfo, &info, TARGET_NARGS, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = PointerGetDatum(queue_name);
	fcinfo->args[0].isnull = queue_name == NULL;
	for (int i = 0; i < PGQ_NFIELDS; i++)
	{
		fcinfo->args[i + 1].value = PointerGetDatum(fields[i]);
		fcinfo->args[i + 1].isnull = fields[i] == NULL;
		if (fields[i] == NULL && info.fn_strict)
			return false;
	}
	if (queue_name == NULL && info.fn_strict)
		return false;
	value = FunctionCallInvoke(fcinfo);
	if (!fcinfo->isnull)
		*result = DatumGetInt64(value);
	return !fcinfo->isnull;
}

static void
no_queue_name(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("queue name must not be NULL")));
}

/* Write an event for the current user: what a trigger does. */
void
pgq_emit_event(text *queue_name, text *const *fields)
{
	find_target();
	if (target_is_ours)
	{
		PgqEvent	event = {0};

		memcpy(event.fields, fields, sizeof(event.fields));
		(void) pgq_store_event(queue_name, &event, PGQ_AS_OWNER);
	}
	else
	{
		int64		ignored;

		(void) call_target(queue_name, fields, &ignored);
	}
}

/*
 * The same for one of many events to one queue: start with *writer NULL, and when all are written, end it unless it
 * is still NULL.
 */
void
pgq_emit_one_of_many(PgqWriter **writer, text *queue_name, text *const *fields)
{
	find_target();
	if (target_is_ours)
	{
		PgqEvent	event = {0};

		memcpy(event.fields, fields, sizeof(event.fields));
		if (*writer == NULL)
			*writer = pgq_begin_events(queue_name, PGQ_AS_OWNER);
		(void) pgq_add_event(*writer, &event);
	}
	else
		pgq_emit_event(queue_name, fields);
}

/* The text arguments from the given one on, as far as there are any. */
static void
get_fields(FunctionCallInfo fcinfo, int first_arg, text **fields)
{
	for (int i = 0; i < PGQ_NFIELDS; i++)
	{
		int			arg = first_arg + i;

		fields[i] = arg < PG_NARGS() && !PG_ARGISNULL(arg) ? PG_GETARG_TEXT_PP(arg) : NULL;
	}
}

/* pgq.insert_event(queue_name, ev_type, ev_data, ev_extra1 .. 4): see the SQL file. */
Datum
pgq_insert_event(PG_FUNCTION_ARGS)
{
	PgqEvent	event = {0};

	if (PG_ARGISNULL(0))
		no_queue_name();
	get_fields(fcinfo, 1, event.fields);
	PG_RETURN_INT64(pgq_store_event(PG_GETARG_TEXT_PP(0), &event, PGQ_AS_OWNER));
}

/* pgq.insert_event(queue_name, ev_type, ev_data) */
Datum
pgq_insert_event3(PG_FUNCTION_ARGS)
{
	PgqEvent	event = {0};
	text	   *queue_name = PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0);
	int64		id;

	get_fields(fcinfo, 1, event.fields);
	find_target();
	if (!target_is_ours)
	{
		if (!call_target(queue_name, event.fields, &id))
			PG_RETURN_NULL();
		PG_RETURN_INT64(id);
	}
	if (queue_name == NULL)
		no_queue_name();
	PG_RETURN_INT64(pgq_store_event(queue_name, &event, PGQ_AS_OWNER));
}

/* pgq.insert_event_raw(queue_name, ev_id, ev_time, ev_owner, ev_retry, ev_type, ...), at least 6 of the 11 */
Datum
pgq_insert_event_raw(PG_FUNCTION_ARGS)
{
	PgqEvent	event = {0};

	if (PG_NARGS() < 6)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				 errmsg("pgq_insert_event_raw needs at least 6 arguments, not %d", PG_NARGS())));
	if (PG_ARGISNULL(0))
		no_queue_name();
	event.has_id = !PG_ARGISNULL(1);
	if (event.has_id)
		event.id = PG_GETARG_INT64(1);
	event.has_time = !PG_ARGISNULL(2);
	if (event.has_time)
		event.time = PG_GETARG_TIMESTAMPTZ(2);
	event.has_owner = !PG_ARGISNULL(3);
	if (event.has_owner)
		event.owner = PG_GETARG_INT32(3);
	event.has_retry = !PG_ARGISNULL(4);
	if (event.has_retry)
		event.retry = PG_GETARG_INT32(4);
	get_fields(fcinfo, 5, event.fields);
	PG_RETURN_INT64(pgq_store_event(PG_GETARG_TEXT_PP(0), &event, PGQ_AS_CALLER));
}

/* pgq.current_event_table(queue_name) */
Datum
pgq_current_event_table(PG_FUNCTION_ARGS)
{
	text	   *queue_name;
	PgqQueue   *queue;

	if (PG_ARGISNULL(0))
		no_queue_name();
	queue_name = PG_GETARG_TEXT_PP(0);
	if (XactReadOnly || RecoveryInProgress())
	{
		queue = pgq_get_queue(queue_name);
		pgq_check_enabled(queue);
	}
	else
	{
		Relation	rel;

		PreventCommandIfParallelMode("pgq.current_event_table()");
		rel = pgq_open_event_table(queue_name, &queue);
		table_close(rel, NoLock);
		pgq_check_enabled(queue);
	}
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%s_%d", queue->data_pfx, queue->cur_table)));
}
