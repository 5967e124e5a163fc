/*
 * loghub_encode.c
 *		A tuple as a log, and as the key of its log group.
 *
 * A value is its canonical text (convert_text_out.c).  NULL is absent, the empty string
 * is present.  Core checks no constraint on rows of a foreign table, so NOT NULL is
 * enforced here.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "../wire/mcw_text.h"
#include "loghub_write.h"

#define NANOS_PER_SECOND 1000000000

/* a value that a message may show */
static mcw_view
shown(const McLogSink *sink, const McLogOut *out, Datum value)
{
	if (!sink->rejects.verbose_values)
		return (mcw_view) {NULL, 0};
	return mcw_str(OutputFunctionCall((FmgrInfo *) &out->text.output, value));
}

static bool
refuse_null(McLogSink *sink, const McLogColumn *column)
{
	return mcLogSinkRefuse(sink, column, ERRCODE_NOT_NULL_VIOLATION,
						   psprintf("null value in column \"%s\" of \"%s\" violates not-null constraint",
									column->attname, sink->relname),
						   (mcw_view) {NULL, 0});
}

/*
 * The text of a value, data NULL = absent.  False: the row is rejected.  What a refused
 * value becomes under 'set_null' is told by *nulled.
 */
static inline bool
get_text(McLogSink *sink, McLogOut *out, TupleTableSlot *slot, size_t max, const char *what, mcw_view *text, bool *nulled)
{
	McTextError error;

	if (slot->tts_isnull[out->at])
	{
		*text = (mcw_view) {NULL, 0};
		return likely(!out->column->not_null) || refuse_null(sink, out->column);
	}
	if (unlikely(mcTextOut(&out->text, slot->tts_values[out->at], text, &error) != MC_TEXT_OK))
		;
	else if (unlikely(text->len > max))
	{
		error.sqlstate = ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		error.reason = psprintf("%s has %zu bytes, Log Service takes %zu", what, text->len, max);
	}
	else
		return true;
	*nulled = true;
	*text = (mcw_view) {NULL, 0};
	return mcLogSinkRefuse(sink, out->column, error.sqlstate, error.reason, shown(sink, out, slot->tts_values[out->at]));
}

/* ---- the group ---- */

static void
put_part(StringInfo key, mcw_view v)
{
	uint32		len = v.data ? (uint32) v.len : PG_UINT32_MAX;

	appendBinaryStringInfo(key, (char *) &len, sizeof(len));
	if (v.data)
		appendBinaryStringInfo(key, v.data, (int) v.len);
}

static mcw_view
take_part(const char **pos)
{
	uint32		len;
	mcw_view	v = {NULL, 0};

	memcpy(&len, *pos, sizeof(len));
	*pos += sizeof(len);
	if (len != PG_UINT32_MAX)
	{
		v = (mcw_view) {*pos, len};
		*pos += len;
	}
	return v;
}

/*
 * A hash key as 32 lower-case digits into sink->row_hash, and what is the same for all keys
 * that lead to its shard into sink->key.
 */
static bool
put_hash_key(McLogSink *sink, TupleTableSlot *slot)
{
	McLogOut   *out = sink->hash_key;
	const mcs_shard_info *shard;
	mcw_view	text;

	sink->row_hash[0] = '\0';
	if (!get_text(sink, out, slot, MCS_PUT_MAX_VALUE, "the hash key", &text, &sink->key_changed))
		return false;
	if (text.data)
	{
		bool		good = text.len > 0 && text.len <= MCS_HASH_KEY_DIGITS;

		for (size_t i = 0; good && i < text.len; i++)
			good = mcw_hex_value(text.data[i]) >= 0;
		if (!good)
		{
			sink->key_changed = true;
			if (!mcLogSinkRefuse(sink, out->column, ERRCODE_INVALID_PARAMETER_VALUE,
								 "a hash key has 1 to 32 hexadecimal digits, as md5() makes them",
								 shown(sink, out, slot->tts_values[out->at])))
				return false;
			text.data = NULL;
		}
	}
	if (!text.data)
	{
		put_part(&sink->key, text);
		return true;
	}
	/* a short key is the begin of a long one */
	for (size_t i = 0; i < MCS_HASH_KEY_DIGITS; i++)
		sink->row_hash[i] = i < text.len ? "0123456789abcdef"[mcw_hex_value(text.data[i])] : '0';
	sink->row_hash[MCS_HASH_KEY_DIGITS] = '\0';
	shard = mcLogSinkShard(sink, sink->row_hash);
	put_part(&sink->key, shard ? mcw_str(psprintf("%s %s", shard->begin, shard->end)) : mcw_str(sink->row_hash));
	return true;
}

