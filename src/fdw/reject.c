/*
 * reject.c
 *		on_error and reject_limit: one exact counter per statement, a bounded sample
 *		that survives the statement for mc.last_rejects().
 *
 * The sample lives in backend memory, so it is readable after the statement failed
 * or was rolled back; it is shown only to the user whose statement it was.
 */
#include "postgres.h"

#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "job.h"
#include "progress.h"
#include "reject.h"

static MemoryContext sample_cxt = NULL;
static McRejectSample *samples[MC_RUN_REJECTS];
static int	nsamples = 0;
static Oid	sample_user = InvalidOid;
static int64 sample_run = 0;	/* of a job, 0 = a statement of its own */
static Size sample_bytes = 0;

#define SAMPLE_BYTES (1024 * 1024)
#define RUN_BYTES (16 * 1024 * 1024)
#define SAMPLE_VALUE 1024
#define RAW_VALUE (64 * 1024)

int
mcRejectSamples(McRejectSample ***list)
{
	*list = samples;
	return sample_user == GetUserId() ? nsamples : 0;
}

int
mcRejectsOfRun(int64 run_id, McRejectSample ***list)
{
	*list = samples;
	return sample_run == run_id ? nsamples : 0;
}

void
mcRejectsInit(McRejects *rejects, const McServer *server)
{
	memset(rejects, 0, sizeof(*rejects));
	rejects->on_error = server->on_error;
	rejects->limit = server->reject_limit;
	rejects->relid = server->relid;
	rejects->verbose_values = server->verbose_values;

	/* a new statement's sample replaces the last one's; statements of a run share theirs */
	if (!sample_cxt)
		sample_cxt = AllocSetContextCreate(TopMemoryContext, "mc_fdw rejects", ALLOCSET_SMALL_SIZES);
	if (server->on_error != MC_ON_ERROR_STOP && (!mcJob || sample_run != mcJob->run_id))
	{
		MemoryContextReset(sample_cxt);
		nsamples = 0;
		sample_bytes = 0;
		sample_user = GetUserId();
		sample_run = mcJob ? mcJob->run_id : 0;
	}
}

static char *
copy_text(const char *text)
{
	return text ? pstrdup(text) : NULL;
}

static char *
shown_value(mcw_view value)
{
	Size		len = Min(value.len, SAMPLE_VALUE);
	char	   *copy = palloc(len + 1);

	memcpy(copy, value.data, len);
	copy[len] = '\0';
	for (Size i = 0; i < len; i++)
		if (copy[i] == '\0' || IS_HIGHBIT_SET(copy[i]))
			copy[i] = '?';
	return copy;
}

/*
 * To be stored: as it is if the database can hold it, up to a limit; else as in messages.
 */
static char *
stored_value(mcw_view value, Size limit)
{
	int			len = (int) Min(value.len, limit);

	if (GetDatabaseEncoding() != PG_UTF8)
		return shown_value(value);
	len = pg_encoding_mbcliplen(PG_UTF8, value.data, (int) Min(value.len, limit + MAX_MULTIBYTE_CHAR_LEN), len);
	if (memchr(value.data, '\0', len) || !pg_verify_mbstr(PG_UTF8, value.data, len, true))
		return shown_value(value);
	return pnstrdup(value.data, len);
}

void
mcRawMember(StringInfo row, const char *name, mcw_view value)
{
	appendStringInfoString(row, row->len > 0 ? ", " : "{");
	escape_json(row, name);
	appendStringInfoString(row, ": ");
	if (value.data)
		escape_json(row, stored_value(value, RAW_VALUE));
	else
		appendStringInfoString(row, "null");
}

char *
mcRawEnd(StringInfo row)
{
	appendStringInfoString(row, row->len > 0 ? "}" : "{}");
	return row->data;
}

static void
remember(const McRejects *rejects, const McPlace *place, int sqlstate, const char *reason, mcw_view value)
{
	MemoryContext old;
	McRejectSample *s;

	if (nsamples >= (mcJob ? MC_RUN_REJECTS : MC_REJECT_SAMPLES) || sample_bytes > (mcJob ? RUN_BYTES : SAMPLE_BYTES))
		return;
	old = MemoryContextSwitchTo(sample_cxt);
	s = palloc0(sizeof(McRejectSample));
	s->at = GetCurrentTimestamp();
	s->relid = rejects->relid;
	s->part = copy_text(place->part);
	s->position = copy_text(place->position);
	s->column = copy_text(place->column);
	s->sqlstate = sqlstate;
	s->reason = pstrdup(reason);
	s->value = !value.data ? NULL : mcJob ? stored_value(value, RAW_VALUE) : shown_value(value);
	s->raw = mcJob && rejects->raw ? rejects->raw(rejects->raw_arg) : NULL;
	sample_bytes += sizeof(McRejectSample) + strlen(reason) + (s->value ? strlen(s->value) : 0) + 128 + (s->raw ? strlen(s->raw) : 0);
	samples[nsamples++] = s;
	MemoryContextSwitchTo(old);
}

