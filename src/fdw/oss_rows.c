/*
 * oss_rows.c
 *		The pipeline of a scan: chunks of objects, decompression, encoding, records.
 *
 * Plain UTF-8 goes through without a copy: the format's reader works in the buffer of
 * the HTTP answer.  Compressed bytes go through one buffer, bytes of another encoding
 * through two.  Each object gets a reader of its own, so that line ends, header, line
 * numbers and BOM are the object's.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "oss.h"

#define INFLATED_SIZE ((size_t) 256 * 1024)
#define ENCODED_SIZE ((size_t) 64 * 1024)	/* before conversion */
#define CONVERTED_SIZE (ENCODED_SIZE * MAX_CONVERSION_GROWTH + MAX_CONVERSION_GROWTH + 1)
#define ERROR_BYTES 8			/* of a bad character in a message, as PostgreSQL shows */

#define BAD_BYTES "invalid byte sequence for encoding "	/* COPY's words, as the readers of formats have them */

struct McOssRows
{
	McOssConn  *conn;
	const McOssTable *table;
	mcw_alloc	alloc;
	mcw_rows_column *columns;
	mcw_rows_options options;
	mcs_oss_reader *reader;

	/* the present object */
	const mcs_oss_object *object;
	int64		number;
	mcw_rows   *rows;			/* NULL = between two objects */
	bool		fed_last;
	int			nfields;		/* a record has, -1 = any */
	bool		begun;			/* its header was seen */

	/* decompression */
	mcw_inflater *inflater;		/* NULL = as it is */
	char	   *inflated;		/* with a byte in front */
	mcw_view	source;			/* of the chunk, not yet taken */
	bool		source_last;

	/* encoding */
	Oid			conversion;		/* InvalidOid = UTF-8 */
	char	   *encoded;
	size_t		nencoded;
	char	   *converted;		/* with a byte in front */
	mcw_view	unconverted;	/* of the piece, not yet taken */
	bool		unconverted_last;

	int			sqlstate;		/* of the failure, 0 = by status */
	uint64		line;
	McOssRowsStats stats;
};

/* ---- start and end ---- */

static void
describe_columns(McOssRows *rows, const bool *needed)
{
	int			n = list_length(rows->table->columns);
	int			nfields = 0;
	const McOssColumn *rest = NULL;
	ListCell   *lc;

	rows->columns = palloc0(sizeof(mcw_rows_column) * (n + 1));
	foreach(lc, rows->table->columns)
	{
		const McOssColumn *c = lfirst(lc);

		if (c->kind == MC_OSS_REST)
			rest = c;
		if (c->kind != MC_OSS_FIELD)
			continue;
		rows->columns[c->index].name = mcw_str(c->wire);
		rows->columns[c->index].needed = needed[c->index];
		rows->columns[c->index].force_null = c->force_null;
		rows->columns[c->index].force_not_null = c->force_not_null;
		nfields++;
	}
	rows->options.ncolumns = nfields;
	if (rest != NULL)
	{
		rows->columns[nfields].name = MCW_LIT("*");
		rows->columns[nfields].needed = needed[nfields];
		rows->options.ncolumns++;
	}
	rows->options.columns = rows->columns;
}

static void
find_conversion(McOssRows *rows)
{
	int			encoding = rows->table->encoding;

	/* bytes of SQL_ASCII are what the database takes them for */
	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return;
	rows->conversion = FindDefaultConversionProc(encoding, PG_UTF8);
	if (!OidIsValid(rows->conversion))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("default conversion function for encoding \"%s\" to \"UTF8\" does not exist",
						pg_encoding_to_char(encoding))));
	rows->encoded = palloc(ENCODED_SIZE);
	rows->converted = (char *) palloc(CONVERTED_SIZE + 1) + 1;
}

