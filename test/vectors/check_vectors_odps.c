/*
 * check_vectors_odps.c
 *		Vectors of MaxCompute: tunnel records, Arrow bodies, bucket hashes.
 */
#include "check_vectors.h"

#include "../../src/wire/mcw_arrow.h"
#include "../../src/wire/mcw_compress.h"
#include "../../src/wire/mcw_hash.h"

#define MAX_BODY ((size_t) 256 << 20)

/* --- tunnel records --------------------------------------------------- */

static bool
parse_crc(const mcw_node *node, uint32_t *crc)
{
	char	   *end;

	if (node == NULL || node->kind != MCW_NODE_STRING || node->text.len != 8)
		return false;
	*crc = (uint32_t) strtoul(node->text.data, &end, 16);
	return *end == '\0';
}

/* Values of every record, and its checksum as the reader leaves it */
static bool
check_decode(mcw_view raw, const mcw_odps_type *const *types, int ntypes, const mcw_node *v)
{
	const mcw_node *rows = mcw_node_get(v, "rows");
	const mcw_node *crcs = mcw_node_get(v, "record_crc32c");
	const mcw_node *crc_node = crcs ? crcs->first : NULL;
	mcw_odps_reader reader;
	mcw_odps_value values[ROWS_MAX_COLUMNS];
	mcw_error	err = {0};
	uint32_t	crc_of_crcs = 0;
	uint32_t	crc;
	int			n = 0;

	mcw_odps_reader_init(&reader, types, ntypes, raw);
	for (const mcw_node *row = rows->first; row; row = row->next, n++)
	{
		if (mcw_odps_next(&reader, values, &err) != MCW_OK)
			return vec_wrong("record %d: %s", n, err.message);
		if (row->nchildren != ntypes)
			return vec_wrong("row %d has %d values", n, row->nchildren);
		for (int i = 0; i < ntypes; i++)
			if (!rows_same(types[i], &values[i], rows_at(row, i), &vec_arena))
				return vec_wrong("record %d: column %d differs", n, i + 1);
		if (crcs)
		{
			if (!parse_crc(crc_node, &crc))
				return vec_wrong("record_crc32c of record %d is missing", n);
			crc_of_crcs = mcw_crc32c(crc_of_crcs, &crc, 4);
			if (crc_of_crcs != reader.crc_of_crcs)
				return vec_wrong("record %d: checksum differs", n);
			crc_node = crc_node->next;
		}
	}
	if (mcw_odps_next(&reader, values, &err) != MCW_END)
		return vec_wrong("no clean end after %d records: %s", n, err.message);
	if (mcw_node_get(v, "crc_of_crcs") &&
		(!parse_crc(mcw_node_get(v, "crc_of_crcs"), &crc) || crc != reader.crc_of_crcs))
		return vec_wrong("crc_of_crcs differs");
	return true;
}

/* Our writer yields the very bytes */
static bool
check_encode(mcw_view raw, const mcw_odps_type *const *types, int ntypes, const mcw_node *rows)
{
	mcw_odps_writer writer;
	mcw_buf		out;
	bool		done = true;

	mcw_buf_init(&out, &mcw_malloc, MAX_BODY);
	mcw_odps_writer_init(&writer, &out);
	for (const mcw_node *row = rows->first; done && row; row = row->next)
	{
		mcw_odps_begin_record(&writer);
		for (int i = 0; done && i < ntypes; i++)
			done = rows_put(&writer, i + 1, types[i], rows_at(row, i), &vec_arena);
		done = done && mcw_odps_end_record(&writer) == MCW_OK;
	}
	done = done && mcw_odps_finish(&writer) == MCW_OK && mcw_view_eq(mcw_buf_view(&out), raw);
	mcw_buf_free(&out);
	return done ? true : vec_wrong("rows encode to other bytes");
}

