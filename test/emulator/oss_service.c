/*
 * oss_service.c
 *		mc-emulator, Object Storage Service part: whom a request addresses, which operation
 *		it is, the order of checks, the service's entry points.
 *
 * Reference: oss.md 1 (addresses), 3.1 (common rules), 8 (what SDKs send).
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>

#include "oss.h"
#include "../../src/wire/mcw_sign.h"

oss_settings oss_set;
oss_counters oss_count;
oss_cname  *oss_cnames = NULL;

/* ---- addresses ---- */

static bool
ends_with(mcw_view v, const char *tail)
{
	size_t		n = strlen(tail);

	return v.len >= n && mcw_view_ieq((mcw_view) {v.data + v.len - n, n}, mcw_str(tail));
}

static bool
begins_with(mcw_view v, const char *head)
{
	size_t		n = strlen(head);

	return v.len >= n && mcw_view_ieq((mcw_view) {v.data, n}, mcw_str(head));
}

/* Without port; an IPv6 literal without its brackets */
static mcw_view
bare_host(mcw_view host)
{
	const char *end;

	if (host.len > 0 && host.data[0] == '[')
	{
		end = memchr(host.data, ']', host.len);
		return (mcw_view) {host.data + 1, end ? (size_t) (end - host.data - 1) : host.len - 1};
	}
	end = host.len ? memchr(host.data, ':', host.len) : NULL;
	return (mcw_view) {host.data, end ? (size_t) (end - host.data) : host.len};
}

static bool
is_address(mcw_view host)
{
	char		text[64];
	unsigned char raw[16];

	if (host.len == 0 || host.len >= sizeof(text))
		return false;
	memcpy(text, host.data, host.len);
	text[host.len] = '\0';
	return inet_pton(AF_INET, text, raw) == 1 || inet_pton(AF_INET6, text, raw) == 1;
}

/* The bucket a host names; false: the host is an endpoint, the bucket is in the path */
static bool
host_bucket(mcw_view host, mcw_view *bucket)
{
	const char *dot = host.len ? memchr(host.data, '.', host.len) : NULL;

	for (const oss_cname *c = oss_cnames; c; c = c->next)
		if (mcw_view_ieq(host, mcw_str(c->host)))
		{
			*bucket = mcw_str(c->bucket);
			return true;
		}
	if (is_address(host) || dot == NULL || dot == host.data || begins_with(host, "oss-"))
		return false;
	*bucket = (mcw_view) {host.data, (size_t) (dot - host.data)};
	if (ends_with(host, ".oss.aliyuncs.com") && bucket->len == host.len - strlen(".oss.aliyuncs.com"))
		return false;			/* <region>.oss.aliyuncs.com: dual stack endpoint */
	return true;
}

/* Names in the request: bucket, key, both may be empty */
static void
address(const emu_request *req, mcw_view *bucket, mcw_view *key, bool *path_style)
{
	mcw_view	path = req->http.path;
	const char *slash;

	*bucket = *key = MCW_LIT("");
	*path_style = false;
	path.data++;				/* it begins with a slash */
	path.len--;
	if (host_bucket(bare_host(req->host), bucket))
	{
		*key = path;
		return;
	}
	*bucket = MCW_LIT("");
	if (path.len == 0)
		return;
	*path_style = true;
	slash = memchr(path.data, '/', path.len);
	*bucket = (mcw_view) {path.data, slash ? (size_t) (slash - path.data) : path.len};
	if (slash)
		*key = (mcw_view) {slash + 1, path.len - bucket->len - 1};
}

/* ---- operations ---- */

static void
not_implemented(oss_call *call)
{
	(void) oss_error(call, 501, "NotImplemented", "A header or parameter you provided implies functionality that is not implemented.");
}

static void
not_allowed(oss_call *call)
{
	(void) oss_error(call, 405, "MethodNotAllowed", "The specified method is not allowed against this resource.");
}

#define READS OSS_RIGHT_READ, false, false, false
#define OWNER OSS_RIGHT_OWNER, false, false, false
#define OWNER_WRITES OSS_RIGHT_OWNER, true, false, false
#define WRITES OSS_RIGHT_WRITE, true, false, false
#define SENDS OSS_RIGHT_WRITE, true, false, true