McOssRows *
mcOssRowsOpen(McOssConn *conn, const McOssTable *table, const bool *needed, McOssSource *source,
			  bool eager, MemoryContext cxt)
{
	MemoryContext old = MemoryContextSwitchTo(cxt);
	McOssRows  *rows = palloc0(sizeof(McOssRows));
	mcs_oss_read_spec spec = {
		.block_size = mcServerOptionInt(conn->server, "block_size", 8 * 1024 * 1024),
		.concurrency = conn->server->concurrency,
		.eager = eager,
		.next_object = mcOssSourceNext,
		.ctx = source,
	};
	mcw_error	err;

	rows->conn = conn;
	rows->table = table;
	rows->alloc = mcContextAlloc(cxt);
	rows->options.delimiter = table->delimiter;
	rows->options.quote = table->quote;
	rows->options.escape = table->escape;
	rows->options.null = mcw_str(table->null);
	rows->options.header = table->header;
	rows->options.max_record = table->max_record;
	describe_columns(rows, needed);
	find_conversion(rows);
	if (mcs_oss_read_open(&conn->client, &spec, &rows->reader, &err) != MCW_OK)
		mcRaise(&err, &conn->place);
	MemoryContextSwitchTo(old);
	return rows;
}

static void
end_object(McOssRows *rows)
{
	if (rows->rows != NULL)
		mcw_rows_free(rows->rows);
	rows->rows = NULL;
	if (rows->inflater != NULL)
		mcw_inflater_free(rows->inflater);
	rows->inflater = NULL;
	rows->object = NULL;
}

/* Safe in a memory-context callback */
void
mcOssRowsClose(McOssRows *rows)
{
	end_object(rows);
	if (rows->reader != NULL)
		mcs_oss_read_close(rows->reader);
	rows->reader = NULL;
}

static mcw_status
begin_object(McOssRows *rows, const mcs_oss_object *object, mcw_error *err)
{
	mcw_codec	codec = rows->table->codec;
	mcw_status	status = MCW_OK;

	end_object(rows);
	rows->object = object;
	rows->number++;
	rows->fed_last = false;
	rows->begun = false;
	rows->nencoded = 0;
	rows->unconverted = (mcw_view) {NULL, 0};
	rows->unconverted_last = false;
	rows->source = (mcw_view) {NULL, 0};
	rows->source_last = false;
	if (rows->table->compression_auto)
		codec = mcw_codec_from_suffix(object->key);
	rows->stats.codecs |= 1 << codec;
	if (codec != MCW_CODEC_NONE)
	{
		status = mcw_inflater_create(codec, &rows->alloc, &rows->inflater, err);
		if (status == MCW_OK && rows->inflated == NULL)
		{
			char	   *buffer = mcw_new(&rows->alloc, INFLATED_SIZE + 1);

			if (buffer == NULL)
				return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
			rows->inflated = buffer + 1;
		}
	}
	if (status == MCW_OK)
		status = mcw_rows_open(rows->table->format, &rows->options, &rows->alloc, &rows->rows, err);
	return status;
}

/* ---- pieces ---- */

typedef struct Piece
{
	char	   *data;
	size_t		len;
	bool		last;			/* of the object */
} Piece;

/* Bytes of the object without compression */
static mcw_status
next_plain(McOssRows *rows, bool wait, bool *pending, Piece *piece, mcw_error *err)
{
	for (;;)
	{
		mcs_oss_chunk chunk;
		mcw_status	status;

		if (rows->inflater != NULL && (rows->source.len > 0 || rows->source_last))
		{
			size_t		before = rows->source.len;
			size_t		produced = 0;

			status = mcw_inflate(rows->inflater, &rows->source, rows->source_last,
								 rows->inflated, INFLATED_SIZE, &produced, err);
			if (status != MCW_OK && status != MCW_END)
				return status;
			rows->stats.decoded += produced;
			if (status == MCW_END || produced > 0)
			{
				*piece = (Piece) {rows->inflated, produced, status == MCW_END};
				if (status == MCW_END)
					rows->source_last = false;
				return MCW_OK;
			}
			if (rows->source.len == before && (before > 0 || rows->source_last))
				return mcw_fail(err, MCW_ERR_FORMAT, "compressed data cannot be read on");
			continue;
		}
		status = mcs_oss_read_next(rows->reader, wait, pending, &chunk, err);
		if (status != MCW_OK || *pending)
			return status;
		if (chunk.first)
		{
			status = begin_object(rows, chunk.object, err);
			if (status != MCW_OK)
				return status;
		}
		if (rows->inflater == NULL)
		{
			*piece = (Piece) {chunk.data, chunk.len, chunk.last};
			return MCW_OK;
		}
		rows->source = (mcw_view) {chunk.data, chunk.len};
		rows->source_last = chunk.last;
	}
}

