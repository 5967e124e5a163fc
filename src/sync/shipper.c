/*
 * shipper.c
 *		The functions of LogHub Shipper's transform expressions: mc.to_int(),
 *		mc.crc32().  They are total: what cannot be converted is NULL, as Shipper
 *		leaves the column out then.
 */
#include "postgres.h"

#include <zlib.h>

#include "common/int.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(mc_to_int);
PG_FUNCTION_INFO_V1(mc_crc32);

/* -1 = no digit */
static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 10;
	return -1;
}

Datum
mc_to_int(PG_FUNCTION_ARGS)
{
	int32		base = PG_GETARG_INT32(0);
	const char *p = text_to_cstring(PG_GETARG_TEXT_PP(1));
	const char *end = p + strlen(p);
	bool		negative = false;
	int64		result = 0;

	if (base < 2 || base > 36)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("base %d is not between 2 and 36", base)));
	if (p < end && (*p == '-' || *p == '+'))
		negative = *p++ == '-';
	if (p == end)
		PG_RETURN_NULL();
	for (; p < end; p++)
	{
		int			d = digit(*p);

		/* towards the sign, so that the smallest number fits */
		if (d < 0 || d >= base || pg_mul_s64_overflow(result, base, &result) ||
			(negative ? pg_sub_s64_overflow(result, d, &result) : pg_add_s64_overflow(result, d, &result)))
			PG_RETURN_NULL();
	}
	PG_RETURN_INT64(result);
}

/* IEEE 802.3, of the text in UTF-8 whatever the encoding of the database */
Datum
mc_crc32(PG_FUNCTION_ARGS)
{
	char	   *value = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *utf8 = pg_server_to_any(value, strlen(value), PG_UTF8);

	PG_RETURN_INT64((int64) crc32(crc32(0, NULL, 0), (const Bytef *) utf8, strlen(utf8)));
}
