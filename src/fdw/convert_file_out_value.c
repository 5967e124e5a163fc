/*
 * convert_file_out_value.c
 *		A Datum as a value of a record: csv and text as the type's output function gives
 *		it, jsonl as to_json does.
 *
 * One function per column is chosen when the statement begins.  What the settings of
 * the session change in COPY's output they change here too (DateStyle, bytea_output,
 * extra_float_digits, IntervalStyle, ...).
 */
#include "postgres.h"

#include <ctype.h>
#include <float.h>
#include <math.h>

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/bytea.h"
#include "utils/float.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/uuid.h"

#include "convert_file_out.h"

static inline void
put_bare(McFileOut *file, const char *data, int len)
{
	file->w.format->bare(&file->w, data, (size_t) len);
}

static inline void
put_text(McFileOut *file, const char *data, size_t len)
{
	file->w.format->text(&file->w, data, len);
}

/* what is a string in JSON but needs no care elsewhere */
static inline void
put_word(McFileOut *file, const char *data, int len)
{
	if (file->json)
		put_text(file, data, (size_t) len);
	else
		put_bare(file, data, len);
}

static void
put_varlena(McFileOut *file, Datum value, bool raw)
{
	struct varlena *v = PG_DETOAST_DATUM_PACKED(value);

	(raw ? file->w.format->raw : file->w.format->text) (&file->w, VARDATA_ANY(v), VARSIZE_ANY_EXHDR(v));
}

/* ---- booleans and numbers ---- */

static void
put_bool(McFileOut *file, McFileColumn *column, Datum value)
{
	if (file->json)
		put_bare(file, DatumGetBool(value) ? "true" : "false", DatumGetBool(value) ? 4 : 5);
	else
		put_bare(file, DatumGetBool(value) ? "t" : "f", 1);
}

static void
put_int2(McFileOut *file, McFileColumn *column, Datum value)
{
	char		buf[16];

	put_bare(file, buf, pg_ltoa(DatumGetInt16(value), buf));
}

static void
put_int4(McFileOut *file, McFileColumn *column, Datum value)
{
	char		buf[16];

	put_bare(file, buf, pg_ltoa(DatumGetInt32(value), buf));
}

static void
put_int8(McFileOut *file, McFileColumn *column, Datum value)
{
	char		buf[32];

	put_bare(file, buf, pg_lltoa(DatumGetInt64(value), buf));
}

/* NaN and infinities are strings in JSON */
static void
put_float(McFileOut *file, bool finite, const char *data, int len)
{
	if (finite)
		put_bare(file, data, len);
	else
		put_word(file, data, len);
}

static void
put_float4(McFileOut *file, McFileColumn *column, Datum value)
{
	float4		f = DatumGetFloat4(value);
	char		buf[32];
	int			len = extra_float_digits > 0 ? float_to_shortest_decimal_bufn(f, buf) :
		pg_strfromd(buf, sizeof(buf), FLT_DIG + extra_float_digits, f);

	put_float(file, isfinite(f), buf, len);
}

static void
put_float8(McFileOut *file, McFileColumn *column, Datum value)
{
	float8		f = DatumGetFloat8(value);
	char		buf[32];
	int			len = extra_float_digits > 0 ? double_to_shortest_decimal_bufn(f, buf) :
		pg_strfromd(buf, sizeof(buf), DBL_DIG + extra_float_digits, f);

	put_float(file, isfinite(f), buf, len);
}

static void
put_numeric(McFileOut *file, McFileColumn *column, Datum value)
{
	struct varlena *packed = PG_DETOAST_DATUM_PACKED(value);
	char		buf[MC_FILE_TEXT];
	int			len = mcFileNumeric(packed, buf);
	char	   *text;

	if (likely(len > 0))
	{
		put_bare(file, buf, len);
		return;
	}
	text = DatumGetCString(DirectFunctionCall1(numeric_out, PointerGetDatum(packed)));
	len = (int) strlen(text);
	put_float(file, isdigit((unsigned char) text[len - 1]), text, len);
}

/* ---- texts and bytes ---- */

static void
put_string(McFileOut *file, McFileColumn *column, Datum value)
{
	put_varlena(file, value, false);
}

static void
put_json(McFileOut *file, McFileColumn *column, Datum value)
{
	put_varlena(file, value, true);
}

static void
put_jsonb(McFileOut *file, McFileColumn *column, Datum value)
{
	Jsonb	   *jb = DatumGetJsonbP(value);
	StringInfoData text;

	initStringInfo(&text);
	(void) JsonbToCString(&text, &jb->root, VARSIZE(jb));
	file->w.format->raw(&file->w, text.data, (size_t) text.len);
}

static void
put_name(McFileOut *file, McFileColumn *column, Datum value)
{
	const char *name = NameStr(*DatumGetName(value));

	put_text(file, name, strlen(name));
}

