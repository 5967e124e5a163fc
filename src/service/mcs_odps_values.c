/*
 * mcs_odps_values.c
 *		All values of one column of a partition, range after range of one download
 *		session (maxcompute.md 3).
 *
 * For questions about few bytes a row whose answer must be exact: every record is
 * verified before it counts, a damaged range goes on at its first row that was not.
 */
#include "mcs_odps.h"

#define FIRST_ROWS 16384
#define MOST_ROWS 262144
#define RANGE_TARGET ((size_t) 16 * 1024 * 1024)	/* bytes of record stream a range should have */
#define RANGE_LIMIT ((size_t) 64 * 1024 * 1024)		/* beyond it is read in smaller pieces */
#define ROW_LIMIT ((size_t) 16 * 1024 * 1024)		/* a single value has 8 MB at most */
#define REPEATS 4
#define REPEAT_DELAY_MS 50

typedef struct each_value
{
	mcs_odps   *odps;
	const mcw_odps_type *type;
	mcs_odps_download session;
	mcs_odps_range range;
	mcw_buf		scratch;
	void		(*take) (void *ctx, mcw_view value);
	void	   *ctx;
	int64_t		taken;			/* rows of the session */
	size_t		stream_len;		/* of the last range */
} each_value;

static mcw_status
open_session(each_value *e, const mcs_odps_table *table, mcw_error *err)
{
	while (e->session.state != MCS_ODPS_SESSION_READY)
	{
		mcs_odps_call call;
		int			delay_ms;
		mcw_status	status;

		mcs_odps_download_open(&call, e->odps, &e->session);
		status = mcs_odps_call_run(&call, err);
		if (status == MCW_OK)
			status = mcs_odps_download_opened(&call, table, &e->session, &delay_ms, err);
		mcs_odps_call_free(&call);
		if (status != MCW_OK)
			return status;
		if (e->session.state != MCS_ODPS_SESSION_READY)
		{
			status = mcs_odps_sleep(e->odps, delay_ms, err);
			if (status != MCW_OK)
				return status;
			if (e->odps->deadline_us && mcn_now_us() >= e->odps->deadline_us)
				return mcw_fail(err, MCW_ERR_TIMEOUT, "the time limit passed while a download session was prepared");
		}
	}
	return MCW_OK;
}

/* Rows that were verified are taken also if the rest is damaged */
static mcw_status
read_range(each_value *e, mcw_error *err)
{
	mcs_odps_call call;
	mcw_view	stream;
	mcw_status	status;

	e->range.first = e->taken;
	mcs_odps_download_read(&call, e->odps, &e->session, &e->range, e->range.count > 1 ? RANGE_LIMIT : ROW_LIMIT);
	status = mcs_odps_call_run(&call, err);
	if (status == MCW_OK)
		status = mcs_odps_download_stream(&call, &e->scratch, &stream, err);
	if (status == MCW_OK)
	{
		mcw_odps_reader reader;
		mcw_odps_value value;
		int64_t		n = 0;

		e->stream_len = stream.len;
		mcw_odps_reader_init(&reader, &e->type, 1, stream);
		while (n < e->range.count && (status = mcw_odps_next(&reader, &value, err)) == MCW_OK)
		{
			e->take(e->ctx, value.is_null ? (mcw_view) {NULL, 0} : value.bytes);
			n++;
		}
		if (status == MCW_OK)
			status = mcw_odps_next(&reader, &value, err);
		e->taken += n;
		if (status == MCW_OK || (status == MCW_END && n < e->range.count))
			status = mcw_fail(err, MCW_ERR_FORMAT, "the tunnel sent another number of rows than %lld",
							  (long long) e->range.count);
		else if (status == MCW_END)
			status = MCW_OK;
	}
	mcs_odps_call_free(&call);
	return status;
}

static mcw_status
read_all(each_value *e, mcw_error *err)
{
	int64_t		rows = FIRST_ROWS;
	int			repeats = 0;

	while (e->taken < e->session.record_count)
	{
		int64_t		left = e->session.record_count - e->taken;
		int64_t		before = e->taken;
		mcw_status	status;

		e->range.count = rows < left ? rows : left;
		status = read_range(e, err);
		if (e->odps->deadline_us && mcn_now_us() >= e->odps->deadline_us && e->taken < e->session.record_count)
			return mcw_fail(err, MCW_ERR_TIMEOUT, "the time limit passed after %lld of %lld rows were read",
							(long long) e->taken, (long long) e->session.record_count);
		if (status == MCW_OK)
		{
			repeats = 0;
			if (e->stream_len < RANGE_TARGET && rows < MOST_ROWS)
				rows *= 2;
			continue;
		}
		if (status == MCW_ERR_LIMIT && e->range.count > 1)
		{
			rows = e->range.count / 2;
			continue;
		}
		if (status != MCW_ERR_FORMAT && status != MCW_ERR_CHECKSUM)
			return status;
		if (e->taken > before)
			repeats = 0;
		if (++repeats > REPEATS)
			return status;
		status = mcs_odps_sleep(e->odps, REPEAT_DELAY_MS, err);
		if (status != MCW_OK)
			return status;
	}
	return MCW_OK;
}

mcw_status
mcs_odps_each_value(mcs_odps *odps, const mcs_odps_table *table, mcw_view partition, int column,
					void (*take) (void *ctx, mcw_view value), void *ctx, mcw_error *err)
{
	each_value	e = {.odps = odps, .take = take, .ctx = ctx};
	mcw_status	status;

	e.type = table->columns[column].type;
	if (!e.type || e.type->kind != MCW_ODPS_STRING)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "column \"%.*s\" is no STRING", (int) table->columns[column].name.len,
						table->columns[column].name.data);
	e.session.table = table->name;
	e.session.partition = partition;
	e.range.columns = table->columns[column].name;
	e.range.accept_encoding = "zstd";
	mcw_buf_init(&e.scratch, odps->alloc, RANGE_LIMIT);
	status = open_session(&e, table, err);
	if (status == MCW_OK)
		status = read_all(&e, err);
	mcw_buf_free(&e.scratch);
	return status;
}
