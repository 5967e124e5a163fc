/*
 * odps_value.c
 *		mc-emulator, MaxCompute part: range checks of values, copies into another
 *		stream, text for CSV results and JSON for tests.
 *
 * Reference: maxcompute.md 2.8 (CSV), 3.5 (encodings), 6 (ranges).
 */
#include "odps.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#define SECONDS_MIN INT64_C(-62167219200)	/* 0000-01-01 00:00:00 UTC */
#define SECONDS_END INT64_C(253402300800)	/* 10000-01-01 00:00:00 UTC */
#define DAY_MIN (-719162)		/* 0001-01-01 */
#define DAY_MAX 2932896			/* 9999-12-31 */

/* ---- checks ---- */

static bool
out_of_range(const char *type, int64_t v, mcw_error *err)
{
	mcw_fail(err, MCW_ERR_RANGE, "%lld is out of range for %s", (long long) v, type);
	return false;
}

static size_t
count_characters(mcw_view v)
{
	size_t		n = 0;

	for (size_t i = 0; i < v.len; i++)
		n += ((unsigned char) v.data[i] & 0xC0) != 0x80;
	return n;
}

static bool
check_decimal(const mcw_odps_type *type, mcw_view v, mcw_error *err)
{
	int			scale = type->precision ? type->scale : 18;
	int			whole_max = type->precision ? type->precision - type->scale : 36;
	size_t		i = v.len > 0 && (v.data[0] == '-' || v.data[0] == '+');
	int			whole = 0;
	int			fraction = 0;
	int			digits = 0;

	for (; i < v.len && isdigit((unsigned char) v.data[i]); i++, digits++)
		whole += whole > 0 || v.data[i] != '0';
	if (i < v.len && v.data[i] == '.')
		for (i++; i < v.len && isdigit((unsigned char) v.data[i]); i++)
			fraction++, digits++;
	if (i < v.len || digits == 0)
	{
		mcw_fail(err, MCW_ERR_RANGE, "\"%.*s\" is not a decimal number", (int) (v.len < 60 ? v.len : 60), v.data);
		return false;
	}
	while (fraction > scale && v.data[v.len - 1] == '0')
		fraction--, v.len--;
	if (whole > whole_max || fraction > scale)
	{
		mcw_fail(err, MCW_ERR_RANGE, "%.*s does not fit decimal(%d,%d)", (int) (v.len < 60 ? v.len : 60), v.data,
				 whole_max + scale, scale);
		return false;
	}
	return true;
}

static bool
check_json(mcw_view v, mcw_error *err)
{
	mcw_arena	arena;
	mcw_node   *root;
	bool		ok;

	mcw_arena_init(&arena, &mcw_malloc, (size_t) 512 << 20);
	ok = mcw_json_parse(v, &arena, &root, err) == MCW_OK;
	mcw_arena_reset(&arena);
	if (!ok)
		mcw_fail(err, MCW_ERR_RANGE, "malformed JSON");
	return ok;
}

static bool
check_elements(const mcw_odps_type *type, mcw_odps_cursor *cur, int child, uint32_t n, mcw_error *err)
{
	mcw_odps_value v;

	for (uint32_t i = 0; i < n; i++)
	{
		if (mcw_odps_cursor_value(cur, type->children[child], type->kind != MCW_ODPS_VECTOR, &v) != MCW_OK)
		{
			mcw_fail(err, MCW_ERR_FORMAT, "malformed nested value");
			return false;
		}
		if (!v.is_null && !odps_value_check(type->children[child], &v, err))
			return false;
	}
	return true;
}

static bool
check_nested(const mcw_odps_type *type, const mcw_odps_value *value, mcw_error *err)
{
	mcw_odps_cursor cur = {value->bytes.data, value->bytes.data + value->bytes.len};
	uint32_t	n;

	if (type->kind == MCW_ODPS_STRUCT)
	{
		for (int i = 0; i < type->nchildren; i++)
			if (!check_elements(type, &cur, i, 1, err))
				return false;
		return true;
	}
	for (int i = 0; i < (type->kind == MCW_ODPS_MAP ? 2 : 1); i++)
	{
		if (mcw_odps_cursor_count(&cur, &n) != MCW_OK)
		{
			mcw_fail(err, MCW_ERR_FORMAT, "malformed nested value");
			return false;
		}
		if (!check_elements(type, &cur, i, n, err))
			return false;
	}
	return true;
}

