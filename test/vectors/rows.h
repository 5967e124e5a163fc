/*
 * rows.h
 *		The notations of the golden vectors: hex strings, canonical JSON of MaxCompute
 *		rows, decoded log groups.  Shared by check-vectors and the unit tests.
 *
 * Nothing here reports: functions answer whether things agree, their callers say
 * which case it was.
 */
#ifndef ROWS_H
#define ROWS_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../src/wire/mcw_doc.h"
#include "../../src/wire/mcw_odps.h"
#include "../../src/wire/mcw_sls.h"
#include "../../src/wire/mcw_text.h"

#define ROWS_MAX_FILE ((size_t) 256 << 20)
#define ROWS_MAX_COLUMNS MCW_ODPS_MAX_COLUMNS

/* A file parsed as JSON, or NULL; the text stays in the arena */
static inline mcw_node *
rows_load(const char *path, mcw_arena *arena, mcw_error *err)
{
	FILE	   *file = fopen(path, "rb");
	mcw_node   *root = NULL;
	mcw_buf		text;
	char		chunk[16384];
	size_t		n;

	if (file == NULL)
	{
		mcw_fail(err, MCW_ERR_ARGUMENT, "cannot open it");
		return NULL;
	}
	mcw_buf_init(&text, &mcw_malloc, ROWS_MAX_FILE);
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		(void) mcw_buf_append(&text, chunk, n);
	fclose(file);
	if (text.failed)
		mcw_fail(err, MCW_ERR_LIMIT, "it is too long");
	else if (mcw_json_parse(mcw_buf_view(&text), arena, &root, err) != MCW_OK)
		root = NULL;
	mcw_buf_free(&text);
	return root;
}

/* Bytes of a hex string in arena memory; data NULL if it is none */
static inline mcw_view
rows_hex(const mcw_node *node, mcw_arena *arena)
{
	mcw_view	bytes = {NULL, 0};
	mcw_buf		out;

	if (node == NULL || node->kind != MCW_NODE_STRING)
		return bytes;
	mcw_buf_init(&out, &mcw_malloc, ROWS_MAX_FILE);
	if (mcw_hex_decode(&out, node->text) == MCW_OK &&
		mcw_arena_copy(arena, mcw_buf_view(&out), &bytes) != MCW_OK)
		bytes.data = NULL;
	mcw_buf_free(&out);
	return bytes;
}

/* A string or {"hex": ...} */
static inline mcw_view
rows_bytes(const mcw_node *node, mcw_arena *arena)
{
	mcw_view	none = {NULL, 0};

	if (node && node->kind == MCW_NODE_STRING)
		return node->text;
	if (node && node->kind == MCW_NODE_OBJECT)
		return rows_hex(mcw_node_get(node, "hex"), arena);
	return none;
}

static inline const mcw_node *
rows_at(const mcw_node *list, int i)
{
	const mcw_node *node = list ? list->first : NULL;

	while (node && i-- > 0)
		node = node->next;
	return node;
}

static inline double
rows_double(const mcw_node *node)
{
	return strtod(node->text.data, NULL);
}

/* --- values ----------------------------------------------------------- */

static inline bool
rows_is_int(mcw_odps_kind kind)
{
	return kind <= MCW_ODPS_BIGINT || kind == MCW_ODPS_DATE || kind == MCW_ODPS_DATETIME ||
		kind == MCW_ODPS_INTERVAL_YEAR_MONTH;
}

static inline bool
rows_is_instant(mcw_odps_kind kind)
{
	return kind == MCW_ODPS_TIMESTAMP || kind == MCW_ODPS_TIMESTAMP_NTZ ||
		kind == MCW_ODPS_INTERVAL_DAY_TIME;
}

static inline bool
rows_is_nested(mcw_odps_kind kind)
{
	return kind == MCW_ODPS_ARRAY || kind == MCW_ODPS_MAP || kind == MCW_ODPS_STRUCT ||
		kind == MCW_ODPS_VECTOR;
}

static inline bool rows_same(const mcw_odps_type *type, const mcw_odps_value *value,
							 const mcw_node *node, mcw_arena *arena);

static inline bool
rows_next_same(mcw_odps_cursor *cursor, const mcw_odps_type *type, bool nullable,
			   const mcw_node *node, mcw_arena *arena)
{
	mcw_odps_value value;

	return node && mcw_odps_cursor_value(cursor, type, nullable, &value) == MCW_OK &&
		rows_same(type, &value, node, arena);
}

