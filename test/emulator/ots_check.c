/*
 * ots_check.c
 *		mc-emulator, Tablestore part: what the service refuses in names, keys and values
 *		before it looks at a row.  tablestore.md 4.1, 4.3, 4.5, 4.8.
 */
#include <math.h>
#include <stdlib.h>

#include "ots_private.h"

/* Tables: letters, digits, underscore, no digit first.  Columns: any UTF-8 text but "#..." */
bool
ots_name_ok(mcw_view name, bool is_column)
{
	if (name.len == 0 || name.len > MCW_OTS_MAX_NAME)
		return false;
	if (is_column)
		return name.data[0] != '#' && mcw_utf8_valid(name.data, name.len) == name.len;
	for (size_t i = 0; i < name.len; i++)
	{
		char		c = name.data[i];
		bool		letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

		if (!letter && !(i > 0 && c >= '0' && c <= '9'))
			return false;
	}
	return true;
}

static const char *
variant_name(int type)
{
	switch (type)
	{
		case MCW_OTS_INTEGER:
			return "VT_INTEGER";
		case MCW_OTS_DOUBLE:
			return "VT_DOUBLE";
		case MCW_OTS_BOOLEAN:
			return "VT_BOOLEAN";
		case MCW_OTS_STRING:
			return "VT_STRING";
		case MCW_OTS_BINARY:
			return "VT_BLOB";
		case MCW_OTS_INF_MIN:
			return "VT_INF_MIN";
		case MCW_OTS_INF_MAX:
			return "VT_INF_MAX";
		case MCW_OTS_AUTO_INCREMENT:
			return "VT_AUTO_INCREMENT";
		default:
			return "VT_NULL";
	}
}

static bool
bad_name(ots_fault *why, mcw_view name)
{
	return ots_invalid(why, "Invalid column name: '%.*s'.", (int) (name.len < 600 ? name.len : 600), name.data);
}

/* ---- without the table ---- */

/* Names, sizes and encodings of one row: the same for every table */
bool
ots_check_values(const ots_change_row *row, ots_fault *why)
{
	if (row->nkeys > MCW_OTS_MAX_KEYS)
		return ots_invalid(why, "The number of primary key columns must be in range: [1, 4].");
	for (int i = 0; i < row->nkeys; i++)
	{
		const ots_change_cell *c = &row->keys[i];
		int			type = c->value.type;

		if (!ots_name_ok(c->name, true))
			return bad_name(why, c->name);
		if (c->has_op || c->timestamp != MCW_OTS_NO_TIMESTAMP || type == MCW_OTS_NONE)
			return ots_invalid(why, "Invalid primary key column: '%.*s'.", (int) c->name.len, c->name.data);
		if (type == MCW_OTS_DOUBLE || type == MCW_OTS_BOOLEAN)
			return ots_invalid(why, "%s is an invalid type for the primary key.", variant_name(type));
		if (type != MCW_OTS_STRING && type != MCW_OTS_BINARY)
			continue;
		if (c->value.s.len > MCW_OTS_MAX_KEY_BYTES)
			return ots_invalid(why, "The length of primary key column: '%.*s' exceeds the MaxLength:%d with CurrentLength:%zu.",
							   (int) c->name.len, c->name.data, MCW_OTS_MAX_KEY_BYTES, c->value.s.len);
		if (type == MCW_OTS_STRING && mcw_utf8_valid(c->value.s.data, c->value.s.len) != c->value.s.len)
			return ots_invalid(why, "Value of column %.*s must be UTF8 encoding.", (int) c->name.len, c->name.data);
	}
	return true;
}

