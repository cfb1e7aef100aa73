/*
 * SPDX-License-Identifier: ISC
 *
 * trigger_args.c
 *	  Arguments of the triggers: the queue, then options in any order.
 */
#include "trigger.h"

#include "nodes/pg_list.h"
#include "utils/builtins.h"

/* Options of the form name=EXPR, by field. */
static const char *const field_options[PGQ_NFIELDS] = {
	"ev_type", "ev_data", "ev_extra1", "ev_extra2", "ev_extra3", "ev_extra4"
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* If the argument is name=value, gives the value. */
static const char *
option_value(const char *arg, const char *name)
{
	size_t		len = strlen(name);

	return strncmp(arg, name, len) == 0 && arg[len] == '=' ? arg + len + 1 : NULL;
}

/* Cut a list of names at its commas; blanks around names do not count, nor do empty names. */
List *
pgq_split_names(const char *list)
{
	List	   *names = NIL;
	const char *end = list + strlen(list);

	while (list < end)
	{
		const char *comma = strchr(list, ',');
		const char *stop = comma ? comma : end;
		const char *next = comma ? comma + 1 : end;

		while (list < stop && is_blank(*list))
			list++;
		while (stop > list && is_blank(stop[-1]))
			stop--;
		if (stop > list)
			names = lappend(names, pnstrdup(list, stop - list));
		list = next;
	}
	return names;
}

static bool
parse_field_option(PgqTrigger *info, const char *arg)
{
	const char *value;

	for (int i = 0; i < PGQ_NFIELDS; i++)
	{
		value = option_value(arg, field_options[i]);
		if (value != NULL)
		{
			info->fields[i].source = pstrdup(value);
			info->has_fields = true;
			return true;
		}
	}
	value = option_value(arg, "when");
	if (value != NULL)
		info->when.source = pstrdup(value);
	return value != NULL;
}

static void
parse_option(PgqTrigger *info, const char *arg, PgqColumnLists *lists)
{
	const char *value;

	if (strcmp(arg, "SKIP") == 0)
		info->skip = true;
	else if (strcmp(arg, "backup") == 0)
		info->backup = true;
	else if (strcmp(arg, "deny") == 0)
		info->deny = true;
	else if (strcmp(arg, "pkey_update") == 0)
		info->splits_keys = true;
	else if ((value = option_value(arg, "ignore")) != NULL)
		lists->ignore = pstrdup(value);
	else if ((value = option_value(arg, "pkey")) != NULL)
		lists->pkey = pstrdup(value);
	else if (!parse_field_option(info, arg))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("bad param to pgq trigger: \"%s\"", arg),
				 errhint("Options: SKIP, backup, deny, pkey_update, ignore=, pkey=, when=, ev_type=, ev_data=, "
						 "ev_extra1= to ev_extra4=.")));
}

static void
parse_kinds(PgqTrigger *info, const char *kinds, PgqColumnLists *lists)
{
	lists->kinds = pstrdup(kinds);
	if (strspn(kinds, "kvi") != strlen(kinds))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("bad kinds of columns for logtriga: \"%s\"", kinds),
				 errhint("One letter for each column: k key, v value, i ignore.")));
	info->has_ignore = true;
}

static void
set_queue(PgqTrigger *info, const char *name)
{
	info->queue = pstrdup(name);
	info->queue_name = cstring_to_text(name);
}

static void
check_count(Trigger *trigger, int least, int most)
{
	if (trigger->tgnargs < least || trigger->tgnargs > most)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 least == most ?
				 errmsg("trigger \"%s\": logtriga must be used with %d arguments", trigger->tgname, least) :
				 errmsg("trigger \"%s\": logtriga must be used with %d or %d arguments", trigger->tgname, least, most)));
}

/* Fill in what the arguments say, but for what they say of columns: that is left in lists. */
void
pgq_parse_arguments(PgqTrigger *info, Trigger *trigger, PgqArguments arguments, PgqColumnLists *lists)
{
	char	  **args = trigger->tgargs;

	memset(lists, 0, sizeof(*lists));
	switch (arguments)
	{
		case PGQ_ARGS_OPTIONS:
			if (trigger->tgnargs < 1)
				ereport(ERROR,
						(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						 errmsg("pgq trigger \"%s\" needs the name of a queue as its first argument",
								trigger->tgname)));
			set_queue(info, args[0]);
			for (int i = 1; i < trigger->tgnargs; i++)
				parse_option(info, args[i], lists);
			info->has_ignore = lists->ignore != NULL;
			info->has_pkey = lists->pkey != NULL;
			break;
		case PGQ_ARGS_KINDS:
			check_count(trigger, 2, 3);
			set_queue(info, args[0]);
			parse_kinds(info, args[1], lists);
			break;
		case PGQ_ARGS_KINDS_QUERY:
			check_count(trigger, 2, 2);
			parse_kinds(info, args[0], lists);
			info->query = pstrdup(args[1]);
			break;
	}
}
