/*
 * convert_file_out_recode.c
 *		Records in another encoding than the server's.
 *
 * A record is made in the server's encoding, whose characters never contain an ASCII
 * byte, and converted as a whole: the escapes and quotes stand where COPY would put
 * them in the other encoding.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "../wire/mcw_text.h"
#include "convert_file_out.h"

/* a piece of a record that is converted at once; it ends with an ASCII character */
#define PIECE 16384

static bool
has_high_byte(const McOssTable *table)
{
	return IS_HIGHBIT_SET(table->delimiter) || IS_HIGHBIT_SET(table->quote) || IS_HIGHBIT_SET(table->escape);
}

void
mcFileRecodeInit(McFileOut *file)
{
	int			from = GetDatabaseEncoding();
	int			to = file->table->encoding;
	Oid			conversion;

	if (from == to || to == PG_SQL_ASCII)
		return;
	if (has_high_byte(file->table))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("delimiter, quote and escape must be ASCII characters where files are in another encoding")));
	if (from == PG_SQL_ASCII)
	{
		file->recode = MC_FILE_VERIFY;
		return;
	}
	conversion = FindDefaultConversionProc(from, to);
	if (!OidIsValid(conversion))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("default conversion function for encoding \"%s\" to \"%s\" does not exist",
						pg_encoding_to_char(from), pg_encoding_to_char(to))));
	fmgr_info(conversion, &file->conversion);
	file->recode = MC_FILE_CONVERT;
}

/* a character as the server's own messages show it */
static char *
shown_bytes(const char *data, int len)
{
	StringInfoData hex;

	initStringInfo(&hex);
	for (int i = 0; i < len && i < 8; i++)
		appendStringInfo(&hex, i ? " 0x%02x" : "0x%02x", (uint8) data[i]);
	return hex.data;
}

static const char *
refuse(int encoding, const char *data, size_t len, int target, int *sqlstate)
{
	int			valid = pg_encoding_verifymbchar(encoding, data, (int) Min(len, 16));
	int			shown = (int) Min((size_t) pg_encoding_mblen(encoding, data), len);

	if (valid < 0)
	{
		*sqlstate = ERRCODE_CHARACTER_NOT_IN_REPERTOIRE;
		return psprintf("invalid byte sequence for encoding \"%s\": %s",
						pg_encoding_to_char(encoding), shown_bytes(data, shown));
	}
	*sqlstate = ERRCODE_UNTRANSLATABLE_CHARACTER;
	return psprintf("character with byte sequence %s in encoding \"%s\" has no equivalent in encoding \"%s\"",
					shown_bytes(data, shown), pg_encoding_to_char(encoding), pg_encoding_to_char(target));
}

/*
 * Nothing can be converted, so the bytes must be the file's already; and where these
 * could contain ASCII bytes, the escapes would be wrong.
 */
static const char *
verify(McFileOut *file, const char *data, size_t len, int *sqlstate, size_t *bad)
{
	int			to = file->table->encoding;
	size_t		valid = 0;

	if (PG_ENCODING_IS_CLIENT_ONLY(to))
	{
		while (!IS_HIGHBIT_SET(data[valid]))
			valid++;
		*bad = valid;
		*sqlstate = ERRCODE_FEATURE_NOT_SUPPORTED;
		return psprintf("only ASCII can be written in encoding \"%s\" from a database in SQL_ASCII", pg_encoding_to_char(to));
	}
	while (valid < len)
	{
		int			n = (int) Min(len - valid, (size_t) 1 << 30);
		int			good = pg_encoding_verifymbstr(to, data + valid, n);

		valid += good;
		if (good < n && len - valid < 16)
			break;
		if (good == 0)
			break;
	}
	if (valid >= len)
		return NULL;
	*bad = valid;
	return refuse(to, data + valid, len - valid, to, sqlstate);
}

/* A combining character must not be cut from the one before it, and none combines with ASCII */
static size_t
piece_len(const char *data, size_t len)
{
	size_t		n = PIECE;

	if (len <= PIECE)
		return len;
	while (n > 0 && IS_HIGHBIT_SET(data[n - 1]))
		n--;
	if (n > 0)
		return n;
	for (n = PIECE; n < len && IS_HIGHBIT_SET(data[n]); n++)
		;
	return n;
}

/* Appends the converted bytes; returns how many were */
static size_t
convert(McFileOut *file, const char *data, size_t len)
{
	mcw_buf    *out = file->w.out;
	size_t		done = 0;

	while (done < len)
	{
		size_t		n = piece_len(data + done, len - done);
		int			good;

		if (n > INT_MAX / MAX_CONVERSION_GROWTH - 1 || !mcw_buf_room(out, n * MAX_CONVERSION_GROWTH + 1))
		{
			(void) mcw_buf_grow(out, SIZE_MAX);
			return len;
		}
		good = DatumGetInt32(FunctionCall6(&file->conversion,
										   Int32GetDatum(GetDatabaseEncoding()),
										   Int32GetDatum(file->table->encoding),
										   CStringGetDatum(data + done),
										   CStringGetDatum(out->data + out->len),
										   Int32GetDatum((int) n),
										   BoolGetDatum(true)));
		out->len += strlen(out->data + out->len);
		done += good;
		if (good < n)
			break;
	}
	return done;
}

const char *
mcFileRecode(McFileOut *file, size_t start, int *sqlstate, size_t *bad)
{
	mcw_buf    *out = file->w.out;
	size_t		len = out->len - start;
	char	   *copy;
	size_t		done;

	if (likely(file->recode == MC_FILE_AS_IT_IS || mcw_plain_ascii(out->data + start, len)))
		return NULL;
	if (file->recode == MC_FILE_VERIFY)
		return verify(file, out->data + start, len, sqlstate, bad);

	copy = MemoryContextAllocHuge(CurrentMemoryContext, len);
	memcpy(copy, out->data + start, len);
	out->len = start;
	done = convert(file, copy, len);
	if (likely(done == len))
		return NULL;
	memcpy(out->data + start, copy, len);
	out->len = start + len;
	*bad = done;
	return refuse(GetDatabaseEncoding(), copy + done, len - done, file->table->encoding, sqlstate);
}
