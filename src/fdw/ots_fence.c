/*
 * ots_fence.c
 *		The fence of a job as a row of Tablestore: key = uuid of the job, one column = its
 *		number.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "../service/mcs_ots_cell.h"
#include "fence.h"
#include "ots.h"

#define MAX_NUMBER 4096
#define MAX_SWAPS 3				/* of one call, where the row shows that the one before had no effect */

typedef struct Row
{
	MemoryContext cxt;
	McOtsConn  *conn;
	mcw_ots_schema schema;
	mcs_ots_cell_at at;
	McPlace		place;
} Row;

pg_noreturn static void
refuse(Relation rel, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("\"%s\" cannot hold fences of jobs", RelationGetRelationName(rel)),
			 errdetail("%s", detail),
			 errhint("Use a table with one key column and one other column, both text: (job text OPTIONS (key '1'), number text).")));
}

static void
find_columns(Relation rel, const McOtsColumn **key, const McOtsColumn **number)
{
	List	   *columns;
	ListCell   *lc;

	if (mcOtsIsStream(RelationGetRelid(rel)) || mcOtsIsCellShape(RelationGetRelid(rel)))
		refuse(rel, "It does not show rows of a Tablestore table.");
	columns = mcOtsColumns(rel);
	*key = *number = NULL;
	foreach(lc, columns)
	{
		const McOtsColumn *c = lfirst(lc);

		if ((c->kind != MC_OTS_KEY && c->kind != MC_OTS_CELL) || c->remote != MCW_OTS_STRING || c->any_type)
			refuse(rel, psprintf("Column \"%s\" is neither a key nor an attribute column of type STRING.", c->attname));
		if (c->kind == MC_OTS_KEY ? *key != NULL : *number != NULL)
			refuse(rel, psprintf("Column \"%s\" is one too many.", c->attname));
		if (c->kind == MC_OTS_KEY)
			*key = c;
		else
			*number = c;
	}
	if (*key == NULL || *number == NULL)
		refuse(rel, *key == NULL ? "It has no key column." : "It has no column besides the key.");
}

void
mcOtsFenceCheck(Relation rel)
{
	const McOtsColumn *key;
	const McOtsColumn *number;

	find_columns(rel, &key, &number);
}

static void
open_row(Row *row, const McFence *fence)
{
	const McOtsColumn *key;
	const McOtsColumn *number;
	const char *table = mcOtsRemoteTable(fence->rel);

	memset(row, 0, sizeof(*row));
	find_columns(fence->rel, &key, &number);
	row->cxt = AllocSetContextCreate(CurrentMemoryContext, "mc_fdw fence", ALLOCSET_SMALL_SIZES);
	row->conn = mcOtsConnect(fence->server, row->cxt);
	row->schema.nkeys = 1;
	row->schema.keys[0].name = mcw_str(key->wire);
	row->schema.keys[0].type = MCW_OTS_STRING;
	row->at.table = mcw_str(pg_server_to_any(table, strlen(table), PG_UTF8));
	row->at.schema = &row->schema;
	row->at.key = mcw_str(fence->job);
	row->at.column = mcw_str(number->wire);
	row->place.wrapper = MC_TABLESTORE;
	row->place.server = fence->server->name;
	row->place.object = psprintf("%s.%s", fence->server->instance, table);
	row->place.part = psprintf("row \"%s\"", fence->job);
}

/* NULL: it could not be read, *err says why */
static char *
read_row(const Row *row, mcw_error *err)
{
	mcw_arena	arena;
	mcw_view	value = {NULL, 0};
	mcw_status	status;
	char	   *result = NULL;

	mcw_arena_init(&arena, &row->conn->alloc, MAX_NUMBER);
	do
	{
		CHECK_FOR_INTERRUPTS();
		status = mcs_ots_cell_get(&row->conn->client, &row->at, &arena, &value, err);
	} while (status == MCW_ERR_INTERRUPTED);
	if (status == MCW_OK || status == MCW_END)
		result = pnstrdup(value.len > 0 ? value.data : "", value.len);
	mcw_arena_reset(&arena);
	return result;
}

char *
mcOtsFenceRead(const McFence *fence)
{
	Row			row;
	mcw_error	err;
	char	   *value;

	open_row(&row, fence);
	memset(&err, 0, sizeof(err));
	value = read_row(&row, &err);
	if (value == NULL)
		mcRaise(&err, &row.place);
	MemoryContextDelete(row.cxt);
	return value;
}

char *
mcOtsFenceSwap(const McFence *fence, const char *next)
{
	Row			row;
	char	   *value = NULL;

	open_row(&row, fence);
	for (int try = 1; value == NULL; try++)
	{
		mcw_error	err;
		mcw_error	second;
		mcw_status	status;

		memset(&err, 0, sizeof(err));
		memset(&second, 0, sizeof(second));
		CHECK_FOR_INTERRUPTS();
		status = mcs_ots_cell_swap(&row.conn->client, &row.at, mcw_str(fence->last), mcw_str(next), &err);
		if (status == MCW_OK)
			value = pstrdup(next);
		else if (status == MCW_END)
		{
			/* perhaps a copy of the request was the one that changed it */
			value = read_row(&row, &second);
			if (value == NULL)
				mcRaise(&second, &row.place);
		}
		else
		{
			CHECK_FOR_INTERRUPTS();
			value = read_row(&row, &second);
			/* what is asked for may still come: then the number is known here as one of ours */
			if (value == NULL || (strcmp(value, fence->last) == 0 && try == MAX_SWAPS))
				mcRaise(&err, &row.place);
			if (strcmp(value, fence->last) == 0)
				value = NULL;
		}
	}
	MemoryContextDelete(row.cxt);
	return value;
}
