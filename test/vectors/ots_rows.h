/*
 * ots_rows.h
 *		The notation of the Tablestore vectors: values, rows and filters as JSON.
 *		Shared by check-vectors and the unit tests.
 */
#ifndef OTS_ROWS_H
#define OTS_ROWS_H

#include "rows.h"

#include "../../src/wire/mcw_ots_msg.h"

#define OTS_ROWS_MAX_SUB 64

static inline bool
ots_rows_type(mcw_view name, mcw_ots_type *type)
{
	static const mcw_ots_type all[] = {
		MCW_OTS_INTEGER, MCW_OTS_DOUBLE, MCW_OTS_BOOLEAN, MCW_OTS_STRING, MCW_OTS_BINARY,
		MCW_OTS_INF_MIN, MCW_OTS_INF_MAX, MCW_OTS_AUTO_INCREMENT
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
	{
		*type = all[i];
		if (mcw_view_eq(name, mcw_str(mcw_ots_type_name(all[i]))))
			return true;
	}
	return false;
}

/* {"type", "value" or "hex"}; NULL = no value */
static inline bool
ots_rows_value(const mcw_node *node, mcw_arena *arena, mcw_ots_value *value)
{
	const mcw_node *v = mcw_node_get(node, "value");
	mcw_ots_type type = MCW_OTS_NONE;

	*value = mcw_ots_none(MCW_OTS_NONE);
	if (node == NULL)
		return true;
	if (!ots_rows_type(mcw_node_text(node, "type"), &type))
		return false;
	value->type = (uint8_t) type;
	switch (type)
	{
		case MCW_OTS_INTEGER:
			return v && mcw_view_int64(v->text, &value->i);
		case MCW_OTS_DOUBLE:
			if (v)
				value->d = rows_double(v);
			return v != NULL;
		case MCW_OTS_BOOLEAN:
			if (v)
				value->b = v->boolean;
			return v && v->kind == MCW_NODE_BOOL;
		case MCW_OTS_STRING:
			if (v)
				value->s = v->text;
			return v && v->kind == MCW_NODE_STRING;
		case MCW_OTS_BINARY:
			value->s = rows_hex(mcw_node_get(node, "hex"), arena);
			return value->s.data != NULL;
		default:
			return true;
	}
}

/* The very bits */
static inline bool
ots_rows_same_value(const mcw_ots_value *a, const mcw_ots_value *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type)
	{
		case MCW_OTS_INTEGER:
		case MCW_OTS_DOUBLE:
			return a->i == b->i;
		case MCW_OTS_BOOLEAN:
			return a->b == b->b;
		case MCW_OTS_STRING:
		case MCW_OTS_BINARY:
			return mcw_view_eq(a->s, b->s);
		default:
			return true;
	}
}

static inline bool
ots_rows_op(const mcw_node *cell, mcw_ots_op *op)
{
	mcw_view	name = mcw_node_text(cell, "op");

	*op = MCW_OTS_PUT;
	if (name.data == NULL || mcw_view_eq(name, MCW_LIT("PUT")))
		return true;
	*op = mcw_view_eq(name, MCW_LIT("DELETE_ALL_VERSION")) ? MCW_OTS_DELETE_ALL :
		mcw_view_eq(name, MCW_LIT("DELETE_ONE_VERSION")) ? MCW_OTS_DELETE_ONE :
		mcw_view_eq(name, MCW_LIT("INCREMENT")) ? MCW_OTS_INCREMENT : MCW_OTS_PUT;
	return *op != MCW_OTS_PUT;
}

/* A cell in JSON */
static inline bool
ots_rows_cell(const mcw_node *node, mcw_arena *arena, mcw_ots_cell *cell)
{
	mcw_ots_op	op;

	memset(cell, 0, sizeof(*cell));
	cell->name = mcw_node_text(node, "name");
	cell->timestamp = MCW_OTS_NO_TIMESTAMP;
	if (mcw_node_get(node, "timestamp") && !mcw_node_int(node, "timestamp", &cell->timestamp))
		return false;
	if (!ots_rows_op(node, &op))
		return false;
	cell->op = (uint8_t) op;
	return cell->name.data && ots_rows_value(mcw_node_get(node, "value"), arena, &cell->value);
}

static inline bool
ots_rows_same_cell(const mcw_ots_cell *a, const mcw_ots_cell *b)
{
	return mcw_view_eq(a->name, b->name) && a->timestamp == b->timestamp && a->op == b->op &&
		ots_rows_same_value(&a->value, &b->value);
}

/* A tree of {"type", "filter"}, or the inner message of a known type; false: not one that is written here */
static inline mcw_ots_filter *
ots_rows_filter(const mcw_node *inner, mcw_arena *arena)
{
	static const char *const comparators[] = {
		"CT_EQUAL", "CT_NOT_EQUAL", "CT_GREATER_THAN", "CT_GREATER_EQUAL", "CT_LESS_THAN", "CT_LESS_EQUAL"
	};
	mcw_ots_filter *filter = mcw_arena_new(arena, sizeof(*filter));
	const mcw_node *subs = mcw_node_get(inner, "sub_filters");
	mcw_view	name = mcw_node_text(inner, "comparator");

	if (filter == NULL || mcw_node_get(inner, "value_trans_rule") || mcw_node_get(inner, "limit"))
		return NULL;
	if (subs)
	{
		name = mcw_node_text(inner, "combinator");
		filter->kind = mcw_view_eq(name, MCW_LIT("LO_NOT")) ? MCW_OTS_FILTER_NOT :
			mcw_view_eq(name, MCW_LIT("LO_AND")) ? MCW_OTS_FILTER_AND : MCW_OTS_FILTER_OR;
		filter->sub = mcw_arena_new(arena, (size_t) subs->nchildren * sizeof(mcw_ots_filter *));
		for (const mcw_node *sub = subs->first; sub; sub = sub->next)
		{
			mcw_ots_filter *child = ots_rows_filter(mcw_node_get(sub, "filter"), arena);

			if (child == NULL || filter->sub == NULL)
				return NULL;
			filter->sub[filter->nsub++] = child;
		}
		return filter;
	}
	for (int i = 0; i < 6; i++)
		if (mcw_view_eq(name, mcw_str(comparators[i])))
			filter->op = (mcw_ots_comparator) (i + 1);
	filter->column = mcw_node_text(inner, "column_name");
	filter->pass_if_missing = !mcw_node_get(inner, "filter_if_missing")->boolean;
	filter->latest_only = mcw_node_get(inner, "latest_version_only")->boolean;
	if (filter->op == 0 || !ots_rows_value(mcw_node_get(inner, "column_value"), arena, &filter->value))
		return NULL;
	return filter;
}

#endif							/* OTS_ROWS_H */
