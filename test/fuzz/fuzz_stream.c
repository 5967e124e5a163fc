/*
 * fuzz_stream.c
 *		Input: a byte for the codec, a byte for the sizes of pieces, compressed bytes.
 *		Whatever the pieces, the outcome is the same; what is accepted survives our own
 *		deflater.
 */
#include <stdlib.h>

#include "../../src/wire/mcw_stream.h"

#define MAX_OUTPUT ((size_t) 1 << 21)

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const mcw_codec codecs[] = {
	MCW_CODEC_GZIP, MCW_CODEC_ZSTD, MCW_CODEC_BZIP2, MCW_CODEC_XZ, MCW_CODEC_LZ4_FRAME, MCW_CODEC_SNAPPY_FRAMED
};

/* MCW_OK: there is more than we want to see */
static mcw_status
inflate_all(mcw_codec codec, mcw_view packed, size_t in, size_t step, mcw_buf *out)
{
	mcw_inflater *inf;
	mcw_error	err = {0};
	mcw_status	status = mcw_inflater_create(codec, &mcw_malloc, &inf, &err);
	size_t		idle = 0;

	if (status != MCW_OK)
		abort();
	while (status == MCW_OK && out->len < MAX_OUTPUT - step)
	{
		size_t		n = packed.len < in ? packed.len : in;
		char	   *exact = malloc(n ? n : 1);
		mcw_view	src = {exact, n};
		bool		last = n == packed.len;
		size_t		produced;

		if (n > 0)
			memcpy(exact, packed.data, n);
		if (mcw_buf_grow(out, step) != MCW_OK)
			abort();
		status = mcw_inflate(inf, &src, last, out->data + out->len, step, &produced, &err);
		if (produced > step || src.len > n)
			abort();
		if (status == MCW_OK && produced < step && src.len > 0)
			abort();
		/* it must get on */
		idle = produced == 0 && src.len == n && last ? idle + 1 : 0;
		if (idle > 2)
			abort();
		out->len += produced;
		packed.data += n - src.len;
		packed.len -= n - src.len;
		if (status == MCW_END && (!last || src.len > 0))
			abort();
		free(exact);
	}
	if (status != MCW_OK && status != MCW_END && (err.status != status || err.message[0] == '\0'))
		abort();
	mcw_inflater_free(inf);
	return status;
}

static void
round_trip(mcw_codec codec, mcw_view raw)
{
	mcw_deflater *def;
	mcw_buf		packed;
	mcw_buf		back;

	mcw_buf_init(&packed, &mcw_malloc, 2 * MAX_OUTPUT);
	mcw_buf_init(&back, &mcw_malloc, 2 * MAX_OUTPUT);
	if (mcw_deflater_create(codec, 0, &mcw_malloc, &def, NULL) != MCW_OK ||
		mcw_deflate(def, (mcw_view) {raw.data, raw.len / 2}, false, &packed, NULL) != MCW_OK ||
		mcw_deflate(def, (mcw_view) {raw.data + raw.len / 2, raw.len - raw.len / 2}, true, &packed, NULL) != MCW_OK ||
		inflate_all(codec, mcw_buf_view(&packed), packed.len + 1, 65536, &back) != MCW_END ||
		!mcw_view_eq(mcw_buf_view(&back), raw))
		abort();
	mcw_deflater_free(def);
	mcw_buf_free(&packed);
	mcw_buf_free(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mcw_view	packed = {(const char *) data + 2, size - 2};
	mcw_codec	codec;
	mcw_buf		whole;
	mcw_buf		pieces;
	mcw_status	status;

	if (size < 2)
		return 0;
	codec = codecs[data[0] % 6];
	mcw_buf_init(&whole, &mcw_malloc, 2 * MAX_OUTPUT);
	mcw_buf_init(&pieces, &mcw_malloc, 2 * MAX_OUTPUT);
	status = inflate_all(codec, packed, size, 65536, &whole);
	if (status != MCW_OK && whole.len < 65536)
	{
		/* how far it went before damage was seen may differ, but no byte of what was given */
		size_t		step = 1 + (data[1] >> 3) * 30u;
		mcw_status	again = inflate_all(codec, packed, 1 + (data[1] & 7) * 5u, step, &pieces);
		size_t		common = whole.len < pieces.len ? whole.len : pieces.len;

		if ((again == MCW_END) != (status == MCW_END) || (status == MCW_END && whole.len != pieces.len) ||
			(common > 0 && memcmp(whole.data, pieces.data, common) != 0))
			abort();
	}
	if (status == MCW_END && whole.len > 0)
		round_trip(codec, mcw_buf_view(&whole));
	mcw_buf_free(&whole);
	mcw_buf_free(&pieces);
	return 0;
}
