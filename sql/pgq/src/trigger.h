/*
 * SPDX-License-Identifier: ISC
 *
 * trigger.h
 *	  From a changed row to an event: what the triggers share.
 *
 *	  trigger_info.c reads the trigger's arguments and the table, once. trigger.c decides whether a change makes an
 *	  event, and fills its fields. How key and row are written is a PgqFormat: one per trigger function.
 */
#ifndef PGQ_TRIGGER_H
#define PGQ_TRIGGER_H

#include "pgq.h"

#include "access/tupdesc.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"

typedef enum PgqOperation
{
	PGQ_INSERT,
	PGQ_UPDATE,
	PGQ_DELETE,
	PGQ_TRUNCATE
} PgqOperation;

/* A column of the table. Those that are dropped, or whose values are nowhere stored, are not there at all. */
typedef struct PgqColumn
{
	AttrNumber	attnum;
	char	   *name;
	Oid			type;
	Oid			collation;
	bool		by_value;
	int16		length;
	bool		is_data;		/* goes into the event */
	bool		is_ignored;		/* by ignore= */
	bool		is_key;
	bool		is_stored_generated;	/* not computed yet in a BEFORE trigger */
	int			magic;			/* PgqField that its value replaces, or -1 */
	bool		is_varlena;
	FmgrInfo	output;
	bool		has_equal;
	FmgrInfo	equal;
} PgqColumn;

/* An SQL expression in an argument. Its columns are parameters. */
typedef struct PgqExpr
{
	char	   *source;			/* as in the argument, NULL: there is none */
	char	   *query;
	int			nparams;
	int		   *params;			/* indexes of columns */
	SPIPlanPtr	plan;
} PgqExpr;

/* A trigger on a table. */
typedef struct PgqTrigger
{
	Oid			trigger;		/* hash key */
	bool		is_valid;
	MemoryContext context;
	Oid			relid;
	Oid			root;			/* table that it was created on: of partitions, the partitioned one */
	text	   *queue_name;
	char	   *queue;
	char	   *schema_name;
	char	   *table_name;
	text	   *full_name;		/* both, for ev_extra1 */

	bool		skip;
	bool		deny;
	bool		backup;
	bool		has_ignore;
	bool		has_pkey;
	bool		has_fields;		/* expressions for fields */
	PgqExpr		when;
	PgqExpr		fields[PGQ_NFIELDS];

	int			natts;			/* of the table */
	int			ncolumns;
	PgqColumn  *columns;
	int			nkeys;
	PgqColumn **keys;			/* in the order of the key */
	char	   *key_list;		/* their names, with commas */
	bool		has_magic;
} PgqTrigger;

/* One firing of it. */
typedef struct PgqChange
{
	TriggerData *data;
	PgqTrigger *trigger;
	PgqOperation op;
	Datum	   *values;			/* by attnum - 1: new row, or old one of a DELETE */
	bool	   *nulls;
	Datum	   *old_values;		/* of an UPDATE */
	bool	   *old_nulls;
} PgqChange;

typedef struct PgqFormat
{
	/* all append to the text */
	void		(*put_type) (StringInfo out, PgqChange *change);
	void		(*put_data) (StringInfo out, PgqChange *change);
	void		(*put_row) (StringInfo out, PgqChange *change, Datum *values, bool *nulls);	/* for backup */
} PgqFormat;

/* trigger_info.c */
extern PgqTrigger *pgq_get_trigger(TriggerData *data);

/* trigger_args.c */
extern void pgq_parse_arguments(PgqTrigger *info, Trigger *trigger, char **ignore, char **pkey);
extern List *pgq_split_names(const char *list);

/* trigger_expr.c */
extern void pgq_parse_expr(PgqTrigger *info, PgqExpr *expr);
extern bool pgq_when_is_true(PgqChange *change);
extern text *pgq_field_value(PgqChange *change, PgqField field);

/* trigger.c */
extern Datum pgq_fire(FunctionCallInfo fcinfo, const PgqFormat *format);
extern bool pgq_is_data_now(const PgqChange *change, const PgqColumn *column);
extern char *pgq_output(PgqColumn *column, Datum value);
extern void pgq_begin_text(StringInfo out);
extern text *pgq_end_text(StringInfo out);

#endif
