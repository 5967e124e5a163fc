/*
 * mcw_sign_oss.c
 *		OSS signatures V1 and V4 (oss.md 2.1, 2.4).  Both serve presigned URLs too:
 *		the caller leaves x-oss-date out and sets Date to what stands in the URL
 *		(Expires or x-oss-date), which neither signs as a header.
 */
#include "mcw_sign_util.h"
#include "mcw_hash.h"
#include "mcw_text.h"

#include <openssl/crypto.h>

#define OSS_PREFIX MCW_LIT("x-oss-")

/* Parameters that V1 signs, in byte order; those of the x-oss- family besides */
static const char *const subresources[] = {
	"accessPoint", "accessPointPolicy", "acl", "append", "asyncFetch", "bucketArchiveDirectRead", "bucketInfo",
	"callback", "callback-var", "cloudboxes", "cname", "comp", "continuation-token", "cors", "delete", "encryption",
	"endTime", "httpsConfig", "img", "inventory", "inventoryId", "lifecycle", "live", "location", "logging",
	"metaQuery", "objectMeta", "partNumber", "policy", "policyStatus", "position", "processConfiguration",
	"publicAccessBlock", "qos", "qosInfo", "qosRequester", "redundancyTransition", "referer", "regionList",
	"replication", "replicationLocation", "replicationProgress", "requestPayment", "requesterQosInfo",
	"resourceGroup", "resourcePool", "resourcePoolBuckets", "resourcePoolInfo", "response-cache-control",
	"response-content-disposition", "response-content-encoding", "response-content-language",
	"response-content-type", "response-expires", "responseHeader", "restore", "rtc", "seal", "security-token",
	"sequential", "startTime", "stat", "status", "style", "styleName", "symlink", "tagging", "transferAcceleration",
	"udf", "udfApplication", "udfApplicationLog", "udfId", "udfImage", "udfImageDesc", "udfName", "uploadId",
	"uploads", "versionId", "versioning", "versions", "vod", "website", "withHashContext", "worm", "wormExtend",
	"wormId"
};

#define NSUBRESOURCES (sizeof(subresources) / sizeof(subresources[0]))

