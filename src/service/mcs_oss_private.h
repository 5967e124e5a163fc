/*
 * mcs_oss_private.h
 *		Shared by the files of src/service/mcs_oss*.c; nobody else includes this.
 */
#ifndef MCS_OSS_PRIVATE_H
#define MCS_OSS_PRIVATE_H

#include "mcs_oss.h"

/* mcs_oss_meta.c: what the headers of an answer to GET or HEAD say; views into the answer */
extern void mcs_oss_read_object_headers(const mcs_oss *oss, const mcn_request *req, mcs_oss_object *object);
/* "W/..." of a plain server: good for comparing, not for If-Match */
extern bool mcs_oss_etag_is_weak(mcw_view etag);

/* ---- reading ---- */

/* An object from being chosen to its last chunk; the reader's list has them in order */
typedef struct mcs_oss_source
{
	mcs_oss_object object;		/* strings behind this struct */
	size_t		block;			/* bytes of this block of memory */
	uint64_t	asked;			/* offset of the next request */
	uint64_t	delivered;
	uint64_t	crc;			/* of what was delivered */
	bool		crc_done;		/* one answer held all of it and was compared as it came */
	bool		stream;			/* one request for all */
	bool		known;			/* its state is known: it can change, not just be missing */
	struct mcs_oss_source *next;
} mcs_oss_source;

/* One request and its answer, in the order of delivery */
typedef struct mcs_oss_slot
{
	mcs_oss_call call;			/* not started for an empty object */
	struct mcs_oss_reader *reader;
	mcs_oss_source *source;
	uint64_t	offset;
	size_t		len;			/* of the range; of a stream its window */
	bool		ready;			/* answered or failed */
	mcw_status	status;
	mcw_error	error;

	/* a stream */
	bool		checked;		/* the headers of the running request agree with the object */
	bool		resumable;
	int			failures;		/* in a row, without a byte between them */
	mcw_buf		etag;			/* of the first answer */
} mcs_oss_slot;

struct mcs_oss_reader
{
	mcs_oss    *oss;
	mcs_oss_read_spec spec;
	mcs_oss_slot *slots;		/* a ring */
	int			nslots;
	int			head;
	int			count;
	int			asking;
	uint64_t	bytes;			/* of ranges in the ring */
	int			target;			/* requests at a time; grows while the consumer goes on */
	size_t		block_size;		/* of the next range; grows too */
	mcs_oss_source *first;		/* delivered from */
	mcs_oss_source *last;
	mcs_oss_source *issuing;	/* not all of its ranges are asked for */
	mcs_oss_source *current;	/* of the chunk handed out last */
	mcw_buf		held;			/* that chunk */
	mcw_buf    *spare;			/* buffers of answers for the next ones */
	int			nspare;
	size_t		spare_bytes;
	bool		took;
	bool		pumping;
	bool		ended;			/* no more objects */
	mcw_error	source_failed;	/* raised behind what is in the ring */
	mcw_error	failed;
	mcs_oss_read_stats stats;
};

/* mcs_oss_range.c: requests of a slot; mcs_oss_slot_done is called when it became ready */
extern void mcs_oss_ask_range(mcs_oss_slot *slot);
extern void mcs_oss_ask_stream(mcs_oss_slot *slot);
/* The first bytes of a stream's request are about to be handed out: are they what was asked for? */
extern mcw_status mcs_oss_check_stream(mcs_oss_slot *slot, mcw_error *err);
/* The stream was lost: true = it goes on, else *err says why it cannot */
extern bool mcs_oss_resume_stream(mcs_oss_slot *slot, mcw_error *err);

/* mcs_oss_read.c */
extern void mcs_oss_slot_done(mcs_oss_slot *slot);

#endif							/* MCS_OSS_PRIVATE_H */