static void
check_encodings(const mcw_node *encoded, mcw_view raw)
{
	for (const mcw_node *e = encoded ? encoded->first : NULL; e; e = e->next)
	{
		mcw_view	body = rows_hex(e, &vec_arena);
		mcw_codec	codec;
		mcw_buf		out;
		mcw_error	err = {0};

		if (body.data == NULL || !mcw_codec_from_http(e->name, &codec))
		{
			vec_wrong("not understood: encoding \"%.*s\"", (int) e->name.len, e->name.data);
			continue;
		}
		mcw_buf_init(&out, &mcw_malloc, MAX_BODY);
		if (mcw_decompress(codec, body, SIZE_MAX, &out, &err) != MCW_OK)
			vec_wrong("%.*s: %s", (int) e->name.len, e->name.data, err.message);
		else if (!mcw_view_eq(mcw_buf_view(&out), raw))
			vec_wrong("%.*s: decompressed bytes differ", (int) e->name.len, e->name.data);
		mcw_buf_free(&out);
	}
}

void
check_odps_records(const char *file, const mcw_node *root)
{
	const mcw_node *vectors = mcw_node_get(root, "vectors");

	for (const mcw_node *v = vectors ? vectors->first : NULL; v; v = v->next)
	{
		const mcw_odps_type *types[ROWS_MAX_COLUMNS];
		mcw_view	raw = rows_hex(mcw_node_get(v, "raw_hex"), &vec_arena);
		mcw_error	err = {0};
		int			ntypes;

		vec_case(file, "", mcw_node_text(v, "name"));
		if (!vec_known(v, "name description columns rows record_crc32c crc_of_crcs raw_hex encoded"))
			continue;
		ntypes = rows_types(mcw_node_get(v, "columns"), types, &vec_arena, &err);
		if (ntypes < 0)
			vec_wrong("not understood: columns: %s", err.message);
		else if (raw.data == NULL || mcw_node_get(v, "rows") == NULL)
			vec_wrong("raw_hex or rows is missing");
		else
		{
			check_decode(raw, types, ntypes, v);
			check_encode(raw, types, ntypes, mcw_node_get(v, "rows"));
			check_encodings(mcw_node_get(v, "encoded"), raw);
		}
	}
	vec_known_file(file, root, "sdk how client_time_zone vectors");
}

/* --- Arrow ------------------------------------------------------------ */

/* Both directions of the framing */
static bool
check_framing(mcw_view payload, mcw_view framed, uint32_t chunk_size)
{
	mcw_buf		out;
	mcw_error	err = {0};
	bool		good = true;

	mcw_buf_init(&out, &mcw_malloc, MAX_BODY);
	if (mcw_arrow_unframe(framed, &out, &err) != MCW_OK)
		good = vec_wrong("cannot be unframed: %s", err.message);
	else if (!mcw_view_eq(mcw_buf_view(&out), payload))
		good = vec_wrong("payload differs");
	mcw_buf_reset(&out);
	if (mcw_arrow_frame(payload, chunk_size, &out) != MCW_OK || !mcw_view_eq(mcw_buf_view(&out), framed))
		good = vec_wrong("our framing differs");
	mcw_buf_free(&out);
	return good;
}

/* A framed body begins with its chunk size; one of four bytes or less is empty */
static uint32_t
chunk_size_of(mcw_view framed)
{
	uint32_t	size = 1;

	if (framed.len > 4)
		memcpy(&size, framed.data, 4);
	return framed.len > 4 ? __builtin_bswap32(size) : 1;
}

static void
check_framings(const char *file, const mcw_node *section)
{
	const mcw_node *vectors = mcw_node_get(section, "vectors");
	int			n = 0;

	for (const mcw_node *v = vectors ? vectors->first : NULL; v; v = v->next)
	{
		mcw_view	payload = rows_hex(mcw_node_get(v, "payload_hex"), &vec_arena);
		mcw_view	framed = rows_hex(mcw_node_get(v, "framed_hex"), &vec_arena);
		char		name[32];
		int64_t		chunk_size;

		(void) snprintf(name, sizeof(name), "%d", n++);
		vec_case(file, "framing", mcw_str(name));
		if (!vec_known(v, "name note chunk_size payload_hex framed_hex pyodps_reader_roundtrip"))
			continue;
		if (payload.data == NULL || framed.data == NULL || !mcw_node_int(v, "chunk_size", &chunk_size) ||
			chunk_size < 1 || chunk_size > UINT32_MAX)
			vec_wrong("chunk_size, payload_hex or framed_hex is missing");
		else
			check_framing(payload, framed, (uint32_t) chunk_size);
	}
	vec_known_file(file, section, "sdk how vectors");
}