static const oss_op op_other = {"NotImplemented", not_implemented, OSS_RIGHT_OWNER, false, true, false};
static const oss_op op_method = {"MethodNotAllowed", not_allowed, OSS_RIGHT_OWNER, false, true, false};

/* 'flag' NULL: the plain call; the first row that fits is it */
typedef struct route
{
	char		level;			/* s service, b bucket, o object */
	const char *method;
	const char *flag;			/* a parameter that is there */
	const char *more;			/* another one, or "=header" */
	oss_op		op;
} route;

static const route routes[] = {
	{'o', "GET", "uploadId", NULL, {"ListParts", oss_list_parts, OWNER}},
	{'o', "GET", "acl", NULL, {"GetObjectAcl", oss_get_object_acl, OWNER}},
	{'o', "GET", "tagging", NULL, {"GetObjectTagging", oss_get_tagging, OWNER}},
	{'o', "GET", "symlink", NULL, {"GetSymlink", oss_get_symlink, READS}},
	{'o', "GET", NULL, NULL, {"GetObject", oss_get_object, READS}},
	{'o', "HEAD", "objectMeta", NULL, {"GetObjectMeta", oss_object_meta, READS}},
	{'o', "HEAD", NULL, NULL, {"HeadObject", oss_head_object, READS}},
	{'o', "PUT", "partNumber", "=x-oss-copy-source", {"UploadPartCopy", oss_upload_part_copy, WRITES}},
	{'o', "PUT", "partNumber", NULL, {"UploadPart", oss_upload_part, SENDS}},
	{'o', "PUT", "uploadId", NULL, {"UploadPart", oss_upload_part, SENDS}},
	{'o', "PUT", "acl", NULL, {"PutObjectAcl", oss_put_object_acl, OWNER_WRITES}},
	{'o', "PUT", "tagging", NULL, {"PutObjectTagging", oss_put_tagging, OWNER_WRITES}},
	{'o', "PUT", "symlink", NULL, {"PutSymlink", oss_put_symlink, WRITES}},
	{'o', "PUT", NULL, "=x-oss-copy-source", {"CopyObject", oss_copy_object, WRITES}},
	{'o', "PUT", NULL, NULL, {"PutObject", oss_put_object, SENDS}},
	{'o', "POST", "uploads", NULL, {"InitiateMultipartUpload", oss_initiate, WRITES}},
	{'o', "POST", "uploadId", NULL, {"CompleteMultipartUpload", oss_complete, WRITES}},
	{'o', "POST", "append", NULL, {"AppendObject", oss_append_object, SENDS}},
	{'o', "POST", "seal", NULL, {"SealAppendObject", oss_seal_object, WRITES}},
	{'o', "DELETE", "uploadId", NULL, {"AbortMultipartUpload", oss_abort, WRITES}},
	{'o', "DELETE", "tagging", NULL, {"DeleteObjectTagging", oss_delete_tagging, OWNER_WRITES}},
	{'o', "DELETE", NULL, NULL, {"DeleteObject", oss_delete_object, WRITES}},
	{'b', "GET", "location", NULL, {"GetBucketLocation", oss_bucket_location, OWNER}},
	{'b', "GET", "bucketInfo", NULL, {"GetBucketInfo", oss_bucket_info, OWNER}},
	{'b', "GET", "stat", NULL, {"GetBucketStat", oss_bucket_stat, OWNER}},
	{'b', "GET", "acl", NULL, {"GetBucketAcl", oss_get_bucket_acl, OWNER}},
	{'b', "GET", "lifecycle", NULL, {"GetBucketLifecycle", oss_get_lifecycle, OWNER}},
	{'b', "GET", "versioning", NULL, {"GetBucketVersioning", oss_get_versioning, OWNER}},
	{'b', "GET", "uploads", NULL, {"ListMultipartUploads", oss_list_uploads, OWNER}},
	{'b', "GET", "list-type", NULL, {"ListObjectsV2", oss_list_objects_v2, READS}},
	{'b', "GET", NULL, NULL, {"ListObjects", oss_list_objects, READS}},
	{'b', "PUT", "acl", NULL, {"PutBucketAcl", oss_put_bucket_acl, OWNER_WRITES}},
	{'b', "PUT", NULL, NULL, {"PutBucket", oss_put_bucket, OSS_RIGHT_OWNER, true, true, false}},
	{'b', "POST", "delete", NULL, {"DeleteMultipleObjects", oss_delete_objects, OWNER_WRITES}},
	{'b', "DELETE", NULL, NULL, {"DeleteBucket", oss_delete_bucket, OWNER_WRITES}},
	{'s', "GET", NULL, NULL, {"ListBuckets", oss_list_buckets, OSS_RIGHT_OWNER, false, true, false}},
};

