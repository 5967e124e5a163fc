/*
 * oss_generate.c
 *		mc-emulator, Object Storage Service part: large objects without memory and many
 *		small ones.
 *
 * A generated object is one block of bytes repeated; ETag and CRC are those a multipart
 * upload of it would have, the CRC by doubling, the ETag from the parts' digests.
 */
#include <stdlib.h>

#include "oss.h"

#define PIECE ((size_t) 1 << 20)

/* CRC of n repetitions of a block */
static uint64_t
repeated_crc(uint64_t crc, uint64_t len, uint64_t n)
{
	uint64_t	result = 0;

	for (; n > 0; n >>= 1)
	{
		if (n & 1)
			result = mcw_crc64_combine(result, crc, len);	/* equal blocks: the order does not matter */
		crc = mcw_crc64_combine(crc, crc, len);
		len *= 2;
	}
	return result;
}

/* Small blocks are written out until a piece is worth a system call */
static emu_blob *
several(mcw_view block, uint64_t size)
{
	size_t		len = block.len;
	char	   *data;

	if (len < PIECE)
		len *= PIECE / len;
	if (len > size)
		len = size;
	data = emu_malloc(len);
	for (size_t at = 0; at < len; at += block.len)
		memcpy(data + at, block.data, block.len);
	return emu_blob_take(data, len);
}

/* bucket, key, text or base64, repeat */
bool
oss_generate(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	mcw_view	key = mcw_node_text(cmd, "key");
	unsigned char md5[16];
	oss_bucket *b;
	oss_object *o;
	mcw_buf		block;
	int64_t		repeat = 1;
	char		text[64];

	if (!oss_command_bucket(cmd, &b, err))
		return false;
	if (!oss_key_ok(key.data ? key : MCW_LIT("")))
		return oss_command_fail(err, "bad key", key);
	mcw_buf_init(&block, &mcw_malloc, (size_t) 1 << 31);
	if (!oss_command_bytes(cmd, &block, err))
	{
		mcw_buf_free(&block);
		return false;
	}
	if (!mcw_node_int(cmd, "repeat", &repeat) || repeat < 1 || block.len == 0 ||
		(uint64_t) repeat > ((uint64_t) 1 << 45) / block.len)
	{
		mcw_buf_free(&block);
		return oss_command_fail(err, "generate wants a block that is not empty and \"repeat\", up to 32 TiB in all", MCW_LIT(""));
	}
	o = oss_object_new(key, OSS_MULTIPART, emu_now_us());
	o->meta.storage_class = b->storage_class;
	oss_meta_add(&o->meta, "Content-Type", MCW_LIT("application/octet-stream"));
	o->crc = repeated_crc(mcw_crc64(0, block.data, block.len), block.len, repeat);
	o->size = block.len * (uint64_t) repeat;
	snprintf(text, sizeof(text), "%llx-%llx", (unsigned long long) o->crc, (unsigned long long) o->size);
	if (mcw_md5(text, strlen(text), md5) != MCW_OK)
		emu_oom();
	oss_md5_hex(md5, o->etag);
	snprintf(o->etag + 32, sizeof(o->etag) - 32, "-%d", repeat < 10000 ? (int) repeat : 10000);
	o->blob = several(mcw_buf_view(&block), o->size);
	mcw_buf_free(&block);
	(void) mcw_buf_printf(reply, "{\"size\":%llu,\"crc64\":\"%llu\",\"etag\":\"%s\"}", (unsigned long long) o->size,
						  (unsigned long long) o->crc, o->etag);
	oss_object_insert(b, o);
	return true;
}

/* {n} = the number, {n:6} = padded with zeros to 6 digits, {n%7} = the remainder, {n%7:2} both */
static bool
expand(mcw_buf *out, mcw_view text, int64_t n)
{
	for (size_t i = 0; i < text.len;)
	{
		size_t		k = i + 2;
		long long	mod = 0;
		int			width = 0;

		if (text.len - i < 3 || memcmp(text.data + i, "{n", 2) != 0)
		{
			(void) mcw_buf_append_char(out, text.data[i++]);
			continue;
		}
		if (text.data[k] == '%')
			for (k++; k < text.len && text.data[k] >= '0' && text.data[k] <= '9' && mod < 1000000000; k++)
				mod = mod * 10 + (text.data[k] - '0');
		if (k < text.len && text.data[k] == ':')
			for (k++; k < text.len && text.data[k] >= '0' && text.data[k] <= '9' && width < 100; k++)
				width = width * 10 + (text.data[k] - '0');
		if (k >= text.len || text.data[k] != '}')
		{
			(void) mcw_buf_append_char(out, text.data[i++]);
			continue;
		}
		(void) mcw_buf_printf(out, "%0*lld", width, (long long) (mod ? n % mod : n));
		i = k + 1;
	}
	return !out->failed;
}

/* bucket, key (a template), text (another), count, first */
bool
oss_generate_many(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	mcw_view	template = mcw_node_text(cmd, "key");
	mcw_view	text = mcw_node_text(cmd, "text");
	bool		same = text.len < 2 || memmem(text.data, text.len, "{n", 2) == NULL;
	oss_bucket *b;
	oss_object *model = NULL;
	int64_t		count;
	int64_t		first = 0;
	mcw_buf		buf;
	bool		ok = true;

	if (!oss_command_bucket(cmd, &b, err))
		return false;
	(void) mcw_node_int(cmd, "first", &first);
	if (!mcw_node_int(cmd, "count", &count) || count < 1 || count > 10000000 || template.len == 0)
		return oss_command_fail(err, "generate_many wants key and count", MCW_LIT(""));
	mcw_buf_init(&buf, &mcw_malloc, (size_t) 1 << 28);
	for (int64_t i = first; ok && i < first + count; i++)
	{
		oss_object *o;

		mcw_buf_reset(&buf);
		ok = expand(&buf, template, i) && oss_key_ok(mcw_buf_view(&buf));
		if (!ok)
			break;
		o = oss_object_new(mcw_buf_view(&buf), OSS_NORMAL, emu_now_us());
		o->meta.storage_class = b->storage_class;
		oss_meta_add(&o->meta, "Content-Type", MCW_LIT("application/octet-stream"));
		if (model && same)
		{
			o->blob = emu_blob_ref(model->blob);
			o->size = model->size;
			o->crc = model->crc;
			o->has_md5 = true;
			strcpy(o->etag, model->etag);
		}
		else
		{
			mcw_buf_reset(&buf);
			ok = expand(&buf, text.data ? text : MCW_LIT(""), i);
			oss_object_content(o, emu_blob_take(emu_strdup(mcw_buf_view(&buf)), buf.len), true);
			model = o;
		}
		oss_object_insert(b, o);
	}
	mcw_buf_free(&buf);
	if (!ok)
		return oss_command_fail(err, "the template makes a bad key", template);
	(void) mcw_buf_printf(reply, "{\"count\":%lld}", (long long) count);
	return true;
}
