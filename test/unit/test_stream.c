/*
 * test_stream.c
 *		Streaming codecs: round trips in every chunking, members one after the other,
 *		foreign tools both ways, limits, memory.  Damage is in test_stream_damage.c.
 */
#include "stream_codecs.h"

/* ---- round trips ---- */

static void
names(void)
{
	mcw_codec	codec;

	for (size_t i = 0; i < NCODECS; i++)
	{
		char		key[32];

		CHECK(mcw_codec_from_file(mcw_str(codecs[i].name), &codec) && codec == codecs[i].codec);
		CHECK_STR(mcw_codec_file_name(codec), codecs[i].name);
		(void) snprintf(key, sizeof(key), "a.csv%s", mcw_codec_suffix(codec));
		CHECK_INT(mcw_codec_from_suffix(mcw_str(key)), codec);
	}
	CHECK(mcw_codec_from_file(MCW_LIT("GZIP"), &codec) && codec == MCW_CODEC_GZIP);
	CHECK(mcw_codec_from_file(MCW_LIT("none"), &codec) && codec == MCW_CODEC_NONE);
	CHECK(!mcw_codec_from_file(MCW_LIT("deflate"), &codec));
	CHECK(!mcw_codec_from_file(MCW_LIT(""), &codec));
	CHECK_INT(mcw_codec_from_suffix(MCW_LIT("A.CSV.GZ")), MCW_CODEC_GZIP);
	CHECK_INT(mcw_codec_from_suffix(MCW_LIT("x.sz")), MCW_CODEC_SNAPPY_FRAMED);
	CHECK_INT(mcw_codec_from_suffix(MCW_LIT("x.zst")), MCW_CODEC_ZSTD);
	CHECK_INT(mcw_codec_from_suffix(MCW_LIT("x.csv")), MCW_CODEC_NONE);
	CHECK_INT(mcw_codec_from_suffix(MCW_LIT("gz")), MCW_CODEC_NONE);
	CHECK_INT(mcw_codec_from_suffix(MCW_LIT("")), MCW_CODEC_NONE);
	CHECK_STR(mcw_codec_suffix(MCW_CODEC_NONE), "");
}

static void
round_trips(void)
{
	unit_random r = {20250304};

	for (size_t i = 0; i < NCODECS; i++)
	{
		for (int round = 0; round < 120; round++)
		{
			int			level = round % 3 ? 0 : (int) unit_below(&r, (size_t) codecs[i].max_level + 1);
			size_t		members = unit_below(&r, 10) ? 1 : 1 + unit_below(&r, 4);
			static const size_t pieces[] = {1, 7, 1000, 100000};
			mcw_buf		raw;
			mcw_buf		packed;
			mcw_buf		back;
			mcw_error	err = {0};

			if (codecs[i].codec == MCW_CODEC_XZ && level > 3)
				level = 3;		/* the higher ones take long to begin */
			mcw_buf_init(&raw, &mcw_malloc, MAX_OUTPUT);
			mcw_buf_init(&packed, &mcw_malloc, MAX_OUTPUT);
			mcw_buf_init(&back, &mcw_malloc, MAX_OUTPUT);
			for (; members > 0; members--)
			{
				size_t		start = raw.len;

				stream_sample(&r, &raw, round % 10 ? 3000 : 400000);
				CHECK_OK(pack(codecs[i].codec, level, &mcw_malloc,
							  (mcw_view) {raw.data ? raw.data + start : "", raw.len - start},
							  &r, round % 4 ? pieces[unit_below(&r, 4)] : 0, &packed));
			}
			if (!CHECK_INT(unpack(codecs[i].codec, &mcw_malloc, mcw_buf_view(&packed), &r, pieces[unit_below(&r, 4)],
								  pieces[1 + unit_below(&r, 3)], &back, &err), MCW_END))
				printf("    %s: %s\n", codecs[i].name, err.message);
			CHECK(mcw_view_eq(mcw_buf_view(&back), mcw_buf_view(&raw)));
			mcw_buf_free(&raw);
			mcw_buf_free(&packed);
			mcw_buf_free(&back);
		}
	}
}

