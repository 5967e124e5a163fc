/*
 * ots_service.c
 *		mc-emulator, Tablestore part: from a request to the operation it names, errors,
 *		answers, settings, and the faults a service acts on itself.  tablestore.md 1, 4.7.
 */
#include <stdlib.h>

#include "../../src/wire/mcw_ots_msg.h"
#include "ots_private.h"

#define MAX_LATER 256

ots_settings ots_set = {
	.max_body = 5 << 20, .page_rows = 5000, .page_bytes = 4 << 20, .batch_bytes = MCW_OTS_MAX_BATCH_BYTES,
	.split_unit = 100 << 20, .create_ms = 0, .cache_bytes = (int64_t) 512 << 20, .compress = true,
	.split_mib = 1 << 20, .split_prefix = true, .capacity = true
};

typedef struct operation
{
	const char *name;
	void		(*run) (ots_call *call);
	bool		writes;
} operation;

static const operation operations[] = {
	{"GetRange", ots_get_range, false},
	{"GetRow", ots_get_row, false},
	{"BatchGetRow", ots_batch_get_row, false},
	{"BatchWriteRow", ots_batch_write_row, true},
	{"PutRow", ots_put_row_call, true},
	{"UpdateRow", ots_update_row_call, true},
	{"DeleteRow", ots_delete_row_call, true},
	{"ListTable", ots_list_table, false},
	{"CreateTable", ots_create_table, false},
	{"DescribeTable", ots_describe_table, false},
	{"UpdateTable", ots_update_table, false},
	{"DeleteTable", ots_delete_table, false},
	{"LoadTable", ots_load_table, false},
	{"UnloadTable", ots_load_table, false},
	{"AddDefinedColumn", ots_add_defined_column, false},
	{"DeleteDefinedColumn", ots_delete_defined_column, false},
	{"ComputeSplitPointsBySize", ots_compute_splits, false},
	{"ListStream", ots_list_stream, false},
	{"DescribeStream", ots_describe_stream, false},
	{"GetShardIterator", ots_get_shard_iterator, false},
	{"GetStreamRecord", ots_get_stream_record, false},
	{"StartLocalTransaction", ots_start_transaction, false},
	{"CommitTransaction", ots_commit_transaction, true},
	{"AbortTransaction", ots_abort_transaction, false},
	{"tunnel/create", ots_tunnel, false},
	{"tunnel/delete", ots_tunnel, false},
	{"tunnel/list", ots_tunnel, false},
	{"tunnel/describe", ots_tunnel, false},
	{"tunnel/connect", ots_tunnel, false},
	{"tunnel/heartbeat", ots_tunnel, false},
	{"tunnel/shutdown", ots_tunnel, false},
	{"tunnel/getcheckpoint", ots_tunnel, false},
	{"tunnel/readrecords", ots_tunnel, false},
	{"tunnel/checkpoint", ots_tunnel, false},
	{"tunnel/getrpo", ots_tunnel, false},
	{"tunnel/getrpobyoffset", ots_tunnel, false},
	{"tunnel/schedule", ots_tunnel, false}
};

/* A write that was refused to the client and happens nevertheless, later */
typedef struct later
{
	const operation *op;
	ots_instance *inst;
	char	   *body;
	size_t		len;
	int64_t		due_us;			/* at this time, or with writes_left */
	int64_t		writes_left;	/* after so many more write requests; -1 = by time only */
} later;

static later pending[MAX_LATER];
static int	npending = 0;

/* ---- faults ---- */

bool
ots_fault_set(ots_fault *f, int status, const char *code, const char *fmt,...)
{
	va_list		ap;

	f->status = status;
	f->code = code;
	va_start(ap, fmt);
	vsnprintf(f->message, sizeof(f->message), fmt, ap);
	va_end(ap);
	/* a message is a protobuf string: what a client sent may be anything */
	f->message[mcw_utf8_valid(f->message, strlen(f->message))] = '\0';
	return false;
}

bool
ots_invalid(ots_fault *f, const char *fmt,...)
{
	va_list		ap;
	char		text[1024];

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return ots_fault_set(f, 400, "OTSParameterInvalid", "%s", text);
}

bool
ots_bad_message(ots_fault *f)
{
	return ots_invalid(f, "Parse PBMessage from RawString failed.");
}

void
ots_put_error(mcw_buf *out, uint32_t number, const ots_fault *f)
{
	size_t		mark = mcw_pb_begin(out, number);

	mcw_pb_put_bytes(out, 1, mcw_str(f->code));
	mcw_pb_put_bytes(out, 2, mcw_str(f->message));
	mcw_pb_end(out, mark);
}

void
ots_put_consumed(mcw_buf *out, uint32_t number, int32_t read, int32_t write)
{
	size_t		mark = mcw_pb_begin(out, number);
	size_t		inner = mcw_pb_begin(out, 1);

	mcw_pb_put_uint(out, 1, (uint64_t) read);
	mcw_pb_put_uint(out, 2, (uint64_t) write);
	mcw_pb_end(out, inner);
	mcw_pb_end(out, mark);
}

