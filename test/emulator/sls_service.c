/*
 * sls_service.c
 *		mc-emulator, Log Service: from a request to the handler of its API.  Virtual
 *		hosts, routing table, the error shape, request ids.  loghub.md 1, 3.14.
 */
#include <stdlib.h>

#include "sls.h"

#define MAX_BASE_DOMAINS 64

static char *base_domains[MAX_BASE_DOMAINS];
static int	nbase_domains = 0;

static const char *const api_names[] = {
	[SLS_UNKNOWN] = "other", [SLS_BAD_METHOD] = "other",
	[SLS_GET_PROJECT] = "GetProject", [SLS_LIST_PROJECT] = "ListProject", [SLS_CREATE_PROJECT] = "CreateProject",
	[SLS_UPDATE_PROJECT] = "UpdateProject", [SLS_DELETE_PROJECT] = "DeleteProject",
	[SLS_LIST_LOGSTORES] = "ListLogStores", [SLS_CREATE_LOGSTORE] = "CreateLogStore",
	[SLS_GET_LOGSTORE] = "GetLogStore", [SLS_UPDATE_LOGSTORE] = "UpdateLogStore",
	[SLS_DELETE_LOGSTORE] = "DeleteLogStore", [SLS_PUT_LOGS] = "PutLogs", [SLS_GET_LOGS] = "GetLogs",
	[SLS_GET_LOGS_V2] = "GetLogs", [SLS_GET_HISTOGRAMS] = "GetHistograms", [SLS_WEBTRACKING] = "PutWebtracking",
	[SLS_LIST_TOPICS] = "ListTopics", [SLS_CONTEXT_LOGS] = "GetContextLogs", [SLS_PROJECT_LOGS] = "GetProjectLogs",
	[SLS_LIST_SHARDS] = "ListShards", [SLS_SPLIT_SHARD] = "SplitShard", [SLS_MERGE_SHARDS] = "MergeShards",
	[SLS_DELETE_SHARD] = "DeleteShard", [SLS_GET_CURSOR] = "GetCursor", [SLS_GET_CURSOR_TIME] = "GetCursorTime",
	[SLS_PULL_LOGS] = "PullLogs", [SLS_GET_INDEX] = "GetIndex", [SLS_CREATE_INDEX] = "CreateIndex",
	[SLS_UPDATE_INDEX] = "UpdateIndex", [SLS_DELETE_INDEX] = "DeleteIndex",
	[SLS_LIST_CONSUMER_GROUPS] = "ListConsumerGroup", [SLS_CREATE_CONSUMER_GROUP] = "CreateConsumerGroup",
	[SLS_UPDATE_CONSUMER_GROUP] = "UpdateConsumerGroup", [SLS_DELETE_CONSUMER_GROUP] = "DeleteConsumerGroup",
	[SLS_HEARTBEAT] = "HeartBeat", [SLS_UPDATE_CHECKPOINT] = "UpdateCheckPoint", [SLS_GET_CHECKPOINT] = "GetCheckPoint"
};

/* ---- hosts ---- */

bool
sls_add_base_domain(mcw_view name, mcw_error *err)
{
	if (name.len == 0 || name.len > 253 || nbase_domains == MAX_BASE_DOMAINS)
	{
		mcw_fail(err, MCW_ERR_ARGUMENT, "a base domain is a host name, at most %d of them", MAX_BASE_DOMAINS);
		return false;
	}
	base_domains[nbase_domains++] = emu_strdup(name);
	return true;
}

void
sls_base_domains(mcw_buf *out)
{
	mcw_buf_append_char(out, '[');
	for (int i = 0; i < nbase_domains; i++)
	{
		if (i)
			mcw_buf_append_char(out, ',');
		mcw_json_quote(out, mcw_str(base_domains[i]));
	}
	mcw_buf_append_char(out, ']');
}

/* What is left of 'host' without the base domain; false if it is not below it. */
static bool
strip_domain(mcw_view host, mcw_view base, mcw_view *project)
{
	if (host.len < base.len || !mcw_view_ieq((mcw_view) {host.data + host.len - base.len, base.len}, base))
		return false;
	host.len -= base.len;
	if (host.len == 0)
	{
		*project = MCW_LIT("");
		return true;
	}
	if (host.data[host.len - 1] != '.')
		return false;
	host.len--;
	*project = host;
	return host.len > 0 && memchr(host.data, '.', host.len) == NULL;
}