static const char *
advice(const McPlace *place, int sqlstate)
{
	switch (sqlstate)
	{
			/* no type of text can hold it */
		case ERRCODE_UNTRANSLATABLE_CHARACTER:
		case ERRCODE_CHARACTER_NOT_IN_REPERTOIRE:
			return "Correct the value at its source, or set on_error.";
		case ERRCODE_BAD_COPY_FILE_FORMAT:
			return "Correct the object, compare the options of the foreign table and its columns, or set on_error.";
		case ERRCODE_FDW_INVALID_DATA_TYPE:
			if (place->wrapper == MC_TABLESTORE)
				return "Declare the column as text OPTIONS (type 'any'), which takes values of every type, or set on_error.";
			break;
		default:
			break;
	}
	return "Correct the value at its source, declare the column as text, or set on_error.";
}

McVerdict
mcBadValue(McRejects *rejects, const McPlace *place, int sqlstate,
		   const char *reason, mcw_view value, bool not_null)
{
	bool		drop;

	if (rejects->on_error == MC_ON_ERROR_STOP)
		ereport(ERROR,
				(errcode(sqlstate),
				 errmsg("%s", reason),
				 rejects->verbose_values && value.data ? errdetail("The value is \"%s\".", shown_value(value)) : 0,
				 errhint("%s", advice(place, sqlstate)),
				 mcPlaceContext(place)));

	drop = rejects->on_error == MC_ON_ERROR_REJECT || not_null;
	if ((drop ? rejects->rejected : rejects->nulled) == 0)
		snprintf(drop ? rejects->first : rejects->first_null, sizeof(rejects->first), "%s%s%s%s%s", reason,
				 place->part ? ", " : "", place->part ? place->part : "",
				 place->column ? ", column " : "", place->column ? place->column : "");
	if (rejects->verbose_values || mcJob || !value.data)
		remember(rejects, place, sqlstate, reason, value);
	else
		remember(rejects, place, sqlstate, reason, (mcw_view) {NULL, 0});

	if (!drop)
	{
		rejects->nulled++;
		return MC_VALUE_NULL;
	}
	rejects->rejected++;
	mcProgressRejected();
	if (mcJob)
		mcJob->rejected++;
	if (rejects->limit >= 0 && rejects->rejected > rejects->limit)
		ereport(ERROR,
				(errcode(sqlstate),
				 errmsg_plural("more than %lld row was rejected", "more than %lld rows were rejected",
							   (unsigned long) rejects->limit, (long long) rejects->limit),
				 errdetail("The first: %s. The last: %s.", rejects->first, reason),
				 errhint("SELECT * FROM mc.last_rejects() shows the samples; reject_limit sets the limit."),
				 mcPlaceContext(place)));
	return MC_ROW_DROP;
}

McVerdict
mcRefuseValue(McRejects *rejects, const McPlace *place, int sqlstate, const char *reason,
			  mcw_view value, bool not_null, const char *hint)
{
	if (rejects->on_error == MC_ON_ERROR_STOP)
		ereport(ERROR,
				(errcode(sqlstate),
				 errmsg("%s", reason),
				 value.data ? errdetail("The value is \"%.*s\".", (int) Min(value.len, SAMPLE_VALUE), value.data) : 0,
				 errhint("%s", hint),
				 mcPlaceContext(place)));
	return mcBadValue(rejects, place, sqlstate, reason, value, not_null);
}

void
mcRejectsReport(const McRejects *rejects, const char *what)
{
	if (rejects->rejected > 0)
		ereport(NOTICE,
				(errmsg_plural("%lld row of \"%s\" was rejected", "%lld rows of \"%s\" were rejected",
							   (unsigned long) rejects->rejected, (long long) rejects->rejected, what),
				 errdetail("The first: %s.", rejects->first),
				 errhint("SELECT * FROM mc.last_rejects() shows the samples.")));
	if (rejects->nulled > 0)
		ereport(NOTICE,
				(errmsg_plural("%lld value of \"%s\" was set to NULL", "%lld values of \"%s\" were set to NULL",
							   (unsigned long) rejects->nulled, (long long) rejects->nulled, what),
				 errdetail("The first: %s.", rejects->first_null),
				 errhint("SELECT * FROM mc.last_rejects() shows the samples.")));
}