static bool
check_value(const ots_change_cell *c, ots_fault *why)
{
	const mcw_ots_value *v = &c->value;

	switch (v->type)
	{
		case MCW_OTS_INTEGER:
		case MCW_OTS_BOOLEAN:
			return true;
		case MCW_OTS_DOUBLE:
			if (isnan(v->d))
				return ots_invalid(why, "NaN can't be set to double value.");
			return !isinf(v->d) || ots_invalid(why, "Infinity can't be set to double value.");
		case MCW_OTS_STRING:
		case MCW_OTS_BINARY:
			if (v->s.len > MCW_OTS_MAX_VALUE_BYTES)
				return ots_invalid(why, "The length of attribute column: '%.*s' exceeds the MaxLength:%d with CurrentLength:%zu.",
								   (int) c->name.len, c->name.data, MCW_OTS_MAX_VALUE_BYTES, v->s.len);
			return v->type == MCW_OTS_BINARY || mcw_utf8_valid(v->s.data, v->s.len) == v->s.len ||
				ots_invalid(why, "Value of column %.*s must be UTF8 encoding.", (int) c->name.len, c->name.data);
		default:
			return ots_invalid(why, "%s is an invalid type for the attribute column.", variant_name(v->type));
	}
}

static bool
check_put_cell(const ots_change_cell *c, ots_fault *why)
{
	if (c->has_op)
		return ots_invalid(why, "OpType cannot be given for column name:%.*s in PutRow.", (int) c->name.len, c->name.data);
	return c->value.type != MCW_OTS_NONE || ots_invalid(why, "Invalid request of put row: find cells without values.");
}

static bool
check_update_cell(const ots_change_cell *c, ots_fault *why)
{
	bool		value = c->value.type != MCW_OTS_NONE;
	bool		stamp = c->timestamp != MCW_OTS_NO_TIMESTAMP;

	if (!c->has_op)
		return value || ots_invalid(why, "Invalid request of update row: find cells without values.");
	switch (c->op)
	{
		case MCW_OTS_DELETE_ALL:
			if (value)
				return ots_invalid(why, "Column value cannot be given when type is DELETE_ONE_VERSION,DELETE_ALL_VERSION.");
			return !stamp || ots_invalid(why, "Timestamp cannot be given when type is DELETE_ALL_VERSION.");
		case MCW_OTS_DELETE_ONE:
			if (value)
				return ots_invalid(why, "Column value cannot be given when type is DELETE_ONE_VERSION,DELETE_ALL_VERSION.");
			return stamp || ots_invalid(why, "Timestamp must be given when type is DELETE_ONE_VERSION.");
		case MCW_OTS_INCREMENT:
			if (!value || c->value.type != MCW_OTS_INTEGER)
				return ots_invalid(why, "Column value of type INTEGER must be given when type is INCREMENT, column name:%.*s.",
								   (int) c->name.len, c->name.data);
			return !stamp || ots_invalid(why, "Timestamp cannot be given when type is INCREMENT.");
		default:
			return ots_invalid(why, "data format is invalid, unknown cell type occured.");
	}
}

static int
name_cmp(const void *a, const void *b)
{
	return mcw_view_cmp((*(ots_change_cell *const *) a)->name, (*(ots_change_cell *const *) b)->name);
}

/* Rules across the cells of a row: how many columns, increments alone, no key names */
static bool
check_columns(const ots_change_row *row, ots_fault *why)
{
	ots_change_cell **sorted = emu_malloc((row->ncells + 1) * sizeof(*sorted));
	int			columns = 0;
	bool		ok = true;

	for (int i = 0; i < row->ncells; i++)
		sorted[i] = &row->cells[i];
	qsort(sorted, row->ncells, sizeof(*sorted), name_cmp);
	for (int i = 0; ok && i < row->ncells; i++)
	{
		bool		same = i > 0 && mcw_view_eq(sorted[i]->name, sorted[i - 1]->name);

		columns += !same;
		if (same && ((sorted[i]->has_op && sorted[i]->op == MCW_OTS_INCREMENT) ||
					 (sorted[i - 1]->has_op && sorted[i - 1]->op == MCW_OTS_INCREMENT)))
			ok = ots_invalid(why, "Column %.*s has an INCREMENT and another operation in one request.",
							 (int) sorted[i]->name.len, sorted[i]->name.data);
		for (int k = 0; ok && !same && k < row->nkeys; k++)
			if (mcw_view_eq(sorted[i]->name, row->keys[k].name))
				ok = ots_invalid(why, "Duplicated attribute column name with primary key column: %.*s.",
								 (int) sorted[i]->name.len, sorted[i]->name.data);
	}
	free(sorted);
	if (ok && columns > MCW_OTS_MAX_ROW_COLUMNS)
		ok = ots_invalid(why, "The number of attribute columns exceeds the limit, limit count: %d, column count: %d.",
						 MCW_OTS_MAX_ROW_COLUMNS, columns);
	return ok;
}

