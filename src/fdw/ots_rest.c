/*
 * ots_rest.c
 *		field '*': the members of a jsonb object as attribute columns.
 *
 * A number is INTEGER if it is integral and fits, else DOUBLE if that shows the same
 * digits again; a string is STRING, also if it looks like the hexadecimal form in
 * which BINARY is read.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "ots_write.h"

static char *
wire_text(const JsonbValue *v, mcw_view *out)
{
	char	   *text = pnstrdup(v->val.string.val, v->val.string.len);
	char	   *wire = pg_server_to_any(text, v->val.string.len, PG_UTF8);

	*out = (mcw_view) {wire, wire == text ? v->val.string.len : strlen(wire)};
	return text;
}

/* Why a member cannot be a column of that name, or NULL */
static const char *
bad_name(const McOtsSink *sink, mcw_view name, const char *shown)
{
	ListCell   *lc;

	if (name.len == 0)
		return "an attribute column cannot have the empty name";
	if (name.len > MCW_OTS_MAX_NAME)
		return psprintf("the name \"%.40s...\" is longer than %d bytes", shown, MCW_OTS_MAX_NAME);
	foreach(lc, sink->columns)
	{
		const McOtsColumn *column = lfirst(lc);

		if ((column->kind == MC_OTS_KEY || column->kind == MC_OTS_CELL) && mcw_view_eq(name, mcw_str(column->wire)))
			return psprintf("member \"%s\" has a column of its own, \"%s\"", shown, column->attname);
	}
	if (sink->guarded && mcw_view_eq(name, sink->guard.name))
		return psprintf("member \"%s\" is the guard of the row", shown);
	return NULL;
}

static bool
put_number(Numeric number, mcw_ots_value *value)
{
	bool		overflow = false;
	char	   *text;
	char		again[DOUBLE_SHORTEST_DECIMAL_LEN];
	double		d;

	if (numeric_is_nan(number) || numeric_is_inf(number))
		return false;
	text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
	if (strspn(text, "-0123456789") == strlen(text))
	{
		int64		i;

		errno = 0;
		i = strtoll(text, NULL, 10);
		if (errno == 0)
		{
			*value = mcw_ots_int(i);
			return true;
		}
	}
	errno = 0;
	d = strtod(text, NULL);
	if (isinf(d) || (errno == ERANGE && d == 0))
		overflow = true;
	if (overflow)
		return false;
	double_to_shortest_decimal_buf(d, again);
	if (!DatumGetBool(DirectFunctionCall2(numeric_eq, NumericGetDatum(number),
										  DirectFunctionCall3(numeric_in, CStringGetDatum(again),
															  ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)))))
		return false;
	value->type = MCW_OTS_DOUBLE;
	value->d = d;
	return true;
}

/* Reason, or NULL with the value; type NONE for null */
static const char *
member_value(const JsonbValue *v, const char *shown, mcw_ots_value *value)
{
	switch (v->type)
	{
		case jbvNull:
			*value = mcw_ots_none(MCW_OTS_NONE);
			return NULL;
		case jbvBool:
			value->type = MCW_OTS_BOOLEAN;
			value->b = v->val.boolean;
			return NULL;
		case jbvNumeric:
			if (put_number(v->val.numeric, value))
				return NULL;
			return psprintf("the number of member \"%s\" can be stored neither as INTEGER nor exactly as DOUBLE", shown);
		case jbvString:
			value->type = MCW_OTS_STRING;
			(void) wire_text(v, &value->s);
			if (value->s.len > MCW_OTS_MAX_VALUE_BYTES)
				return psprintf("member \"%s\" has %zu bytes, more than the %d of an attribute column", shown,
								value->s.len, MCW_OTS_MAX_VALUE_BYTES);
			return NULL;
		default:
			return psprintf("member \"%s\" is an array or object; an attribute column holds one value", shown);
	}
}

static void
delete_column(McOtsRest *rest, const mcw_ots_name *name)
{
	mcw_ots_put_cell(rest->w, name, NULL, MCW_OTS_DELETE_ALL, MCW_OTS_NO_TIMESTAMP);
	rest->ncells++;
}

/* The same value of the same remote type?  2 and 2.0 are not. */
static bool
same_member(const JsonbValue *a, const JsonbValue *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type)
	{
		case jbvNull:
			return true;
		case jbvBool:
			return a->val.boolean == b->val.boolean;
		case jbvString:
			return a->val.string.len == b->val.string.len &&
				memcmp(a->val.string.val, b->val.string.val, a->val.string.len) == 0;
		case jbvNumeric:
			return strcmp(DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(a->val.numeric))),
						  DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(b->val.numeric)))) == 0;
		default:
			return false;
	}
}

/* A member that an UPDATE leaves as it was is not written: its cell may be BINARY, and keeps its version */
static bool
is_unchanged(const Jsonb *old, JsonbValue *key, const JsonbValue *v)
{
	JsonbValue *before = old && JB_ROOT_IS_OBJECT(old) ?
		findJsonbValueFromContainer((JsonbContainer *) &old->root, JB_FOBJECT, key) : NULL;

	return before && same_member(before, v);
}

const char *
mcOtsPutRest(McOtsRest *rest, Datum datum)
{
	Jsonb	   *jb = DatumGetJsonbP(datum);
	Jsonb	   *old = rest->has_old ? DatumGetJsonbP(rest->old) : NULL;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	key;
	JsonbValue	v;

	if (!JB_ROOT_IS_OBJECT(jb))
		return "the value of field '*' is not a JSON object";
	it = JsonbIteratorInit(&jb->root);
	while ((token = JsonbIteratorNext(&it, &key, true)) != WJB_DONE)
	{
		mcw_view	wire;
		mcw_ots_value value;
		mcw_ots_name name;
		const char *reason;
		char	   *shown;

		if (token != WJB_KEY)
			continue;
		shown = wire_text(&key, &wire);
		(void) JsonbIteratorNext(&it, &v, true);
		if (is_unchanged(old, &key, &v))
			continue;
		reason = bad_name(rest->sink, wire, shown);
		if (!reason)
			reason = member_value(&v, shown, &value);
		if (reason)
			return reason;
		name = mcw_ots_make_name(wire);
		if (value.type != MCW_OTS_NONE)
		{
			mcw_ots_put_cell(rest->w, &name, &value, MCW_OTS_PUT, rest->timestamp);
			rest->ncells++;
		}
		else if (rest->deletes)
			delete_column(rest, &name);
	}
	return NULL;
}

void
mcOtsDropRest(McOtsRest *rest, Datum now, bool now_null)
{
	Jsonb	   *before = DatumGetJsonbP(rest->old);
	Jsonb	   *after = now_null ? NULL : DatumGetJsonbP(now);
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	key;
	JsonbValue	v;

	if (!JB_ROOT_IS_OBJECT(before))
		return;
	it = JsonbIteratorInit(&before->root);
	while ((token = JsonbIteratorNext(&it, &key, true)) != WJB_DONE)
	{
		mcw_view	wire;
		mcw_ots_name name;

		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&it, &v, true);
		if (after && JB_ROOT_IS_OBJECT(after) && findJsonbValueFromContainer(&after->root, JB_FOBJECT, &key))
			continue;
		(void) wire_text(&key, &wire);
		name = mcw_ots_make_name(wire);
		delete_column(rest, &name);
	}
}
