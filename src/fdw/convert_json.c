/*
 * convert_json.c
 *		JSON arrays and objects as arrays and composite values.
 *
 * json_populate_record is what PostgreSQL has for this in every version; what it calls
 * for one member is not exported before 17.  So a value is the one member of an object,
 * and a row type with one column is what it becomes.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "convert_json.h"

struct McJsonColumn
{
	McTextColumn text;			/* first: actions are given this */
	TupleDesc	desc;			/* of the one column */
	Datum		base;			/* a row of it, NULL */
	FmgrInfo	populate;
};

bool
mcJsonHasParts(Oid type)
{
	Oid			base = getBaseType(type);

	return OidIsValid(get_element_type(base)) || get_typtype(base) == TYPTYPE_COMPOSITE;
}

McJsonColumn *
mcJsonColumn(const McTextColumn *text)
{
	McJsonColumn *column = palloc0(sizeof(McJsonColumn));
	Datum		value = (Datum) 0;
	bool		isnull = true;
	Node	   *record;

	column->text = *text;
	column->desc = CreateTemplateTupleDesc(1);
	TupleDescInitEntry(column->desc, 1, "v", text->type, text->typmod, 0);
	column->desc = BlessTupleDesc(column->desc);
	column->base = HeapTupleGetDatum(heap_form_tuple(column->desc, &value, &isnull));
	fmgr_info(F_JSON_POPULATE_RECORD, &column->populate);
	/* a record: the function takes the type from the row itself */
	record = (Node *) makeNullConst(RECORDOID, -1, InvalidOid);
	fmgr_info_set_expr((Node *) makeFuncExpr(F_JSON_POPULATE_RECORD, RECORDOID, list_make1(record),
											 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL), &column->populate);
	return column;
}

static Datum
populate(McTextColumn *text, char *json)
{
	McJsonColumn *column = (McJsonColumn *) text;
	Datum		row;
	HeapTupleData tuple;
	Datum		value;
	bool		isnull;

	session_timezone = text->zone;
	row = FunctionCall2(&column->populate, column->base, PointerGetDatum(cstring_to_text(json)));
	tuple.t_data = DatumGetHeapTupleHeader(row);
	tuple.t_len = HeapTupleHeaderGetDatumLength(tuple.t_data);
	value = heap_getattr(&tuple, 1, column->desc, &isnull);
	Assert(!isnull);
	return value;
}

McTextVerdict
mcJsonConvert(McJsonColumn *column, mcw_view json, bool swallow, Datum *datum, McTextError *error)
{
	char	   *value = mcTextToServer(json, swallow, error);

	if (value == NULL)
		return MC_TEXT_BAD;
	/* types of elements and members may be anybody's */
	if (!mcTextTry(populate, &column->text, psprintf("{\"v\":%s}", value), swallow, datum, error))
		return MC_TEXT_BAD;
	return MC_TEXT_OK;
}
