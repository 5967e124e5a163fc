/*
 * odps_partition.c
 *		Partition values: from option "partition", from the columns of a row, and as
 *		the text of a specification (pt=1,region=hz).
 *
 * A value is taken as it is or refused; a text that the specification could not
 * carry unchanged (comma, slash, quote, equals sign, blanks at its ends) is refused.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "odps_write.h"

#define MAX_VALUE 255			/* bytes of one partition value */

static const char *
bad_text(const char *data, size_t len)
{
	if (len > MAX_VALUE)
		return "a partition value has at most 255 bytes";
	if (data[0] == ' ' || data[len - 1] == ' ')
		return "a partition value must not begin or end with a blank";
	for (size_t i = 0; i < len; i++)
		if ((unsigned char) data[i] < ' ' || strchr(",/=\\'\"", data[i]))
			return "a partition value must not contain control characters or any of , / = \\ ' \"";
	return NULL;
}

static bool
is_integer_key(const mcs_odps_column *key)
{
	return key->type && (key->type->kind == MCW_ODPS_TINYINT || key->type->kind == MCW_ODPS_SMALLINT ||
						 key->type->kind == MCW_ODPS_INT || key->type->kind == MCW_ODPS_BIGINT);
}

/*
 * The service takes 03 and 3 for one partition of an integer key; texts are compared
 * here, so only the form that it shows is allowed.
 */
static const char *
bad_form(const mcs_odps_column *key, mcw_view text)
{
	char		canonical[32];
	int64_t		v;

	if (!is_integer_key(key))
		return NULL;
	if (!mcw_view_int64(text, &v))
		return "the key is an integer";
	snprintf(canonical, sizeof(canonical), INT64_FORMAT, (int64) v);
	return mcw_view_eq(text, mcw_str(canonical)) ? NULL : "an integer has no sign + and no leading zeros";
}

static mcw_view
trim(const char *from, const char *to)
{
	while (from < to && *from == ' ')
		from++;
	while (to > from && to[-1] == ' ')
		to--;
	if (to - from >= 2 && (*from == '\'' || *from == '"') && to[-1] == *from)
	{
		from++;
		to--;
	}
	return (mcw_view) {from, to - from};
}

mcw_view *
mcParsePartitionOption(const char *option, const mcs_odps_table *table, const McPlace *place)
{
	mcw_view   *fixed = palloc0(Max(table->nkeys, 1) * sizeof(mcw_view));
	char	   *copy;

	if (!option)
		return fixed;
	if (table->nkeys == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("option \"partition\" is set but the remote table has no partitions"),
				 mcPlaceContext(place)));
	copy = pg_server_to_any(pstrdup(option), strlen(option), PG_UTF8);
	for (char *p = copy; *p;)
	{
		char	   *end = p + strcspn(p, ",/");
		char	   *eq = memchr(p, '=', end - p);
		mcw_view	name = eq ? trim(p, eq) : trim(p, end);
		mcw_view	value = eq ? trim(eq + 1, end) : (mcw_view) {NULL, 0};
		int			key = mcs_odps_find_key(table, name);
		const char *bad;

		if (!eq || key < 0)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
					 errmsg("invalid value for option \"partition\": \"%s\"", option),
					 !eq ? errdetail("A part is not of the form key=value.") :
					 errdetail("The remote table has no partition key \"%.*s\".", (int) name.len, name.data),
					 errhint("The partition keys are: %s.", mcOdpsKeyNames(table)),
					 mcPlaceContext(place)));
		bad = value.len == 0 ? "a partition value must not be empty" : bad_text(value.data, value.len);
		if (!bad)
			bad = bad_form(&table->keys[key], value);
		if (bad || fixed[key].data)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
					 errmsg("invalid value for option \"partition\": \"%s\"", option),
					 errdetail("Key \"%.*s\": %s.", (int) name.len, name.data, bad ? bad : "it is given twice"),
					 mcPlaceContext(place)));
		fixed[key] = value;
		p = *end ? end + 1 : end;
	}
	return fixed;
}