/*
 * The rows of a payload; 'rows' NULL asks for 0, 1, 2, ... nrows - 1 in one BIGINT
 * column.
 */
static bool
check_batches(mcw_view payload, const mcw_odps_type *const *types, int ntypes,
			  const mcw_node *rows, int nrows)
{
	mcw_arrow_reader *reader = mcw_arrow_reader_create(&mcw_malloc, types, ntypes, payload);
	const mcw_node *row = rows ? rows->first : NULL;
	mcw_odps_value values[ROWS_MAX_COLUMNS];
	mcw_error	err = {0};
	bool		good = reader != NULL;

	for (int n = 0; good && n < nrows; n++)
	{
		if (mcw_arrow_next(reader, values, &err) != MCW_OK)
			good = vec_wrong("row %d: %s", n, err.message);
		else if (rows == NULL)
			good = (!values[0].is_null && values[0].i64 == n) || vec_wrong("row %d differs", n);
		for (int i = 0; good && row && i < ntypes; i++)
			good = (rows_at(row, i) && rows_same(types[i], &values[i], rows_at(row, i), &vec_arena)) ||
				vec_wrong("row %d: column %d differs", n, i + 1);
		row = row ? row->next : NULL;
	}
	if (good && mcw_arrow_next(reader, values, &err) != MCW_END)
		good = vec_wrong("no clean end after %d rows: %s", nrows, err.message);
	mcw_arrow_reader_free(reader);
	return good;
}

static void
check_record_batch(const char *file, const mcw_node *v)
{
	const mcw_odps_type *types[ROWS_MAX_COLUMNS];
	const mcw_node *rows = mcw_node_get(v, "rows");
	mcw_view	payload = rows_hex(mcw_node_get(v, "ipc_payload_hex"), &vec_arena);
	mcw_view	framed = rows_hex(mcw_node_get(v, "framed_hex"), &vec_arena);
	mcw_error	err = {0};
	int			ntypes;

	vec_case(file, "", MCW_LIT("record_batch"));
	if (!vec_known(v, "sdk how columns rows framed_hex ipc_payload_hex"))
		return;
	ntypes = rows_types(mcw_node_get(v, "columns"), types, &vec_arena, &err);
	if (ntypes < 0)
		vec_wrong("not understood: columns: %s", err.message);
	else if (payload.data == NULL || framed.data == NULL || rows == NULL)
		vec_wrong("framed_hex, ipc_payload_hex or rows is missing");
	else if (check_framing(payload, framed, chunk_size_of(framed)))
		check_batches(payload, types, ntypes, rows, rows->nchildren);
}

/* Chunks lie where they are said to, with the checksums that are listed */
static void
check_chunks(const mcw_node *chunks, mcw_view framed)
{
	uint32_t	whole = 0;

	for (const mcw_node *c = chunks ? chunks->first : NULL; c; c = c->next)
	{
		bool		last = mcw_node_get(c, "whole_stream_crc32c") != NULL;
		int64_t		offset;
		int64_t		length;
		uint32_t	want;
		uint32_t	got;

		if (!vec_known(c, "offset length crc32c whole_stream_crc32c"))
			return;
		if (!mcw_node_int(c, "offset", &offset) || !mcw_node_int(c, "length", &length) ||
			offset < 0 || length < 0 || offset + length + 4 > (int64_t) framed.len ||
			!parse_crc(mcw_node_get(c, last ? "whole_stream_crc32c" : "crc32c"), &want))
		{
			vec_wrong("not understood: chunk");
			return;
		}
		whole = mcw_crc32c(whole, framed.data + offset, (size_t) length);
		got = last ? whole : mcw_crc32c(0, framed.data + offset, (size_t) length);
		if (got != want)
			vec_wrong("checksum of the chunk at %lld differs", (long long) offset);
	}
}