static mcw_status
bad_character(McOssRows *rows, mcw_error *err)
{
	int			encoding = rows->table->encoding;
	const unsigned char *p = (const unsigned char *) rows->encoded;
	int			len = Min((int) rows->nencoded, pg_encoding_mblen(encoding, rows->encoded));
	bool		valid = p[0] != 0 && pg_encoding_verifymbchar(encoding, rows->encoded, rows->nencoded) > 0;
	char		shown[ERROR_BYTES * 5 + 1];
	char	   *out = shown;

	for (int i = 0; i < Min(len, ERROR_BYTES); i++)
		out += sprintf(out, "%s0x%02x", i > 0 ? " " : "", p[i]);
	rows->sqlstate = valid ? ERRCODE_UNTRANSLATABLE_CHARACTER : ERRCODE_CHARACTER_NOT_IN_REPERTOIRE;
	if (valid)
		return mcw_fail(err, MCW_ERR_FORMAT,
						"character with byte sequence %s in encoding \"%s\" has no equivalent in encoding \"UTF8\"",
						shown, pg_encoding_to_char(encoding));
	return mcw_fail(err, MCW_ERR_FORMAT, "invalid byte sequence for encoding \"%s\": %s",
					pg_encoding_to_char(encoding), shown);
}

/*
 * The next piece in UTF-8.  What cannot be converted yet may be the begin of a
 * character and stays in front of what comes.
 */
static mcw_status
next_converted(McOssRows *rows, bool wait, bool *pending, Piece *piece, mcw_error *err)
{
	for (;;)
	{
		size_t		take = Min(ENCODED_SIZE - rows->nencoded, rows->unconverted.len);
		bool		last;

		if (rows->unconverted.len == 0 && !rows->unconverted_last)
		{
			Piece		raw;
			mcw_status	status = next_plain(rows, wait, pending, &raw, err);

			if (status != MCW_OK || *pending)
				return status;
			rows->unconverted = (mcw_view) {raw.data, raw.len};
			rows->unconverted_last = raw.last;
			continue;
		}
		if (take > 0)
			memcpy(rows->encoded + rows->nencoded, rows->unconverted.data, take);
		rows->nencoded += take;
		rows->unconverted.data += take;
		rows->unconverted.len -= take;
		last = rows->unconverted_last && rows->unconverted.len == 0;

		*piece = (Piece) {rows->converted, 0, false};
		if (rows->nencoded > 0)
		{
			int			used = pg_do_encoding_conversion_buf(rows->conversion, rows->table->encoding, PG_UTF8,
															 (unsigned char *) rows->encoded, rows->nencoded,
															 (unsigned char *) rows->converted, CONVERTED_SIZE, true);

			if (used == 0 && (last || rows->nencoded >= MAX_CONVERSION_INPUT_LENGTH))
				return bad_character(rows, err);
			piece->len = used > 0 ? strlen(rows->converted) : 0;
			rows->nencoded -= used;
			memmove(rows->encoded, rows->encoded + used, rows->nencoded);
		}
		if (last && rows->nencoded == 0)
		{
			rows->unconverted_last = false;
			piece->last = true;
			return MCW_OK;
		}
		if (piece->len > 0)
			return MCW_OK;
	}
}

/* ---- headers ---- */

/* match_by 'name': the policies are about the header, once for each object */
static mcw_status
check_names(McOssRows *rows, const mcw_view *names, int n, mcw_error *err)
{
	const McOssTable *table = rows->table;
	ListCell   *lc;

	foreach(lc, table->columns)
	{
		const McOssColumn *c = lfirst(lc);
		bool		found = false;

		for (int i = 0; i < n; i++)
			found = found || (c->kind == MC_OSS_FIELD && mcw_view_eq(names[i], mcw_str(c->wire)));
		if (c->kind != MC_OSS_FIELD || found || table->missing != MC_OSS_MISSING_ERROR)
			continue;
		rows->sqlstate = ERRCODE_BAD_COPY_FILE_FORMAT;
		return mcw_fail(err, MCW_ERR_FORMAT, "the header has no field for column \"%s\"", c->attname);
	}
	for (int i = 0; i < n && table->unknown_error; i++)
	{
		bool		found = false;

		foreach(lc, table->columns)
			found = found || (((McOssColumn *) lfirst(lc))->kind == MC_OSS_FIELD &&
							  mcw_view_eq(names[i], mcw_str(((McOssColumn *) lfirst(lc))->wire)));
		if (found)
			continue;
		rows->sqlstate = ERRCODE_BAD_COPY_FILE_FORMAT;
		return mcw_fail(err, MCW_ERR_FORMAT, "the header has field \"%s\", which no column shows",
						mcShownName(names[i]));
	}
	return MCW_OK;
}