/* A sub-resource that this program does not model, or an object version */
static bool
is_foreign(const mcw_pair *param, bool reads_bucket)
{
	static const char *const known[] = {
		"acl", "append", "bucketInfo", "continuation-token", "delete", "location", "objectMeta", "partNumber",
		"position", "security-token", "seal", "sequential", "stat", "symlink", "tagging", "uploadId", "uploads",
		"response-cache-control", "response-content-disposition", "response-content-encoding",
		"response-content-language", "response-content-type", "response-expires"
	};

	if (mcw_view_eq(param->name, MCW_LIT("versionId")))
		return !mcw_view_eq(param->value, MCW_LIT("null"));
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (mcw_view_eq(param->name, mcw_str(known[i])))
			return false;
	/* settings that can be looked at, not made */
	if (reads_bucket && (mcw_view_eq(param->name, MCW_LIT("lifecycle")) || mcw_view_eq(param->name, MCW_LIT("versioning"))))
		return false;
	if (begins_with(param->name, "x-oss-"))
		return begins_with(param->name, "x-oss-process") || begins_with(param->name, "x-oss-async-process") ||
			begins_with(param->name, "x-oss-ac-");
	return mcw_oss_is_subresource(param->name);
}

static const oss_op *
find_op(const emu_request *req, mcw_view bucket, mcw_view key)
{
	char		level = key.len ? 'o' : bucket.len ? 'b' : 's';
	bool		method = false;

	for (int i = 0; i < req->http.nparams; i++)
		if (is_foreign(&req->http.params[i], level == 'b' && mcw_view_eq(req->http.method, MCW_LIT("GET"))))
			return &op_other;
	if (oss_header(req, "x-oss-callback").data || oss_has(req, "regions"))
		return &op_other;
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
	{
		const route *r = &routes[i];

		if (r->level != level || !mcw_view_eq(req->http.method, mcw_str(r->method)))
			continue;
		method = true;
		if (r->flag && !oss_has(req, r->flag))
			continue;
		if (r->more && oss_header(req, r->more + 1).data == NULL)
			continue;
		return &r->op;
	}
	return method || mcw_view_eq(req->http.method, MCW_LIT("POST")) ? &op_other : &op_method;
}

/* ---- the order of checks ---- */