/* Every single split of a short stream, and of the output */
static void
every_split(void)
{
	unit_random r = {3};

	for (size_t i = 0; i < NCODECS; i++)
	{
		mcw_buf		raw;
		mcw_buf		packed;
		char		out[700];

		mcw_buf_init(&raw, &mcw_malloc, MAX_OUTPUT);
		mcw_buf_init(&packed, &mcw_malloc, MAX_OUTPUT);
		stream_rows(&r, &raw, 600);
		CHECK_OK(pack(codecs[i].codec, 0, &mcw_malloc, mcw_buf_view(&raw), &r, 0, &packed));
		for (size_t at = 0; at <= packed.len; at++)
		{
			size_t		cut = at * 600 / packed.len;
			mcw_inflater *inf;
			mcw_view	one = {packed.data, at};
			mcw_view	two = {packed.data + at, packed.len - at};
			size_t		len = 0;
			size_t		produced;
			mcw_status	status = MCW_OK;

			CHECK_OK(mcw_inflater_create(codecs[i].codec, &mcw_malloc, &inf, NULL));
			/* a little, then the rest */
			CHECK_OK(mcw_inflate(inf, &one, false, out, cut + 1, &produced, NULL));
			len = produced;
			while (one.len > 0 && status == MCW_OK && len < sizeof(out))
			{
				status = mcw_inflate(inf, &one, false, out + len, sizeof(out) - len, &produced, NULL);
				len += produced;
			}
			while (status == MCW_OK && len < sizeof(out))
			{
				status = mcw_inflate(inf, &two, true, out + len, sizeof(out) - len, &produced, NULL);
				len += produced;
			}
			CHECK_INT(status, MCW_END);
			CHECK(len == 600 && memcmp(out, raw.data, 600) == 0);
			mcw_inflater_free(inf);
		}
		mcw_buf_free(&raw);
		mcw_buf_free(&packed);
	}
}

static void
empty(void)
{
	unit_random r = {1};

	for (size_t i = 0; i < NCODECS; i++)
	{
		mcw_buf		packed;
		mcw_buf		back;
		mcw_error	err = {0};

		mcw_buf_init(&packed, &mcw_malloc, MAX_OUTPUT);
		mcw_buf_init(&back, &mcw_malloc, MAX_OUTPUT);
		CHECK_INT(unpack_whole(codecs[i].codec, MCW_LIT(""), &back, &err), MCW_END);
		CHECK_OK(pack(codecs[i].codec, 0, &mcw_malloc, MCW_LIT(""), &r, 0, &packed));
		CHECK(packed.len > 0);
		CHECK_INT(unpack_whole(codecs[i].codec, mcw_buf_view(&packed), &back, &err), MCW_END);
		CHECK_INT(back.len, 0);
		mcw_buf_free(&packed);
		mcw_buf_free(&back);
	}
}

/* ---- foreign tools ---- */

/* Run a filter over 'in'; false if it is not there or fails */
static bool
filter(const char *command, mcw_view in, mcw_buf *out)
{
	FILE	   *file = tmpfile();
	char		line[512];
	char		chunk[65536];
	size_t		n;
	FILE	   *pipe;

	if (!file || fwrite(in.data, 1, in.len, file) != in.len || fflush(file) != 0)
		abort();
	(void) snprintf(line, sizeof(line), "%s < /dev/fd/%d 2>/dev/null", command, fileno(file));
	pipe = popen(line, "r");
	while (pipe && (n = fread(chunk, 1, sizeof(chunk), pipe)) > 0)
		(void) mcw_buf_append(out, chunk, n);
	n = pipe ? (size_t) pclose(pipe) : 1;
	fclose(file);
	return n == 0;
}