bool
odps_value_check(const mcw_odps_type *type, const mcw_odps_value *value, mcw_error *err)
{
	int64_t		v = value->i64;

	switch (type->kind)
	{
		case MCW_ODPS_TINYINT:
			return (v >= INT8_MIN && v <= INT8_MAX) || out_of_range("tinyint", v, err);
		case MCW_ODPS_SMALLINT:
			return (v >= INT16_MIN && v <= INT16_MAX) || out_of_range("smallint", v, err);
		case MCW_ODPS_INT:
			return (v >= INT32_MIN && v <= INT32_MAX) || out_of_range("int", v, err);
		case MCW_ODPS_BIGINT:
			return v != INT64_MIN || out_of_range("bigint", v, err);
		case MCW_ODPS_DATE:
			return (v >= DAY_MIN && v <= DAY_MAX) || out_of_range("date", v, err);
		case MCW_ODPS_DATETIME:
			return (v >= SECONDS_MIN * 1000 && v < SECONDS_END * 1000) || out_of_range("datetime", v, err);
		case MCW_ODPS_TIMESTAMP:
		case MCW_ODPS_TIMESTAMP_NTZ:
			if (v < SECONDS_MIN || v >= SECONDS_END)
				return out_of_range(mcw_odps_kind_name(type->kind), v, err);
			return (value->nanos >= 0 && value->nanos <= 999999999) || out_of_range("nanoseconds", value->nanos, err);
		case MCW_ODPS_VARCHAR:
		case MCW_ODPS_CHAR:
			if (value->bytes.len <= (size_t) type->length || count_characters(value->bytes) <= (size_t) type->length)
				return true;
			mcw_fail(err, MCW_ERR_RANGE, "%zu characters do not fit %s(%d)", count_characters(value->bytes),
					 mcw_odps_kind_name(type->kind), type->length);
			return false;
		case MCW_ODPS_DECIMAL:
			return check_decimal(type, value->bytes, err);
		case MCW_ODPS_JSON:
		case MCW_ODPS_STRING:
		case MCW_ODPS_BINARY:
		case MCW_ODPS_GEOGRAPHY:
		case MCW_ODPS_BLOB:
			if (value->bytes.len > MCW_ODPS_MAX_FIELD)
			{
				mcw_fail(err, MCW_ERR_RANGE, "field of %zu bytes is longer than %d", value->bytes.len, MCW_ODPS_MAX_FIELD);
				return false;
			}
			return type->kind != MCW_ODPS_JSON || check_json(value->bytes, err);
		case MCW_ODPS_ARRAY:
		case MCW_ODPS_MAP:
		case MCW_ODPS_STRUCT:
		case MCW_ODPS_VECTOR:
			return check_nested(type, value, err);
		default:
			return true;
	}
}

/* ---- copies ---- */

static bool put_elements(mcw_odps_writer *w, const mcw_odps_type *type, mcw_view span);

static bool
put_element(mcw_odps_writer *w, const mcw_odps_type *type, const mcw_odps_value *v)
{
	switch (type->kind)
	{
		case MCW_ODPS_BOOLEAN:
			mcw_odps_elem_bool(w, v->i64 != 0);
			return true;
		case MCW_ODPS_FLOAT:
			mcw_odps_elem_float(w, v->f32);
			return true;
		case MCW_ODPS_DOUBLE:
			mcw_odps_elem_double(w, v->f64);
			return true;
		case MCW_ODPS_TIMESTAMP:
		case MCW_ODPS_TIMESTAMP_NTZ:
		case MCW_ODPS_INTERVAL_DAY_TIME:
			mcw_odps_elem_timestamp(w, v->i64, v->nanos);
			return true;
		case MCW_ODPS_STRING:
		case MCW_ODPS_VARCHAR:
		case MCW_ODPS_CHAR:
		case MCW_ODPS_BINARY:
		case MCW_ODPS_DECIMAL:
		case MCW_ODPS_JSON:
		case MCW_ODPS_GEOGRAPHY:
		case MCW_ODPS_BLOB:
			mcw_odps_elem_bytes(w, v->bytes.data, v->bytes.len);
			return true;
		case MCW_ODPS_ARRAY:
		case MCW_ODPS_MAP:
		case MCW_ODPS_STRUCT:
		case MCW_ODPS_VECTOR:
			return put_elements(w, type, v->bytes);
		default:
			mcw_odps_elem_int(w, v->i64);
			return true;
	}
}

