/*
 * verify.c
 *		mc.verify(): do two queries give the same rows?
 *
 * Each side is read once, through an aggregate: memory does not grow with the rows.
 * The checksum of a side is the sum of the hashes of its rows, so order does not
 * matter and repeated rows do.  A row is compared as the second query's types show it,
 * as if the first had been assigned to its columns: precision that the target does not
 * keep is no difference.  Only if the sums differ both are read again, grouped by the key
 * (the whole row without one), for examples; that grouping spills to disk.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "parser/parse_coerce.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/varlena.h"

#include "../fdw/compat.h"
#include "tools.h"

#define MAX_EXAMPLES 10000

enum
{
	COLUMN_WHAT, COLUMN_KEY, COLUMN_SOURCE_ROWS, COLUMN_TARGET_ROWS, COLUMN_SOURCE_SUM, COLUMN_TARGET_SUM,
	COLUMN_EQUAL, COLUMN_SOURCE_ROW, COLUMN_TARGET_ROW, NCOLUMNS
};

PG_FUNCTION_INFO_V1(mc_verify);

typedef struct Verify
{
	char	   *source;
	char	   *target;
	TupleDesc	desc;			/* of the target */
	int			ncolumns;
	char	  **keys;
	int			nkeys;
} Verify;

/* A query, or the name of a relation */
static char *
as_query(const char *text)
{
	const char *p = text + strspn(text, " \t\r\n");
	size_t		len = strlen(p);
	List	   *names;

	while (len > 0 && strchr("; \t\r\n", p[len - 1]) != NULL)
		len--;
	if (len == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a query is empty")));
	if (pg_strncasecmp(p, "SELECT", 6) == 0 || pg_strncasecmp(p, "WITH", 4) == 0 || pg_strncasecmp(p, "VALUES", 6) == 0 ||
		pg_strncasecmp(p, "TABLE", 5) == 0 || *p == '(')
		return pnstrdup(p, len);
	if (!SplitIdentifierString(pnstrdup(p, len), '.', &names))
		ereport(ERROR, (errcode(ERRCODE_SYNTAX_ERROR), errmsg("\"%s\" is neither a query nor the name of a relation", pnstrdup(p, len)),
						errhint("A query begins with SELECT, WITH, VALUES or TABLE.")));
	return psprintf("SELECT * FROM %s",
					mcRelationText(DatumGetObjectId(DirectFunctionCall1(regclassin, CStringGetDatum(pnstrdup(p, len))))));
}

static TupleDesc
describe(const char *query, const char *which)
{
	SPIPlanPtr	plan = SPI_prepare(query, 0, NULL);
	CachedPlanSource *source;

	if (plan == NULL || list_length(SPI_plan_get_plan_sources(plan)) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the %s is not one query", which)));
	source = linitial(SPI_plan_get_plan_sources(plan));
	if (source->resultDesc == NULL || source->resultDesc->natts == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the %s returns no columns", which)));
	return CreateTupleDescCopy(source->resultDesc);
}

/* A column as it is compared: the target's type, in a form that equal values share */
static char *
canonical(const Verify *verify, int column)
{
	Form_pg_attribute attr = TupleDescAttr(verify->desc, column);
	char	   *type = format_type_with_typemod(attr->atttypid, attr->atttypmod);

	switch (getBaseType(attr->atttypid))
	{
		case NUMERICOID:
			return psprintf("trim_scale(c%d::%s)", column + 1, type);
		case TIMESTAMPTZOID:
			/* the same in every time zone */
			return psprintf("(c%d::%s AT TIME ZONE 'UTC')", column + 1, type);
		case JSONOID:
			return psprintf("c%d::%s::jsonb", column + 1, type);
		default:
			return psprintf("c%d::%s", column + 1, type);
	}
}

static void
append_alias(StringInfo sql, const Verify *verify)
{
	appendStringInfoString(sql, " q(");
	for (int i = 0; i < verify->ncolumns; i++)
		appendStringInfo(sql, "%sc%d", i > 0 ? ", " : "", i + 1);
	appendStringInfoChar(sql, ')');
}

/* SELECT key, row FROM (query) */
static void
append_side(StringInfo sql, const Verify *verify, bool is_source, bool with_key)
{
	appendStringInfoString(sql, "SELECT ");
	if (with_key)
	{
		appendStringInfo(sql, "%d AS side, ", is_source ? 1 : 2);
		if (verify->nkeys > 0)
		{
			appendStringInfoString(sql, "pg_catalog.jsonb_build_object(");
			for (int k = 0; k < verify->nkeys; k++)
			{
				int			column = SPI_fnumber(verify->desc, verify->keys[k]) - 1;

				appendStringInfo(sql, "%s%s, %s", k > 0 ? ", " : "", quote_literal_cstr(verify->keys[k]), canonical(verify, column));
			}
			appendStringInfoString(sql, ") AS key, ");
		}
		else
			appendStringInfoString(sql, "NULL::jsonb AS key, ");
	}
	appendStringInfoString(sql, "ROW(");
	for (int i = 0; i < verify->ncolumns; i++)
		appendStringInfo(sql, "%s%s", i > 0 ? ", " : "", canonical(verify, i));
	appendStringInfo(sql, ")::text AS r FROM (%s\n)", is_source ? verify->source : verify->target);
	append_alias(sql, verify);
}

static void
total(Verify *verify, bool is_source, int64 *rows, char **sum)
{
	StringInfoData sql;
	bool		isnull;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT count(*), COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(r COLLATE \"C\", 0)), 0)::text FROM (");
	append_side(&sql, verify, is_source, false);
	appendStringInfoString(&sql, ") s");
	if (SPI_execute(sql.data, false, 0) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "the aggregate of a side gave no row");
	*rows = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	*sum = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	SPI_freetuptable(SPI_tuptable);
}

static void
put_total(ReturnSetInfo *rsinfo, int64 source_rows, int64 target_rows, const char *source_sum, const char *target_sum, bool equal)
{
	Datum		values[NCOLUMNS] = {0};
	bool		nulls[NCOLUMNS];

	memset(nulls, false, sizeof(nulls));
	nulls[COLUMN_KEY] = nulls[COLUMN_SOURCE_ROW] = nulls[COLUMN_TARGET_ROW] = true;
	values[COLUMN_WHAT] = CStringGetTextDatum("total");
	values[COLUMN_SOURCE_ROWS] = Int64GetDatum(source_rows);
	values[COLUMN_TARGET_ROWS] = Int64GetDatum(target_rows);
	values[COLUMN_SOURCE_SUM] = CStringGetTextDatum(source_sum);
	values[COLUMN_TARGET_SUM] = CStringGetTextDatum(target_sum);
	values[COLUMN_EQUAL] = BoolGetDatum(equal);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* Examples: keys (or rows) that the sides have another number or other values of */
static void
put_differences(ReturnSetInfo *rsinfo, Verify *verify, int limit)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql,
						   "SELECT CASE WHEN count(*) FILTER (WHERE side = 2) = 0 THEN 'only in source'"
						   " WHEN count(*) FILTER (WHERE side = 1) = 0 THEN 'only in target' ELSE 'differs' END, key,"
						   " count(*) FILTER (WHERE side = 1), count(*) FILTER (WHERE side = 2),"
						   " COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(r COLLATE \"C\", 0)) FILTER (WHERE side = 1), 0)::text,"
						   " COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(r COLLATE \"C\", 0)) FILTER (WHERE side = 2), 0)::text, false,"
						   " pg_catalog.min(r COLLATE \"C\") FILTER (WHERE side = 1), pg_catalog.min(r COLLATE \"C\") FILTER (WHERE side = 2) FROM (");
	append_side(&sql, verify, true, true);
	appendStringInfoString(&sql, " UNION ALL ");
	append_side(&sql, verify, false, true);
	appendStringInfo(&sql, ") s GROUP BY key%s HAVING count(*) FILTER (WHERE side = 1) <> count(*) FILTER (WHERE side = 2)"
					 " OR pg_catalog.sum(pg_catalog.hashtextextended(r COLLATE \"C\", 0)) FILTER (WHERE side = 1) IS DISTINCT FROM"
					 " pg_catalog.sum(pg_catalog.hashtextextended(r COLLATE \"C\", 0)) FILTER (WHERE side = 2)"
					 " ORDER BY key, 8, 9 LIMIT %d", verify->nkeys > 0 ? "" : ", r COLLATE \"C\"", limit);
	if (SPI_execute(sql.data, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "the comparison gave no rows");
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		Datum		values[NCOLUMNS];
		bool		nulls[NCOLUMNS];

		for (int i = 0; i < NCOLUMNS; i++)
			values[i] = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, i + 1, &nulls[i]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
}

/* The row as text must not depend on the session */
static int
fix_settings(void)
{
	static const struct
	{
		const char *name;
		const char *value;
	}			settings[] = {
		{"datestyle", "ISO"}, {"intervalstyle", "postgres"}, {"extra_float_digits", "1"}, {"bytea_output", "hex"},
		{"xmloption", "content"}
	};
	int			nest = NewGUCNestLevel();

	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i].name, settings[i].value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	return nest;
}

static void
take_keys(Verify *verify, ArrayType *array)
{
	Datum	   *elements;
	bool	   *nulls;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &verify->nkeys);
	verify->keys = palloc(sizeof(char *) * (verify->nkeys + 1));
	for (int i = 0; i < verify->nkeys; i++)
	{
		verify->keys[i] = nulls[i] ? "" : TextDatumGetCString(elements[i]);
		if (SPI_fnumber(verify->desc, verify->keys[i]) <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("the target has no column \"%s\"", verify->keys[i]),
					 errhint("The key names columns of the second query.")));
	}
}