static void
tools(void)
{
	unit_random r = {41};
	static const char *const python[] = {
		"gzip", "bz2", "lzma"
	};
	static const mcw_codec python_codec[] = {MCW_CODEC_GZIP, MCW_CODEC_BZIP2, MCW_CODEC_XZ};
	mcw_buf		raw;
	mcw_buf		packed;
	mcw_buf		back;
	mcw_error	err = {0};

	mcw_buf_init(&raw, &mcw_malloc, MAX_OUTPUT);
	mcw_buf_init(&packed, &mcw_malloc, MAX_OUTPUT);
	mcw_buf_init(&back, &mcw_malloc, MAX_OUTPUT);
	stream_rows(&r, &raw, 1000000);
	stream_noise(&r, &raw, 200000);
	for (size_t i = 0; i < NCODECS; i++)
	{
		if (codecs[i].pack == NULL)
			continue;
		packed.len = back.len = 0;
		if (!filter(codecs[i].pack, mcw_buf_view(&raw), &packed))
		{
			printf("    %s: not there, not compared\n", codecs[i].pack);
			continue;
		}
		/* twice: as cat would join them */
		CHECK(filter(codecs[i].pack, MCW_LIT("second"), &packed));
		CHECK_OK(mcw_buf_append_str(&raw, "second"));
		CHECK_INT(unpack_whole(codecs[i].codec, mcw_buf_view(&packed), &back, &err), MCW_END);
		CHECK(mcw_view_eq(mcw_buf_view(&back), mcw_buf_view(&raw)));
		raw.len -= 6;

		for (int level = 0; level <= codecs[i].max_level; level += level < 3 ? 1 : 3)
		{
			packed.len = back.len = 0;
			CHECK_OK(pack(codecs[i].codec, level, &mcw_malloc, mcw_buf_view(&raw), &r, 100000, &packed));
			CHECK(filter(codecs[i].unpack, mcw_buf_view(&packed), &back));
			if (!CHECK(mcw_view_eq(mcw_buf_view(&back), mcw_buf_view(&raw))))
				printf("    %s level %d\n", codecs[i].name, level);
		}
	}
	for (size_t i = 0; i < 3; i++)
	{
		char		command[200];

		packed.len = back.len = 0;
		(void) snprintf(command, sizeof(command),
						"python3 -c \"import %s,sys; sys.stdout.buffer.write(%s.compress(sys.stdin.buffer.read()))\"",
						python[i], python[i]);
		if (!filter(command, mcw_buf_view(&raw), &packed))
		{
			printf("    python3 %s: not there, not compared\n", python[i]);
			continue;
		}
		CHECK_INT(unpack_whole(python_codec[i], mcw_buf_view(&packed), &back, &err), MCW_END);
		CHECK(mcw_view_eq(mcw_buf_view(&back), mcw_buf_view(&raw)));
		packed.len = back.len = 0;
		CHECK_OK(pack(python_codec[i], 0, &mcw_malloc, mcw_buf_view(&raw), &r, 1000, &packed));
		(void) snprintf(command, sizeof(command),
						"python3 -c \"import %s,sys; sys.stdout.buffer.write(%s.decompress(sys.stdin.buffer.read()))\"",
						python[i], python[i]);
		CHECK(filter(command, mcw_buf_view(&packed), &back));
		CHECK(mcw_view_eq(mcw_buf_view(&back), mcw_buf_view(&raw)));
	}
	mcw_buf_free(&raw);
	mcw_buf_free(&packed);
	mcw_buf_free(&back);
}

/* ---- zstd, lz4, snappy: what is not data ---- */

static void
skippable(void)
{
	static const char skip[] = "\x5A\x2A\x4D\x18\x03\x00\x00\x00xyz";
	unit_random r = {43};
	static const mcw_codec both[] = {MCW_CODEC_ZSTD, MCW_CODEC_LZ4_FRAME};
	mcw_buf		packed;
	mcw_buf		back;
	mcw_error	err = {0};

	mcw_buf_init(&packed, &mcw_malloc, MAX_OUTPUT);
	mcw_buf_init(&back, &mcw_malloc, MAX_OUTPUT);
	for (size_t i = 0; i < 2; i++)
	{
		packed.len = back.len = 0;
		CHECK_OK(mcw_buf_append(&packed, skip, sizeof(skip) - 1));
		CHECK_OK(pack(both[i], 0, &mcw_malloc, MCW_LIT("one "), &r, 0, &packed));
		CHECK_OK(mcw_buf_append(&packed, skip, sizeof(skip) - 1));
		CHECK_OK(mcw_buf_append(&packed, skip, sizeof(skip) - 1));
		CHECK_OK(pack(both[i], 0, &mcw_malloc, MCW_LIT("two"), &r, 0, &packed));
		CHECK_OK(mcw_buf_append(&packed, skip, sizeof(skip) - 1));
		for (size_t in = 1; in < 60; in++)
		{
			back.len = 0;
			CHECK_INT(unpack(both[i], &mcw_malloc, mcw_buf_view(&packed), &r, in, 5, &back, &err), MCW_END);
			CHECK_VIEW(mcw_buf_view(&back), MCW_LIT("one two"));
		}
		packed.len--;
		CHECK_INT(unpack_whole(both[i], mcw_buf_view(&packed), &back, &err), MCW_ERR_FORMAT);
	}

	/* snappy: padding and another identifier between chunks, a reserved chunk */
	packed.len = 0;
	CHECK_OK(pack(MCW_CODEC_SNAPPY_FRAMED, 0, &mcw_malloc, MCW_LIT("one "), &r, 0, &packed));
	CHECK_OK(mcw_buf_append(&packed, "\xfe\x05\0\0xxxxx\x80\0\0\0", 13));
	CHECK_OK(pack(MCW_CODEC_SNAPPY_FRAMED, 0, &mcw_malloc, MCW_LIT("two"), &r, 0, &packed));
	for (size_t in = 1; in < 60; in++)
	{
		back.len = 0;
		CHECK_INT(unpack(MCW_CODEC_SNAPPY_FRAMED, &mcw_malloc, mcw_buf_view(&packed), &r, in, 5, &back, &err), MCW_END);
		CHECK_VIEW(mcw_buf_view(&back), MCW_LIT("one two"));
	}
	CHECK_OK(mcw_buf_append(&packed, "\x02\0\0\0", 4));
	CHECK_INT(unpack_whole(MCW_CODEC_SNAPPY_FRAMED, mcw_buf_view(&packed), &back, &err), MCW_ERR_FORMAT);
	packed.len -= 4;
	CHECK_OK(mcw_buf_append(&packed, "\0\xff\xff\xff", 4));
	CHECK_INT(unpack_whole(MCW_CODEC_SNAPPY_FRAMED, mcw_buf_view(&packed), &back, &err), MCW_ERR_FORMAT);
	CHECK_INT(unpack_whole(MCW_CODEC_SNAPPY_FRAMED, MCW_LIT("\xfe\x05\0\0xxxxx"), &back, &err), MCW_ERR_FORMAT);
	mcw_buf_free(&packed);
	mcw_buf_free(&back);
}

