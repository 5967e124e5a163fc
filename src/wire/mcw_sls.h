/*
 * mcw_sls.h
 *		LogGroup and LogGroupList (loghub.md 4), read without copying and written
 *		without intermediate objects.
 */
#ifndef MCW_SLS_H
#define MCW_SLS_H

#include "mcw_http.h"

typedef enum mcw_sls_source
{
	MCW_SLS_FIELD,				/* content of that key; the last one wins */
	MCW_SLS_TOPIC,
	MCW_SLS_SOURCE,
	MCW_SLS_TAG,				/* group tag of that key (without "__tag__:") */
	MCW_SLS_CATEGORY,
	MCW_SLS_MACHINE_UUID,
	MCW_SLS_NOTHING				/* always absent: a placeholder the caller fills */
} mcw_sls_source;

typedef struct mcw_sls_column
{
	mcw_sls_source source;
	mcw_view	name;			/* FIELD and TAG */
} mcw_sls_column;

/* One group of a page.  Views into the page. */
typedef struct mcw_sls_group
{
	mcw_view	topic;			/* data NULL = absent */
	mcw_view	source;
	mcw_view	category;
	mcw_view	machine_uuid;
	mcw_view	receive_time;	/* value of the tag __receive_time__ */
	mcw_view	body;			/* the group's own bytes */
	int			index;			/* position in the page, from 0 */
} mcw_sls_group;

typedef struct mcw_sls_log
{
	uint32_t	time;			/* Unix seconds */
	uint32_t	time_ns;		/* as sent, 0 when absent */
	bool		has_time_ns;
	mcw_view	body;			/* the log's own bytes */
} mcw_sls_log;

typedef struct mcw_sls_reader mcw_sls_reader;

/*
 * ncolumns may be 0 (count only: contents are stepped over, not checked).  Column
 * names are copied.  NULL = out of memory.
 */
extern mcw_sls_reader *mcw_sls_reader_create(const mcw_alloc *alloc, const mcw_sls_column *columns, int ncolumns);
extern void mcw_sls_reader_free(mcw_sls_reader *reader);

/* Start on an uncompressed LogGroupList; 'page' must stay until the next call. */
extern void mcw_sls_reader_page(mcw_sls_reader *reader, mcw_view page);
/* The same for one bare LogGroup, as PutLogs carries it */
extern void mcw_sls_reader_put_body(mcw_sls_reader *reader, mcw_view group);

/*
 * Next group of the page: MCW_OK, MCW_END, MCW_ERR_FORMAT.  Topic, source and tags
 * stand behind the logs on the wire, so the group is framed once in advance.
 */
extern mcw_status mcw_sls_next_group(mcw_sls_reader *reader, mcw_sls_group *group, mcw_error *err) MCW_MUST_CHECK;

/*
 * Next log of the group: fills values[0 .. ncolumns-1]; an absent value has data
 * NULL.  A value of at most 127 bytes is directly preceded by its one length
 * byte, which the caller may overwrite once the log has been read.
 * MCW_OK, MCW_END at the end of the group, MCW_ERR_FORMAT.
 */
extern mcw_status mcw_sls_next_log(mcw_sls_reader *reader, mcw_sls_log *log, mcw_view *values, mcw_error *err) MCW_MUST_CHECK;

/* Walk all contents of a log body / all tags of a group body; pos starts at 0.  MCW_OK, MCW_END, MCW_ERR_FORMAT */
extern mcw_status mcw_sls_next_content(mcw_view log_body, size_t *pos, mcw_view *key, mcw_view *value);
extern mcw_status mcw_sls_next_tag(mcw_view group_body, size_t *pos, mcw_view *key, mcw_view *value);

/* Check a whole page; counts may be NULL.  Used by tests, fuzzing and the emulator. */
extern mcw_status mcw_sls_validate(mcw_view page, bool is_list, uint64_t *groups, uint64_t *logs, mcw_error *err);

/*
 * Writer of one LogGroup.  Append logs, then finish with the group's metadata.
 * A log is kept only when end_log succeeds.  'out' is given at init and receives
 * the LogGroup; mcw_buf's max bounds it.
 */
typedef struct mcw_sls_writer
{
	mcw_buf    *out;
	size_t		last_start;		/* of the last log that was kept */
	size_t		log_start;
	uint32_t	nlogs;
	mcw_status	status;			/* first failure of the open log */
} mcw_sls_writer;

extern void mcw_sls_writer_init(mcw_sls_writer *writer, mcw_buf *out);
extern mcw_status mcw_sls_begin_log(mcw_sls_writer *writer, uint32_t time, bool has_ns, uint32_t time_ns);
extern mcw_status mcw_sls_content(mcw_sls_writer *writer, mcw_view key, mcw_view value);
extern mcw_status mcw_sls_end_log(mcw_sls_writer *writer);
/* absent views (data NULL) are left out */
extern mcw_status mcw_sls_finish_group(mcw_sls_writer *writer, mcw_view category, mcw_view topic,
									   mcw_view source, mcw_view machine_uuid,
									   const mcw_pair *tags, int ntags);
/* at most so many bytes are added by mcw_sls_finish_group */
extern size_t mcw_sls_finish_size(mcw_view category, mcw_view topic, mcw_view source, mcw_view machine_uuid,
								  const mcw_pair *tags, int ntags);
/* The last log of one group becomes the first of an empty one; the buffers differ. */
extern mcw_status mcw_sls_move_last(mcw_sls_writer *from, mcw_sls_writer *to);
/* Forget the log that was ended last; only once after each end */
extern void mcw_sls_drop_last(mcw_sls_writer *writer);
/* Append a LogGroup with the logs begin .. end-1 and all that is not a log: MCW_OK, MCW_ERR_FORMAT, or the buffer's failure */
extern mcw_status mcw_sls_cut_group(mcw_view group, uint32_t begin, uint32_t end, mcw_buf *out, mcw_error *err);

#endif							/* MCW_SLS_H */
