/*
 * SPDX-License-Identifier: ISC
 *
 * trigger_expr.c
 *	  SQL expressions in arguments of triggers: when=EXPR and those for fields.
 *
 *	  Bare words that are names of columns become parameters. Words that are quoted, part of a dotted name, a
 *	  function, a type after :: or the prefix of a string are left alone. The plan is kept with the trigger.
 */
#include "trigger.h"

#include "catalog/pg_type.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

typedef struct Lexer
{
	const char *next;			/* to be read */
	bool		after_dot;
	bool		after_cast;
} Lexer;

static bool
is_word_start(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static bool
is_word(unsigned char c)
{
	return is_word_start(c) || (c >= '0' && c <= '9') || c == '$';
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

/* End of a string or quoted name that starts at s. Where it is not closed, the end of the text. */
static const char *
skip_quoted(const char *s, bool with_escapes)
{
	char		quote = *s++;

	while (*s)
	{
		if (with_escapes && *s == '\\' && s[1])
			s++;
		else if (*s == quote && s[1] == quote)
			s++;
		else if (*s == quote)
			return s + 1;
		s++;
	}
	return s;
}

static const char *
skip_comment(const char *s)
{
	int			depth = 0;

	if (*s == '-')
		return s + strcspn(s, "\n");
	do
	{
		if (s[0] == '/' && s[1] == '*')
			depth++, s += 2;
		else if (s[0] == '*' && s[1] == '/')
			depth--, s += 2;
		else
			s++;
	} while (*s && depth > 0);
	return s;
}

/* $tag$ ... $tag$, else just the dollar sign. */
static const char *
skip_dollar(const char *s)
{
	const char *tag_end = s + 1;
	const char *close;
	char	   *tag;

	if (!(*tag_end >= '0' && *tag_end <= '9'))
		while (*tag_end != '$' && is_word(*tag_end))
			tag_end++;
	if (*tag_end != '$')
		return s + 1;
	tag = pnstrdup(s, tag_end + 1 - s);
	close = strstr(tag_end + 1, tag);
	s = close ? close + strlen(tag) : tag_end + strlen(tag_end);
	pfree(tag);
	return s;
}

static const char *
skip_word(const char *s)
{
	while (is_word(*s))
		s++;
	return s;
}

/* Is this word the prefix of a string, as in E'...' or U&"..."? */
static bool
is_prefix(const char *word_end)
{
	if (*word_end == '&')
		word_end++;
	return *word_end == '\'' || *word_end == '"';
}

/* Could the word stand for a value, going by what comes next? */
static bool
stands_alone(const char *word_end)
{
	while (is_space(*word_end))
		word_end++;
	return *word_end != '.' && *word_end != '(';
}

static int
find_column(PgqTrigger *info, const char *word, size_t len)
{
	for (int i = 0; i < info->ncolumns; i++)
		if (strlen(info->columns[i].name) == len && memcmp(info->columns[i].name, word, len) == 0)
			return i;
	return -1;
}

/* The number of the parameter that stands for this column. */
static int
parameter_for(PgqExpr *expr, int column)
{
	for (int i = 0; i < expr->nparams; i++)
		if (expr->params[i] == column)
			return i + 1;
	expr->params[expr->nparams++] = column;
	return expr->nparams;
}

static void
put_word(StringInfo query, PgqTrigger *info, PgqExpr *expr, const Lexer *lexer, const char *word_end)
{
	const char *word = lexer->next;
	int			column = -1;

	if (!lexer->after_dot && !lexer->after_cast && !is_prefix(word_end) && stands_alone(word_end))
		column = find_column(info, word, word_end - word);
	if (column >= 0)
		appendStringInfo(query, "$%d", parameter_for(expr, column));
	else
		appendBinaryStringInfo(query, word, word_end - word);
}

/* End of the token at s; words are not for this. */
static const char *
skip_token(const char *s, bool after_escape_prefix)
{
	if (*s == '\'')
		return skip_quoted(s, after_escape_prefix || !standard_conforming_strings);
	if (*s == '"')
		return skip_quoted(s, false);
	if ((s[0] == '-' && s[1] == '-') || (s[0] == '/' && s[1] == '*'))
		return skip_comment(s);
	if (*s == '$')
		return skip_dollar(s);
	if (*s >= '0' && *s <= '9')
		return skip_word(s);
	if (s[0] == ':' && s[1] == ':')
		return s + 2;
	return s + 1;
}

/* Make the query of an expression. It is parsed by the server when it is first run. */
void
pgq_parse_expr(PgqTrigger *info, PgqExpr *expr)
{
	StringInfoData query;
	Lexer		lexer = {0};
	bool		escape_prefix = false;

	if (expr->source == NULL)
		return;
	expr->params = palloc(sizeof(int) * Max(info->ncolumns, 1));
	initStringInfo(&query);
	appendStringInfoString(&query, "select ");
	lexer.next = expr->source;
	while (*lexer.next)
	{
		const char *start = lexer.next;
		const char *end;

		if (is_word_start(*start))
		{
			end = skip_word(start);
			put_word(&query, info, expr, &lexer, end);
			escape_prefix = end == start + 1 && (*start == 'E' || *start == 'e');
		}
		else
		{
			end = skip_token(start, escape_prefix);
			appendBinaryStringInfo(&query, start, end - start);
			escape_prefix = false;
		}
		if (!is_space(*start))
		{
			lexer.after_dot = *start == '.';
			lexer.after_cast = start[0] == ':' && start[1] == ':';
		}
		lexer.next = end;
	}
	expr->query = query.data;
}

static void
free_plan(void *arg)
{
	SPI_freeplan((SPIPlanPtr) arg);
}

/* Prepare a query, for as long as the trigger is known; the caller has connected. */
SPIPlanPtr
pgq_keep_plan(PgqTrigger *info, const char *query, int nparams, Oid *types)
{
	MemoryContextCallback *callback;
	SPIPlanPtr	plan = SPI_prepare(query, nparams, types);

	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", query, SPI_result_code_string(SPI_result));
	callback = MemoryContextAlloc(info->context, sizeof(*callback));
	SPI_keepplan(plan);
	callback->func = free_plan;
	callback->arg = plan;
	MemoryContextRegisterResetCallback(info->context, callback);
	return plan;
}

static void
prepare_expr(PgqTrigger *info, PgqExpr *expr)
{
	Oid		   *types = palloc(sizeof(Oid) * Max(expr->nparams, 1));

	for (int i = 0; i < expr->nparams; i++)
		types[i] = info->columns[expr->params[i]].type;
	expr->plan = pgq_keep_plan(info, expr->query, expr->nparams, types);
}

/* Leaves the one value that the expression yields in SPI_tuptable; the caller has connected. */
static void
run_expr(PgqChange *change, PgqExpr *expr)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(expr->nparams, 1));
	char	   *nulls = palloc(Max(expr->nparams, 1));

	if (expr->plan == NULL)
		prepare_expr(change->trigger, expr);
	for (int i = 0; i < expr->nparams; i++)
	{
		int			attno = change->trigger->columns[expr->params[i]].attnum - 1;

		values[i] = change->values[attno];
		nulls[i] = change->nulls[attno] ? 'n' : ' ';
	}
	if (SPI_execute_plan(expr->plan, values, nulls, true, 2) != SPI_OK_SELECT ||
		SPI_processed != 1 || SPI_tuptable->tupdesc->natts != 1)
		ereport(ERROR,
				(errcode(ERRCODE_CARDINALITY_VIOLATION),
				 errmsg("expression of pgq trigger must yield one value: \"%s\"", expr->source)));
}

bool
pgq_when_is_true(PgqChange *change)
{
	PgqExpr    *expr = &change->trigger->when;
	Datum		value;
	bool		isnull;

	if (expr->source == NULL)
		return true;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	run_expr(change, expr);
	if (SPI_gettypeid(SPI_tuptable->tupdesc, 1) != BOOLOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("when= query result must be boolean, not %s: \"%s\"",
						format_type_be(SPI_gettypeid(SPI_tuptable->tupdesc, 1)), expr->source)));
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("when= should not be NULL"),
				 errdetail("Expression: %s", expr->source)));
	SPI_finish();
	return DatumGetBool(value);
}

/* The value of the expression for a field; the field has one. */
text *
pgq_field_value(PgqChange *change, PgqField field)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext spi_context;
	char	   *value;
	text	   *result = NULL;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	run_expr(change, &change->trigger->fields[field]);
	value = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (value != NULL)
	{
		spi_context = MemoryContextSwitchTo(context);
		result = cstring_to_text(value);
		MemoryContextSwitchTo(spi_context);
	}
	SPI_finish();
	return result;
}