static void
check_multi_chunk(const char *file, const mcw_node *v)
{
	const mcw_odps_type bigint = {.kind = MCW_ODPS_BIGINT};
	const mcw_odps_type *types[1] = {&bigint};
	mcw_view	how = mcw_node_text(v, "how");
	const char *last = how.data ? strstr(how.data, "0..") : NULL;	/* "holding 0..9999" */
	mcw_buf		zipped;
	mcw_buf		framed;
	mcw_buf		payload;
	mcw_error	err = {0};
	int64_t		length;

	vec_case(file, "", MCW_LIT("multi_chunk"));
	if (!vec_known(v, "sdk how chunks total_length framed_zlib_base64"))
		return;
	mcw_buf_init(&zipped, &mcw_malloc, MAX_BODY);
	mcw_buf_init(&framed, &mcw_malloc, MAX_BODY);
	mcw_buf_init(&payload, &mcw_malloc, MAX_BODY);
	if (mcw_base64_decode(&zipped, mcw_node_text(v, "framed_zlib_base64")) != MCW_OK ||
		mcw_decompress(MCW_CODEC_DEFLATE, mcw_buf_view(&zipped), SIZE_MAX, &framed, &err) != MCW_OK)
		vec_wrong("framed_zlib_base64 cannot be decoded");
	else if (!mcw_node_int(v, "total_length", &length) || (size_t) length != framed.len)
		vec_wrong("total_length differs");
	else if (mcw_arrow_unframe(mcw_buf_view(&framed), &payload, &err) != MCW_OK)
		vec_wrong("cannot be unframed: %s", err.message);
	else
	{
		check_chunks(mcw_node_get(v, "chunks"), mcw_buf_view(&framed));
		if (last == NULL)
			vec_wrong("not understood: how many rows");
		else if (check_framing(mcw_buf_view(&payload), mcw_buf_view(&framed), chunk_size_of(mcw_buf_view(&framed))))
			check_batches(mcw_buf_view(&payload), types, 1, NULL, atoi(last + 3) + 1);
	}
	mcw_buf_free(&zipped);
	mcw_buf_free(&framed);
	mcw_buf_free(&payload);
}

void
check_odps_arrow(const char *file, const mcw_node *root)
{
	if (mcw_node_get(root, "framing"))
		check_framings(file, mcw_node_get(root, "framing"));
	if (mcw_node_get(root, "record_batch"))
		check_record_batch(file, mcw_node_get(root, "record_batch"));
	if (mcw_node_get(root, "multi_chunk"))
		check_multi_chunk(file, mcw_node_get(root, "multi_chunk"));
	vec_known_file(file, root, "framing record_batch multi_chunk");
}

/* --- bucket hashes ---------------------------------------------------- */

/* "2022-06-11T22:33:01.134561241Z", perhaps followed by a zone name in brackets, or a date */
static bool
parse_instant(mcw_view text, mcw_odps_value *value)
{
	int			year;
	int			month;
	int			day;
	int			hour = 0;
	int			minute = 0;
	int			second = 0;
	int			used = 0;
	int			digits = 0;
	const char *rest;

	if (sscanf(text.data, "%4d-%2d-%2d%n", &year, &month, &day, &used) != 3)
		return false;
	value->i64 = mcw_days_from_civil(year, month, day);
	value->nanos = 0;
	rest = text.data + used;
	if (*rest == '\0')
		return true;
	if (sscanf(rest, "T%2d:%2d:%2d%n", &hour, &minute, &second, &used) != 3)
		return false;
	rest += used;
	if (*rest == '.')
		for (rest++; *rest >= '0' && *rest <= '9' && digits < 9; rest++, digits++)
			value->nanos = value->nanos * 10 + (*rest - '0');
	while (digits > 0 && digits++ < 9)
		value->nanos *= 10;
	value->i64 = value->i64 * 86400 + hour * 3600 + minute * 60 + second;
	return *rest == 'Z';
}

