/*
 * SPDX-License-Identifier: ISC
 *
 * trigger_value.c
 *	  Values of columns: their text, and whether they have changed.
 */
#include "trigger.h"

#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

static PgqOutput
how_to_output(Oid function)
{
	switch (function)
	{
		case F_TEXTOUT:
		case F_VARCHAROUT:
		case F_BPCHAROUT:
		case F_JSON_OUT:
			return PGQ_OUT_TEXT;
		case F_INT2OUT:
			return PGQ_OUT_INT2;
		case F_INT4OUT:
			return PGQ_OUT_INT4;
		case F_INT8OUT:
			return PGQ_OUT_INT8;
		default:
			return PGQ_OUT_CALL;
	}
}

/* Find out how values of the column are written and compared. */
void
pgq_set_output(PgqTrigger *info, PgqColumn *column)
{
	Oid			output;
	bool		is_varlena;
	TypeCacheEntry *type;

	getTypeOutputInfo(column->type, &output, &is_varlena);
	fmgr_info_cxt(output, &column->output, info->context);
	column->how = how_to_output(output);
	/* Arrays compare by their text, as do types that have no equality. */
	type = lookup_type_cache(column->type, TYPECACHE_EQ_OPR_FINFO);
	column->has_equal = OidIsValid(type->eq_opr_finfo.fn_oid) && !type_is_array(column->type);
	if (column->has_equal)
		fmgr_info_cxt(type->eq_opr_finfo.fn_oid, &column->equal, info->context);
}

/* Text of a value, which is not NULL. Stays as it is until the next call, or the current memory context's end. */
const char *
pgq_value_text(PgqChange *change, PgqColumn *column, Datum value, int *len)
{
	char	   *number = change->texts->value.data;
	text	   *packed;

	switch (column->how)
	{
		case PGQ_OUT_TEXT:
			packed = DatumGetTextPP(value);
			*len = VARSIZE_ANY_EXHDR(packed);
			return VARDATA_ANY(packed);
		case PGQ_OUT_INT2:
			*len = pg_itoa(DatumGetInt16(value), number);
			return number;
		case PGQ_OUT_INT4:
			*len = pg_ltoa(DatumGetInt32(value), number);
			return number;
		case PGQ_OUT_INT8:
			*len = pg_lltoa(DatumGetInt64(value), number);
			return number;
		default:
			{
				char	   *result = OutputFunctionCall(&column->output, value);

				*len = strlen(result);
				return result;
			}
	}
}

/* Has the server yet to compute the value? */
static bool
is_unknown(const PgqChange *change, const PgqColumn *column)
{
	return column->is_generated && change->is_before && change->op != PGQ_DELETE;
}

/* Does a value go into the event? */
bool
pgq_is_data_now(const PgqChange *change, const PgqColumn *column)
{
	return column->is_data && !is_unknown(change, column);
}

/*
 * Has the value changed? Values that the type calls equal may still differ, like numeric 1.0 and 1.00 or the case
 * of letters in citext; such a change is data too.
 */
bool
pgq_has_changed(PgqChange *change, PgqColumn *column)
{
	int			i = column->attnum - 1;

	if (is_unknown(change, column))
		return false;
	if (change->old_nulls[i] || change->nulls[i])
		return change->old_nulls[i] != change->nulls[i];
	return !datum_image_eq(change->old_values[i], change->values[i], column->by_value, column->length);
}

static bool
is_same_text(PgqChange *change, PgqColumn *column)
{
	int			i = column->attnum - 1;
	int			len;
	int			old_len;
	const char *new_text = pgq_value_text(change, column, change->values[i], &len);
	char	   *copy = pnstrdup(new_text, len);
	const char *old_text = pgq_value_text(change, column, change->old_values[i], &old_len);

	return len == old_len && memcmp(copy, old_text, len) == 0;
}

/* The same of a column of the key, which is the same as long as its type says so. */
bool
pgq_key_has_changed(PgqChange *change, PgqColumn *column)
{
	int			i = column->attnum - 1;

	if (!pgq_has_changed(change, column))
		return false;
	if (change->old_nulls[i] || change->nulls[i])
		return true;
	if (column->has_equal)
		return !DatumGetBool(FunctionCall2Coll(&column->equal, column->collation,
											   change->old_values[i], change->values[i]));
	return !is_same_text(change, column);
}
