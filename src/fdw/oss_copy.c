/*
 * oss_copy.c
 *		Options that COPY has the words of are judged by COPY itself, so that what is
 *		wrong for COPY is wrong here, with the same message.
 */
#include "postgres.h"

#include "commands/copy.h"
#include "nodes/makefuncs.h"

#include "compat.h"
#include "mc_private.h"
#include "oss_table.h"

static const struct
{
	const char *name;
	bool		always;			/* means the same whatever the format; false: only checked with it */
	bool		csv;			/* the text format has no such thing */
}			words[] = {
	{"encoding", true, false},
	{"header", true, false},
	{"delimiter", false, false},
	{"null", false, false},
	{"quote", false, true},
	{"escape", false, true}
};

static List *
add_word(List *options, const char *name, const char *value)
{
	/* 'match' is new in 15 and known to us in any version */
	if (strcmp(name, "header") == 0 && pg_strcasecmp(value, "match") == 0)
		value = "true";
	return lappend(options, makeDefElem(pstrdup(name), (Node *) makeString(pstrdup(value)), -1));
}

static void
judge(const char *format, List *options)
{
	options = lappend(options, makeDefElem("format", (Node *) makeString(pstrdup(format)), -1));
	ProcessCopyOptions(NULL, NULL, true, options);
}

void
mcOssCheckWords(List *given)
{
	const char *format = mcOptionText(given, "format");
	bool		delimited = format != NULL && (pg_strcasecmp(format, "csv") == 0 || pg_strcasecmp(format, "text") == 0);
	List	   *options = NIL;

	for (int i = 0; i < lengthof(words); i++)
	{
		const char *value = mcOptionText(given, words[i].name);

		if (value != NULL && (delimited || words[i].always))
			options = add_word(options, words[i].name, value);
	}
	judge(delimited && pg_strcasecmp(format, "text") == 0 ? "text" : "csv", options);
}

/* names of the columns with a force_ option, as COPY has them */
static List *
add_forced(List *options, const McOssTable *table, const char *name, size_t offset)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, table->columns)
	{
		McOssColumn *column = lfirst(lc);

		if (*(bool *) ((char *) column + offset))
			names = lappend(names, makeString(column->attname));
	}
	return names == NIL ? options : lappend(options, makeDefElem(pstrdup(name), (Node *) names, -1));
}

void
mcOssCheckAsCopy(const McOssTable *table, const McServer *server)
{
	bool		csv = table->format == &mcw_format_csv;
	List	   *options = NIL;
	const char *value;

	if (!csv && table->format != &mcw_format_text)
		return;
	for (int i = 0; i < lengthof(words); i++)
	{
		/* what the server says may be meant for its other tables */
		value = words[i].csv && !csv ? mcOptionText(server->table_options, words[i].name) :
			mcServerOption(server, words[i].name);
		if (value != NULL)
			options = add_word(options, words[i].name, value);
	}
	options = add_forced(options, table, "force_null", offsetof(McOssColumn, force_null));
	options = add_forced(options, table, "force_not_null", offsetof(McOssColumn, force_not_null));
	judge(table->format->name, options);
	options = add_forced(NIL, table, "force_quote", offsetof(McOssColumn, force_quote));
	if (options != NIL)
	{
		options = lappend(options, makeDefElem("format", (Node *) makeString(pstrdup(table->format->name)), -1));
		ProcessCopyOptions(NULL, NULL, false, options);
	}
}