/* The elements of an ARRAY or VECTOR, or one side of a MAP: 'pick' is the index in a pair */
static inline bool
rows_list_same(mcw_odps_cursor *cursor, const mcw_odps_type *type, bool nullable,
			   const mcw_node *list, int pick, mcw_arena *arena)
{
	uint32_t	count;

	if (mcw_odps_cursor_count(cursor, &count) != MCW_OK || (int) count != list->nchildren)
		return false;
	for (const mcw_node *node = list->first; node; node = node->next)
		if (!rows_next_same(cursor, type, nullable, pick < 0 ? node : rows_at(node, pick), arena))
			return false;
	return true;
}

static inline bool
rows_nested_same(const mcw_odps_type *type, mcw_view span, const mcw_node *node, mcw_arena *arena)
{
	mcw_odps_cursor cursor = {span.data, span.data + span.len};
	bool		same = node->kind == MCW_NODE_ARRAY;

	switch (type->kind)
	{
		case MCW_ODPS_ARRAY:
			same = same && rows_list_same(&cursor, type->children[0], true, node, -1, arena);
			break;
		case MCW_ODPS_VECTOR:
			same = same && rows_list_same(&cursor, type->children[0], false, node, -1, arena);
			break;
		case MCW_ODPS_MAP:
			same = same && rows_list_same(&cursor, type->children[0], true, node, 0, arena) &&
				rows_list_same(&cursor, type->children[1], true, node, 1, arena);
			break;
		default:
			same = same && node->nchildren == type->nchildren;
			for (int i = 0; same && i < type->nchildren; i++)
				same = rows_next_same(&cursor, type->children[i], true, rows_at(node, i), arena);
	}
	return same && cursor.pos == cursor.end;
}

/* Does a decoded value equal its canonical JSON? */
static inline bool
rows_same(const mcw_odps_type *type, const mcw_odps_value *value, const mcw_node *node,
		  mcw_arena *arena)
{
	int64_t		i;
	int64_t		nanos;

	if (node->kind == MCW_NODE_NULL || value->is_null)
		return node->kind == MCW_NODE_NULL && value->is_null;
	if (rows_is_int(type->kind))
		return mcw_view_int64(node->text, &i) && i == value->i64;
	if (rows_is_instant(type->kind))
		return mcw_node_int(node, "sec", &i) && mcw_node_int(node, "nano", &nanos) &&
			i == value->i64 && nanos == value->nanos;
	if (rows_is_nested(type->kind))
		return rows_nested_same(type, value->bytes, node, arena);
	switch (type->kind)
	{
		case MCW_ODPS_BOOLEAN:
			return node->kind == MCW_NODE_BOOL && node->boolean == (value->i64 != 0);
		case MCW_ODPS_FLOAT:
			return node->text.data && (isnan(value->f32) ? isnan(rows_double(node)) :
									   value->f32 == (float) rows_double(node));
		case MCW_ODPS_DOUBLE:
			return node->text.data && (isnan(value->f64) ? isnan(rows_double(node)) :
									   value->f64 == rows_double(node));
		default:
			{
				mcw_view	bytes = rows_bytes(node, arena);

				return bytes.data && mcw_view_eq(bytes, value->bytes);
			}
	}
}

/* --- writing ---------------------------------------------------------- */

static inline bool rows_put_element(mcw_odps_writer *writer, const mcw_odps_type *type,
									bool nullable, const mcw_node *node, mcw_arena *arena);

static inline bool
rows_put_list(mcw_odps_writer *writer, const mcw_odps_type *type, bool nullable,
			  const mcw_node *list, int pick, mcw_arena *arena)
{
	mcw_odps_elem_count(writer, (uint32_t) list->nchildren);
	for (const mcw_node *node = list->first; node; node = node->next)
		if (!rows_put_element(writer, type, nullable, pick < 0 ? node : rows_at(node, pick), arena))
			return false;
	return true;
}