/* <region>.log.aliyuncs.com, log-global.aliyuncs.com, <region>.sls.aliyuncs.com */
static bool
strip_aliyun(mcw_view host, mcw_view *project)
{
	static const char *const suffixes[] = {".log.aliyuncs.com", ".sls.aliyuncs.com", "log-global.aliyuncs.com"};

	for (int i = 0; i < 3; i++)
	{
		mcw_view	suffix = mcw_str(suffixes[i]);
		mcw_view	rest;
		const char *dot;

		if (host.len < suffix.len || !mcw_view_ieq((mcw_view) {host.data + host.len - suffix.len, suffix.len}, suffix))
			continue;
		if (i == 2)
			return strip_domain(host, suffix, project);
		rest = (mcw_view) {host.data, host.len - suffix.len};
		dot = memchr(rest.data, '.', rest.len);
		*project = dot ? (mcw_view) {rest.data, dot - rest.data} : MCW_LIT("");
		return dot == NULL || memchr(dot + 1, '.', rest.data + rest.len - dot - 1) == NULL;
	}
	return false;
}

bool
sls_host_project(mcw_view host, mcw_view *project)
{
	const char *bracket = host.len > 0 && host.data[0] == '[' ? memchr(host.data, ']', host.len) : NULL;
	const char *colon;

	if (bracket)
		host = (mcw_view) {host.data + 1, bracket - host.data - 1};
	else if ((colon = memrchr(host.data, ':', host.len)) != NULL)
		host.len = colon - host.data;
	for (int i = 0; i < nbase_domains; i++)
		if (strip_domain(host, mcw_str(base_domains[i]), project))
			return true;
	return strip_aliyun(host, project);
}

/* ---- routing ---- */

static void
split_path(mcw_view path, sls_call *call)
{
	const char *p = path.data;
	const char *end = path.data + path.len;

	call->nseg = 0;
	while (p < end)
	{
		const char *slash;

		p++;					/* the slash */
		slash = memchr(p, '/', end - p);
		if (call->nseg == (int) (sizeof(call->seg) / sizeof(call->seg[0])))
		{
			call->nseg = -1;
			return;
		}
		call->seg[call->nseg++] = (mcw_view) {p, (slash ? slash : end) - p};
		p = slash ? slash : end;
	}
	if (call->nseg > 0 && call->seg[call->nseg - 1].len == 0)
		call->nseg--;			/* trailing slash, and "/" itself */
}

mcw_view
sls_param(const sls_call *call, const char *name)
{
	return mcw_request_get_param(&call->req->http, mcw_str(name));
}

bool
sls_param_int(const sls_call *call, const char *name, int64_t missing, int64_t *out)
{
	mcw_view	v = sls_param(call, name);

	*out = missing;
	return v.len == 0 || mcw_view_int64(v, out);
}

bool
sls_param_bool(const sls_call *call, const char *name)
{
	return mcw_view_ieq(sls_param(call, name), MCW_LIT("true"));
}

static bool
seg_is(const sls_call *call, int i, const char *word)
{
	return mcw_view_eq(call->seg[i], mcw_str(word));
}

static bool
type_is(const sls_call *call, const char *type)
{
	mcw_view	v = sls_param(call, "type");

	return v.data && mcw_view_eq(v, mcw_str(type));
}

typedef enum verb
{
	GET, HEAD, POST, PUT, DELETE, OTHER_VERB
} verb;

static verb
verb_of(mcw_view m)
{
	static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "DELETE"};

	for (int i = 0; i < 5; i++)
		if (mcw_view_eq(m, mcw_str(names[i])))
			return (verb) i;
	return OTHER_VERB;
}

static sls_api
crud(verb v, sls_api get, sls_api post, sls_api put, sls_api del)
{
	sls_api		api = v == GET ? get : v == POST ? post : v == PUT ? put : v == DELETE ? del : SLS_BAD_METHOD;

	return api == SLS_UNKNOWN ? SLS_BAD_METHOD : api;
}

