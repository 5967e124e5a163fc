/*
 * mcw_stream.c
 *		Streaming compression: names, the driver that turns members and frames into one
 *		stream, and memory for the libraries.
 */
#include "mcw_stream_private.h"

/* ---- names ---- */

typedef struct file_codec
{
	const char *name;
	const char *suffix;			/* the one we write */
	const char *other;			/* another one that is understood */
	mcw_codec	codec;
} file_codec;

static const file_codec file_codecs[] = {
	{"none", "", NULL, MCW_CODEC_NONE},
	{"gzip", ".gz", NULL, MCW_CODEC_GZIP},
	{"zstd", ".zst", NULL, MCW_CODEC_ZSTD},
	{"bzip2", ".bz2", NULL, MCW_CODEC_BZIP2},
	{"snappy", ".snappy", ".sz", MCW_CODEC_SNAPPY_FRAMED},
	{"lz4", ".lz4", NULL, MCW_CODEC_LZ4_FRAME},
	{"xz", ".xz", NULL, MCW_CODEC_XZ},
};

#define NFILE_CODECS (sizeof(file_codecs) / sizeof(file_codecs[0]))

static const file_codec *
find_codec(mcw_codec codec)
{
	for (size_t i = 0; i < NFILE_CODECS; i++)
		if (file_codecs[i].codec == codec)
			return &file_codecs[i];
	return NULL;
}

bool
mcw_codec_from_file(mcw_view name, mcw_codec *codec)
{
	for (size_t i = 0; i < NFILE_CODECS; i++)
	{
		if (mcw_view_ieq(name, mcw_str(file_codecs[i].name)))
		{
			*codec = file_codecs[i].codec;
			return true;
		}
	}
	return false;
}

static bool
has_suffix(mcw_view key, const char *suffix)
{
	size_t		len = suffix ? strlen(suffix) : 0;
	mcw_view	end = {key.data + key.len - len, len};

	return len > 0 && key.len >= len && mcw_view_ieq(end, mcw_str(suffix));
}

mcw_codec
mcw_codec_from_suffix(mcw_view key)
{
	for (size_t i = 0; i < NFILE_CODECS; i++)
		if (has_suffix(key, file_codecs[i].suffix) || has_suffix(key, file_codecs[i].other))
			return file_codecs[i].codec;
	return MCW_CODEC_NONE;
}

const char *
mcw_codec_suffix(mcw_codec codec)
{
	const file_codec *found = find_codec(codec);

	return found ? found->suffix : "";
}

const char *
mcw_codec_file_name(mcw_codec codec)
{
	const file_codec *found = find_codec(codec);

	return found ? found->name : "unknown";
}

/* ---- memory ---- */

#define ALIGNMENT 64

typedef struct block_head
{
	void	   *raw;
	size_t		size;
} block_head;

void *
mcw_stream_alloc(const mcw_alloc *alloc, size_t size)
{
	size_t		whole = size + sizeof(block_head) + ALIGNMENT;
	char	   *raw;
	char	   *ptr;
	block_head	head;

	if (size > SIZE_MAX / 2 || (raw = mcw_new(alloc, whole)) == NULL)
		return NULL;
	ptr = raw + sizeof(block_head);
	ptr += (ALIGNMENT - (uintptr_t) ptr % ALIGNMENT) % ALIGNMENT;
	head.raw = raw;
	head.size = whole;
	memcpy(ptr - sizeof(head), &head, sizeof(head));
	return ptr;
}

void
mcw_stream_free(const mcw_alloc *alloc, void *ptr)
{
	block_head	head;

	if (ptr == NULL)
		return;
	memcpy(&head, (char *) ptr - sizeof(head), sizeof(head));
	mcw_free(alloc, head.raw, head.size);
}

void *
mcw_stream_calloc(void *opaque, size_t n, size_t size)
{
	return size > 0 && n > SIZE_MAX / 4 / size ? NULL : mcw_stream_alloc(opaque, n * size);
}

/* Zeroed state of a codec, or NULL with the error told */
static void *
new_state(const mcw_alloc *alloc, size_t size, mcw_error *err)
{
	void	   *state = mcw_stream_alloc(alloc, size);

	if (state)
		memset(state, 0, size);
	else
		mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	return state;
}

/* ---- reading ---- */

static const mcw_inflate_ops *
inflate_ops(mcw_codec codec)
{
	switch (codec)
	{
		case MCW_CODEC_GZIP:
			return &mcw_inflate_gzip;
		case MCW_CODEC_ZSTD:
			return &mcw_inflate_zstd;
		case MCW_CODEC_BZIP2:
			return &mcw_inflate_bzip2;
		case MCW_CODEC_XZ:
			return &mcw_inflate_xz;
		case MCW_CODEC_LZ4_FRAME:
			return &mcw_inflate_lz4;
		case MCW_CODEC_SNAPPY_FRAMED:
			return &mcw_inflate_snappy;
		case MCW_CODEC_NONE:
		case MCW_CODEC_LZ4_BLOCK:
		case MCW_CODEC_DEFLATE:
			break;
	}
	return NULL;
}

mcw_status
mcw_inflater_create(mcw_codec codec, const mcw_alloc *alloc, mcw_inflater **inflater, mcw_error *err)
{
	const mcw_inflate_ops *ops = inflate_ops(codec);
	mcw_inflater *inf;

	*inflater = NULL;
	if (ops == NULL)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "compression %d is not one of streams", (int) codec);
	inf = mcw_new0(alloc, sizeof(*inf));
	if (inf == NULL)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	inf->ops = ops;
	inf->alloc = alloc;
	inf->codec = codec;
	inf->state = new_state(alloc, ops->state_size, err);
	if (inf->state == NULL)
	{
		mcw_free(alloc, inf, sizeof(*inf));
		return MCW_ERR_NOMEM;
	}
	*inflater = inf;
	return MCW_OK;
}