/* Before the first record of an object, or at its end if it has none */
static mcw_status
header_seen(McOssRows *rows, bool any_record, mcw_error *err)
{
	const mcw_view *names;
	int			n;

	rows->begun = true;
	if (rows->table->format == &mcw_format_jsonl)
		rows->nfields = -1;
	else if (rows->table->header != MCW_HEADER_BY_NAME)
		rows->nfields = rows->options.ncolumns;
	else
	{
		n = mcw_rows_header(rows->rows, &names);
		rows->nfields = n;
		/* an empty object has no header, and no record that would lack a field */
		if (n > 0 || any_record)
			return check_names(rows, names, n, err);
	}
	return MCW_OK;
}

/* ---- records ---- */

static mcw_status
format_failed(McOssRows *rows, mcw_status status, const mcw_error *err)
{
	rows->line = mcw_rows_line(rows->rows);
	/* in a header; in a record it is a matter of the record */
	if (status == MCW_ERR_FORMAT && rows->sqlstate == 0)
		rows->sqlstate = strncmp(err->message, BAD_BYTES, strlen(BAD_BYTES)) == 0 ?
			ERRCODE_CHARACTER_NOT_IN_REPERTOIRE : ERRCODE_BAD_COPY_FILE_FORMAT;
	return status;
}

static mcw_status
feed(McOssRows *rows, bool wait, bool *pending, mcw_error *err)
{
	Piece		piece;
	mcw_status	status = OidIsValid(rows->conversion) ? next_converted(rows, wait, pending, &piece, err)
		: next_plain(rows, wait, pending, &piece, err);

	if (status != MCW_OK || *pending)
	{
		if (status != MCW_OK && status != MCW_END && rows->sqlstate != 0 && rows->rows != NULL)
			rows->line = mcw_rows_line(rows->rows);
		return status;
	}
	mcw_rows_feed(rows->rows, piece.data, piece.len, piece.last);
	rows->fed_last = piece.last;
	return MCW_OK;
}

mcw_status
mcOssRowsNext(McOssRows *rows, bool wait, bool *pending, mcw_record *record, mcw_error *err)
{
	mcw_status	status;

	*pending = false;
	for (;;)
	{
		if (likely(rows->rows != NULL))
		{
			status = mcw_rows_next(rows->rows, record, err);
			if (likely(status == MCW_OK))
			{
				if (unlikely(!rows->begun) && (status = header_seen(rows, true, err)) != MCW_OK)
					return format_failed(rows, status, err);
				rows->stats.records++;
				return MCW_OK;
			}
			if (status != MCW_END)
				return format_failed(rows, status, err);
			if (rows->fed_last)
			{
				if (!rows->begun && (status = header_seen(rows, false, err)) != MCW_OK)
					return format_failed(rows, status, err);
				end_object(rows);
			}
		}
		status = feed(rows, wait, pending, err);
		if (status != MCW_OK || *pending)
			return status;
	}
}

const mcs_oss_object *
mcOssRowsObject(const McOssRows *rows, int64 *number)
{
	*number = rows->number;
	return rows->object;
}

int
mcOssRowsFields(const McOssRows *rows)
{
	return rows->nfields;
}

int
mcOssRowsFailure(const McOssRows *rows, uint64 *line)
{
	*line = rows->line;
	return rows->sqlstate;
}

bool
mcOssRowsReady(const McOssRows *rows)
{
	/* what is left of a chunk may hold records */
	return rows->rows != NULL || mcs_oss_read_ready(rows->reader);
}

void
mcOssRowsStats(const McOssRows *rows, McOssRowsStats *stats)
{
	*stats = rows->stats;
	if (rows->reader != NULL)
	{
		const mcs_oss_read_stats *read = mcs_oss_read_get_stats(rows->reader);

		stats->objects = read->objects;
		stats->bytes = read->bytes;
		stats->stalls = read->stalls;
	}
}
