/*
 * mcw_ots_msg_private.h
 *		What the message codecs of Tablestore share: a message described as a list of
 *		members, so that each is read by one loop that checks it.  Not for anybody else.
 */
#ifndef MCW_OTS_MSG_PRIVATE_H
#define MCW_OTS_MSG_PRIVATE_H

#include "mcw_ots_msg.h"
#include "mcw_pb.h"

#include <stdio.h>

typedef enum ots_kind
{
	OTS_BYTES,					/* mcw_view */
	OTS_INT32,					/* int32_t */
	OTS_INT64,					/* int64_t */
	OTS_BOOL,					/* bool */
	OTS_REPEATED				/* int: how many; each is bytes, see ots_next_repeated */
} ots_kind;

/*
 * One member of a message: where its value goes (the last one wins, as in protobuf;
 * absent: left as it was), and whether it must be there.
 */
typedef struct ots_member
{
	uint32_t	number;
	ots_kind	kind;
	void	   *to;
	bool		required;
} ots_member;

#define OTS_NMEMBERS(m) ((int) (sizeof(m) / sizeof((m)[0])))

/* Where offsets of errors count from */
typedef struct ots_source
{
	const char *base;
	mcw_error  *err;
} ots_source;

static inline ots_source
ots_source_of(mcw_view body, mcw_error *err)
{
	ots_source	src = {body.data, err};

	return src;
}

/* An error at 'pos' of the message called 'name' */
extern mcw_status ots_msg_fail(const ots_source *src, mcw_status status, const char *pos,
							   const char *name, const char *what);
extern mcw_status ots_read_message(const ots_source *src, const char *name, mcw_view message,
								   const ots_member *members, int nmembers);
/*
 * Next member 'number' of a message that ots_read_message has accepted; pos starts
 * at 0.  False at the end.
 */
extern bool ots_next_repeated(mcw_view message, uint32_t number, size_t *pos, mcw_view *item);

/* ConsumedCapacity; an absent message (data NULL) is zero */
extern mcw_status ots_read_consumed(const ots_source *src, mcw_view message, mcw_ots_consumed *consumed);
/* n zeroed items of 'size' bytes; also the error if there is no room */
extern mcw_status ots_msg_array(mcw_arena *arena, int n, size_t size, void **out, mcw_error *err);

#endif							/* MCW_OTS_MSG_PRIVATE_H */