static void
check_columns(Verify *verify, TupleDesc source)
{
	if (source->natts != verify->ncolumns)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the source has %d columns, the target has %d", source->natts, verify->ncolumns),
				 errhint("Select the same columns in the same order on both sides.")));
	for (int i = 0; i < verify->ncolumns; i++)
	{
		Oid			from = TupleDescAttr(source, i)->atttypid;
		Oid			to = TupleDescAttr(verify->desc, i)->atttypid;
		Oid			function;

		if (from != UNKNOWNOID && find_coercion_pathway(getBaseType(to), getBaseType(from), COERCION_EXPLICIT, &function) == COERCION_PATH_NONE &&
			getBaseType(to) != getBaseType(from))
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column %d is of type %s in the source and of type %s in the target", i + 1,
							format_type_be(from), format_type_be(to)),
					 errhint("Cast it in one of the queries.")));
	}
}

Datum
mc_verify(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int32		limit = PG_GETARG_INT32(3);
	Verify		verify = {0};
	int64		source_rows;
	int64		target_rows;
	char	   *source_sum;
	char	   *target_sum;
	bool		equal;
	int			nest;

	mcInitMaterializedSRF(fcinfo);
	if (limit < 0 || limit > MAX_EXAMPLES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the number of examples must be between 0 and %d", MAX_EXAMPLES)));
	verify.source = as_query(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	verify.target = as_query(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	nest = fix_settings();
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	verify.desc = describe(verify.target, "target");
	verify.ncolumns = verify.desc->natts;
	check_columns(&verify, describe(verify.source, "source"));
	take_keys(&verify, PG_GETARG_ARRAYTYPE_P(2));

	total(&verify, true, &source_rows, &source_sum);
	total(&verify, false, &target_rows, &target_sum);
	equal = source_rows == target_rows && strcmp(source_sum, target_sum) == 0;
	put_total(rsinfo, source_rows, target_rows, source_sum, target_sum, equal);
	if (!equal && limit > 0)
		put_differences(rsinfo, &verify, limit);
	SPI_finish();
	AtEOXact_GUC(false, nest);
	return (Datum) 0;
}