static bool
put_list(mcw_odps_writer *w, const mcw_odps_type *type, mcw_odps_cursor *cur, int child, uint32_t n)
{
	bool		nullable = type->kind != MCW_ODPS_VECTOR;
	mcw_odps_value v;

	for (uint32_t i = 0; i < n; i++)
	{
		if (mcw_odps_cursor_value(cur, type->children[child], nullable, &v) != MCW_OK)
			return false;
		if (nullable)
			mcw_odps_elem_null(w, v.is_null);
		if (!v.is_null && !put_element(w, type->children[child], &v))
			return false;
	}
	return true;
}

static bool
put_elements(mcw_odps_writer *w, const mcw_odps_type *type, mcw_view span)
{
	mcw_odps_cursor cur = {span.data, span.data + span.len};
	uint32_t	n;

	if (type->kind == MCW_ODPS_STRUCT)
	{
		for (int i = 0; i < type->nchildren; i++)
			if (!put_list(w, type, &cur, i, 1))
				return false;
		return true;
	}
	for (int i = 0; i < (type->kind == MCW_ODPS_MAP ? 2 : 1); i++)
	{
		if (mcw_odps_cursor_count(&cur, &n) != MCW_OK)
			return false;
		mcw_odps_elem_count(w, n);
		if (!put_list(w, type, &cur, i, n))
			return false;
	}
	return true;
}

bool
odps_value_put(mcw_odps_writer *w, int column, const mcw_odps_type *type, const mcw_odps_value *v)
{
	switch (type->kind)
	{
		case MCW_ODPS_BOOLEAN:
			mcw_odps_put_bool(w, column, v->i64 != 0);
			return true;
		case MCW_ODPS_FLOAT:
			mcw_odps_put_float(w, column, v->f32);
			return true;
		case MCW_ODPS_DOUBLE:
			mcw_odps_put_double(w, column, v->f64);
			return true;
		case MCW_ODPS_TIMESTAMP:
		case MCW_ODPS_TIMESTAMP_NTZ:
		case MCW_ODPS_INTERVAL_DAY_TIME:
			mcw_odps_put_timestamp(w, column, v->i64, v->nanos);
			return true;
		case MCW_ODPS_STRING:
		case MCW_ODPS_VARCHAR:
		case MCW_ODPS_CHAR:
		case MCW_ODPS_BINARY:
		case MCW_ODPS_DECIMAL:
		case MCW_ODPS_JSON:
		case MCW_ODPS_GEOGRAPHY:
		case MCW_ODPS_BLOB:
			mcw_odps_put_bytes(w, column, v->bytes.data, v->bytes.len);
			return true;
		case MCW_ODPS_ARRAY:
		case MCW_ODPS_MAP:
		case MCW_ODPS_STRUCT:
		case MCW_ODPS_VECTOR:
			mcw_odps_put_nested(w, column);
			return put_elements(w, type, v->bytes);
		default:
			mcw_odps_put_int(w, column, v->i64);
			return true;
	}
}

/* A partition value as a column of SELECT * */
bool
odps_key_put(mcw_odps_writer *w, int column, const mcw_odps_type *type, mcw_view text)
{
	int64_t		v;

	switch (type->kind)
	{
		case MCW_ODPS_TINYINT:
		case MCW_ODPS_SMALLINT:
		case MCW_ODPS_INT:
		case MCW_ODPS_BIGINT:
			if (!mcw_view_int64(text, &v))
				return false;
			mcw_odps_put_int(w, column, v);
			return true;
		case MCW_ODPS_DATE:
			{
				char		iso[40];
				int64_t		us;

				snprintf(iso, sizeof(iso), "%.*sT00:00:00Z", (int) (text.len < 12 ? text.len : 12), text.data);
				if (!mcw_parse_iso8601(mcw_str(iso), &us))
					return false;
				mcw_odps_put_int(w, column, us / INT64_C(86400000000) - (us % INT64_C(86400000000) < 0));
				return true;
			}
		default:
			mcw_odps_put_bytes(w, column, text.data, text.len);
			return true;
	}
}
