/*
 * SPDX-License-Identifier: ISC
 *
 * trigger.h
 *	  From a changed row to an event: what the triggers share.
 *
 *	  trigger_args.c and trigger_info.c read the trigger's arguments and the table, once. trigger.c decides whether
 *	  a change makes an event, and fills its fields; trigger_stmt.c does so for all changes of a statement. How key
 *	  and row are written is a PgqFormat: one per trigger function. trigger_value.c gives the text of values.
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

/* How to get the text of a value. */
typedef enum PgqOutput
{
	PGQ_OUT_CALL,				/* by the type's output function */
	PGQ_OUT_TEXT,				/* the value is the text */
	PGQ_OUT_INT2,
	PGQ_OUT_INT4,
	PGQ_OUT_INT8
} PgqOutput;

/* A column of the table. Those that are dropped, or whose values are nowhere stored, are not there at all. */
typedef struct PgqColumn
{
	AttrNumber	attnum;
	char	   *name;
	char	   *url_name;		/* as the formats write it */
	char	   *json_name;
	char	   *sql_name;
	Oid			type;
	Oid			collation;
	bool		by_value;
	int16		length;
	bool		is_data;		/* goes into the event */
	bool		is_ignored;		/* by ignore= */
	bool		is_key;
	bool		is_generated;	/* not computed yet in a BEFORE trigger */
	bool		is_identity;	/* always: takes values only OVERRIDING SYSTEM VALUE */
	int			magic;			/* PgqField that its value replaces, or -1 */
	PgqOutput	how;
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
	bool		splits_keys;	/* an UPDATE that changes the key is told as DELETE and INSERT */
	bool		has_ignore;
	bool		has_pkey;
	bool		has_fields;		/* expressions for fields */
	char	   *query;			/* of logtriga(kinds, query), instead of a queue */
	SPIPlanPtr	query_plan;
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

/* Where the texts of a change are made. Used again for each change of a statement. */
typedef struct PgqTexts
{
	StringInfoData type;
	StringInfoData data;
	StringInfoData backup;
	StringInfoData value;		/* for pgq_value_text */
} PgqTexts;

/* A row that was changed, or the statement was a TRUNCATE. */
typedef struct PgqChange
{
	PgqTrigger *trigger;
	PgqOperation op;
	bool		is_before;		/* the row is yet to be stored */
	Datum	   *values;			/* by attnum - 1: new row, or old one of a DELETE */
	bool	   *nulls;
	Datum	   *old_values;		/* of an UPDATE */
	bool	   *old_nulls;
	PgqTexts   *texts;
} PgqChange;

/* What the arguments of a trigger function are. */
typedef enum PgqArguments
{
	PGQ_ARGS_OPTIONS,			/* queue, then options */
	PGQ_ARGS_KINDS,				/* queue, a letter per column, anything */
	PGQ_ARGS_KINDS_QUERY		/* a letter per column, a query to run */
} PgqArguments;

typedef struct PgqFormat
{
	PgqArguments arguments;
	/* all append to the text */
	void		(*put_type) (StringInfo out, PgqChange *change);
	void		(*put_data) (StringInfo out, PgqChange *change);
	void		(*put_row) (StringInfo out, PgqChange *change, Datum *values, bool *nulls);	/* for backup */
} PgqFormat;

/* trigger_info.c */
extern PgqTrigger *pgq_get_trigger(TriggerData *data, PgqArguments arguments);

/* trigger_args.c */
typedef struct PgqColumnLists
{
	char	   *ignore;			/* NULL: not given */
	char	   *pkey;
	char	   *kinds;			/* instead of both */
} PgqColumnLists;

extern void pgq_parse_arguments(PgqTrigger *info, Trigger *trigger, PgqArguments arguments, PgqColumnLists *lists);
extern List *pgq_split_names(const char *list);

/* trigger_expr.c */
extern void pgq_parse_expr(PgqTrigger *info, PgqExpr *expr);
extern SPIPlanPtr pgq_keep_plan(PgqTrigger *info, const char *query, int nparams, Oid *types);
extern bool pgq_when_is_true(PgqChange *change);
extern text *pgq_field_value(PgqChange *change, PgqField field);

/* trigger_value.c */
extern void pgq_set_output(PgqTrigger *info, PgqColumn *column);
extern const char *pgq_value_text(PgqChange *change, PgqColumn *column, Datum value, int *len);
extern bool pgq_has_changed(PgqChange *change, PgqColumn *column);
extern bool pgq_key_has_changed(PgqChange *change, PgqColumn *column);
extern bool pgq_is_data_now(const PgqChange *change, const PgqColumn *column);

/* trigger.c */
extern Datum pgq_fire(FunctionCallInfo fcinfo, const PgqFormat *format);
extern void pgq_protocol_error(const char *text, const char *hint);
extern void pgq_check_options(const TriggerData *data, PgqTrigger *info, PgqOperation op);
extern bool pgq_makes_event(PgqChange *change);
extern bool pgq_splits(PgqChange *change);
extern void pgq_init_texts(PgqTexts *texts);
extern void pgq_fill_fields(PgqChange *change, const PgqFormat *format, text **fields);

/* trigger_stmt.c */
extern void pgq_fire_statement(TriggerData *data, PgqTrigger *info, PgqOperation op, const PgqFormat *format);

/* logutriga.c */
extern char *pgq_url_name(const char *name);
extern void pgq_put_urlencoded(StringInfo out, PgqChange *change, Datum *values, bool *nulls);

/* logtriga.c */
extern void pgq_run_query(PgqTrigger *info, text *const *fields);

/* jsontriga.c */
extern char *pgq_json_name(const char *name);

/* sqltriga.c */
extern void pgq_put_sql_type(StringInfo out, PgqChange *change);
extern void pgq_put_sql_data(StringInfo out, PgqChange *change);

#endif