bool
mcLogEncodeKey(McLogSink *sink, TupleTableSlot *slot)
{
	resetStringInfo(&sink->key);
	sink->key_changed = false;
	for (int i = 0; i < sink->ngroup; i++)
	{
		McLogOut   *out = &sink->group[i];
		bool		is_tag = out->column->kind == MC_LOG_TAG;
		mcw_view	text;

		if (!get_text(sink, out, slot, is_tag ? MCS_PUT_MAX_VALUE : MCS_PUT_MAX_NAME,
					  is_tag ? "the tag" : "the value", &text, &sink->key_changed))
			return false;
		put_part(&sink->key, text);
	}
	return !sink->hash_key || put_hash_key(sink, slot);
}

void
mcLogDecodeKey(const McLogSink *sink, McLogGroup *group)
{
	const char *pos = group->key.data;

	group->tags = palloc0(sizeof(mcw_pair) * (sink->ngroup + 2));
	for (int i = 0; i < sink->ngroup; i++)
	{
		mcw_view	v = take_part(&pos);

		switch (sink->group[i].column->kind)
		{
			case MC_LOG_TOPIC:
				group->topic = v;
				break;
			case MC_LOG_SOURCE:
				group->source = v;
				break;
			case MC_LOG_CATEGORY:
				group->category = v;
				break;
			case MC_LOG_MACHINE_UUID:
				group->machine_uuid = v;
				break;
			default:
				if (v.data)
					group->tags[group->ntags++] = (mcw_pair) {sink->group[i].name, v};
				break;
		}
	}
}

/* ---- the time ---- */

/* digits[.digits] as seconds and nanoseconds; false if it is something else or finer */
static bool
parse_seconds(const char *text, int64 *seconds, uint32 *ns, bool *has_ns)
{
	const char *p = text;
	uint32		unit = NANOS_PER_SECOND / 10;

	*seconds = 0;
	*ns = 0;
	*has_ns = false;
	for (; *p >= '0' && *p <= '9'; p++)
	{
		*seconds = *seconds * 10 + (*p - '0');
		if (*seconds > PG_UINT32_MAX)
			return false;
	}
	if (p == text)
		return false;
	if (*p != '.')
		return *p == '\0';
	for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10)
	{
		*ns += unit * (*p - '0');
		*has_ns = true;
		if (unit == 0 && *p != '0')
			return false;
	}
	return *p == '\0';
}

static const char *
convert_time(const McLogOut *out, Datum value, int64 *seconds, uint32 *ns, bool *has_ns)
{
	int64		us;

	*ns = 0;
	*has_ns = false;
	switch (out->column->type)
	{
		case TIMESTAMPTZOID:
			us = DatumGetTimestampTz(value);
			if (TIMESTAMP_NOT_FINITE(us))
				return "the time of a log cannot be infinite";
			us += MC_EPOCH_US;
			*seconds = us >= 0 ? us / USECS_PER_SEC : -1;
			*ns = us >= 0 ? (uint32) (us % USECS_PER_SEC) * 1000 : 0;
			*has_ns = *ns != 0;
			break;
		case INT8OID:
			*seconds = DatumGetInt64(value);
			break;
		case NUMERICOID:
			if (!parse_seconds(DatumGetCString(DirectFunctionCall1(numeric_out, value)), seconds, ns, has_ns))
				return "the time is no number of seconds since 1970, up to 4294967295, with at most nine digits behind the point";
			break;
		default:
			if (!parse_seconds(TextDatumGetCString(value), seconds, ns, has_ns))
				return "the time is no number of seconds since 1970, up to 4294967295, with at most nine digits behind the point";
			break;
	}
	if (*seconds < 0 || *seconds > PG_UINT32_MAX)
		return "the time of a log lies between 1970-01-01 and 2106-02-07";
	return NULL;
}