/* What the fault plan may call an error by: its code, status and the service's message */
static const struct
{
	const char *code;
	int			status;
	const char *message;
}			known_errors[] = {
	{"OTSServerBusy", 503, "Server is busy."},
	{"OTSPartitionUnavailable", 503, "The partition is not available."},
	{"OTSTimeout", 503, "Operation timeout."},
	{"OTSServerUnavailable", 503, "Server is not available."},
	{"OTSInternalServerError", 500, "Internal server error."},
	{"OTSTableNotReady", 404, "The table is not ready."},
	{"OTSRowOperationConflict", 409, "Data is being modified by the other request."},
	{"OTSNotEnoughCapacityUnit", 403, "Remaining capacity unit is not enough."},
	{"OTSCapacityUnitExhausted", 403, "Capacity unit is not enough."},
	{"OTSQuotaExhausted", 403, "Too frequent table operations."},
	{"OTSConditionCheckFail", 403, "Condition check failed."},
	{"OTSNoPermissionAccess", 403, "You have no permission to access the requested resource, please contact the resource owner"},
	{"OTSFlowControl", 429, "The requests have been throttled."},
	{"OTSParameterInvalid", 400, "injected by the fault plan"},
	{"OTSOutOfRowSizeLimit", 400, "The total data size of columns in one row exceeded the limit."}
};

/* A fault rule's "code", or 'missing' */
void
ots_planned_fault(ots_fault *f, const char *missing)
{
	mcw_view	code = emu_fault_text("code");
	mcw_view	message = emu_fault_text("message");
	size_t		n = sizeof(known_errors) / sizeof(known_errors[0]);

	if (code.len == 0)
		code = mcw_str(missing);
	for (size_t i = 0; i < n; i++)
		if (mcw_view_eq(code, mcw_str(known_errors[i].code)))
		{
			(void) ots_fault_set(f, known_errors[i].status, known_errors[i].code, "%.*s",
								 (int) (message.len ? message.len : strlen(known_errors[i].message)),
								 message.len ? message.data : known_errors[i].message);
			return;
		}
	(void) ots_fault_set(f, 500, "OTSInternalServerError", "the fault plan asks for the unknown code %.*s",
						 (int) code.len, code.data);
}

void
ots_plan_rows(ots_call *call)
{
	if (!emu_fault_armed(call->req, "row_error"))
		return;
	ots_planned_fault(&call->row_fault, "OTSServerBusy");
	call->row_at = emu_fault_param("row", -1);
	call->row_each = emu_fault_param("each", call->row_at < 0 ? 1 : 0);
	call->row_applied = emu_fault_param("applied", 0) != 0;
}

bool
ots_row_struck(ots_call *call, ots_fault *why)
{
	int64_t		i = call->row_seen++;

	if (!call->row_fault.status ||
		(i != call->row_at && (call->row_each <= 0 || (i + 1) % call->row_each != 0)))
		return false;
	*why = call->row_fault;
	return true;
}

/* ---- later ---- */

static void
run_later(later *l, int64_t now_us)
{
	emu_request req = {.now_us = now_us};
	emu_response resp;
	mcw_arena	arena;
	ots_call	call = {.req = &req, .resp = &resp, .op = l->op->name, .inst = l->inst};

	mcw_arena_init(&arena, &mcw_malloc, (size_t) 1 << 30);
	memset(&resp, 0, sizeof(resp));
	mcw_buf_init(&resp.body, &mcw_malloc, (size_t) 1 << 30);
	req.arena = &arena;
	call.body = (mcw_view) {l->body, l->len};
	call.out = &resp.body;
	call.commit_us = now_us;
	l->op->run(&call);
	mcw_buf_free(&resp.body);
	mcw_arena_reset(&arena);
	free(l->body);
}

/* after_write: one more write request has been answered */
static void
run_pending(int64_t now_us, bool after_write)
{
	for (int i = 0; i < npending;)
	{
		later		l = pending[i];

		if (after_write && l.writes_left > 0)
			l.writes_left = --pending[i].writes_left;
		if (now_us < l.due_us && l.writes_left != 0)
		{
			i++;
			continue;
		}
		memmove(pending + i, pending + i + 1, (npending - i - 1) * sizeof(later));
		npending--;
		run_later(&l, now_us);
	}
}

static bool
keep_for_later(ots_call *call, const operation *op)
{
	int64_t		ms = emu_fault_param("ms", -1);

	if (npending == MAX_LATER)
		return false;
	pending[npending++] = (later) {
		.op = op, .inst = call->inst, .body = emu_strdup(call->body), .len = call->body.len,
		.due_us = ms >= 0 ? call->req->now_us + ms * 1000 : INT64_MAX,
		.writes_left = emu_fault_param("writes", ms >= 0 ? -1 : 1)
	};
	return true;
}

/* ---- requests ---- */