static bool
key_type_fits(const mcs_odps_column *key, Oid pgtype)
{
	bool		integer = pgtype == INT2OID || pgtype == INT4OID || pgtype == INT8OID;

	if (!key->type)
		return false;
	if (is_integer_key(key))
		return integer;
	switch (key->type->kind)
	{
		case MCW_ODPS_STRING:
		case MCW_ODPS_VARCHAR:
		case MCW_ODPS_CHAR:
			return integer || pgtype == TEXTOID || pgtype == VARCHAROID || pgtype == BPCHAROID || pgtype == DATEOID;
		case MCW_ODPS_DATE:
			return pgtype == DATEOID;
		default:
			return false;
	}
}

const char *
mcBadNullPartition(const char *text, const McTarget *target)
{
	const char *bad = text[0] == '\0' ? "it must not be empty" :
		strchr(text, ' ') ? "it must not contain a blank" : bad_text(text, strlen(text));

	for (int k = 0; k < target->table->nkeys && !bad; k++)
		if (!target->fixed[k].data)
			bad = bad_form(&target->table->keys[k], mcw_str(text));
	return bad;
}

McKeySource *
mcPrepareKeys(Relation rel, McTarget *target, const McOdpsMap *map)
{
	const mcs_odps_table *table = target->table;
	McKeySource *sources = palloc0(Max(table->nkeys, 1) * sizeof(McKeySource));

	for (int k = 0; k < table->nkeys; k++)
	{
		McKeySource *s = &sources[k];
		AttrNumber	attnum = map->key_attnum[k];

		s->key = &table->keys[k];
		s->fixed = target->fixed[k];
		s->attno = attnum - 1;
		if (attnum == 0 && !s->fixed.data)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
					 errmsg("foreign table \"%s\" has no column for partition key \"%.*s\"",
							RelationGetRelationName(rel), (int) s->key->name.len, s->key->name.data),
					 errhint("Add the column, or name the partition in option \"partition\"."),
					 mcPlaceContext(&target->odps->place)));
		if (attnum == 0)
			continue;
		s->pgtype = getBaseType(TupleDescAttr(RelationGetDescr(rel), attnum - 1)->atttypid);
		if (!key_type_fits(s->key, s->pgtype))
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
					 errmsg("column \"%s\" of foreign table \"%s\" cannot be a partition value",
							NameStr(TupleDescAttr(RelationGetDescr(rel), attnum - 1)->attname),
							RelationGetRelationName(rel)),
					 errdetail("A column of type %s cannot be written to a partition key of type %.*s.",
							   format_type_be(s->pgtype), (int) s->key->type_text.len, s->key->type_text.data),
					 mcPlaceContext(&target->odps->place)));
	}
	return sources;
}

static const char *
format_integer(const McKeySource *s, Datum value, StringInfo spec, int *sqlstate)
{
	int64		v = s->pgtype == INT8OID ? DatumGetInt64(value) :
		s->pgtype == INT4OID ? DatumGetInt32(value) : DatumGetInt16(value);
	mcw_odps_kind kind = s->key->type->kind;

	if ((kind == MCW_ODPS_TINYINT && (v < PG_INT8_MIN || v > PG_INT8_MAX)) ||
		(kind == MCW_ODPS_SMALLINT && (v < PG_INT16_MIN || v > PG_INT16_MAX)) ||
		(kind == MCW_ODPS_INT && (v < PG_INT32_MIN || v > PG_INT32_MAX)) ||
		v == PG_INT64_MIN)
	{
		*sqlstate = ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE;
		return "the partition value is out of range of the key's type";
	}
	appendStringInfo(spec, INT64_FORMAT, v);
	return NULL;
}

