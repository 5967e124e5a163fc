/*
 * fuzz_decompress.c
 *		Input: a codec byte, a byte that says how the size is announced, a body.
 *		Whatever the decoder accepts must survive our own compressor.
 */
#include <stdlib.h>

#include "../../src/wire/mcw_compress.h"

#define MAX_OUTPUT ((size_t) 1 << 20)

static void
round_trip(mcw_codec codec, mcw_view raw)
{
	mcw_buf		packed;
	mcw_buf		back;

	mcw_buf_init(&packed, &mcw_malloc, 2 * MAX_OUTPUT);
	mcw_buf_init(&back, &mcw_malloc, MAX_OUTPUT);
	if (mcw_compress(codec, 0, raw, &packed, NULL) != MCW_OK ||
		mcw_decompress(codec, mcw_buf_view(&packed), raw.len, &back, NULL) != MCW_OK ||
		!mcw_view_eq(mcw_buf_view(&back), raw))
		abort();
	mcw_buf_free(&packed);
	mcw_buf_free(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mcw_view	body = {(const char *) data + 2, size - 2};
	mcw_codec	codec;
	size_t		raw_size;
	mcw_buf		out;
	mcw_error	err;
	mcw_status	status;

	if (size < 2)
		return 0;
	codec = (mcw_codec) (data[0] % (MCW_CODEC_SNAPPY_FRAMED + 1));
	raw_size = data[1] == 0xFF ? SIZE_MAX : (size_t) data[1] * 64;

	mcw_buf_init(&out, &mcw_malloc, MAX_OUTPUT);
	err.message[0] = '\0';
	status = mcw_decompress(codec, body, raw_size, &out, &err);
	if (status == MCW_OK)
	{
		if (raw_size != SIZE_MAX && out.len != raw_size)
			abort();
		round_trip(codec, mcw_buf_view(&out));
	}
	else if (out.len != 0 || err.message[0] == '\0' || err.status != status)
		abort();
	mcw_buf_free(&out);
	return 0;
}