/* What a row of an operation may hold; 'kind' is its OperationType */
bool
ots_check_cells(const ots_change_row *row, int kind, ots_fault *why)
{
	if (kind == 3)
	{
		if (row->ncells > 0)
			return ots_invalid(why, "Invalid delete row request: unexpected cells in request.");
		return row->delete_marker || ots_invalid(why, "Invalid request of delete row: missing RowDeleteMarker in request.");
	}
	if (row->delete_marker)
		return ots_invalid(why, "Invalid %s row request: unexpected RowDeleteMarker in request.", kind == 1 ? "put" : "update");
	if (kind == 2 && row->ncells == 0)
		return ots_invalid(why, "Invalid update row request: missing cells in request.");
	for (int i = 0; i < row->ncells; i++)
	{
		const ots_change_cell *c = &row->cells[i];

		if (!ots_name_ok(c->name, true))
			return bad_name(why, c->name);
		if (!(kind == 1 ? check_put_cell(c, why) : check_update_cell(c, why)))
			return false;
		if (c->value.type != MCW_OTS_NONE && !check_value(c, why))
			return false;
		if (c->timestamp != MCW_OTS_NO_TIMESTAMP && (c->timestamp < 0 || c->timestamp >= MCW_OTS_MAX_TIMESTAMP))
			return ots_invalid(why, "Timestamp must be in range [0, INT64_MAX/1000).");
	}
	return check_columns(row, why);
}

/* ---- against the table ---- */

bool
ots_check_key(const ots_table *table, const ots_change_row *row, ots_key_use use, mcw_ots_key *key, ots_fault *why)
{
	const mcw_ots_schema *schema = &table->schema;

	key->n = schema->nkeys;
	if (row->nkeys != schema->nkeys)
		return ots_fault_set(why, 400, "OTSInvalidPK", "Validate PK size fail. Input: %d, Meta: %d.", row->nkeys, schema->nkeys);
	for (int i = 0; i < row->nkeys; i++)
	{
		const ots_change_cell *c = &row->keys[i];
		const mcw_ots_key_column *meta = &schema->keys[i];
		int			type = c->value.type;

		if (!mcw_view_eq(c->name, meta->name))
			return ots_fault_set(why, 400, "OTSInvalidPK", "Validate PK name fail. Input: %.*s, Meta: %.*s.",
								 (int) c->name.len, c->name.data, (int) meta->name.len, meta->name.data);
		key->v[i] = c->value;
		if (type == MCW_OTS_INF_MIN || type == MCW_OTS_INF_MAX)
		{
			if (use != OTS_KEY_BOUND)
				return ots_invalid(why, "%s is an invalid type for the primary key.", variant_name(type));
			continue;
		}
		if (type == MCW_OTS_AUTO_INCREMENT)
		{
			if (use != OTS_KEY_WRITE)
				return ots_invalid(why, "PKAutoIncr can't be used for read operations.");
			if (meta->auto_increment)
				continue;
		}
		if (type != (int) meta->type)
			return ots_fault_set(why, 400, "OTSInvalidPK", "Validate PK type fail. Input: %s, Meta: %s.",
								 variant_name(type), variant_name(meta->type));
	}
	return true;
}