static inline bool
rows_put_nested(mcw_odps_writer *writer, const mcw_odps_type *type, const mcw_node *node,
				mcw_arena *arena)
{
	bool		done = node->kind == MCW_NODE_ARRAY;

	switch (type->kind)
	{
		case MCW_ODPS_ARRAY:
			return done && rows_put_list(writer, type->children[0], true, node, -1, arena);
		case MCW_ODPS_VECTOR:
			return done && rows_put_list(writer, type->children[0], false, node, -1, arena);
		case MCW_ODPS_MAP:
			return done && rows_put_list(writer, type->children[0], true, node, 0, arena) &&
				rows_put_list(writer, type->children[1], true, node, 1, arena);
		default:
			for (int i = 0; done && i < type->nchildren; i++)
				done = rows_put_element(writer, type->children[i], true, rows_at(node, i), arena);
			return done;
	}
}

/* What a canonical JSON value says; false if it does not fit the type */
static inline bool
rows_scalar(const mcw_odps_type *type, const mcw_node *node, mcw_odps_value *value,
			mcw_arena *arena)
{
	int64_t		nanos = 0;

	if (rows_is_int(type->kind))
		return mcw_view_int64(node->text, &value->i64);
	if (rows_is_instant(type->kind))
	{
		if (!mcw_node_int(node, "sec", &value->i64) || !mcw_node_int(node, "nano", &nanos))
			return false;
		value->nanos = (int32_t) nanos;
		return true;
	}
	if (type->kind == MCW_ODPS_BOOLEAN)
	{
		value->i64 = node->boolean;
		return node->kind == MCW_NODE_BOOL;
	}
	if (type->kind == MCW_ODPS_FLOAT || type->kind == MCW_ODPS_DOUBLE)
	{
		if (node->text.data == NULL)
			return false;
		if (type->kind == MCW_ODPS_FLOAT)
			value->f32 = (float) rows_double(node);
		else
			value->f64 = rows_double(node);
		return true;
	}
	value->bytes = rows_bytes(node, arena);
	return value->bytes.data != NULL;
}

static inline bool
rows_put_element(mcw_odps_writer *writer, const mcw_odps_type *type, bool nullable,
				 const mcw_node *node, mcw_arena *arena)
{
	mcw_odps_value v;

	if (node == NULL)
		return false;
	if (nullable)
		mcw_odps_elem_null(writer, node->kind == MCW_NODE_NULL);
	if (node->kind == MCW_NODE_NULL)
		return nullable;
	if (rows_is_nested(type->kind))
		return rows_put_nested(writer, type, node, arena);
	if (!rows_scalar(type, node, &v, arena))
		return false;
	if (rows_is_int(type->kind))
		mcw_odps_elem_int(writer, v.i64);
	else if (rows_is_instant(type->kind))
		mcw_odps_elem_timestamp(writer, v.i64, v.nanos);
	else if (type->kind == MCW_ODPS_BOOLEAN)
		mcw_odps_elem_bool(writer, v.i64 != 0);
	else if (type->kind == MCW_ODPS_FLOAT)
		mcw_odps_elem_float(writer, v.f32);
	else if (type->kind == MCW_ODPS_DOUBLE)
		mcw_odps_elem_double(writer, v.f64);
	else
		mcw_odps_elem_bytes(writer, v.bytes.data, v.bytes.len);
	return true;
}

static inline bool
rows_put(mcw_odps_writer *writer, int column, const mcw_odps_type *type, const mcw_node *node,
		 mcw_arena *arena)
{
	mcw_odps_value v;

	if (node->kind == MCW_NODE_NULL)
		return true;
	if (rows_is_nested(type->kind))
	{
		mcw_odps_put_nested(writer, column);
		return rows_put_nested(writer, type, node, arena);
	}
	if (!rows_scalar(type, node, &v, arena))
		return false;
	if (rows_is_int(type->kind))
		mcw_odps_put_int(writer, column, v.i64);
	else if (rows_is_instant(type->kind))
		mcw_odps_put_timestamp(writer, column, v.i64, v.nanos);
	else if (type->kind == MCW_ODPS_BOOLEAN)
		mcw_odps_put_bool(writer, column, v.i64 != 0);
	else if (type->kind == MCW_ODPS_FLOAT)
		mcw_odps_put_float(writer, column, v.f32);
	else if (type->kind == MCW_ODPS_DOUBLE)
		mcw_odps_put_double(writer, column, v.f64);
	else
		mcw_odps_put_bytes(writer, column, v.bytes.data, v.bytes.len);
	return true;
}