/* ---- limits and memory ---- */

static void
windows(void)
{
	/* a frame header that asks for 2 GB, and one for 128 MB */
	static const char huge[] = "\x28\xb5\x2f\xfd\x04\xa8\x01\x00\x00";
	static const char most[] = "\x28\xb5\x2f\xfd\x00\x88\x01\x00\x00";
	mcw_buf		back;
	mcw_buf		packed;
	mcw_error	err = {0};

	mcw_buf_init(&back, &mcw_malloc, MAX_OUTPUT);
	mcw_buf_init(&packed, &mcw_malloc, MAX_OUTPUT);
	CHECK_INT(unpack_whole(MCW_CODEC_ZSTD, (mcw_view) {huge, sizeof(huge) - 1}, &back, &err), MCW_ERR_UNSUPPORTED);
	CHECK(strstr(err.message, "128 MB") != NULL);
	CHECK_INT(unpack_whole(MCW_CODEC_ZSTD, (mcw_view) {most, sizeof(most) - 1}, &back, &err), MCW_END);
	/* versions before 1.0 are not read */
	CHECK_INT(unpack_whole(MCW_CODEC_ZSTD, MCW_LIT("\x27\xb5\x2f\xfd\x00\x00\x00\x00"), &back, &err), MCW_ERR_FORMAT);
	if (filter("xz -c --lzma2=dict=256MiB,mf=hc3,mode=fast,nice=4", MCW_LIT("text"), &packed))
	{
		CHECK_INT(unpack_whole(MCW_CODEC_XZ, mcw_buf_view(&packed), &back, &err), MCW_ERR_UNSUPPORTED);
		CHECK(strstr(err.message, "128 MB") != NULL);
	}
	packed.len = 0;
	if (filter("xz -c -9", MCW_LIT("text"), &packed))
		CHECK_INT(unpack_whole(MCW_CODEC_XZ, mcw_buf_view(&packed), &back, &err), MCW_END);
	mcw_buf_free(&back);
	mcw_buf_free(&packed);
}