static void
put_by_function(McFileOut *file, McFileColumn *column, Datum value)
{
	const char *text = OutputFunctionCall(&column->function, value);

	put_text(file, text, strlen(text));
}

static void
put_bytea(McFileOut *file, McFileColumn *column, Datum value)
{
	char		buf[1024];
	struct varlena *v;
	size_t		len;
	char	   *text = buf;

	if (bytea_output != BYTEA_OUTPUT_HEX)
	{
		put_by_function(file, column, value);
		return;
	}
	v = PG_DETOAST_DATUM_PACKED(value);
	len = 2 * (size_t) VARSIZE_ANY_EXHDR(v) + 2;
	if (len > sizeof(buf))
		text = MemoryContextAllocHuge(CurrentMemoryContext, len);
	text[0] = '\\';
	text[1] = 'x';
	(void) hex_encode(VARDATA_ANY(v), VARSIZE_ANY_EXHDR(v), text + 2);
	put_text(file, text, len);
}

static void
put_uuid(McFileOut *file, McFileColumn *column, Datum value)
{
	char		buf[MC_FILE_TEXT];

	put_word(file, buf, mcFileUuid(DatumGetUUIDP(value)->data, buf));
}

/* ---- dates and times ---- */

static inline int
style_of(const McFileOut *file)
{
	return file->json ? USE_XSD_DATES : DateStyle;
}

/* other styles than ISO have slashes and names of zones */
static inline void
put_time_text(McFileOut *file, int style, const char *data, int len)
{
	if (style == USE_ISO_DATES)
		put_bare(file, data, len);
	else
		put_text(file, data, (size_t) len);
}

static void
put_date(McFileOut *file, McFileColumn *column, Datum value)
{
	int			style = style_of(file);
	char		buf[MC_FILE_TEXT];

	put_time_text(file, style, buf, mcFileDate(DatumGetDateADT(value), style, buf));
}

static void
put_timestamp(McFileOut *file, McFileColumn *column, Datum value)
{
	int			style = style_of(file);
	char		buf[MC_FILE_TEXT];

	put_time_text(file, style, buf, mcFileTimestamp(DatumGetTimestamp(value), style, buf));
}

static void
put_timestamptz(McFileOut *file, McFileColumn *column, Datum value)
{
	int			style = style_of(file);
	char		buf[MC_FILE_TEXT];

	put_time_text(file, style, buf, mcFileTimestampTz(DatumGetTimestampTz(value), style, &file->span, buf));
}

/* ---- what only JSON has a form of its own for ---- */

static void
put_array(McFileOut *file, McFileColumn *column, Datum value)
{
	put_varlena(file, DirectFunctionCall1(array_to_json, value), true);
}

static void
put_composite(McFileOut *file, McFileColumn *column, Datum value)
{
	put_varlena(file, DirectFunctionCall1(row_to_json, value), true);
}

/* a type of an extension or a user with a cast to json, such as hstore */
static void
put_by_cast(McFileOut *file, McFileColumn *column, Datum value)
{
	put_varlena(file, FunctionCall1(&column->function, value), true);
}

/* ---- the choice ---- */

static McFilePut
hot_type(Oid type)
{
	switch (type)
	{
		case BOOLOID:
			return put_bool;
		case INT2OID:
			return put_int2;
		case INT4OID:
			return put_int4;
		case INT8OID:
			return put_int8;
		case FLOAT4OID:
			return put_float4;
		case FLOAT8OID:
			return put_float8;
		case NUMERICOID:
			return put_numeric;
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
			return put_string;
		case JSONOID:
			return put_json;
		case JSONBOID:
			return put_jsonb;
		case NAMEOID:
			return put_name;
		case BYTEAOID:
			return put_bytea;
		case UUIDOID:
			return put_uuid;
		case DATEOID:
			return put_date;
		case TIMESTAMPOID:
			return put_timestamp;
		case TIMESTAMPTZOID:
			return put_timestamptz;
		default:
			return NULL;
	}
}

/* as json_categorize_type of the server decides */
static McFilePut
json_type(McFileColumn *column)
{
	Oid			cast;

	if (OidIsValid(get_element_type(column->type)))
		return put_array;
	if (type_is_rowtype(column->type))
		return put_composite;
	if (column->type >= FirstNormalObjectId &&
		find_coercion_pathway(JSONOID, column->type, COERCION_EXPLICIT, &cast) == COERCION_PATH_FUNC &&
		OidIsValid(cast))
	{
		fmgr_info(cast, &column->function);
		return put_by_cast;
	}
	return NULL;
}

void
mcFilePrepare(McFileOut *file, McFileColumn *column, Oid type)
{
	Oid			function;
	bool		varlena;

	column->type = getBaseType(type);
	getTypeOutputInfo(type, &function, &varlena);
	fmgr_info(function, &column->function);
	column->put = hot_type(column->type);
	if (!column->put && file->json)
		column->put = json_type(column);
	if (!column->put)
		column->put = put_by_function;
}