static sls_api
route_logstore(const sls_call *call, verb v)
{
	if (v == GET && (type_is(call, "log") || type_is(call, "logs")))
		return SLS_GET_LOGS;
	if (v == GET && type_is(call, "histogram"))
		return SLS_GET_HISTOGRAMS;
	if (v == GET && type_is(call, "topic"))
		return SLS_LIST_TOPICS;
	if (v == GET && type_is(call, "context_log"))
		return SLS_CONTEXT_LOGS;
	return crud(v, SLS_GET_LOGSTORE, SLS_PUT_LOGS, SLS_UPDATE_LOGSTORE, SLS_DELETE_LOGSTORE);
}

static sls_api
route_shard(const sls_call *call, verb v)
{
	mcw_view	action = sls_param(call, "action");

	if (seg_is(call, 3, "lb") || seg_is(call, 3, "route"))
		return v == POST ? SLS_PUT_LOGS : SLS_BAD_METHOD;
	if (v == DELETE)
		return SLS_DELETE_SHARD;
	if (v == POST)
		return action.data && mcw_view_eq(action, MCW_LIT("split")) ? SLS_SPLIT_SHARD :
			action.data && mcw_view_eq(action, MCW_LIT("merge")) ? SLS_MERGE_SHARDS : SLS_BAD_METHOD;
	if (v != GET && v != HEAD)
		return SLS_BAD_METHOD;
	if (type_is(call, "cursor"))
		return SLS_GET_CURSOR;
	if (type_is(call, "cursor_time"))
		return SLS_GET_CURSOR_TIME;
	return SLS_PULL_LOGS;
}

static sls_api
route_consumer(const sls_call *call, verb v)
{
	if (call->nseg == 3)
		return crud(v, SLS_LIST_CONSUMER_GROUPS, SLS_CREATE_CONSUMER_GROUP, SLS_UNKNOWN, SLS_UNKNOWN);
	if (v == POST && type_is(call, "heartbeat"))
		return SLS_HEARTBEAT;
	if (v == POST && type_is(call, "checkpoint"))
		return SLS_UPDATE_CHECKPOINT;
	return crud(v, SLS_GET_CHECKPOINT, SLS_UNKNOWN, SLS_UPDATE_CONSUMER_GROUP, SLS_DELETE_CONSUMER_GROUP);
}

static sls_api
route(sls_call *call)
{
	verb		v = verb_of(call->req->http.method);
	mcw_view	project = MCW_LIT("");

	split_path(call->req->http.path, call);
	if (call->nseg == 0)
	{
		(void) sls_host_project(call->req->host, &project);
		return crud(v, project.len > 0 ? SLS_GET_PROJECT : SLS_LIST_PROJECT, SLS_CREATE_PROJECT,
					SLS_UPDATE_PROJECT, SLS_DELETE_PROJECT);
	}
	if (call->nseg == 1 && seg_is(call, 0, "logs"))
		return crud(v, SLS_PROJECT_LOGS, SLS_PROJECT_LOGS, SLS_UNKNOWN, SLS_UNKNOWN);
	if (call->nseg < 1 || !seg_is(call, 0, "logstores"))
		return SLS_UNKNOWN;
	if (call->nseg == 1)
		return crud(v, SLS_LIST_LOGSTORES, SLS_CREATE_LOGSTORE, SLS_UNKNOWN, SLS_UNKNOWN);
	if (call->nseg == 2)
		return route_logstore(call, v);
	if (call->nseg == 3 && seg_is(call, 2, "logs"))
		return v == POST ? SLS_GET_LOGS_V2 : SLS_BAD_METHOD;
	if (call->nseg == 3 && (seg_is(call, 2, "track") || seg_is(call, 2, "track_ua.gif")))
		return v == POST || v == GET ? SLS_WEBTRACKING : SLS_BAD_METHOD;
	if (call->nseg == 3 && seg_is(call, 2, "shards"))
		return v == GET ? SLS_LIST_SHARDS : SLS_BAD_METHOD;
	if (call->nseg == 4 && seg_is(call, 2, "shards"))
		return route_shard(call, v);
	if (call->nseg == 3 && seg_is(call, 2, "index"))
		return v == GET && type_is(call, "histogram") ? SLS_GET_HISTOGRAMS :
			crud(v, SLS_GET_INDEX, SLS_CREATE_INDEX, SLS_UPDATE_INDEX, SLS_DELETE_INDEX);
	if ((call->nseg == 3 || call->nseg == 4) && seg_is(call, 2, "consumergroups"))
		return route_consumer(call, v);
	return SLS_UNKNOWN;
}

