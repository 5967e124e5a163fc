/*
 * control.c
 *		mc-emulator: counters, the request log and the /__mc/ calls, loopback only and
 *		unsigned.  Not part of any service's protocol.
 */
#include <stdlib.h>

#include "core.h"

#define MAX_COUNTERS 1024
#define LOG_TARGET 512

typedef struct counter
{
	const emu_service *service;
	const char *api;
	int			status;			/* 0 = no answer */
	uint64_t	requests;
	uint64_t	faulted;
	uint64_t	bytes_in;
	uint64_t	bytes_out;
} counter;

typedef struct log_entry
{
	uint64_t	serial;
	const emu_service *service;
	const char *api;
	char		method[16];
	char	   *target;
	int			status;
	uint64_t	bytes_in;
	uint64_t	bytes_out;
	int64_t		at_us;
	char		fault[32];
} log_entry;

static counter counters[MAX_COUNTERS];
static int	ncounters = 0;
static log_entry *ring = NULL;
static uint64_t ring_next = 0;
static uint64_t total_requests = 0;

static counter *
find_counter(const emu_service *service, const char *api, int status)
{
	counter    *c;

	for (int i = 0; i < ncounters; i++)
	{
		c = &counters[i];
		if (c->status == status && c->service == service && (c->api == api || strcmp(c->api, api) == 0))
			return c;
	}
	if (ncounters == MAX_COUNTERS)
		return NULL;
	c = &counters[ncounters++];
	memset(c, 0, sizeof(*c));
	c->service = service;
	c->api = api;
	c->status = status;
	return c;
}

static void
copy_text(char *dst, size_t size, mcw_view v)
{
	size_t		n = v.len < size - 1 ? v.len : size - 1;

	memcpy(dst, v.data, n);
	dst[n] = '\0';
}

/* One request is over; status 0 = it got no answer.  'fault' may be "". */
void
emu_count(const emu_request *req, int status, uint64_t bytes_in, uint64_t bytes_out, const char *fault)
{
	counter    *c = find_counter(req->service, req->api, status);
	log_entry  *e;
	mcw_view	target = req->raw_target;

	total_requests++;
	if (c)
	{
		c->requests++;
		c->faulted += *fault != '\0';
		c->bytes_in += bytes_in;
		c->bytes_out += bytes_out;
	}
	if (ring == NULL)
	{
		ring = emu_malloc(EMU_LOG_RING * sizeof(*ring));
		memset(ring, 0, EMU_LOG_RING * sizeof(*ring));
	}
	e = &ring[ring_next++ % EMU_LOG_RING];
	free(e->target);
	if (target.len > LOG_TARGET)
		target.len = LOG_TARGET;
	e->target = emu_strdup(target);
	e->serial = req->serial;
	e->service = req->service;
	e->api = req->api;
	copy_text(e->method, sizeof(e->method), req->http.method);
	copy_text(e->fault, sizeof(e->fault), mcw_str(fault));
	e->status = status;
	e->bytes_in = bytes_in;
	e->bytes_out = bytes_out;
	e->at_us = req->now_us;
	emu_log("%llu %s %s %s %s -> %d%s%s", (unsigned long long) req->serial, req->service->name, req->api,
			e->method, e->target, status, *fault ? " fault " : "", fault);
}

void
emu_control_free(void)
{
	if (ring)
		for (int i = 0; i < EMU_LOG_RING; i++)
			free(ring[i].target);
	free(ring);
	ring = NULL;
}

static void
put_counters(mcw_buf *out)
{
	mcw_buf_printf(out, "{\"requests\":%llu,\"requests_since_faults\":%llu,\"counters\":[",
				   (unsigned long long) total_requests, (unsigned long long) emu_fault_requests());
	for (int i = 0; i < ncounters; i++)
	{
		const counter *c = &counters[i];

		mcw_buf_printf(out, "%s{\"service\":\"%s\",\"api\":\"%s\",\"status\":%d,\"requests\":%llu,"
					   "\"faulted\":%llu,\"bytes_in\":%llu,\"bytes_out\":%llu}", i ? "," : "",
					   c->service->name, c->api, c->status, (unsigned long long) c->requests,
					   (unsigned long long) c->faulted, (unsigned long long) c->bytes_in,
					   (unsigned long long) c->bytes_out);
	}
	mcw_buf_append_str(out, "],\"faults\":");
	emu_fault_report(out);
	mcw_buf_append_char(out, '}');
}