bool
mcw_oss_is_subresource(mcw_view name)
{
	size_t		low = 0;
	size_t		high = NSUBRESOURCES;

	if (name.len >= 6 && memcmp(name.data, "x-oss-", 6) == 0)
		return true;
	while (low < high)
	{
		size_t		middle = low + (high - low) / 2;
		int			order = mcw_view_cmp(name, mcw_str(subresources[middle]));

		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

static void
add_lines(mcw_buf *out, const mcw_sign_list *list)
{
	for (int i = 0; i < list->count; i++)
	{
		/* a header sent more than once is one line */
		if (i > 0 && mcw_view_ieq(list->pairs[i].name, list->pairs[i - 1].name))
		{
			if (!out->failed)
				out->data[out->len - 1] = ',';
			mcw_sign_add(out, mcw_sign_trim(list->pairs[i].value));
			mcw_sign_add_char(out, '\n');
		}
		else
			mcw_sign_add_header_line(out, &list->pairs[i]);
	}
}

/* ---- V1 ---- */

static void
v1_string_to_sign(const mcw_request *req, mcw_view resource, mcw_view date, mcw_buf *out)
{
	mcw_sign_list list = {.count = 0};

	mcw_sign_add(out, req->method);
	mcw_sign_add_char(out, '\n');
	mcw_sign_add(out, mcw_sign_trim(mcw_request_get_header(req, MCW_LIT("Content-MD5"))));
	mcw_sign_add_char(out, '\n');
	mcw_sign_add(out, mcw_sign_trim(mcw_request_get_header(req, MCW_LIT("Content-Type"))));
	mcw_sign_add_char(out, '\n');
	mcw_sign_add(out, date);
	mcw_sign_add_char(out, '\n');

	for (int i = 0; i < req->nheaders; i++)
		if (mcw_sign_has_prefix(req->headers[i].name, OSS_PREFIX))
			mcw_sign_insert(&list, &req->headers[i], true);
	add_lines(out, &list);

	mcw_sign_add(out, resource);
	mcw_sign_add(out, req->path);
	list.count = 0;
	for (int i = 0; i < req->nparams; i++)
		if (mcw_oss_is_subresource(req->params[i].name))
			mcw_sign_insert(&list, &req->params[i], false);
	mcw_sign_add_query(out, &list);
}

/* x-oss-date goes before Date */
static mcw_view
time_of(const mcw_request *req)
{
	mcw_view	time = mcw_request_get_header(req, MCW_LIT("x-oss-date"));

	return mcw_sign_trim(time.data ? time : mcw_request_get_header(req, MCW_LIT("Date")));
}

mcw_status
mcw_oss_sign_v1(const mcw_request *req, mcw_view resource, const mcw_credentials *cred,
				mcw_buf *authorization, mcw_buf *string_to_sign, mcw_error *err)
{
	mcw_view	date = time_of(req);
	mcw_buf		text;
	mcw_status	status;

	status = mcw_sign_check(req, cred, err);
	if (status != MCW_OK)
		return status;
	if (date.len == 0)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "cannot sign a request without a date");

	mcw_buf_init(&text, authorization->alloc, MCW_SIGN_MAX);
	v1_string_to_sign(req, resource, date, &text);
	status = mcw_buf_status(&text);
	if (status == MCW_OK && string_to_sign)
		status = mcw_buf_append_view(string_to_sign, mcw_buf_view(&text));
	mcw_sign_add(authorization, MCW_LIT("OSS "));
	mcw_sign_add(authorization, cred->access_key_id);
	mcw_sign_add_char(authorization, ':');
	if (status == MCW_OK)
		status = mcw_buf_status(authorization);
	if (status == MCW_OK)
		status = mcw_sign_hmac_base64(authorization, false, cred->access_key_secret, mcw_buf_view(&text));
	mcw_buf_free(&text);
	return mcw_sign_result(status, err);
}

/* ---- V4 ---- */

/* Encoded parameters in order of their encoded names, then values */
static mcw_status
add_query(const mcw_request *req, bool plain_empty, mcw_buf *out)
{
	struct
	{
		size_t		start;
		size_t		equals;
		size_t		end;
		bool		sign;
	}			param[MCW_MAX_PARAMS];
	mcw_pair	sorted[MCW_MAX_PARAMS];
	mcw_buf		encoded;
	mcw_status	status;
	int			n = 0;

	mcw_buf_init(&encoded, out->alloc, MCW_SIGN_MAX);
	for (int i = 0; i < req->nparams; i++)
	{
		const mcw_pair *p = &req->params[i];

		if (mcw_view_eq(p->name, MCW_LIT("x-oss-signature")))
			continue;
		param[n].start = encoded.len;
		(void) mcw_percent_encode(&encoded, p->name, false);
		param[n].equals = encoded.len;
		(void) mcw_percent_encode(&encoded, p->value, false);
		param[n].end = encoded.len;
		param[n].sign = p->value.len > 0 || (plain_empty && p->value.data && !mcw_oss_is_subresource(p->name));
		n++;
	}
	status = mcw_buf_status(&encoded);
	for (int i = 0; status == MCW_OK && i < n; i++)
	{
		const char *base = mcw_buf_view(&encoded).data;
		mcw_pair	one = {
			{base + param[i].start, param[i].equals - param[i].start},
			{param[i].sign ? base + param[i].equals : NULL, param[i].end - param[i].equals}
		};
		int			at = i;

		while (at > 0)
		{
			int			order = mcw_view_cmp(sorted[at - 1].name, one.name);

			if (order < 0 || (order == 0 && mcw_view_cmp(sorted[at - 1].value, one.value) <= 0))
				break;
			sorted[at] = sorted[at - 1];
			at--;
		}
		sorted[at] = one;
	}
	for (int i = 0; status == MCW_OK && i < n; i++)
	{
		if (i > 0)
			mcw_sign_add_char(out, '&');
		mcw_sign_add(out, sorted[i].name);
		if (sorted[i].value.data)
			mcw_sign_add_char(out, '=');
		mcw_sign_add(out, sorted[i].value);
	}
	mcw_buf_free(&encoded);
	return status;
}

static bool
is_signed_header(mcw_view name)
{
	return mcw_sign_has_prefix(name, OSS_PREFIX) ||
		mcw_view_ieq(name, MCW_LIT("content-type")) || mcw_view_ieq(name, MCW_LIT("content-md5"));
}

/* The names of 'additional' that are not signed anyway; each must be a header of the request */
static mcw_status
collect_additional(const mcw_request *req, mcw_view additional, mcw_sign_list *list, mcw_error *err)
{
	list->count = 0;
	while (additional.len > 0)
	{
		const char *semicolon = memchr(additional.data, ';', additional.len);
		size_t		len = semicolon ? (size_t) (semicolon - additional.data) : additional.len;
		mcw_pair	header = {.name = {additional.data, len}};

		additional.data += len + (semicolon != NULL);
		additional.len -= len + (semicolon != NULL);
		if (len == 0 || is_signed_header(header.name))
			continue;
		header.value = mcw_request_get_header(req, header.name);
		if (!header.value.data)
			return mcw_fail(err, MCW_ERR_ARGUMENT, "header \"%.*s\" is to be signed and is not in the request",
							(int) (len < 100 ? len : 100), header.name.data);
		if (list->count == MCW_MAX_HEADERS)
			return mcw_fail(err, MCW_ERR_LIMIT, "too many headers to sign");
		mcw_sign_insert(list, &header, true);
	}
	return MCW_OK;
}

static void
add_names(mcw_buf *out, const mcw_sign_list *list)
{
	for (int i = 0; i < list->count; i++)
	{
		if (i > 0)
			mcw_sign_add_char(out, ';');
		mcw_sign_add_lower(out, list->pairs[i].name);
	}
}

static mcw_status
v4_canonical_request(const mcw_request *req, mcw_view resource, const mcw_sign_list *additional,
					 bool plain_empty, mcw_buf *out)
{
	mcw_view	payload = mcw_sign_trim(mcw_request_get_header(req, MCW_LIT("x-oss-content-sha256")));
	mcw_sign_list list = *additional;
	mcw_status	status;

	mcw_sign_add(out, req->method);
	mcw_sign_add_char(out, '\n');
	(void) mcw_percent_encode(out, resource, true);
	(void) mcw_percent_encode(out, req->path, true);
	mcw_sign_add_char(out, '\n');
	status = add_query(req, plain_empty, out);
	if (status != MCW_OK)
		return status;
	mcw_sign_add_char(out, '\n');
	for (int i = 0; i < req->nheaders; i++)
		if (is_signed_header(req->headers[i].name))
			mcw_sign_insert(&list, &req->headers[i], true);
	add_lines(out, &list);
	mcw_sign_add_char(out, '\n');
	add_names(out, additional);
	mcw_sign_add_char(out, '\n');
	mcw_sign_add(out, payload.len > 0 ? payload : MCW_LIT("UNSIGNED-PAYLOAD"));
	return mcw_buf_status(out);
}

static mcw_status
v4_authorization(const mcw_credentials *cred, mcw_view date, mcw_view region, mcw_view scope,
				 const mcw_sign_list *additional, mcw_view text, mcw_buf *out)
{
	unsigned char key[32];
	unsigned char mac[32];
	mcw_view	key_view = {(const char *) key, sizeof(key)};
	mcw_view	mac_view = {(const char *) mac, sizeof(mac)};
	mcw_status	status;

	status = mcw_sign_derive_v4_key(out->alloc, cred->access_key_secret, date, region, MCW_LIT("oss"), key);
	if (status == MCW_OK)
		status = mcw_hmac_sha256(key_view, text, mac);
	OPENSSL_cleanse(key, sizeof(key));
	if (status != MCW_OK)
		return status;

	mcw_sign_add(out, MCW_LIT("OSS4-HMAC-SHA256 Credential="));
	mcw_sign_add(out, cred->access_key_id);
	mcw_sign_add_char(out, '/');
	mcw_sign_add(out, scope);
	if (additional->count > 0)
	{
		mcw_sign_add(out, MCW_LIT(",AdditionalHeaders="));
		add_names(out, additional);
	}
	mcw_sign_add(out, MCW_LIT(",Signature="));
	(void) mcw_hex_encode(out, mac_view, false);
	return mcw_buf_status(out);
}

mcw_status
mcw_oss_sign_v4(const mcw_request *req, mcw_view resource, const mcw_credentials *cred,
				mcw_view region, mcw_view additional, bool plain_empty,
				mcw_buf *authorization, mcw_buf *canonical_request,
				mcw_buf *string_to_sign, mcw_error *err)
{
	mcw_view	time = time_of(req);
	mcw_view	date;
	char		day[20];
	int64_t		seconds;
	mcw_sign_list more;
	mcw_buf		canonical;
	mcw_buf		scope;
	mcw_buf		text;
	mcw_status	status;

	status = mcw_sign_check(req, cred, err);
	if (status == MCW_OK)
		status = collect_additional(req, additional, &more, err);
	if (status != MCW_OK)
		return status;
	/* the text of Date is signed as it is where x-oss-date is missing */
	if (!mcw_parse_iso_basic(time, &seconds) && !mcw_parse_http_date(time, &seconds))
		return mcw_fail(err, MCW_ERR_ARGUMENT, "signature V4 needs x-oss-date as yyyymmddThhmmssZ");
	if (region.len == 0)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "signature V4 needs a region");
	mcw_iso_basic(seconds, day);
	date = (mcw_view) {day, 8};

	mcw_buf_init(&canonical, authorization->alloc, MCW_SIGN_MAX);
	mcw_buf_init(&scope, authorization->alloc, MCW_SIGN_MAX);
	mcw_buf_init(&text, authorization->alloc, MCW_SIGN_MAX);

	status = v4_canonical_request(req, resource, &more, plain_empty, &canonical);
	mcw_sign_add(&scope, date);
	mcw_sign_add_char(&scope, '/');
	mcw_sign_add(&scope, region);
	mcw_sign_add(&scope, MCW_LIT("/oss/aliyun_v4_request"));
	if (status == MCW_OK)
		status = mcw_buf_status(&scope);
	if (status == MCW_OK)
		status = mcw_sign_v4_text(MCW_LIT("OSS4-HMAC-SHA256\n"), mcw_buf_view(&canonical), time, mcw_buf_view(&scope), &text);
	if (status == MCW_OK)
		status = v4_authorization(cred, date, region, mcw_buf_view(&scope), &more, mcw_buf_view(&text), authorization);
	if (status == MCW_OK && canonical_request)
		status = mcw_buf_append_view(canonical_request, mcw_buf_view(&canonical));
	if (status == MCW_OK && string_to_sign)
		status = mcw_buf_append_view(string_to_sign, mcw_buf_view(&text));

	mcw_buf_free(&text);
	mcw_buf_free(&scope);
	mcw_buf_free(&canonical);
	return mcw_sign_result(status, err);
}
