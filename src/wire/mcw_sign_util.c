/*
 * mcw_sign_util.c
 *		What the signers share.  Key material is wiped before its memory is given up.
 */
#include "mcw_sign_util.h"
#include "mcw_hash.h"
#include "mcw_text.h"

#include <openssl/crypto.h>

static char
lower(char c)
{
	return (c >= 'A' && c <= 'Z') ? (char) (c + ('a' - 'A')) : c;
}

static int
compare_folded(mcw_view a, mcw_view b)
{
	size_t		common = a.len < b.len ? a.len : b.len;

	for (size_t i = 0; i < common; i++)
	{
		int			order = (unsigned char) lower(a.data[i]) - (unsigned char) lower(b.data[i]);

		if (order != 0)
			return order;
	}
	return (a.len > b.len) - (a.len < b.len);
}

void
mcw_sign_insert(mcw_sign_list *list, const mcw_pair *pair, bool fold)
{
	int			at = list->count;

	while (at > 0)
	{
		const mcw_pair *before = &list->pairs[at - 1];

		if ((fold ? compare_folded(before->name, pair->name) : mcw_view_cmp(before->name, pair->name)) <= 0)
			break;
		list->pairs[at] = *before;
		at--;
	}
	list->pairs[at] = *pair;
	list->count++;
}

bool
mcw_sign_has_prefix(mcw_view name, mcw_view prefix)
{
	if (name.len < prefix.len)
		return false;
	name.len = prefix.len;
	return mcw_view_ieq(name, prefix);
}

mcw_view
mcw_sign_trim(mcw_view value)
{
	while (value.len > 0 && (value.data[0] == ' ' || value.data[0] == '\t'))
	{
		value.data++;
		value.len--;
	}
	while (value.len > 0 && (value.data[value.len - 1] == ' ' || value.data[value.len - 1] == '\t'))
		value.len--;
	return value;
}

void
mcw_sign_add(mcw_buf *buf, mcw_view v)
{
	(void) mcw_buf_append_view(buf, v);
}

void
mcw_sign_add_char(mcw_buf *buf, char c)
{
	(void) mcw_buf_append_char(buf, c);
}

void
mcw_sign_add_lower(mcw_buf *buf, mcw_view name)
{
	if (!mcw_buf_room(buf, name.len))
		return;
	for (size_t i = 0; i < name.len; i++)
		buf->data[buf->len + i] = lower(name.data[i]);
	buf->len += name.len;
}

void
mcw_sign_add_header_line(mcw_buf *buf, const mcw_pair *header)
{
	mcw_sign_add_lower(buf, header->name);
	mcw_sign_add_char(buf, ':');
	mcw_sign_add(buf, mcw_sign_trim(header->value));
	mcw_sign_add_char(buf, '\n');
}

mcw_status
mcw_sign_derive_v4_key(const mcw_alloc *alloc, mcw_view secret, mcw_view date,
					   mcw_view region, mcw_view product, unsigned char key[32])
{
	const mcw_view steps[] = {date, region, product, MCW_LIT("aliyun_v4_request")};
	mcw_view	current;
	mcw_buf		first;
	mcw_status	status;

	mcw_buf_init(&first, alloc, MCW_SIGN_MAX);
	status = mcw_buf_grow(&first, strlen("aliyun_v4") + secret.len);
	mcw_sign_add(&first, MCW_LIT("aliyun_v4"));
	mcw_sign_add(&first, secret);

	current = mcw_buf_view(&first);
	for (size_t i = 0; status == MCW_OK && i < sizeof(steps) / sizeof(steps[0]); i++)
	{
		status = mcw_hmac_sha256(current, steps[i], key);
		current.data = (const char *) key;
		current.len = 32;
	}

	if (first.data)
		OPENSSL_cleanse(first.data, first.len);
	mcw_buf_free(&first);
	return status;
}

mcw_status
mcw_sign_hmac_base64(mcw_buf *out, bool sha256, mcw_view key, mcw_view data)
{
	unsigned char mac[32];
	mcw_view	bytes = {(const char *) mac, sha256 ? 32 : 20};
	mcw_status	status = sha256 ? mcw_hmac_sha256(key, data, mac) : mcw_hmac_sha1(key, data, mac);

	return status == MCW_OK ? mcw_base64_encode(out, bytes) : status;
}

mcw_status
mcw_sign_check(const mcw_request *req, const mcw_credentials *cred, mcw_error *err)
{
	if (cred->access_key_id.len == 0)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "cannot sign a request without an access key ID");
	if (cred->access_key_secret.len == 0)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "cannot sign a request without an access key secret");
	if (req->method.len == 0 || req->path.len == 0)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "cannot sign a request without method and path");
	return MCW_OK;
}

mcw_status
mcw_sign_result(mcw_status status, mcw_error *err)
{
	if (status == MCW_OK)
		return MCW_OK;
	return mcw_fail(err, status, "cannot sign the request: %s", mcw_status_name(status));
}

bool
mcw_secret_eq(mcw_view a, mcw_view b)
{
	return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}

void
mcw_sign_add_query(mcw_buf *buf, const mcw_sign_list *list)
{
	for (int i = 0; i < list->count; i++)
	{
		mcw_sign_add_char(buf, i == 0 ? '?' : '&');
		mcw_sign_add(buf, list->pairs[i].name);
		if (list->pairs[i].value.len > 0)
			mcw_sign_add_char(buf, '=');
		mcw_sign_add(buf, list->pairs[i].value);
	}
}

mcw_status
mcw_sign_v4_text(mcw_view algorithm, mcw_view canonical, mcw_view time, mcw_view scope, mcw_buf *out)
{
	unsigned char digest[32];
	mcw_view	digest_view = {(const char *) digest, sizeof(digest)};
	mcw_status	status = mcw_sha256(canonical.data, canonical.len, digest);

	if (status != MCW_OK)
		return status;
	mcw_sign_add(out, algorithm);
	mcw_sign_add(out, time);
	mcw_sign_add_char(out, '\n');
	mcw_sign_add(out, scope);
	mcw_sign_add_char(out, '\n');
	(void) mcw_hex_encode(out, digest_view, false);
	return mcw_buf_status(out);
}
