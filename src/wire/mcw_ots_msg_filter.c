/*
 * mcw_ots_msg_filter.c
 *		Filters and column conditions (tablestore.md 2.5).  The limits of the service
 *		are checked here, so that a tree that is written is one it accepts.
 */
#include "mcw_ots_msg_private.h"

#define TYPE_SINGLE 1
#define TYPE_COMPOSITE 2

int
mcw_ots_filter_nodes(const mcw_ots_filter *filter)
{
	int			nodes = 1;

	if (filter->kind != MCW_OTS_FILTER_COMPARE)
		for (int i = 0; i < filter->nsub; i++)
			nodes += mcw_ots_filter_nodes(filter->sub[i]);
	return nodes;
}

static mcw_status
check_comparison(const mcw_ots_filter *filter, mcw_error *err)
{
	if (filter->op < MCW_OTS_EQ || filter->op > MCW_OTS_LE)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "a filter has no comparison %d", (int) filter->op);
	if (filter->column.len == 0 || filter->column.len > MCW_OTS_MAX_NAME)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "a filter compares a column whose name has %zu bytes",
						filter->column.len);
	switch (filter->value.type)
	{
		case MCW_OTS_INTEGER:
		case MCW_OTS_DOUBLE:
		case MCW_OTS_BOOLEAN:
			return MCW_OK;
		case MCW_OTS_STRING:
		case MCW_OTS_BINARY:
			if (filter->value.s.len > MCW_OTS_MAX_VALUE_BYTES)
				return mcw_fail(err, MCW_ERR_ARGUMENT, "a filter compares with a value of %zu bytes",
								filter->value.s.len);
			return MCW_OK;
		default:
			return mcw_fail(err, MCW_ERR_ARGUMENT, "a filter compares with a value of type %s",
							mcw_ots_type_name((mcw_ots_type) filter->value.type));
	}
}

/* Everything but the number of nodes, which is known to be small */
static mcw_status
check_filter(const mcw_ots_filter *filter, mcw_error *err)
{
	switch (filter->kind)
	{
		case MCW_OTS_FILTER_COMPARE:
			return check_comparison(filter, err);
		case MCW_OTS_FILTER_NOT:
			if (filter->nsub != 1)
				return mcw_fail(err, MCW_ERR_ARGUMENT, "NOT of a filter takes one condition, not %d", filter->nsub);
			break;
		case MCW_OTS_FILTER_AND:
		case MCW_OTS_FILTER_OR:
			if (filter->nsub < 2)
				return mcw_fail(err, MCW_ERR_ARGUMENT, "AND and OR of a filter take two conditions or more, not %d",
								filter->nsub);
			break;
		default:
			return mcw_fail(err, MCW_ERR_ARGUMENT, "a filter is of no known kind");
	}
	for (int i = 0; i < filter->nsub; i++)
	{
		mcw_status	status = check_filter(filter->sub[i], err);

		if (status != MCW_OK)
			return status;
	}
	return MCW_OK;
}

static void
put_comparison(mcw_buf *out, const mcw_ots_filter *filter)
{
	size_t		mark;

	mcw_pb_put_uint(out, 1, filter->op);
	mcw_pb_put_bytes(out, 2, filter->column);
	mark = mcw_pb_begin(out, 3);
	(void) mcw_ots_write_variant(out, &filter->value);
	mcw_pb_end(out, mark);
	mcw_pb_put_uint(out, 4, !filter->pass_if_missing);
	mcw_pb_put_uint(out, 5, filter->latest_only);
}

/* The members of a Filter */
static void
put_filter(mcw_buf *out, const mcw_ots_filter *filter)
{
	bool		composite = filter->kind != MCW_OTS_FILTER_COMPARE;
	size_t		inner;

	mcw_pb_put_uint(out, 1, composite ? TYPE_COMPOSITE : TYPE_SINGLE);
	inner = mcw_pb_begin(out, 2);
	if (!composite)
		put_comparison(out, filter);
	else
	{
		mcw_pb_put_uint(out, 1, filter->kind == MCW_OTS_FILTER_NOT ? 1 :
						filter->kind == MCW_OTS_FILTER_AND ? 2 : 3);
		for (int i = 0; i < filter->nsub; i++)
		{
			size_t		mark = mcw_pb_begin(out, 2);

			put_filter(out, filter->sub[i]);
			mcw_pb_end(out, mark);
		}
	}
	mcw_pb_end(out, inner);
}

mcw_status
mcw_ots_write_filter(mcw_buf *out, const mcw_ots_filter *filter, mcw_error *err)
{
	int			nodes = mcw_ots_filter_nodes(filter);
	mcw_status	status;

	if (nodes > MCW_OTS_MAX_FILTER_NODES)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "a filter of %d conditions and connectives: the service takes %d",
						nodes, MCW_OTS_MAX_FILTER_NODES);
	status = check_filter(filter, err);
	if (status != MCW_OK)
		return status;
	put_filter(out, filter);
	if (mcw_buf_status(out) != MCW_OK)
		return mcw_fail(err, mcw_buf_status(out), "cannot hold a filter");
	return MCW_OK;
}