static const char *
format_date(Datum value, StringInfo spec, int *sqlstate)
{
	DateADT		date = DatumGetDateADT(value);
	int			year;
	int			month;
	int			day;

	*sqlstate = ERRCODE_DATETIME_FIELD_OVERFLOW;
	if (DATE_NOT_FINITE(date))
		return "infinity is no partition value";
	j2date(date + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	if (year < 1 || year > 9999)
		return "a date outside the years 0001 to 9999 is no partition value";
	appendStringInfo(spec, "%04d-%02d-%02d", year, month, day);
	return NULL;
}

static const char *
format_text(const McKeySource *s, Datum value, StringInfo spec, int *sqlstate)
{
	struct varlena *v = PG_DETOAST_DATUM_PACKED(value);
	const char *data = VARDATA_ANY(v);
	size_t		len = VARSIZE_ANY_EXHDR(v);
	const char *bad;

	if (s->pgtype == BPCHAROID)
		len = bpchartruelen((char *) data, len);
	if (len == 0)
	{
		*sqlstate = ERRCODE_NOT_NULL_VIOLATION;
		return "";				/* empty: as NULL, the caller knows */
	}
	*sqlstate = ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE;
	bad = bad_text(data, len);
	if (bad)
		return bad;
	if (s->key->type->kind != MCW_ODPS_STRING && s->key->type->length > 0 &&
		pg_mbstrlen_with_len(data, len) > s->key->type->length)
	{
		*sqlstate = ERRCODE_STRING_DATA_RIGHT_TRUNCATION;
		return "the partition value is longer than the key's type allows";
	}
	if (GetDatabaseEncoding() != PG_UTF8)
	{
		char	   *utf8 = mcUtf8FromServer(data, &len);

		if (!utf8)
		{
			*sqlstate = ERRCODE_CHARACTER_NOT_IN_REPERTOIRE;
			return "the partition value is not valid UTF-8";
		}
		data = utf8;
		if (len > MAX_VALUE)
			return bad_text(data, len);
	}
	appendBinaryStringInfo(spec, data, len);
	return NULL;
}

static const char *
format_value(const McKeySource *s, Datum value, StringInfo spec, int *sqlstate)
{
	switch (s->pgtype)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return format_integer(s, value, spec, sqlstate);
		case DATEOID:
			return format_date(value, spec, sqlstate);
		default:
			return format_text(s, value, spec, sqlstate);
	}
}

const char *
mcFormatKey(const McKeySource *s, Datum value, bool isnull, const char *null_partition,
			StringInfo spec, int *sqlstate)
{
	const char *reason = NULL;
	int			start;

	if (spec->len > 0)
		appendStringInfoChar(spec, ',');
	appendBinaryStringInfo(spec, s->key->name.data, s->key->name.len);
	appendStringInfoChar(spec, '=');
	start = spec->len;

	if (s->attno >= 0 && !isnull)
		reason = format_value(s, value, spec, sqlstate);
	if (s->fixed.data)
	{
		if (reason && reason[0])
			return reason;
		if (spec->len > start &&
			!mcw_view_eq(s->fixed, (mcw_view) {spec->data + start, spec->len - start}))
		{
			*sqlstate = ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE;
			return "the row belongs to another partition than option \"partition\" names";
		}
		spec->len = start;
		appendBinaryStringInfo(spec, s->fixed.data, s->fixed.len);
		return NULL;
	}
	if (isnull || (reason && reason[0] == '\0'))
	{
		if (null_partition)
		{
			appendStringInfoString(spec, null_partition);
			return NULL;
		}
		*sqlstate = ERRCODE_NOT_NULL_VIOLATION;
		return isnull ? "the partition value is null" : "the partition value is empty";
	}
	return reason;
}

mcw_view
mcSpecValue(const char *spec, int n)
{
	const char *p = spec;
	const char *eq;

	while (n-- > 0)
	{
		p = strchr(p, ',');
		if (!p)
			return (mcw_view) {NULL, 0};
		p++;
	}
	eq = strchr(p, '=');
	if (!eq)
		return (mcw_view) {NULL, 0};
	return (mcw_view) {eq + 1, strcspn(eq + 1, ",")};
}

char *
mcSpecText(const McTarget *target, const mcw_view *values, bool quoted)
{
	mcw_alloc	alloc = mcContextAlloc(CurrentMemoryContext);
	mcw_buf		out;

	mcw_buf_init(&out, &alloc, 1024 * 1024);
	if (mcs_odps_partition_spec(target->table, values, quoted, &out) != MCW_OK || !mcw_buf_cstr(&out))
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	return out.data;
}
