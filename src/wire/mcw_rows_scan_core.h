/*
 * mcw_rows_scan_core.h
 *		The scan by blocks of 64 bytes, one bit a byte.  Included once for each set of
 *		instructions by mcw_rows_scan.c, which defines
 *			SCAN_TARGET			attribute of the functions
 *			SCAN_NAME(name)		name of this set's function
 *			SCAN_BYTES(scan)	registers with the bytes to look for
 *			SCAN_MASKS(p, m)	fills the masks of the block at p
 *			SCAN_PREFIX_XOR(x)	bit i = parity of the bits 0 .. i
 *			SCAN_FLATTEN(out, bits, base)	appends the positions of the bits, may write
 *								MCW_SCAN_SLACK positions too many
 * No other header guard than these: it is meant to be included several times.
 */

SCAN_TARGET
static size_t
SCAN_NAME(csv) (mcw_scan *scan, const char *data, size_t len, uint32_t *out)
{
	uint32_t   *first = out;
	uint64_t	inside = scan->in_quote ? ~UINT64_C(0) : 0;
	uint64_t	line_inside = 0;
	char		tail[64];

	SCAN_BYTES(scan);
	for (size_t i = 0; i < len; i += 64)
	{
		size_t		n = len - i;
		const char *p = data + i;
		scan_masks	m;
		uint64_t	bits;

		if (mcw_unlikely(n < 64))
			p = scan_tail(tail, p, n);
		SCAN_MASKS(p, m);
		if (mcw_unlikely((m.escape | scan->escaped) != 0) && (m.quote | inside) != 0)
			bits = scan_csv_escapes(scan, &inside, &line_inside, &m, n < 64 ? n : 64);
		else
		{
			uint64_t	quoted = 0;

			if ((m.quote | inside) != 0)
			{
				/* an opening quote counts as quoted, a closing one does not */
				quoted = SCAN_PREFIX_XOR(m.quote) ^ inside;
				inside = (uint64_t) ((int64_t) quoted >> 63);
				line_inside |= m.line & quoted;
			}
			bits = (m.stop & ~quoted) | m.quote;
		}
		SCAN_FLATTEN(out, bits, (uint32_t) i);
	}
	scan->in_quote = inside != 0;
	scan->line_inside |= line_inside != 0;
	return out - first;
}

SCAN_TARGET
static size_t
SCAN_NAME(text) (mcw_scan *scan, const char *data, size_t len, uint32_t *out)
{
	const uint64_t odd = UINT64_C(0xAAAAAAAAAAAAAAAA);
	uint32_t   *first = out;
	uint64_t	escaped_first = scan->escaped;
	uint64_t	line_inside = 0;
	char		tail[64];

	SCAN_BYTES(scan);
	for (size_t i = 0; i < len; i += 64)
	{
		size_t		n = len - i;
		const char *p = data + i;
		scan_masks	m;
		uint64_t	bits;

		if (mcw_unlikely(n < 64))
			p = scan_tail(tail, p, n);
		SCAN_MASKS(p, m);
		bits = m.stop;
		if ((m.escape | escaped_first) != 0)
		{
			/*
			 * Of a run of backslashes the first, third, ... escape what follows.  Taking the
			 * run from the odd bits borrows through it and leaves the parity behind.
			 */
			uint64_t	start = m.escape & ~escaped_first;
			uint64_t	parity = (((start << 1) | odd) - start) ^ odd;
			uint64_t	escaped = parity ^ (m.escape | escaped_first);
			uint64_t	escapes = parity & m.escape;

			escaped_first = escapes >> (n < 64 ? n - 1 : 63);
			line_inside |= m.line & escaped;
			bits = (bits & ~escaped) | escapes;
		}
		SCAN_FLATTEN(out, bits, (uint32_t) i);
	}
	scan->escaped = escaped_first != 0;
	scan->line_inside |= line_inside != 0;
	return out - first;
}
