/*
 * ots_guard.c
 *		Option guard_column: a column of the Tablestore table that says which change its
 *		row has seen last, so that what comes late from an older window changes nothing
 *		(guarantees.md 8.1).
 *
 * The value is a string that grows from change to change: version of the window, run,
 * change of the run.  All attempts of a window share the version, a later attempt has
 * the greater run, and the changes of one key are sent in their order.  Each change is
 * applied only where the column is missing or not above its own value, and sets it: so
 * it may be repeated, but not after a newer one.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "mb/pg_wchar.h"
#include "utils/rel.h"

#include "job.h"
#include "ots_write.h"

#define GUARD_TEXT 64

/* changes of a run are numbered over all of its statements */
static int64 numbered_run = 0;
static int64 last_change = 0;

static void
refuse(const McOtsSink *sink, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot write to \"%s\", which has option \"guard_column\", in this way", sink->relname),
			 errdetail("%s", detail),
			 errhint("%s", hint)));
}

void
mcOtsGuardInit(McOtsSink *sink, Relation rel)
{
	List	   *options = GetForeignTable(RelationGetRelid(rel))->options;
	const char *guard = mcOptionText(options, "guard_column");

	if (guard == NULL)
		return;
	sink->guarded = true;
	sink->guard = mcw_ots_make_name(mcw_str(pg_server_to_any(pstrdup(guard), strlen(guard), PG_UTF8)));
	if (mcJob == NULL)
		refuse(sink, "Only the run of a job knows which of two changes is the newer one.",
			   "Run the statement as a job, or write through a foreign table without the option.");
	if (sink->operation == CMD_INSERT && (sink->mode != MC_OTS_UPDATE || sink->skip_existing))
		refuse(sink, sink->skip_existing ? "ON CONFLICT DO NOTHING has a condition of its own." :
			   "A row that is put as a whole is not compared with the one that is there.",
			   "Use write_mode 'update' without ON CONFLICT.");
	if (sink->operation == CMD_DELETE && mcOptionText(options, "delete_column") == NULL)
		refuse(sink, "A row that is deleted loses its guard.", "Set option \"delete_column\": DELETE marks rows in it then.");
}

/* After the columns are bound */
void
mcOtsGuardBind(McOtsSink *sink, Relation rel)
{
	const char *mark = mcOptionText(GetForeignTable(RelationGetRelid(rel))->options, "delete_column");

	if (!sink->guarded)
		return;
	if (sink->auto_key >= 0)
		refuse(sink, "The service takes no condition for rows whose key it chooses.", "Drop the option.");
	if (mark == NULL)
		return;
	if (sink->rest && sink->operation == CMD_DELETE)
		refuse(sink, "Which columns a \"*\" column stands for is not known when rows are marked as deleted.",
			   "Delete through a foreign table without a \"*\" column.");
	for (int i = 0; i < sink->ncells && sink->mark == NULL; i++)
		if (strcmp(sink->cells[i].column->name, mark) == 0)
			sink->mark = &sink->cells[i];
	if (sink->mark == NULL || sink->mark->column->remote != MCW_OTS_BOOLEAN || sink->mark->column->any_type)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"delete_column\" of \"%s\" is not the name of a boolean column: \"%s\"", sink->relname, mark),
				 errhint("Declare the column as boolean.")));
}

bool
mcOtsGuardIs(const McOtsSink *sink, const McOtsColumn *column, bool named)
{
	if (!sink->guarded || !mcw_view_eq(sink->guard.name, mcw_str(column->wire)))
		return false;
	if (column->kind == MC_OTS_KEY || named)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("column \"%s\" of \"%s\" is its guard and cannot be written", column->attname, sink->relname),
				 errhint("Leave it out of the statement; each change of a row sets it.")));
	return true;
}

void
mcOtsGuardPut(McOtsSink *sink, mcw_ots_writer *w, int64 version)
{
	char		text[GUARD_TEXT];
	mcw_ots_value value;

	if (numbered_run != mcJob->run_id)
	{
		numbered_run = mcJob->run_id;
		last_change = 0;
	}
	snprintf(text, sizeof(text), "%012llx-%016llx-%012llx", (long long) mcJob->write_ts,
			 (long long) mcJob->run_id, (long long) ++last_change);
	value = mcw_ots_bytes(MCW_OTS_STRING, mcw_str(text));
	mcw_ots_put_cell(w, &sink->guard, &value, MCW_OTS_PUT, version);
}
