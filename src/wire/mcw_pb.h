/*
 * mcw_pb.h
 *		Protobuf framing (proto2): one member at a time in, one member at a time out.
 *		For the message codecs of this layer and for the emulator.
 */
#ifndef MCW_PB_H
#define MCW_PB_H

#include "mcw_varint.h"

typedef enum mcw_pb_wire
{
	MCW_PB_VARINT = 0,
	MCW_PB_FIXED64 = 1,
	MCW_PB_BYTES = 2,
	MCW_PB_FIXED32 = 5
} mcw_pb_wire;

typedef struct mcw_pb_field
{
	uint32_t	number;
	mcw_pb_wire wire;
	uint64_t	number_value;	/* VARINT, FIXED32, FIXED64 */
	mcw_view	bytes;			/* BYTES: string, bytes or message */
} mcw_pb_field;

/* Next member of 'message' from *pos (starts at 0): MCW_OK, MCW_END, MCW_ERR_FORMAT (also for groups) */
extern mcw_status mcw_pb_next(mcw_view message, size_t *pos, mcw_pb_field *field);

/* Appending; a failure stays in out->failed */
extern void mcw_pb_put_uint(mcw_buf *out, uint32_t number, uint64_t value);	/* int32 and int64 sign-extended by the caller's cast */
extern void mcw_pb_put_bytes(mcw_buf *out, uint32_t number, mcw_view bytes);	/* data NULL is left out */
extern void mcw_pb_put_double(mcw_buf *out, uint32_t number, double value);
/* a message of unknown length: begin returns a mark, end moves the length in */
extern size_t mcw_pb_begin(mcw_buf *out, uint32_t number);
extern void mcw_pb_end(mcw_buf *out, size_t mark);

#endif							/* MCW_PB_H */