/* ---- answers ---- */

void
sls_json(emu_response *resp)
{
	resp->status = 200;
	emu_header_add(resp, "Content-Type", "application/json");
}

void
sls_error(emu_response *resp, int status, const char *code, const char *fmt,...)
{
	char		message[2048];
	va_list		ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	mcw_buf_reset(&resp->body);
	emu_blob_unref(resp->blob);
	resp->blob = NULL;
	resp->status = status;
	emu_header_add(resp, "Content-Type", "application/json");
	mcw_buf_append_str(&resp->body, "{\"errorCode\":");
	mcw_json_quote(&resp->body, mcw_str(code));
	mcw_buf_append_str(&resp->body, ",\"errorMessage\":");
	mcw_json_quote(&resp->body, mcw_str(message));
	mcw_buf_append_char(&resp->body, '}');
}

/* 24 upper-case hex digits: seconds of the clock, serial number */
static void
common_headers(const emu_request *req, emu_response *resp)
{
	emu_header_add(resp, "x-log-requestid", "%08X%016llX", (unsigned) (req->now_us / 1000000), (unsigned long long) req->serial);
	emu_header_add(resp, "Server", "mc-emulator");
	emu_header_add(resp, "Access-Control-Allow-Origin", "*");
}

static void
error_answer(emu_request *req, emu_response *resp, int status, const char *code, const char *message)
{
	sls_error(resp, status, code, "%s", message);
	common_headers(req, resp);
}

/* Project and logstore of the call, where the API is about one. */
static bool
find_target(sls_call *call)
{
	if (!sls_host_project(call->req->host, &call->project_name))
	{
		sls_error(call->resp, 400, "InvalidHost", "host %.*s is under no base domain of this emulator",
				  (int) call->req->host.len, call->req->host.data);
		return false;
	}
	if (call->api == SLS_LIST_PROJECT || call->api == SLS_CREATE_PROJECT)
		return true;
	if (call->project_name.len == 0)
	{
		sls_error(call->resp, 400, "ParameterInvalid", "the host names no project");
		return false;
	}
	call->project = sls_find_project(call->project_name);
	if (call->project == NULL)
	{
		sls_error(call->resp, 404, "ProjectNotExist", "The Project does not exist : %.*s",
				  (int) call->project_name.len, call->project_name.data);
		return false;
	}
	if (strcmp(call->project->status, "Normal") != 0 && call->api != SLS_GET_PROJECT)
	{
		sls_error(call->resp, 403, "ProjectForbidden", "The project %s has been disabled.", call->project->name);
		return false;
	}
	if (call->nseg < 2)
		return true;
	call->logstore = sls_find_logstore(call->project, call->seg[1]);
	if (call->logstore == NULL)
	{
		sls_error(call->resp, 404, "LogStoreNotExist", "logstore %.*s does not exist",
				  (int) call->seg[1].len, call->seg[1].data);
		return false;
	}
	return true;
}

static void
dispatch(sls_call *call)
{
	if (call->api <= SLS_BAD_METHOD)
	{
		if (call->api == SLS_UNKNOWN)
			sls_error(call->resp, 404, "InvalidUri", "no such resource: %.*s",
					  (int) call->req->http.path.len, call->req->http.path.data);
		else
			sls_error(call->resp, 405, "InvalidMethod", "method %.*s is not allowed here",
					  (int) call->req->http.method.len, call->req->http.method.data);
		return;
	}
	if (call->req->host.len == 0)
	{
		sls_error(call->resp, 400, "MissingHost", "Missing http extend header key : Host");
		return;
	}
	if (!sls_authenticate(call) || !find_target(call))
		return;
	if (call->api <= SLS_DELETE_PROJECT)
		sls_handle_project(call);
	else if (call->api <= SLS_DELETE_LOGSTORE)
		sls_handle_logstore(call);
	else if (call->api == SLS_PUT_LOGS)
		sls_handle_put(call);
	else if (call->api == SLS_WEBTRACKING)
		sls_handle_webtracking(call);
	else if (call->api <= SLS_PROJECT_LOGS)
		sls_handle_query(call);
	else if (call->api == SLS_PULL_LOGS)
		sls_handle_pull(call);
	else if (call->api <= SLS_GET_CURSOR_TIME)
		sls_handle_shards(call);
	else if (call->api <= SLS_DELETE_INDEX)
		sls_handle_index(call);
	else
		sls_handle_consumer(call);
}

