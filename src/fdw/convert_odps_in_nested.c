/*
 * convert_odps_in_nested.c
 *		ARRAY and VECTOR as PostgreSQL arrays, STRUCT as a composite type.
 *
 * An array of arrays is not a PostgreSQL array (which must be rectangular) but jsonb.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "odps_read.h"

/* what the reader has verified cannot fail here; if it does, the stream is broken */
static const char *
broken(McInContext *cxt)
{
	return mcInRefuse(cxt, ERRCODE_DATA_CORRUPTED, "malformed nested value");
}

static const char *
convert_element(McInType *child, const mcw_odps_value *value, Datum *out, bool *isnull)
{
	const char *reason = NULL;

	*isnull = value->is_null;
	*out = (Datum) 0;
	if (!value->is_null)
		reason = child->fn(child, value, out);
	if (!reason && OidIsValid(child->domain))
		reason = mcInCheckDomain(child, *out, *isnull);
	return reason;
}

static const char *
in_array(McInType *in, const mcw_odps_value *value, Datum *out)
{
	mcw_odps_cursor cursor = {value->bytes.data, value->bytes.data + value->bytes.len};
	McInType   *child = in->children[0];
	bool		flagged = in->type->kind == MCW_ODPS_ARRAY;
	uint32_t	count;
	Datum	   *values;
	bool	   *nulls;
	int			dims[1];
	int			bounds[1] = {1};

	if (mcw_odps_cursor_count(&cursor, &count) != MCW_OK || count > value->bytes.len)
		return broken(in->cxt);
	if (count == 0)
	{
		*out = PointerGetDatum(construct_empty_array(in->elem_type));
		return NULL;
	}
	if (count > MaxArraySize)
		return mcInRefuse(in->cxt, ERRCODE_PROGRAM_LIMIT_EXCEEDED, "%u elements are too many for an array", count);
	values = palloc_extended(count * sizeof(Datum), MCXT_ALLOC_HUGE);
	nulls = palloc_extended(count * sizeof(bool), MCXT_ALLOC_HUGE);
	for (uint32_t i = 0; i < count; i++)
	{
		mcw_odps_value element;
		const char *reason;

		element.is_null = false;
		if (mcw_odps_cursor_value(&cursor, child->type, flagged, &element) != MCW_OK)
			return broken(in->cxt);
		reason = convert_element(child, &element, &values[i], &nulls[i]);
		if (reason)
			return psprintf("element %u: %s", i + 1, reason);
	}
	dims[0] = (int) count;
	*out = PointerGetDatum(construct_md_array(values, nulls, 1, dims, bounds, in->elem_type,
											  in->elem_len, in->elem_byval, in->elem_align));
	return NULL;
}

static const char *
in_composite(McInType *in, const mcw_odps_value *value, Datum *out)
{
	mcw_odps_cursor cursor = {value->bytes.data, value->bytes.data + value->bytes.len};
	int			natts = in->desc->natts;
	Datum	   *values = palloc0(Max(natts, 1) * sizeof(Datum));
	bool	   *nulls = palloc(Max(natts, 1) * sizeof(bool));

	memset(nulls, true, natts * sizeof(bool));
	for (int i = 0; i < in->nchildren; i++)
	{
		mcw_odps_value field;
		const char *reason;

		if (mcw_odps_cursor_value(&cursor, in->children[i]->type, true, &field) != MCW_OK)
			return broken(in->cxt);
		reason = convert_element(in->children[i], &field, &values[in->attnos[i]], &nulls[in->attnos[i]]);
		if (reason)
			return psprintf("field %s: %s", NameStr(TupleDescAttr(in->desc, in->attnos[i])->attname), reason);
	}
	*out = HeapTupleGetDatum(heap_form_tuple(in->desc, values, nulls));
	return NULL;
}

static McInType *
prepare_child(McInType *in, Oid pgtype, int32 typmod, const mcw_odps_type *type, const char **reason)
{
	McInType   *child = mcInPrepare(in->cxt, pgtype, typmod, type, reason);

	if (child)
		child->nested = true;
	return child;
}

static McInFn
prepare_array(McInType *in, const char **reason)
{
	in->nchildren = 1;
	in->children = palloc(sizeof(McInType *));
	get_typlenbyvalalign(in->elem_type, &in->elem_len, &in->elem_byval, &in->elem_align);
	in->children[0] = prepare_child(in, in->elem_type, in->typmod, in->type->children[0], reason);
	return in->children[0] ? in_array : NULL;
}

static McInFn
prepare_composite(McInType *in, const char **reason)
{
	int			used = 0;

	in->desc = BlessTupleDesc(lookup_rowtype_tupdesc_copy(in->pgtype, -1));
	in->nchildren = in->type->nchildren;
	in->children = palloc0(in->nchildren * sizeof(McInType *));
	in->attnos = palloc(in->nchildren * sizeof(int));
	for (int i = 0; i < in->nchildren; i++)
	{
		mcw_view	name = in->type->names[i];

		in->attnos[i] = -1;
		for (int a = 0; a < in->desc->natts && in->attnos[i] < 0; a++)
		{
			Form_pg_attribute att = TupleDescAttr(in->desc, a);

			if (att->attisdropped || !mcw_view_ieq(mcw_str(NameStr(att->attname)), name))
				continue;
			in->attnos[i] = a;
			in->children[i] = prepare_child(in, att->atttypid, att->atttypmod, in->type->children[i], reason);
			if (!in->children[i])
				return NULL;
			used++;
		}
		if (in->attnos[i] < 0)
		{
			*reason = psprintf("type %s has no attribute for the struct's field \"%.*s\"",
							   format_type_be(in->pgtype), (int) name.len, name.data);
			return NULL;
		}
	}
	for (int a = 0; a < in->desc->natts; a++)
		used -= !TupleDescAttr(in->desc, a)->attisdropped;
	if (used < 0)
		*reason = psprintf("type %s has an attribute that the struct has not", format_type_be(in->pgtype));
	return used < 0 ? NULL : in_composite;
}

McInFn
mcInNestedFunction(McInType *in, const char **reason)
{
	in->elem_type = get_element_type(in->pgtype);
	if (OidIsValid(in->elem_type) && (in->type->kind == MCW_ODPS_ARRAY || in->type->kind == MCW_ODPS_VECTOR))
		return prepare_array(in, reason);
	if (in->type->kind == MCW_ODPS_STRUCT && get_typtype(in->pgtype) == TYPTYPE_COMPOSITE)
		return prepare_composite(in, reason);
	return NULL;
}
