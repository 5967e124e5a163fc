/*
 * odps_mark.c
 *		Option run_column: a column of the remote table in which every row that a job
 *		writes says which upload of which run it came with, so that the rows of an
 *		upload can be counted when its session tells nothing any more (guarantees.md
 *		6.1, 6 and 7).
 */
#include "postgres.h"

#include "job.h"
#include "odps_write.h"

#define MODIFIED_TRIES 3		/* counts that others' commits may spoil */

int
mcOdpsMarkColumn(const McServer *server, const mcs_odps_table *table, const char *relname, const McPlace *place)
{
	const char *name = mcServerOption(server, "run_column");
	int			column;

	if (!name)
		return -1;
	column = mcs_odps_find_column(table, mcw_str(name));
	if (column < 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
				 errmsg("option \"run_column\" of \"%s\" names \"%s\", which is no column of MaxCompute table %s",
						relname, name, place->object),
				 mcs_odps_find_key(table, mcw_str(name)) >= 0 ?
				 errdetail("It is a partition key of the table, which cannot tell rows apart.") : 0,
				 errhint("Add a STRING column to the table, ALTER TABLE ... ADD COLUMNS (mc_run STRING), and name it.")));
	if (!table->columns[column].type || table->columns[column].type->kind != MCW_ODPS_STRING)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
				 errmsg("option \"run_column\" of \"%s\" names \"%s\", which is %.*s", relname, name,
						(int) table->columns[column].type_text.len, table->columns[column].type_text.data),
				 errdetail("The column that names the run of a row must be STRING."),
				 mcPlaceContext(place)));
	return column;
}

/*
 * Of fixed width, so that texts of one incarnation sort by window.  The number tells the
 * uploads of a run apart, the nonce attempts whose number was given twice.
 */
char *
mcOdpsMark(McJobRun *run)
{
	uint8		nonce[8];

	if (!pg_strong_random(nonce, sizeof(nonce)))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("the system has no random numbers")));
	return psprintf("%s%04d/%02x%02x%02x%02x%02x%02x%02x%02x", run->mark, ++run->nmarks,
					nonce[0], nonce[1], nonce[2], nonce[3], nonce[4], nonce[5], nonce[6], nonce[7]);
}

typedef struct Count
{
	mcw_view	mark;
	int64		rows;
} Count;

static void
count_value(void *ctx, mcw_view value)
{
	Count	   *count = ctx;

	if (value.len == count->mark.len && memcmp(value.data, count->mark.data, value.len) == 0)
		count->rows++;
}

mcw_status
mcOdpsCountMark(McOdps *odps, const char *table, const char *partition, const char *column, const char *mark,
				int64 *rows, mcw_error *err)
{
	Count		count = {.mark = mcw_str(mark)};
	mcw_arena	arena;
	mcs_odps_table *described;
	mcw_status	status = MCW_OK;

	mcw_arena_init(&arena, &odps->alloc, MCS_ODPS_MAX_DOCUMENT);
	for (int i = 0; i < MODIFIED_TRIES; i++)
	{
		int			index;

		mcw_arena_reset(&arena);
		count.rows = 0;
		status = mcs_odps_get_table(&odps->service, mcw_str(table), &arena, &described, err);
		if (status != MCW_OK)
			break;
		index = mcs_odps_find_column(described, mcw_str(column));
		if (index < 0)
		{
			status = mcw_fail(err, MCW_ERR_ARGUMENT, "the table has no column \"%s\" any more", column);
			break;
		}
		status = mcs_odps_each_value(&odps->service, described, mcw_str(partition), index, count_value, &count, err);
		if (status != MCW_ERR_SERVICE || !mcs_odps_error_is(err, "TableModified"))
			break;
	}
	mcw_arena_reset(&arena);
	*rows = count.rows;
	return status;
}