static void
put_log(mcw_buf *out, uint64_t last)
{
	uint64_t	have = ring_next < EMU_LOG_RING ? ring_next : EMU_LOG_RING;
	uint64_t	n = last < have ? last : have;

	mcw_buf_append_char(out, '[');
	for (uint64_t i = ring_next - n; i < ring_next; i++)
	{
		const log_entry *e = &ring[i % EMU_LOG_RING];

		mcw_buf_printf(out, "%s{\"serial\":%llu,\"service\":\"%s\",\"api\":\"%s\",\"method\":\"%s\",\"target\":",
					   i > ring_next - n ? ",\n" : "", (unsigned long long) e->serial, e->service->name, e->api, e->method);
		mcw_json_quote(out, mcw_str(e->target));
		mcw_buf_printf(out, ",\"status\":%d,\"bytes_in\":%llu,\"bytes_out\":%llu,\"time_us\":%lld,\"fault\":",
					   e->status, (unsigned long long) e->bytes_in, (unsigned long long) e->bytes_out, (long long) e->at_us);
		mcw_json_quote(out, mcw_str(e->fault));
		mcw_buf_append_char(out, '}');
	}
	mcw_buf_append_char(out, ']');
}

static void
put_state(mcw_buf *out)
{
	mcw_buf_printf(out, "{\"now_us\":%lld,\"clock\":\"%s\"", (long long) emu_now_us(), emu_clock_frozen() ? "frozen" : "running");
	for (int i = 0; i < emu_nservices; i++)
	{
		if (emu_services[i]->port <= 0)
			continue;
		mcw_buf_printf(out, ",\"%s\":", emu_services[i]->name);
		if (emu_services[i]->state)
			emu_services[i]->state(out);
		else
			mcw_buf_append_str(out, "{}");
	}
	mcw_buf_append_char(out, '}');
}

static bool
set_clock(emu_request *req, mcw_error *err)
{
	mcw_node   *root;

	return mcw_json_parse(req->body, req->arena, &root, err) == MCW_OK && emu_clock_command(root, err);
}

static bool
is_call(const emu_request *req, const char *method, const char *path)
{
	return mcw_view_eq(req->http.method, mcw_str(method)) && mcw_view_eq(req->http.path, mcw_str(path));
}

void
emu_control(emu_request *req, emu_response *resp)
{
	mcw_error	err = {0};
	bool		ok = true;
	uint64_t	last = 1000;

	resp->status = 200;
	if (!req->is_loopback)
	{
		resp->status = 403;
		ok = false;
		mcw_fail(&err, MCW_ERR_DENIED, "control calls are for loopback only");
	}
	else if (is_call(req, "GET", "/__mc/counters"))
		put_counters(&resp->body);
	else if (is_call(req, "POST", "/__mc/reset_counters"))
	{
		ncounters = 0;
		total_requests = 0;
		mcw_buf_append_str(&resp->body, "{}");
	}
	else if (is_call(req, "GET", "/__mc/state"))
		put_state(&resp->body);
	else if (is_call(req, "GET", "/__mc/log"))
	{
		(void) mcw_view_uint64(mcw_request_get_param(&req->http, MCW_LIT("n")), &last);
		put_log(&resp->body, last);
	}
	else if (is_call(req, "GET", "/__mc/faults"))
		emu_fault_report(&resp->body);
	else if (is_call(req, "POST", "/__mc/faults"))
	{
		if ((ok = emu_fault_load(req->body, &err)))
			mcw_buf_append_str(&resp->body, "{}");
	}
	else if (is_call(req, "POST", "/__mc/clock"))
	{
		if ((ok = set_clock(req, &err)))
			mcw_buf_printf(&resp->body, "{\"now_us\":%lld}", (long long) emu_now_us());
	}
	else if (is_call(req, "POST", "/__mc/command"))
		ok = emu_command_text(req->body, req->service, &resp->body, &err);
	else
	{
		resp->status = 404;
		ok = false;
		mcw_fail(&err, MCW_ERR_ARGUMENT, "no such control call; see docs/emulator.md");
	}
	if (!ok)
	{
		if (resp->status == 200)
			resp->status = 400;
		mcw_buf_reset(&resp->body);
		mcw_buf_append_str(&resp->body, "{\"error\":");
		mcw_json_quote(&resp->body, mcw_str(err.message));
		mcw_buf_append_char(&resp->body, '}');
	}
	mcw_buf_append_char(&resp->body, '\n');
	emu_header_add(resp, "Content-Type", "application/json");
}