void
mcw_inflater_free(mcw_inflater *inflater)
{
	if (inflater == NULL)
		return;
	inflater->ops->close(inflater);
	mcw_stream_free(inflater->alloc, inflater->state);
	mcw_free(inflater->alloc, inflater, sizeof(*inflater));
}

/* As far as it goes, without counting */
static mcw_status
inflate_members(mcw_inflater *inf, mcw_view *src, mcw_error *err)
{
	for (;;)
	{
		size_t		left = src->len;
		size_t		room = inf->room;
		mcw_status	status;

		if (!inf->in_member)
		{
			if (src->len == 0)
				return inf->last ? MCW_END : MCW_OK;
			status = inf->ops->begin(inf, *src, err);
			if (status != MCW_OK)
				return status;
			inf->in_member = true;
		}
		status = inf->ops->step(inf, src, err);
		if (status == MCW_END)
		{
			inf->in_member = false;
			inf->later = true;
			continue;
		}
		if (status != MCW_OK)
			return status;
		if (inf->room == 0 || (src->len == 0 && !inf->last))
			return MCW_OK;
		if (src->len == left && inf->room == room)
			return mcw_fail(err, MCW_ERR_FORMAT, "%s data are cut short", mcw_codec_file_name(inf->codec));
	}
}

mcw_status
mcw_inflate(mcw_inflater *inf, mcw_view *src, bool last, char *dst, size_t cap, size_t *produced, mcw_error *err)
{
	mcw_view	before = *src;
	mcw_error	local = {0};
	mcw_status	status;

	*produced = 0;
	if (inf->failure.status != MCW_OK)
	{
		if (err)
			*err = inf->failure;
		return inf->failure.status;
	}
	if (src->data == NULL)
		*src = before = MCW_LIT("");
	inf->out = dst;
	inf->room = cap;
	inf->last = last;
	status = inflate_members(inf, src, &local);
	*produced = cap - inf->room;
	inf->taken += before.len - src->len;
	if (status != MCW_OK && status != MCW_END)
	{
		local.offset = inf->taken;
		inf->failure = local;
		if (err)
			*err = local;
	}
	return status;
}

/* ---- writing ---- */

static const mcw_deflate_ops *
deflate_ops(mcw_codec codec)
{
	switch (codec)
	{
		case MCW_CODEC_GZIP:
			return &mcw_deflate_gzip;
		case MCW_CODEC_ZSTD:
			return &mcw_deflate_zstd;
		case MCW_CODEC_BZIP2:
			return &mcw_deflate_bzip2;
		case MCW_CODEC_XZ:
			return &mcw_deflate_xz;
		case MCW_CODEC_LZ4_FRAME:
			return &mcw_deflate_lz4;
		case MCW_CODEC_SNAPPY_FRAMED:
			return &mcw_deflate_snappy;
		case MCW_CODEC_NONE:
		case MCW_CODEC_LZ4_BLOCK:
		case MCW_CODEC_DEFLATE:
			break;
	}
	return NULL;
}

mcw_status
mcw_deflater_create(mcw_codec codec, int level, const mcw_alloc *alloc, mcw_deflater **deflater, mcw_error *err)
{
	const mcw_deflate_ops *ops = deflate_ops(codec);
	mcw_deflater *def;
	mcw_status	status = MCW_ERR_NOMEM;

	*deflater = NULL;
	if (ops == NULL)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "compression %d is not one of streams", (int) codec);
	if (level < 0 || level > ops->max_level)
		return ops->max_level == 0 ?
			mcw_fail(err, MCW_ERR_ARGUMENT, "compression %s has no levels", mcw_codec_file_name(codec)) :
			mcw_fail(err, MCW_ERR_ARGUMENT, "compression level %d is not between 0 and %d", level, ops->max_level);
	def = mcw_new0(alloc, sizeof(*def));
	if (def == NULL)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	def->ops = ops;
	def->alloc = alloc;
	def->codec = codec;
	def->level = level;
	def->state = new_state(alloc, ops->state_size, err);
	if (def->state)
		status = ops->begin(def, err);
	if (status != MCW_OK)
	{
		mcw_deflater_free(def);
		return status;
	}
	*deflater = def;
	return MCW_OK;
}

void
mcw_deflater_free(mcw_deflater *deflater)
{
	if (deflater == NULL)
		return;
	if (deflater->state)
		deflater->ops->close(deflater);
	mcw_stream_free(deflater->alloc, deflater->state);
	mcw_free(deflater->alloc, deflater, sizeof(*deflater));
}

mcw_status
mcw_deflate(mcw_deflater *def, mcw_view src, bool finish, mcw_buf *dst, mcw_error *err)
{
	if (def->failure == MCW_OK && def->finished)
		return src.len == 0 && finish ? MCW_OK : mcw_fail(err, MCW_ERR_ARGUMENT, "the compressed stream has ended");
	if (src.data == NULL)
		src = MCW_LIT("");
	if (def->failure == MCW_OK && (src.len > 0 || finish))
	{
		def->out = dst;
		def->failure = def->ops->step(def, src, finish);
		def->finished = finish;
	}
	if (def->failure != MCW_OK)
		return mcw_fail(err, def->failure, "cannot compress as %s: %s", mcw_codec_file_name(def->codec),
						mcw_status_name(def->failure));
	return MCW_OK;
}
