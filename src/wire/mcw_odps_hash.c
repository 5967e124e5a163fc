/*
 * mcw_odps_hash.c
 *		Bucket hashes of upsert sessions (maxcompute.md 5.4).
 *
 * All arithmetic wraps and is done unsigned; the shifts that must keep the sign go
 * through signed integers.
 */
#include "mcw_arrow.h"

/* Arithmetic shift right of a wrapped number */
static inline uint64_t
sar64(uint64_t v, int n)
{
	return (uint64_t) ((int64_t) v >> n);
}

static inline uint32_t
sar32(uint32_t v, int n)
{
	return (uint32_t) ((int32_t) v >> n);
}

static uint32_t
hash_long(mcw_odps_hasher hasher, int64_t value)
{
	uint64_t	l = (uint64_t) value;

	if (hasher == MCW_ODPS_HASH_LEGACY)
		return (uint32_t) (sar64(l, 32) ^ l);
	l = ~l + (l << 18);
	l ^= sar64(l, 31);
	l *= 21;
	l ^= sar64(l, 11);
	l += l << 6;
	l ^= sar64(l, 22);
	return (uint32_t) l;
}

static uint32_t
hash_bytes(mcw_odps_hasher hasher, mcw_view bytes)
{
	uint32_t	h = 0;

	for (size_t i = 0; i < bytes.len; i++)
	{
		uint32_t	byte = (uint32_t) (int32_t) (signed char) bytes.data[i];

		if (hasher == MCW_ODPS_HASH_LEGACY)
			h = 31 * h + byte;
		else
		{
			h += byte;
			h += h << 10;
			h ^= sar32(h, 6);
		}
	}
	if (hasher == MCW_ODPS_HASH_DEFAULT)
	{
		h += h << 3;
		h ^= sar32(h, 11);
		h += h << 15;
	}
	return h;
}

/* The unscaled integer of a decimal text at the column's scale, wrapped to 128 bits */
static unsigned __int128
unscaled(mcw_view text, int scale)
{
	unsigned __int128 value = 0;
	bool		negative = false;
	int			behind = -1;	/* digits behind the point; -1 before it */

	for (size_t i = 0; i < text.len && behind < scale; i++)
	{
		char		c = text.data[i];

		if (c == '-')
			negative = true;
		else if (c == '.')
			behind = 0;
		else if (c >= '0' && c <= '9')
		{
			value = value * 10 + (unsigned) (c - '0');
			if (behind >= 0)
				behind++;
		}
		if (behind == 0 && scale == 0)
			break;
	}
	for (int i = behind > 0 ? behind : 0; i < scale; i++)
		value *= 10;
	return negative ? 0 - value : value;
}

static uint32_t
hash_decimal(mcw_odps_hasher hasher, const mcw_odps_type *type, mcw_view text)
{
	int			precision = type->precision ? type->precision : 38;
	int			scale = type->precision ? type->scale : 18;
	unsigned __int128 value = unscaled(text, scale);
	uint32_t	low = hash_long(hasher, (int64_t) (uint64_t) value);

	return precision > 18 ? low + hash_long(hasher, (int64_t) (uint64_t) (value >> 64)) : low;
}

int32_t
mcw_odps_hash(mcw_odps_hasher hasher, const mcw_odps_type *type, const mcw_odps_value *value)
{
	uint32_t	bits32;
	uint64_t	bits64;

	if (value->is_null)
		return 0;
	switch (type->kind)
	{
		case MCW_ODPS_BOOLEAN:
			return value->i64 ? 0x172ba9c7 : -0x3a59cb12;
		case MCW_ODPS_FLOAT:
			memcpy(&bits32, &value->f32, 4);
			return (int32_t) hash_long(hasher, (int32_t) bits32);
		case MCW_ODPS_DOUBLE:
			memcpy(&bits64, &value->f64, 8);
			return (int32_t) hash_long(hasher, (int64_t) bits64);
		case MCW_ODPS_DATE:
			return (int32_t) hash_long(hasher, (int64_t) ((uint64_t) value->i64 * 86400));
		case MCW_ODPS_TIMESTAMP:
		case MCW_ODPS_TIMESTAMP_NTZ:
		case MCW_ODPS_INTERVAL_DAY_TIME:
			bits64 = (uint64_t) value->i64 << 30 | (uint32_t) value->nanos;
			return (int32_t) hash_long(hasher, (int64_t) bits64);
		case MCW_ODPS_DECIMAL:
			return (int32_t) hash_decimal(hasher, type, value->bytes);
		case MCW_ODPS_STRING:
		case MCW_ODPS_VARCHAR:
		case MCW_ODPS_CHAR:
		case MCW_ODPS_BINARY:
		case MCW_ODPS_JSON:
		case MCW_ODPS_GEOGRAPHY:
		case MCW_ODPS_BLOB:
		case MCW_ODPS_ARRAY:
		case MCW_ODPS_MAP:
		case MCW_ODPS_STRUCT:
		case MCW_ODPS_VECTOR:
			return (int32_t) hash_bytes(hasher, value->bytes);
		default:
			return (int32_t) hash_long(hasher, value->i64);
	}
}

int32_t
mcw_odps_hash_combine(const int32_t *hashes, int n)
{
	uint32_t	sum = 0;

	for (int i = 0; i < n; i++)
		sum += (uint32_t) hashes[i];
	return (int32_t) (sum ^ sar32(sum, 8));
}