/* An empty body is no JSON text; a client that trusts the type would try to parse it. */
static void
drop_content_type(emu_response *resp)
{
	int			kept = 0;

	for (int i = 0; i < resp->nheaders; i++)
	{
		if (strcmp(resp->headers[i].name, "Content-Type") != 0)
		{
			resp->headers[kept++] = resp->headers[i];
			continue;
		}
		free(resp->headers[i].name);
		free(resp->headers[i].value);
	}
	resp->nheaders = kept;
}

static void
handle(emu_request *req, emu_response *resp)
{
	sls_call	call = {.req = req, .resp = resp};

	call.api = route(&call);
	dispatch(&call);
	if (resp->body.len == 0 && resp->blob == NULL && call.api != SLS_PULL_LOGS)
		drop_content_type(resp);
	common_headers(req, resp);
}

static const char *
api_name(const emu_request *req)
{
	sls_call	call = {.req = (emu_request *) req};

	return api_names[route(&call)];
}

static void
init(void)
{
	(void) sls_add_base_domain(MCW_LIT("localhost"), NULL);
	(void) sls_add_base_domain(MCW_LIT("127.0.0.1"), NULL);
	(void) sls_add_base_domain(MCW_LIT("::1"), NULL);
	(void) sls_add_base_domain(MCW_LIT("cn-test.example.com"), NULL);
}

static void
put_shard_state(const sls_shard *s, mcw_buf *out)
{
	uint64_t	logs = 0;

	for (size_t i = s->first; i < s->ngroups; i++)
		logs += s->groups[i].nlogs;
	mcw_buf_printf(out, "{\"id\":%d,\"status\":\"%s\",\"groups\":%zu,\"logs\":%llu,"
				   "\"bytes\":%llu,\"begin_cursor\":\"%lld\",\"next_cursor\":\"%lld\"}",
				   s->id, s->readonly ? "readonly" : "readwrite", s->ngroups - s->first, (unsigned long long) logs,
				   (unsigned long long) s->bytes, (long long) sls_begin_cursor(s), (long long) s->next_cursor);
}

static void
state(mcw_buf *out)
{
	mcw_buf_append_str(out, "{\"base_domains\":");
	sls_base_domains(out);
	mcw_buf_append_str(out, ",\"cache\":");
	sls_cache_report(out);
	mcw_buf_append_str(out, ",\"projects\":{");
	for (sls_project *p = sls_projects; p; p = p->next)
	{
		mcw_buf_printf(out, "%s\"%s\":{", p == sls_projects ? "" : ",", p->name);
		for (sls_logstore *s = p->logstores; s; s = s->next)
		{
			mcw_buf_printf(out, "%s\"%s\":{\"shards\":[", s == p->logstores ? "" : ",", s->name);
			for (int i = 0; i < s->nshards; i++)
			{
				if (i)
					mcw_buf_append_char(out, ',');
				put_shard_state(s->shards[i], out);
			}
			mcw_buf_append_str(out, "]}");
		}
		mcw_buf_append_char(out, '}');
	}
	mcw_buf_append_str(out, "}}");
}

/* Expiry has whole days to be noticed in: once a second of the emulator's clock is enough. */
static void
tick(int64_t now_us)
{
	static int64_t last = INT64_MIN;

	if (now_us / 1000000 != last)
		sls_expire(now_us);
	last = now_us / 1000000;
}

emu_service emu_loghub = {
	.name = "loghub",
	.default_port = 7701,
	.init = init,
	.handle = handle,
	.command = sls_command,
	.error = error_answer,
	.state = state,
	.tick = tick,
	.api = api_name,
	.save = sls_save,
	.load = sls_load
};