/*
 * Time of the log: the column's, else now().  __time_ns_part__ adds nanoseconds and may
 * not contradict a fraction.
 */
static bool
row_time(McLogSink *sink, TupleTableSlot *slot, uint32 *time, bool *has_ns, uint32 *ns)
{
	const McLogOut *out = sink->time;
	const char *reason = NULL;
	bool		isnull = !out || slot->tts_isnull[out->at];
	int64		seconds;
	int64		part;

	if (isnull && out && out->column->not_null && !refuse_null(sink, out->column))
		return false;
	if (!isnull)
	{
		reason = convert_time(out, slot->tts_values[out->at], &seconds, ns, has_ns);
		if (reason && !mcLogSinkRefuse(sink, out->column, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, reason,
									   shown(sink, out, slot->tts_values[out->at])))
			return false;
	}
	if (isnull || reason)
	{
		int64		us = GetCurrentTransactionStartTimestamp() + MC_EPOCH_US;

		seconds = us / USECS_PER_SEC;
		*has_ns = out && out->column->type != INT8OID;
		*ns = *has_ns ? (uint32) (us % USECS_PER_SEC) * 1000 : 0;
	}
	*time = (uint32) seconds;

	out = sink->time_ns;
	if (!out)
		return true;
	if (slot->tts_isnull[out->at])
		return !out->column->not_null || refuse_null(sink, out->column);
	part = out->column->type == INT8OID ? DatumGetInt64(slot->tts_values[out->at]) : DatumGetInt32(slot->tts_values[out->at]);
	if (part < 0 || part >= NANOS_PER_SECOND)
		reason = "nanoseconds of a second lie between 0 and 999999999";
	else if (!isnull && *has_ns && part / 1000 != *ns / 1000)
		reason = "nanoseconds and fraction of the time do not agree";
	else
	{
		*has_ns = true;
		*ns = (uint32) part;
		return true;
	}
	return mcLogSinkRefuse(sink, out->column, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, reason,
						   shown(sink, out, slot->tts_values[out->at]));
}

/* ---- contents ---- */

/* a jsonb string in UTF-8 */
static mcw_view
wire_text(const JsonbValue *v)
{
	char	   *text = pnstrdup(v->val.string.val, v->val.string.len);
	char	   *wire = pg_server_to_any(text, v->val.string.len, PG_UTF8);

	return (mcw_view) {wire, wire == text ? v->val.string.len : strlen(wire)};
}

/* Why a member cannot be a content of that name, or NULL */
static const char *
bad_name(const McLogSink *sink, mcw_view name)
{
	const char *rest;
	char	   *shown_name = mcShownName(name);

	if (name.len == 0)
		return "a member of the object has the empty name";
	if (name.len > MCS_PUT_MAX_NAME)
		return psprintf("the name of member \"%.40s...\" is longer than %d bytes", shown_name, MCS_PUT_MAX_NAME);
	if (mcLogKindOf(pnstrdup(name.data, name.len), &rest) != MC_LOG_FIELD)
		return psprintf("member \"%s\" has the name of a system column", shown_name);
	for (int i = 0; i < sink->nfields; i++)
		if (mcw_view_eq(name, sink->fields[i].name))
			return psprintf("member \"%s\" has a column of its own, \"%s\"", shown_name, sink->fields[i].column->attname);
	if (mcw_view_eq(name, sink->dedup))
		return psprintf("member \"%s\" is what option dedup_id names", shown_name);
	return NULL;
}

/* data NULL for null */
static mcw_view
member_text(const JsonbValue *v)
{
	switch (v->type)
	{
		case jbvString:
			return wire_text(v);
		case jbvNumeric:
			return mcw_str(DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(v->val.numeric))));
		case jbvBool:
			return v->val.boolean ? MCW_LIT("true") : MCW_LIT("false");
		case jbvBinary:
			{
				char	   *json = JsonbToCString(NULL, v->val.binary.data, v->val.binary.len);

				return mcw_str(pg_server_to_any(json, strlen(json), PG_UTF8));
			}
		default:
			return (mcw_view) {NULL, 0};
	}
}