static const operation *
find_operation(mcw_view path)
{
	if (path.len < 2 || path.data[0] != '/')
		return NULL;
	path.data++;
	path.len--;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		if (mcw_view_eq(path, mcw_str(operations[i].name)))
			return operations[i].run ? &operations[i] : NULL;
	return NULL;
}

static const char *
api_of(const emu_request *req)
{
	const operation *op = find_operation(req->http.path);

	return op ? op->name : NULL;
}

ots_table *
ots_call_table(const ots_instance *inst, mcw_view name, bool need_ready, int64_t now_us, ots_fault *why)
{
	ots_table  *table;

	if (!ots_name_ok(name, false))
	{
		(void) ots_invalid(why, "Invalid table name: '%.*s'.", (int) (name.len < 300 ? name.len : 300), name.data ? name.data : "");
		return NULL;
	}
	table = ots_table_find(inst, name);
	if (table == NULL)
		(void) ots_fault_set(why, 404, "OTSObjectNotExist", "Requested table does not exist.");
	else if (need_ready && now_us < table->ready_us)
	{
		(void) ots_fault_set(why, 404, "OTSTableNotReady", "The table is not ready.");
		table = NULL;
	}
	return table;
}

static void
write_answer(ots_call *call)
{
	emu_response *resp = call->resp;

	if (call->fault.status)
	{
		/* the Error messages of tables and of tunnels begin with the same two members */
		mcw_buf_reset(&resp->body);
		mcw_pb_put_bytes(&resp->body, 1, mcw_str(call->fault.code));
		mcw_pb_put_bytes(&resp->body, 2, mcw_str(call->fault.message));
		resp->status = call->fault.status;
	}
	else
	{
		resp->status = 200;
		if (call->blob)
		{
			resp->blob = emu_blob_ref(call->blob);
			resp->blob_len = call->blob->len;
		}
	}
	if (resp->body.failed)
		emu_oom();
	ots_finish(call);
}

static void
run(ots_call *call)
{
	const operation *op = find_operation(call->req->http.path);
	bool		fail_after;

	if (!mcw_view_eq(call->req->http.method, MCW_LIT("POST")))
	{
		(void) ots_fault_set(&call->fault, 405, "OTSMethodNotAllowed", "Only POST method for requests is supported.");
		return;
	}
	if ((int64_t) call->req->body.len > ots_set.max_body)
	{
		(void) ots_fault_set(&call->fault, 413, "OTSRequestBodyTooLarge", "The size of POST data is too large.");
		return;
	}
	if (!ots_authenticate(call))
		return;
	if (op == NULL)
	{
		mcw_view	path = call->req->http.path;

		(void) ots_invalid(&call->fault, "Unsupported operation: %.*s.", path.len > 0 ? (int) path.len - 1 : 0, path.data + 1);
		return;
	}
	call->op = op->name;
	if (!ots_inflate(call))
		return;
	if (emu_fault_armed(call->req, "throttle"))
	{
		ots_planned_fault(&call->fault, "OTSServerBusy");
		return;
	}
	if (op->writes && emu_fault_armed(call->req, "apply_later") && keep_for_later(call, op))
	{
		ots_planned_fault(&call->fault, "OTSTimeout");
		return;
	}
	fail_after = emu_fault_armed(call->req, "apply_then_fail");
	op->run(call);
	if (fail_after && !call->fault.status)
		ots_planned_fault(&call->fault, "OTSTimeout");
	if (op->writes)
		run_pending(call->req->now_us, true);
}

static void
handle(emu_request *req, emu_response *resp)
{
	ots_call	call = {.req = req, .resp = resp, .out = &resp->body, .commit_us = req->now_us};

	if (req->http.nparams > 0 || req->raw_query.len > 0)
		(void) ots_invalid(&call.fault, "Unsupported operation: %.*s.", (int) req->raw_target.len, req->raw_target.data);
	else
		run(&call);
	write_answer(&call);
}

/* An answer of the fault plan: signed, since clients look at the signature first */
static void
plain_error(emu_request *req, emu_response *resp, int status, const char *code, const char *message)
{
	ots_call	call = {.req = req, .resp = resp, .out = &resp->body};
	ots_call	probe = {.req = req, .resp = resp, .out = &resp->body};

	if (strcmp(code, "ServerBusy") == 0)
		code = "OTSServerBusy";
	if (ots_authenticate(&probe))
		call.response_key = probe.response_key;
	(void) ots_fault_set(&call.fault, status, code, "%s", message);
	mcw_buf_reset(&resp->body);
	write_answer(&call);
}

static void
tick(int64_t now_us)
{
	run_pending(now_us, false);
	if (ots_stream_tick)
		ots_stream_tick(now_us);
}

static void
init(void)
{
	(void) ots_instance_create(MCW_LIT("demo"));
}

emu_service emu_tablestore = {
	.name = "tablestore",
	.default_port = 7702,
	.init = init,
	.handle = handle,
	.command = ots_command,
	.error = plain_error,
	.state = ots_state,
	.tick = tick,
	.api = api_of,
	.save = ots_save,
	.load = ots_load
};