/* Errors the plan asks for by name, before anything is looked at */
static bool
planned(oss_call *call)
{
	static const char page[] = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>\n";

	if (emu_fault_armed(call->req, "non_xml"))
	{
		call->resp->status = 502;
		oss_drop_headers(call->resp, NULL);
		emu_header_add(call->resp, "Server", "nginx");
		emu_header_add(call->resp, "Content-Type", "text/html");
		(void) mcw_buf_append_str(&call->resp->body, page);
		return true;
	}
	if (emu_fault_armed(call->req, "time_skewed"))
	{
		oss_xml_time(&call->extra, "RequestTime", call->req->now_us - 3600 * OSS_SECOND);
		oss_xml_time(&call->extra, "ServerTime", call->req->now_us);
		(void) oss_error(call, 403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.");
		return true;
	}
	return oss_planned_error(call, "throttle", 503, "QpsLimitExceeded", "The request rate is above the limit.") ||
		oss_planned_error(call, "token_expired", 403, "SecurityTokenExpired", "The security token you provided has expired.");
}

static bool
find_bucket(oss_call *call)
{
	if (call->bucket_name.len == 0)
		return true;
	if (!oss_bucket_name_ok(call->bucket_name))
	{
		oss_extra(call, "BucketName", call->bucket_name);
		return oss_error(call, 400, "InvalidBucketName", "The specified bucket is not valid.");
	}
	if (call->path_style && oss_set.refuse_path_style)
		return oss_error(call, 403, "SecondLevelDomainForbidden", "The bucket you are attempting to access must be addressed using OSS third level domain.");
	call->bucket = oss_bucket_find(call->bucket_name);
	if (call->bucket == NULL && !call->op->no_bucket)
	{
		oss_extra(call, "BucketName", call->bucket_name);
		return oss_error(call, 404, "NoSuchBucket", "The specified bucket does not exist.");
	}
	if (call->key.len > 0 && !oss_key_ok(call->key))
	{
		oss_extra(call, "ObjectName", call->key);
		return oss_error(call, 400, "InvalidObjectName", "The specified object is not valid.");
	}
	return true;
}

/* Checked, not obeyed: answers are as fast as they can be */
static bool
traffic_limit_ok(oss_call *call)
{
	mcw_view	v = oss_header(call->req, "x-oss-traffic-limit");
	int64_t		n;

	if (v.data == NULL)
		v = oss_param(call->req, "x-oss-traffic-limit");
	if (v.data == NULL || (mcw_view_int64(v, &n) && n >= 245760 && n <= 838860800))
		return true;
	return oss_invalid_argument(call, "x-oss-traffic-limit", v, "The traffic limit must be from 245760 to 838860800.");
}

static bool
body_ok(oss_call *call)
{
	emu_request *req = call->req;

	if (!traffic_limit_ok(call))
		return false;
	if (call->op->needs_length && oss_header(req, "Content-Length").data == NULL &&
		oss_header(req, "Transfer-Encoding").data == NULL)
		return oss_error(call, 411, "MissingContentLength", "You must provide the Content-Length HTTP header.");
	return oss_body_digest_ok(call);
}

static void
common_headers(const emu_request *req, emu_response *resp)
{
	char		id[32];

	oss_request_id(req, id);
	emu_header_add(resp, "Server", "AliyunOSS");
	emu_header_add(resp, "x-oss-request-id", "%s", id);
	emu_header_add(resp, "x-oss-server-time", "1");
}

static void
run(oss_call *call)
{
	bool		fail_after;
	oss_plan	plan;

	if (planned(call) || !oss_authenticate(call) || !find_bucket(call) || !oss_allowed(call) || !body_ok(call))
		return;
	fail_after = call->op->writes && emu_fault_armed(call->req, "apply_then_fail");
	if (fail_after)
		oss_read_plan(&plan, OSS_INTERNAL);
	call->op->run(call);
	if (call->resp->body.failed)
		emu_oom();
	if (fail_after && call->resp->status < 300)
	{
		oss_drop_headers(call->resp, NULL);
		common_headers(call->req, call->resp);
		(void) oss_error(call, plan.status, plan.code, "%s", plan.message);
	}
	if (call->op->writes && !call->deferred)
		oss_install_tick(call->req->now_us, true);
}

static void
handle(emu_request *req, emu_response *resp)
{
	oss_call	call = {.req = req, .resp = resp};

	mcw_buf_init(&call.extra, &mcw_malloc, 1 << 24);
	address(req, &call.bucket_name, &call.key, &call.path_style);
	call.op = find_op(req, call.bucket_name, call.key);
	common_headers(req, resp);
	run(&call);
	mcw_buf_free(&call.extra);
}

static const char *
api(const emu_request *req)
{
	mcw_view	bucket;
	mcw_view	key;
	bool		path_style;

	address(req, &bucket, &key, &path_style);
	return find_op(req, bucket, key)->name;
}

/* For faults of the core, which come before or instead of the handler */
static void
plain_error(emu_request *req, emu_response *resp, int status, const char *code, const char *message)
{
	oss_call	call = {.req = req, .resp = resp};

	mcw_buf_init(&call.extra, &mcw_malloc, 1 << 16);
	if (resp->nheaders == 0)
		common_headers(req, resp);
	(void) oss_error(&call, status, code, "%s", message);
	mcw_buf_free(&call.extra);
}

static void
init(void)
{
	strcpy(oss_set.region, "cn-hangzhou");
	oss_set.max_put = (int64_t) 5 << 30;
	oss_set.max_part = (int64_t) 5 << 30;
	oss_set.min_part = 100 << 10;
	oss_set.max_parts = 10000;
	oss_set.page_keys = 1000;
	oss_set.apply_later_ms = 2000;
}

static void
tick(int64_t now_us)
{
	oss_install_tick(now_us, false);
}

emu_service emu_oss = {
	.name = "oss",
	.default_port = 7703,
	.init = init,
	.handle = handle,
	.command = oss_command,
	.error = plain_error,
	.state = oss_state,
	.tick = tick,
	.api = api,
	.save = oss_save,
	.load = oss_load,
	.both_lengths = true,
};