/* reason why not, or NULL */
static const char *
put_members(McLogSink *sink, mcw_sls_writer *w, Jsonb *jb)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	key;
	JsonbValue	v;

	if (!JB_ROOT_IS_OBJECT(jb))
		return "the value of field '*' is not a JSON object";
	it = JsonbIteratorInit(&jb->root);
	while ((token = JsonbIteratorNext(&it, &key, true)) != WJB_DONE)
	{
		mcw_view	name;
		mcw_view	value;
		const char *reason;

		if (token != WJB_KEY)
			continue;
		name = wire_text(&key);
		(void) JsonbIteratorNext(&it, &v, true);
		reason = bad_name(sink, name);
		if (reason)
			return reason;
		value = member_text(&v);
		if (value.len > MCS_PUT_MAX_VALUE)
			return psprintf("member \"%s\" has %zu bytes, Log Service takes %zu", mcShownName(name), value.len, MCS_PUT_MAX_VALUE);
		if (value.data)
			(void) mcw_sls_content(w, name, value);
	}
	return NULL;
}

static bool
put_rest(McLogSink *sink, mcw_sls_writer *w, TupleTableSlot *slot)
{
	const McLogOut *out = sink->rest;
	Datum		value = slot->tts_values[out->at];
	size_t		len = w->out->len;
	mcw_status	status = w->status;
	McTextError error = {ERRCODE_INVALID_PARAMETER_VALUE, NULL};

	if (slot->tts_isnull[out->at])
		return !out->column->not_null || refuse_null(sink, out->column);
	if (out->column->type == JSONBOID ||
		mcTextConvert(&sink->rest_json, mcw_str(TextDatumGetCString(value)),
					  sink->rejects.on_error != MC_ON_ERROR_STOP, &value, &error) == MC_TEXT_OK)
		error.reason = unconstify(char *, put_members(sink, w, DatumGetJsonbP(value)));
	if (!error.reason)
		return true;
	w->out->len = len;
	w->status = status;
	return mcLogSinkRefuse(sink, out->column, error.sqlstate, error.reason, shown(sink, out, slot->tts_values[out->at]));
}

bool
mcLogEncodeRow(McLogSink *sink, TupleTableSlot *slot, McLogGroup *group)
{
	mcw_sls_writer *w = &group->w;
	mcw_view	dedup = {NULL, 0};
	uint32		time;
	uint32		ns;
	bool		has_ns;
	bool		nulled = false;
	mcw_status	status;

	if (!row_time(sink, slot, &time, &has_ns, &ns))
		return false;
	(void) mcw_sls_begin_log(w, time, has_ns, ns);
	for (int i = 0; i < sink->nfields; i++)
	{
		McLogOut   *out = &sink->fields[i];
		mcw_view	text;

		if (unlikely(!get_text(sink, out, slot, MCS_PUT_MAX_VALUE, "the value", &text, &nulled)))
			return false;
		if (out == sink->dedup_column)
			dedup = text;
		if (text.data)
			(void) mcw_sls_content(w, out->name, text);
	}
	if (sink->dedup.len > 0 && !dedup.data)
		(void) mcw_sls_content(w, sink->dedup, mcw_str(psprintf("%s/" UINT64_FORMAT "/" INT64_FORMAT, sink->run,
																group->number, sink->seen)));
	if (sink->rest && !put_rest(sink, w, slot))
		return false;
	status = mcw_sls_end_log(w);
	if (likely(status == MCW_OK))
	{
		if (likely(w->log_start - w->last_start + group->finish_size <= MCS_PUT_MAX_RAW))
			return true;
		mcw_sls_drop_last(w);
	}
	else if (status != MCW_ERR_LIMIT)
		ereport(ERROR,
				(errcode(status == MCW_ERR_NOMEM ? ERRCODE_OUT_OF_MEMORY : ERRCODE_INTERNAL_ERROR),
				 errmsg("a row of \"%s\" could not be encoded", sink->relname)));
	return mcLogSinkRefuse(sink, NULL, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
						   psprintf("the row is larger than a request of Log Service, %zu bytes", MCS_PUT_MAX_RAW),
						   (mcw_view) {NULL, 0});
}