/* Types of a vector's "columns"; the number of them or -1 */
static inline int
rows_types(const mcw_node *columns, const mcw_odps_type **types, mcw_arena *arena, mcw_error *err)
{
	int			n = 0;

	for (const mcw_node *c = columns ? columns->first : NULL; c; c = c->next)
	{
		mcw_odps_type *type;

		if (n == ROWS_MAX_COLUMNS ||
			mcw_odps_type_parse(mcw_node_text(c, "type"), arena, &type, err) != MCW_OK)
			return -1;
		types[n++] = type;
	}
	return columns ? n : -1;
}

/* --- log groups ------------------------------------------------------- */

/* Absent is null; present, even if empty, is a string */
static inline bool
rows_optional_same(const mcw_node *group, const char *name, mcw_view got, mcw_arena *arena)
{
	const mcw_node *node = mcw_node_get(group, name);
	mcw_view	want;

	if (node == NULL || node->kind == MCW_NODE_NULL)
		return node && got.data == NULL;
	want = rows_bytes(node, arena);
	return want.data && got.data && mcw_view_eq(want, got);
}

/* Walk contents or tags beside the list of pairs */
static inline bool
rows_pairs_same(mcw_status (*next) (mcw_view, size_t *, mcw_view *, mcw_view *), mcw_view body,
				const mcw_node *pairs, mcw_arena *arena)
{
	size_t		pos = 0;
	mcw_view	key;
	mcw_view	value;

	for (const mcw_node *pair = pairs ? pairs->first : NULL; pair; pair = pair->next)
	{
		if (next(body, &pos, &key, &value) != MCW_OK ||
			!mcw_view_eq(key, rows_bytes(rows_at(pair, 0), arena)) ||
			!mcw_view_eq(value, rows_bytes(rows_at(pair, 1), arena)))
			return false;
	}
	return pairs && next(body, &pos, &key, &value) == MCW_END;
}

/* The group the reader stands on equals the decoded one, to its last log */
static inline bool
rows_group_same(mcw_sls_reader *reader, const mcw_sls_group *group, const mcw_node *decoded,
				mcw_arena *arena)
{
	const mcw_node *logs = mcw_node_get(decoded, "logs");
	mcw_sls_log log;

	if (logs == NULL ||
		!rows_optional_same(decoded, "category", group->category, arena) ||
		!rows_optional_same(decoded, "topic", group->topic, arena) ||
		!rows_optional_same(decoded, "source", group->source, arena) ||
		!rows_optional_same(decoded, "machine_uuid", group->machine_uuid, arena) ||
		!rows_pairs_same(mcw_sls_next_tag, group->body, mcw_node_get(decoded, "tags"), arena))
		return false;
	for (const mcw_node *want = logs->first; want; want = want->next)
	{
		const mcw_node *ns = mcw_node_get(want, "time_ns");
		int64_t		number = 0;

		if (mcw_sls_next_log(reader, &log, NULL, NULL) != MCW_OK ||
			!mcw_node_int(want, "time", &number) || number != log.time ||
			ns == NULL || log.has_time_ns != (ns->kind != MCW_NODE_NULL) ||
			(log.has_time_ns && (!mcw_view_int64(ns->text, &number) || number != log.time_ns)) ||
			!rows_pairs_same(mcw_sls_next_content, log.body, mcw_node_get(want, "contents"), arena))
			return false;
	}
	return mcw_sls_next_log(reader, &log, NULL, NULL) == MCW_END;
}

/* A whole LogGroupList or, not is_list, a LogGroup */
static inline bool
rows_page_same(mcw_view page, bool is_list, const mcw_node *decoded, mcw_arena *arena)
{
	mcw_sls_reader *reader = mcw_sls_reader_create(&mcw_malloc, NULL, 0);
	const mcw_node *want = is_list ? decoded->first : decoded;
	mcw_sls_group group;
	bool		same = reader != NULL;

	if (!same)
		return false;
	if (is_list)
		mcw_sls_reader_page(reader, page);
	else
		mcw_sls_reader_put_body(reader, page);
	for (; same && want; want = is_list ? want->next : NULL)
		same = mcw_sls_next_group(reader, &group, NULL) == MCW_OK &&
			rows_group_same(reader, &group, want, arena);
	same = same && mcw_sls_next_group(reader, &group, NULL) == MCW_END &&
		mcw_sls_validate(page, is_list, NULL, NULL, NULL) == MCW_OK;
	mcw_sls_reader_free(reader);
	return same;
}

#endif							/* ROWS_H */
