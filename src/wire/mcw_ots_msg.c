/*
 * mcw_ots_msg.c
 *		What all messages of Tablestore share (tablestore.md 2): reading by a list of
 *		members, errors, consumed capacity.
 */
#include "mcw_ots_msg_private.h"

mcw_status
ots_msg_fail(const ots_source *src, mcw_status status, const char *pos, const char *name, const char *what)
{
	mcw_fail(src->err, status, "%s %s: %s",
			 status == MCW_ERR_FORMAT ? "malformed" : "unexpected", name, what);
	if (src->err)
		src->err->offset = (uint64_t) (pos - src->base);
	return status;
}

/* False if the number does not fit */
static bool
store_number(const ots_member *member, uint64_t number)
{
	int64_t		wide = (int64_t) number;

	switch (member->kind)
	{
		case OTS_INT32:
			/* a negative number is sent in 64 bits; some send it in 32 */
			if ((wide < INT32_MIN || wide > INT32_MAX) && number > UINT32_MAX)
				return false;
			*(int32_t *) member->to = (int32_t) (uint32_t) number;
			return true;
		case OTS_INT64:
			*(int64_t *) member->to = wide;
			return true;
		case OTS_BOOL:
			*(bool *) member->to = number != 0;
			return true;
		default:
			return false;
	}
}

static bool
store(const ots_member *member, const mcw_pb_field *field)
{
	if (member->kind == OTS_BYTES || member->kind == OTS_REPEATED)
	{
		if (field->wire != MCW_PB_BYTES)
			return false;
		if (member->kind == OTS_BYTES)
			*(mcw_view *) member->to = field->bytes;
		else
			++*(int *) member->to;
		return true;
	}
	return field->wire == MCW_PB_VARINT && store_number(member, field->number_value);
}

mcw_status
ots_read_message(const ots_source *src, const char *name, mcw_view message,
				 const ots_member *members, int nmembers)
{
	uint32_t	seen = 0;
	size_t		pos = 0;
	mcw_pb_field field;

	for (;;)
	{
		const char *at = pos > 0 ? message.data + pos : message.data;
		mcw_status	status = mcw_pb_next(message, &pos, &field);

		if (status == MCW_END)
			break;
		if (status != MCW_OK)
			return ots_msg_fail(src, MCW_ERR_FORMAT, at, name, "a member is cut short or of an unknown wire type");
		for (int i = 0; i < nmembers; i++)
		{
			if (members[i].number != field.number)
				continue;
			if (!store(&members[i], &field))
				return ots_msg_fail(src, MCW_ERR_FORMAT, at, name, "a member has the wrong type or does not fit it");
			seen |= UINT32_C(1) << i;
			break;
		}
	}
	for (int i = 0; i < nmembers; i++)
	{
		char		what[48];

		if (!members[i].required || (seen >> i & 1))
			continue;
		(void) snprintf(what, sizeof(what), "member %u is missing", members[i].number);
		return ots_msg_fail(src, MCW_ERR_PROTOCOL, message.data, name, what);
	}
	return MCW_OK;
}

bool
ots_next_repeated(mcw_view message, uint32_t number, size_t *pos, mcw_view *item)
{
	mcw_pb_field field;

	while (mcw_pb_next(message, pos, &field) == MCW_OK)
	{
		if (field.number != number || field.wire != MCW_PB_BYTES)
			continue;
		*item = field.bytes;
		return true;
	}
	return false;
}

mcw_status
ots_msg_array(mcw_arena *arena, int n, size_t size, void **out, mcw_error *err)
{
	size_t		bytes = (size_t) n * size;

	*out = NULL;
	if (n == 0)
		return MCW_OK;
	*out = mcw_arena_new(arena, bytes);
	if (*out == NULL)
		return mcw_fail(err, mcw_arena_why(arena, bytes), "cannot hold %d items of an answer", n);
	return MCW_OK;
}

/* ---- errors and capacity ---- */

bool
mcw_ots_read_error(mcw_view body, mcw_view *code, mcw_view *message)
{
	const ots_source src = ots_source_of(body, NULL);
	const ots_member members[] = {
		{1, OTS_BYTES, code, true},
		{2, OTS_BYTES, message},
	};

	*code = *message = MCW_LIT("");
	return ots_read_message(&src, "Error", body, members, OTS_NMEMBERS(members)) == MCW_OK && code->len > 0;
}

mcw_status
ots_read_consumed(const ots_source *src, mcw_view message, mcw_ots_consumed *consumed)
{
	mcw_view	unit = {NULL, 0};
	const ots_member outer[] = {{1, OTS_BYTES, &unit, true}};
	const ots_member inner[] = {
		{1, OTS_INT32, &consumed->read},
		{2, OTS_INT32, &consumed->write},
	};
	mcw_status	status;

	consumed->read = consumed->write = 0;
	if (message.data == NULL)
		return MCW_OK;
	status = ots_read_message(src, "ConsumedCapacity", message, outer, OTS_NMEMBERS(outer));
	if (status != MCW_OK)
		return status;
	return ots_read_message(src, "CapacityUnit", unit, inner, OTS_NMEMBERS(inner));
}