static void
arguments(void)
{
	static const mcw_codec none[] = {MCW_CODEC_NONE, MCW_CODEC_LZ4_BLOCK, MCW_CODEC_DEFLATE};
	mcw_inflater *inf;
	mcw_deflater *def;
	mcw_error	err = {0};

	for (size_t i = 0; i < 3; i++)
	{
		CHECK_INT(mcw_inflater_create(none[i], &mcw_malloc, &inf, &err), MCW_ERR_ARGUMENT);
		CHECK_INT(mcw_deflater_create(none[i], 0, &mcw_malloc, &def, &err), MCW_ERR_ARGUMENT);
	}
	for (size_t i = 0; i < NCODECS; i++)
	{
		mcw_buf		out;

		CHECK_INT(mcw_deflater_create(codecs[i].codec, -1, &mcw_malloc, &def, &err), MCW_ERR_ARGUMENT);
		CHECK_INT(mcw_deflater_create(codecs[i].codec, codecs[i].max_level + 1, &mcw_malloc, &def, &err), MCW_ERR_ARGUMENT);
		CHECK(def == NULL);
		/* a buffer that is too small ends the stream; so does its end */
		mcw_buf_init(&out, &mcw_malloc, 8);
		CHECK_OK(mcw_deflater_create(codecs[i].codec, 0, &mcw_malloc, &def, &err));
		CHECK_INT(mcw_deflate(def, MCW_LIT("text"), true, &out, &err), MCW_ERR_LIMIT);
		CHECK_INT(mcw_deflate(def, MCW_LIT("text"), false, &out, &err), MCW_ERR_LIMIT);
		mcw_deflater_free(def);
		mcw_buf_free(&out);
		mcw_buf_init(&out, &mcw_malloc, MAX_OUTPUT);
		CHECK_OK(mcw_deflater_create(codecs[i].codec, 0, &mcw_malloc, &def, &err));
		CHECK_OK(mcw_deflate(def, MCW_LIT("text"), true, &out, &err));
		CHECK_INT(mcw_deflate(def, MCW_LIT("text"), false, &out, &err), MCW_ERR_ARGUMENT);
		mcw_deflater_free(def);
		mcw_buf_free(&out);
	}
	mcw_inflater_free(NULL);
	mcw_deflater_free(NULL);
}

typedef struct memory_arg
{
	mcw_codec	codec;
	mcw_view	raw;
	mcw_view	packed;
} memory_arg;

static mcw_status
attempt_pack(const mcw_alloc *alloc, void *opaque)
{
	memory_arg *arg = opaque;
	unit_random r = {1};
	mcw_buf		out;
	mcw_status	status;

	mcw_buf_init(&out, &mcw_malloc, MAX_OUTPUT);
	status = pack(arg->codec, 0, alloc, arg->raw, &r, 50000, &out);
	if (status == MCW_OK)
		CHECK(out.len > 0);
	mcw_buf_free(&out);
	return status;
}

static mcw_status
attempt_unpack(const mcw_alloc *alloc, void *opaque)
{
	memory_arg *arg = opaque;
	unit_random r = {1};
	mcw_buf		out;
	mcw_error	err = {0};
	mcw_status	status;

	mcw_buf_init(&out, &mcw_malloc, MAX_OUTPUT);
	status = unpack(arg->codec, alloc, arg->packed, &r, 5000, 60000, &out, &err);
	if (status == MCW_END)
	{
		CHECK(mcw_view_eq(mcw_buf_view(&out), arg->raw));
		status = MCW_OK;
	}
	mcw_buf_free(&out);
	return status;
}

/* All memory of the libraries is ours, and bounded */
static void
memory(void)
{
	unit_random r = {47};
	mcw_buf		raw;

	mcw_buf_init(&raw, &mcw_malloc, MAX_OUTPUT);
	stream_rows(&r, &raw, 300000);
	for (size_t i = 0; i < NCODECS; i++)
	{
		memory_arg	arg = {.codec = codecs[i].codec, .raw = mcw_buf_view(&raw)};
		mcw_buf		packed;
		unit_heap	heap;

		mcw_buf_init(&packed, &mcw_malloc, MAX_OUTPUT);
		CHECK_OK(pack(arg.codec, 0, &mcw_malloc, arg.raw, &r, 50000, &packed));
		arg.packed = mcw_buf_view(&packed);
		unit_torture(attempt_pack, &arg);
		unit_torture(attempt_unpack, &arg);
		unit_heap_init(&heap, 0);
		CHECK_OK(attempt_pack(&heap.alloc, &arg));
		CHECK(heap.peak > 1000 && heap.peak < (16 << 20));
		unit_heap_init(&heap, 0);
		CHECK_OK(attempt_unpack(&heap.alloc, &arg));
		CHECK(heap.peak > 1000 && heap.peak < (9 << 20));
		mcw_buf_free(&packed);
	}
	mcw_buf_free(&raw);
}

static const unit_case cases[] = {
	{"names", names},
	{"round trips", round_trips},
	{"every split", every_split},
	{"empty", empty},
	{"foreign tools", tools},
	{"skippable", skippable},
	{"windows", windows},
	{"arguments", arguments},
	{"memory", memory},
};

UNIT_MAIN(cases)
