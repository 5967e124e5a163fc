/*
 * ots_oracle.h
 *		What the tests of Tablestore messages share: memory, and protobuf-c as the oracle.
 */
#ifndef OTS_ORACLE_H
#define OTS_ORACLE_H

#include "unit.h"

#include "../../src/wire/mcw_ots_msg.h"
#include "../../src/wire/mcw_pb.h"
#include "ots.pb-c.h"

#define MAX_BODY ((size_t) 16 << 20)

static mcw_arena arena;
static mcw_buf out;
static mcw_error err;

static inline void
begin(void)
{
	mcw_arena_init(&arena, &mcw_malloc, 1 << 22);
	mcw_buf_init(&out, &mcw_malloc, MAX_BODY);
	memset(&err, 0, sizeof(err));
}

static inline void
end(void)
{
	mcw_arena_reset(&arena);
	mcw_buf_free(&out);
}

static inline mcw_view
view_of(ProtobufCBinaryData data)
{
	mcw_view	v = {(const char *) data.data, data.len};

	return v;
}

static inline ProtobufCBinaryData
data_of(const char *text)
{
	ProtobufCBinaryData d = {strlen(text), (uint8_t *) text};

	return d;
}

/* protobuf-c understands 'out' as that message and packs it to the same bytes */
static inline ProtobufCMessage *
unpack(const ProtobufCMessageDescriptor *type)
{
	ProtobufCMessage *message = protobuf_c_message_unpack(type, NULL, out.len, (const uint8_t *) out.data);
	uint8_t    *packed;
	mcw_view	again;

	if (!CHECK(message != NULL))
		exit(1);
	packed = malloc(protobuf_c_message_get_packed_size(message) + 1);
	again.data = (const char *) packed;
	again.len = protobuf_c_message_pack(message, packed);
	CHECK_VIEW(mcw_buf_view(&out), again);
	free(packed);
	return message;
}

static inline void
release(void *message)
{
	protobuf_c_message_free_unpacked(message, NULL);
}

/* A message of protobuf-c as bytes in the arena */
static inline mcw_view
pack(const void *message)
{
	size_t		size = protobuf_c_message_get_packed_size(message);
	char	   *bytes = mcw_arena_new(&arena, size + 1);
	mcw_view	v = {bytes, protobuf_c_message_pack(message, (uint8_t *) bytes)};

	return v;
}

#endif							/* OTS_ORACLE_H */
