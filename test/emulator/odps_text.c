/*
 * odps_text.c
 *		mc-emulator, MaxCompute part: values as text, for the CSV results of SELECT and
 *		for the JSON of test commands.
 *
 * CSV shows DATETIME and TIMESTAMP in the zone of the statement (odps_csv_zone);
 * JSON is the canonical form the test vectors use.  Reference: maxcompute.md 2.8, 6.
 */
#include "odps.h"

#include <math.h>
#include <stdlib.h>

int			odps_csv_zone = 8 * 3600;

static void
put_days(mcw_buf *out, int64_t days)
{
	int64_t		y;
	int			m;
	int			d;

	mcw_civil_from_days(days, &y, &m, &d);
	(void) mcw_buf_printf(out, "%04lld-%02d-%02d", (long long) y, m, d);
}

static void
put_instant(mcw_buf *out, int64_t sec, int32_t nanos, bool fraction)
{
	int64_t		days = sec / 86400 - (sec % 86400 < 0);
	int			rest = (int) (sec - days * 86400);

	put_days(out, days);
	(void) mcw_buf_printf(out, " %02d:%02d:%02d", rest / 3600, rest / 60 % 60, rest % 60);
	if (fraction && nanos)
	{
		char		digits[16];
		int			n = snprintf(digits, sizeof(digits), "%09d", nanos);

		while (n > 1 && digits[n - 1] == '0')
			n--;
		(void) mcw_buf_printf(out, ".%.*s", n, digits);
	}
}

static void
put_double(mcw_buf *out, double v, int digits)
{
	if (isnan(v))
		(void) mcw_buf_append_str(out, "nan");
	else if (isinf(v))
		(void) mcw_buf_append_str(out, v > 0 ? "inf" : "-inf");
	else
		(void) mcw_buf_printf(out, "%.*g", digits, v);
}

void
odps_value_csv(mcw_buf *out, const mcw_odps_type *type, const mcw_odps_value *v)
{
	switch (type->kind)
	{
		case MCW_ODPS_FLOAT:
			put_double(out, v->f32, 9);
			break;
		case MCW_ODPS_DOUBLE:
			put_double(out, v->f64, 17);
			break;
		case MCW_ODPS_BOOLEAN:
			(void) mcw_buf_append_str(out, v->i64 ? "true" : "false");
			break;
		case MCW_ODPS_DATE:
			put_days(out, v->i64);
			break;
		case MCW_ODPS_DATETIME:
			put_instant(out, v->i64 / 1000 - (v->i64 % 1000 < 0) + odps_csv_zone, 0, false);
			break;
		case MCW_ODPS_TIMESTAMP:
			put_instant(out, v->i64 + odps_csv_zone, v->nanos, true);
			break;
		case MCW_ODPS_TIMESTAMP_NTZ:
			put_instant(out, v->i64, v->nanos, true);
			break;
		case MCW_ODPS_INTERVAL_DAY_TIME:
			(void) mcw_buf_printf(out, "%lld %02d:%02d:%02d.%09d", (long long) (v->i64 / 86400),
								  abs((int) (v->i64 % 86400)) / 3600, abs((int) (v->i64 % 86400)) / 60 % 60,
								  abs((int) (v->i64 % 86400)) % 60, v->nanos);
			break;
		case MCW_ODPS_INTERVAL_YEAR_MONTH:
			(void) mcw_buf_printf(out, "%s%lld-%lld", v->i64 < 0 ? "-" : "", (long long) llabs(v->i64) / 12,
								  (long long) llabs(v->i64) % 12);
			break;
		case MCW_ODPS_ARRAY:
		case MCW_ODPS_MAP:
		case MCW_ODPS_STRUCT:
		case MCW_ODPS_VECTOR:
			odps_value_json(out, type, v);
			break;
		case MCW_ODPS_TINYINT:
		case MCW_ODPS_SMALLINT:
		case MCW_ODPS_INT:
		case MCW_ODPS_BIGINT:
			(void) mcw_buf_printf(out, "%lld", (long long) v->i64);
			break;
		default:
			(void) mcw_buf_append_view(out, v->bytes);
			break;
	}
}

/* ---- canonical JSON ---- */

static void
put_json_or_null(mcw_buf *out, const mcw_odps_type *type, const mcw_odps_value *v)
{
	if (v->is_null)
		(void) mcw_buf_append_str(out, "null");
	else
		odps_value_json(out, type, v);
}

static void
put_list(mcw_buf *out, const mcw_odps_type *type, mcw_odps_cursor *cur)
{
	uint32_t	n = 0;

	if (mcw_odps_cursor_count(cur, &n) != MCW_OK)
		n = 0;
	for (uint32_t i = 0; i < n; i++)
	{
		mcw_odps_value v;

		if (mcw_odps_cursor_value(cur, type->children[0], type->kind != MCW_ODPS_VECTOR, &v) != MCW_OK)
			break;
		if (i)
			(void) mcw_buf_append_char(out, ',');
		put_json_or_null(out, type->children[0], &v);
	}
}

