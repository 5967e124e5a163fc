/*
 * ots_json.c
 *		Cells and names as members of a jsonb object, for columns bound to '*'.
 */
#include "postgres.h"

#include <ctype.h>
#include <math.h>

#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "convert_ots.h"

bool
mcOtsJsonString(mcw_view v, bool swallow, JsonbValue *out, McOtsBad *bad)
{
	McTextError error;

	out->type = jbvString;
	out->val.string.val = unconstify(char *, v.data);
	out->val.string.len = v.len;
	if (mcTextIsServer(v))
		return true;
	out->val.string.val = mcTextToServer(v, swallow, &error);
	if (out->val.string.val == NULL)
	{
		bad->sqlstate = error.sqlstate;
		bad->reason = error.reason;
		return false;
	}
	out->val.string.len = strlen(out->val.string.val);
	return true;
}

/* A DOUBLE keeps a digit behind the point, which tells it from an INTEGER */
static bool
json_double(double d, JsonbValue *out, McOtsBad *bad)
{
	char		text[32];
	Datum		number;

	(void) mcOtsDoubleText(d, text);
	if (!isdigit((unsigned char) text[text[0] == '-']))
	{
		bad->sqlstate = ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE;
		bad->reason = psprintf("%s cannot be shown in jsonb", text);
		return false;
	}
	number = DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	if (d == rint(d))
		number = DirectFunctionCall2(numeric_round, number, Int32GetDatum(1));
	out->type = jbvNumeric;
	out->val.numeric = DatumGetNumeric(number);
	return true;
}

bool
mcOtsJsonValue(const mcw_ots_value *value, bool swallow, JsonbValue *out, McOtsBad *bad)
{
	switch (value->type)
	{
		case MCW_OTS_INTEGER:
			out->type = jbvNumeric;
			out->val.numeric = DatumGetNumeric(DirectFunctionCall1(int8_numeric, Int64GetDatum(value->i)));
			return true;
		case MCW_OTS_DOUBLE:
			return json_double(value->d, out, bad);
		case MCW_OTS_BOOLEAN:
			out->type = jbvBool;
			out->val.boolean = value->b;
			return true;
		case MCW_OTS_BINARY:
			return mcOtsJsonString(mcOtsValueText(value), swallow, out, bad);
		default:
			return mcOtsJsonString(value->s, swallow, out, bad);
	}
}