/* A value as the hash vectors write it; false if that is not understood */
static bool
parse_hash_value(const mcw_odps_type *type, const mcw_node *node, mcw_odps_value *value)
{
	memset(value, 0, sizeof(*value));
	if (node == NULL || node->kind == MCW_NODE_NULL)
	{
		value->is_null = true;
		return node != NULL;
	}
	switch (type->kind)
	{
		case MCW_ODPS_BOOLEAN:
			value->i64 = mcw_view_ieq(node->text, MCW_LIT("true"));
			return value->i64 || mcw_view_ieq(node->text, MCW_LIT("false"));
		case MCW_ODPS_DATE:
			return parse_instant(node->text, value);
		case MCW_ODPS_DATETIME:
			if (!parse_instant(node->text, value))
				return false;
			value->i64 = value->i64 * 1000 + value->nanos / 1000000;
			return true;
		case MCW_ODPS_TIMESTAMP:
		case MCW_ODPS_TIMESTAMP_NTZ:
			return parse_instant(node->text, value);
		default:
			return rows_scalar(type, node, value, &vec_arena);
	}
}

static void
check_hash(const mcw_node *v)
{
	mcw_view	hasher_name = mcw_node_text(v, "hasher");
	mcw_odps_hasher hasher;
	mcw_odps_type *type;
	mcw_odps_value value;
	mcw_error	err = {0};
	int64_t		want;
	int32_t		got;

	if (mcw_view_eq(hasher_name, MCW_LIT("default")))
		hasher = MCW_ODPS_HASH_DEFAULT;
	else if (mcw_view_eq(hasher_name, MCW_LIT("legacy")))
		hasher = MCW_ODPS_HASH_LEGACY;
	else
	{
		vec_wrong("not understood: hasher");
		return;
	}
	if (mcw_odps_type_parse(mcw_node_text(v, "type"), &vec_arena, &type, &err) != MCW_OK)
		vec_wrong("not understood: %s", err.message);
	else if (!parse_hash_value(type, mcw_node_get(v, "value"), &value) || !mcw_node_int(v, "hash", &want))
		vec_wrong("not understood: value or hash");
	else if ((got = mcw_odps_hash(hasher, type, &value)) != want)
		vec_wrong("hash is %d, want %lld", got, (long long) want);
}

void
check_odps_hashes(const char *file, const mcw_node *root)
{
	const mcw_node *hashes = mcw_node_get(root, "hashes");
	const mcw_node *combine = mcw_node_get(root, "combine");
	char		name[128];

	for (const mcw_node *v = hashes ? hashes->first : NULL; v; v = v->next)
	{
		(void) snprintf(name, sizeof(name), "%s %s %s", mcw_node_text(v, "hasher").data,
						mcw_node_text(v, "type").data, mcw_node_text(v, "value").data);
		vec_case(file, "", mcw_str(name));
		if (vec_known(v, "hasher type value hash"))
			check_hash(v);
	}
	if (combine)
	{
		const mcw_node *inputs = mcw_node_get(combine, "inputs");
		int32_t		hashes_in[ROWS_MAX_COLUMNS];
		int			n = 0;
		int64_t		number = 0;

		vec_case(file, "", MCW_LIT("combine"));
		vec_known(combine, "inputs result");
		for (const mcw_node *i = inputs ? inputs->first : NULL; i && n < ROWS_MAX_COLUMNS; i = i->next)
			if (mcw_view_int64(i->text, &number))
				hashes_in[n++] = (int32_t) number;
		if (n == 0 || n != inputs->nchildren || !mcw_node_int(combine, "result", &number) ||
			mcw_odps_hash_combine(hashes_in, n) != number)
			vec_wrong("combined hash differs");
	}
	vec_known_file(file, root, "sdk how note hashes combine");
}