/* [[key,value],...]: the keys come first on the wire, so a second cursor walks the values */
static void
put_map(mcw_buf *out, const mcw_odps_type *type, mcw_view span)
{
	mcw_odps_cursor keys = {span.data, span.data + span.len};
	mcw_odps_cursor vals = keys;
	mcw_odps_value k;
	mcw_odps_value v;
	uint32_t	n = 0;
	uint32_t	m = 0;

	(void) mcw_odps_cursor_count(&keys, &n);
	(void) mcw_odps_cursor_count(&vals, &m);
	for (uint32_t i = 0; i < m; i++)
		if (mcw_odps_cursor_value(&vals, type->children[0], true, &k) != MCW_OK)
			return;
	(void) mcw_odps_cursor_count(&vals, &m);
	for (uint32_t i = 0; i < n && i < m; i++)
	{
		if (mcw_odps_cursor_value(&keys, type->children[0], true, &k) != MCW_OK ||
			mcw_odps_cursor_value(&vals, type->children[1], true, &v) != MCW_OK)
			return;
		(void) mcw_buf_append_str(out, i ? ",[" : "[");
		put_json_or_null(out, type->children[0], &k);
		(void) mcw_buf_append_char(out, ',');
		put_json_or_null(out, type->children[1], &v);
		(void) mcw_buf_append_char(out, ']');
	}
}

static void
put_nested(mcw_buf *out, const mcw_odps_type *type, mcw_view span)
{
	mcw_odps_cursor cur = {span.data, span.data + span.len};

	(void) mcw_buf_append_char(out, '[');
	if (type->kind == MCW_ODPS_MAP)
		put_map(out, type, span);
	else if (type->kind != MCW_ODPS_STRUCT)
		put_list(out, type, &cur);
	else
		for (int i = 0; i < type->nchildren; i++)
		{
			mcw_odps_value v;

			if (mcw_odps_cursor_value(&cur, type->children[i], true, &v) != MCW_OK)
				break;
			if (i)
				(void) mcw_buf_append_char(out, ',');
			put_json_or_null(out, type->children[i], &v);
		}
	(void) mcw_buf_append_char(out, ']');
}

void
odps_value_json(mcw_buf *out, const mcw_odps_type *type, const mcw_odps_value *v)
{
	switch (type->kind)
	{
		case MCW_ODPS_BIGINT:
			(void) mcw_buf_printf(out, "\"%lld\"", (long long) v->i64);
			break;
		case MCW_ODPS_BOOLEAN:
			(void) mcw_buf_append_str(out, v->i64 ? "true" : "false");
			break;
		case MCW_ODPS_FLOAT:
		case MCW_ODPS_DOUBLE:
			(void) mcw_buf_append_char(out, '"');
			put_double(out, type->kind == MCW_ODPS_FLOAT ? (double) v->f32 : v->f64, type->kind == MCW_ODPS_FLOAT ? 9 : 17);
			(void) mcw_buf_append_char(out, '"');
			break;
		case MCW_ODPS_BINARY:
			(void) mcw_buf_append_str(out, "{\"hex\":\"");
			(void) mcw_hex_encode(out, v->bytes, false);
			(void) mcw_buf_append_str(out, "\"}");
			break;
		case MCW_ODPS_TIMESTAMP:
		case MCW_ODPS_TIMESTAMP_NTZ:
		case MCW_ODPS_INTERVAL_DAY_TIME:
			(void) mcw_buf_printf(out, "{\"sec\":%lld,\"nano\":%d}", (long long) v->i64, v->nanos);
			break;
		case MCW_ODPS_ARRAY:
		case MCW_ODPS_MAP:
		case MCW_ODPS_STRUCT:
		case MCW_ODPS_VECTOR:
			put_nested(out, type, v->bytes);
			break;
		case MCW_ODPS_STRING:
		case MCW_ODPS_VARCHAR:
		case MCW_ODPS_CHAR:
		case MCW_ODPS_DECIMAL:
		case MCW_ODPS_JSON:
		case MCW_ODPS_GEOGRAPHY:
		case MCW_ODPS_BLOB:
			if (mcw_utf8_valid(v->bytes.data, v->bytes.len) == v->bytes.len)
				(void) mcw_json_quote(out, v->bytes);
			else
			{
				(void) mcw_buf_append_str(out, "{\"hex\":\"");
				(void) mcw_hex_encode(out, v->bytes, false);
				(void) mcw_buf_append_str(out, "\"}");
			}
			break;
		default:
			(void) mcw_buf_printf(out, "%lld", (long long) v->i64);
			break;
	}
}
