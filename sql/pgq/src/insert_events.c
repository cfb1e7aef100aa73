/*
 * SPDX-License-Identifier: ISC
 *
 * insert_events.c
 *	  pgq.insert_events: many events in one call, an array for each field.
 */
#include "pgq.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(pgq_insert_events);

/* A field of all events. */
typedef struct FieldArray
{
	Datum	   *values;			/* NULL: the field is NULL in each event */
	bool	   *nulls;
	int			count;
} FieldArray;

static const char *const argument_names[PGQ_NFIELDS] = {
	"i_types", "i_datas", "i_extra1", "i_extra2", "i_extra3", "i_extra4"
};

static void
read_array(FunctionCallInfo fcinfo, PgqField field, FieldArray *result)
{
	ArrayType  *array;

	if (PG_ARGISNULL(field + 1))
		return;
	array = PG_GETARG_ARRAYTYPE_P(field + 1);
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%s of pgq.insert_events must have one dimension, not %d", argument_names[field],
						ARR_NDIM(array))));
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &result->values, &result->nulls, &result->count);
}

/* Returns how many events there are: all arrays that are given must agree. */
static int
read_arrays(FunctionCallInfo fcinfo, FieldArray *arrays)
{
	int			first = -1;

	for (int i = 0; i < PGQ_NFIELDS; i++)
	{
		read_array(fcinfo, i, &arrays[i]);
		if (PG_ARGISNULL(i + 1))
			continue;
		if (first < 0)
			first = i;
		else if (arrays[i].count != arrays[first].count)
			ereport(ERROR,
					(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
					 errmsg("arrays of pgq.insert_events differ in length: %s has %d, %s has %d",
							argument_names[first], arrays[first].count, argument_names[i], arrays[i].count)));
	}
	return first < 0 ? 0 : arrays[first].count;
}

/* pgq.insert_events(i_queue_name, i_types, i_datas, i_extra1 .. 4): see the SQL file. */
Datum
pgq_insert_events(PG_FUNCTION_ARGS)
{
	FieldArray	arrays[PGQ_NFIELDS] = {0};
	PgqWriter  *writer = NULL;
	text	   *queue_name;
	int			count;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("queue name must not be NULL")));
	queue_name = PG_GETARG_TEXT_PP(0);
	count = read_arrays(fcinfo, arrays);
	for (int n = 0; n < count; n++)
	{
		text	   *fields[PGQ_NFIELDS];

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < PGQ_NFIELDS; i++)
			fields[i] = arrays[i].values == NULL || arrays[i].nulls[n] ? NULL : DatumGetTextPP(arrays[i].values[n]);
		pgq_emit_one_of_many(&writer, queue_name, fields);
	}
	if (writer != NULL)
		pgq_end_events(writer);
	PG_RETURN_INT64(count);
}
