/*
 * mcs_odps_sql.c
 *		SQL instances: submit, poll, result (maxcompute.md 2.6 to 2.10).
 *
 * For the DDL that has no REST verb and for small results.  Bulk results travel
 * through the instance tunnel, which is not here.
 */
#include "mcs_odps.h"

#include <stdio.h>
#include <sys/random.h>

#define MAX_RESULT (32 * 1024 * 1024)
#define MAX_QUERY (4 * 1024 * 1024)
#define FIRST_POLL_MS 20
#define LAST_POLL_MS 2000
#define DEFAULT_TASK "AnonymousSQLTask"

static mcw_status
append_name(mcw_buf *out, mcw_view name)
{
	if (name.len == 0 || memchr(name.data, '`', name.len))
		return MCW_ERR_ARGUMENT;
	(void) mcw_buf_append_char(out, '`');
	(void) mcw_buf_append_view(out, name);
	return mcw_buf_append_char(out, '`');
}

mcw_status
mcs_odps_sql_table(const mcs_odps *odps, mcw_view table, mcw_buf *out)
{
	mcw_status	status = append_name(out, odps->project);

	if (status == MCW_OK && odps->schema.len > 0)
	{
		(void) mcw_buf_append_char(out, '.');
		status = append_name(out, odps->schema);
	}
	if (status != MCW_OK)
		return status;
	(void) mcw_buf_append_char(out, '.');
	return append_name(out, table);
}

static bool
random_id(char out[37])
{
	unsigned char bytes[16];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return false;
	(void) snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-4%01x%02x-a%01x%02x-%02x%02x%02x%02x%02x%02x",
					bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5],
					bytes[6] & 15, bytes[7], bytes[8] & 15, bytes[9],
					bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]);
	return true;
}

static void
append_property(mcw_buf *out, const char *name, mcw_view value)
{
	(void) mcw_buf_printf(out, "<Property><Name>%s</Name><Value>", name);
	(void) mcw_xml_escape(out, value);
	(void) mcw_buf_append_str(out, "</Value></Property>");
}

static mcw_status
settings_json(const mcs_odps *odps, mcw_buf *out)
{
	(void) mcw_buf_append_str(out, "{\"odps.sql.submit.mode\":\"\",\"odps.sql.type.system.odps2\":\"true\"");
	if (odps->schema.len > 0)
	{
		(void) mcw_buf_append_str(out, ",\"odps.namespace.schema\":\"true\","
								  "\"odps.sql.allow.namespace.schema\":\"true\",\"odps.default.schema\":");
		(void) mcw_json_quote(out, odps->schema);
	}
	return mcw_buf_append_char(out, '}');
}

static mcw_status
build_job(const mcs_odps *odps, const mcs_odps_sql *sql, mcw_buf *out, mcw_error *err)
{
	char		guid[37];
	char		uuid[37];
	mcw_buf		settings;
	mcw_view	query = sql->query;

	if (!random_id(guid) || !random_id(uuid))
		return mcw_fail(err, MCW_ERR_ARGUMENT, "the system has no random numbers");
	while (query.len > 0 && (unsigned char) query.data[query.len - 1] <= ' ')
		query.len--;
	mcw_buf_init(&settings, odps->alloc, 64 * 1024);
	(void) settings_json(odps, &settings);
	(void) mcw_buf_append_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Instance><Job><Priority>9</Priority><Guid>");
	(void) mcw_xml_escape(out, sql->guid.len > 0 ? sql->guid : mcw_str(guid));
	(void) mcw_buf_append_str(out, "</Guid><Tasks><SQL><Name>");
	(void) mcw_xml_escape(out, mcw_str(sql->task ? sql->task : DEFAULT_TASK));
	(void) mcw_buf_append_str(out, "</Name><Config>");
	append_property(out, "type", MCW_LIT("sql"));
	append_property(out, "settings", mcw_buf_view(&settings));
	append_property(out, "uuid", mcw_str(uuid));
	(void) mcw_buf_append_str(out, "</Config><Query>");
	(void) mcw_xml_escape(out, query);
	if (query.len == 0 || query.data[query.len - 1] != ';')
		(void) mcw_buf_append_char(out, ';');
	(void) mcw_buf_append_str(out, "</Query></SQL></Tasks><DAG><RunMode>Sequence</RunMode></DAG></Job></Instance>");
	if (settings.failed)
		out->failed = true;
	mcw_buf_free(&settings);
	return out->failed ? mcw_fail(err, MCW_ERR_LIMIT, "the SQL text is too long") : MCW_OK;
}

/* ---- the answer documents ---- */

typedef struct task_answer
{
	mcw_view	instance_status;	/* Running, Suspended, Terminated; empty = not said */
	mcw_view	task_status;		/* Success, Failed, Cancelled, ... */
	mcw_view	result;			/* data NULL = none */
	bool		base64;
} task_answer;

static mcw_status
parse_answer(mcw_view body, mcw_arena *doc, task_answer *answer, mcw_error *err)
{
	mcw_node   *root;
	const mcw_node *task;
	const mcw_node *result;
	mcw_status	status = mcw_xml_parse(body, doc, &root, err);

	if (status != MCW_OK)
		return status;
	memset(answer, 0, sizeof(*answer));
	answer->instance_status = mcw_node_text(root, "Status");
	task = mcw_node_get(mcw_node_get(root, "Tasks"), "Task");
	answer->task_status = mcw_node_text(task, "Status");
	result = mcw_node_get(task, "Result");
	if (result)
	{
		answer->result = result->text.data ? result->text : MCW_LIT("");
		answer->base64 = mcw_view_ieq(mcw_node_text(result, "@Transform"), MCW_LIT("Base64"));
	}
	return MCW_OK;
}

/* The text of a result, decoded, in arena memory */
static mcw_status
take_result(mcs_odps *odps, const task_answer *answer, mcw_arena *arena, mcw_view *text, mcw_error *err)
{
	mcw_buf		decoded;
	mcw_status	status;

	text->data = "";
	text->len = 0;
	if (answer->result.len == 0)
		return MCW_OK;
	if (!answer->base64)
		status = mcw_arena_copy(arena, answer->result, text);
	else
	{
		mcw_buf_init(&decoded, odps->alloc, MAX_RESULT);
		status = mcw_base64_decode(&decoded, answer->result);
		if (status == MCW_OK && decoded.len > 0)
			status = mcw_arena_copy(arena, mcw_buf_view(&decoded), text);
		mcw_buf_free(&decoded);
	}
	return status == MCW_OK ? MCW_OK : mcw_fail(err, status, "the result of an SQL task cannot be read");
}

/* "ODPS-0130131:[1,15] Table not found ..." */
static mcw_status
fail_task(mcw_error *err, mcw_view text, const char *how, mcw_view instance)
{
	const char *number = NULL;
	size_t		len = 0;

	(void) mcw_fail(err, MCW_ERR_SERVICE, "SQL task %s", how);
	for (size_t i = 0; i + 5 < text.len && !number; i++)
		if (memcmp(text.data + i, "ODPS-", 5) == 0)
			number = text.data + i;
	if (number)
	{
		const char *end = text.data + text.len;

		len = 5;
		while (number + len < end && number[len] >= '0' && number[len] <= '9' && len < sizeof(err->code) - 1)
			len++;
		memcpy(err->code, number, len);
		err->code[len] = '\0';
	}
	(void) snprintf(err->text, sizeof(err->text), "%.*s", (int) (text.len < 700 ? text.len : 700), text.data ? text.data : "");
	(void) snprintf(err->request_id, sizeof(err->request_id), "%.*s", (int) instance.len, instance.data);
	return MCW_ERR_SERVICE;
}

/* ---- submit, poll, fetch ---- */

typedef struct sql_run
{
	mcs_odps   *odps;
	const mcs_odps_sql *sql;
	mcw_arena  *arena;
	mcs_odps_sql_result *result;
	bool		finished;		/* the submission brought the result along */
} sql_run;

static mcw_status
instance_get(sql_run *run, const char *flag, mcw_arena *doc, task_answer *answer, mcw_error *err)
{
	mcs_odps_call call;
	mcw_status	status;

	mcs_odps_call_init(&call, run->odps, MCS_ODPS_REST, "GET", MAX_RESULT * 2);
	mcs_odps_call_path(&call, "/instances/%.*s", (int) run->result->instance.len, run->result->instance.data);
	if (flag)
		mcs_odps_call_flag(&call, flag);
	status = mcs_odps_call_run(&call, err);
	if (status == MCW_OK)
		status = parse_answer(mcw_buf_view(&call.req.response), doc, answer, err);
	mcs_odps_call_free(&call);
	return status;
}

/* what the answers say, once nothing more will change */
static mcw_status
settle(sql_run *run, const task_answer *answer, mcw_view task_status, mcw_error *err)
{
	mcw_view	text;
	mcw_status	status = take_result(run->odps, answer, run->arena, &text, err);

	if (status != MCW_OK)
		return status;
	run->result->text = text;
	run->result->in_doubt = false;
	if (mcw_view_ieq(task_status, MCW_LIT("Success")))
		return MCW_OK;
	return fail_task(err, text, mcw_view_ieq(task_status, MCW_LIT("Cancelled")) ? "was cancelled" : "failed",
					 run->result->instance);
}

static mcw_status
submit(sql_run *run, mcw_error *err)
{
	mcs_odps_call call;
	mcw_arena	doc;
	mcw_buf		job;
	mcw_view	location;
	mcw_status	status;

	mcw_buf_init(&job, run->odps->alloc, MAX_QUERY);
	mcw_arena_init(&doc, run->odps->alloc, (size_t) MAX_RESULT * 8);
	status = build_job(run->odps, run->sql, &job, err);
	if (status != MCW_OK)
	{
		mcw_buf_free(&job);
		return status;
	}
	mcs_odps_call_init(&call, run->odps, MCS_ODPS_REST, "POST", MAX_RESULT * 2);
	mcs_odps_call_path(&call, "/instances");
	mcs_odps_call_header(&call, "Content-Type", "application/xml");
	if (run->odps->schema.len > 0)
		mcs_odps_call_param(&call, "curr_schema", run->odps->schema);
	call.req.body = mcw_buf_view(&job);
	call.req.no_retry_after_send = !run->sql->idempotent;
	status = mcs_odps_call_run(&call, err);
	/* only the refusal of a first and only attempt is certain */
	run->result->in_doubt = (call.req.sent || call.req.attempts > 1) &&
		!(status == MCW_ERR_SERVICE && call.req.attempts == 1 && err->http_status >= 400 && err->http_status < 500);
	if (status == MCW_OK)
	{
		size_t		i;

		location = mcn_response_header(&call.req, "Location");
		for (i = location.len; i > 0 && location.data[i - 1] != '/'; i--)
			;
		if (!location.data || i == location.len)
			status = mcw_fail(err, MCW_ERR_PROTOCOL, "the service accepted SQL without naming an instance");
		else if ((status = mcw_arena_copy(run->arena, (mcw_view) {location.data + i, location.len - i},
										  &run->result->instance)) != MCW_OK)
			(void) mcw_fail(err, status, "out of memory");
	}
	if (status == MCW_OK && call.req.http_status == 200 && call.req.response.len > 0)
	{
		task_answer answer;

		status = parse_answer(mcw_buf_view(&call.req.response), &doc, &answer, err);
		if (status == MCW_OK && answer.task_status.len > 0 && answer.result.data)
		{
			run->finished = true;
			status = settle(run, &answer, answer.task_status, err);
		}
	}
	mcs_odps_call_free(&call);
	mcw_buf_free(&job);
	mcw_arena_reset(&doc);
	return status;
}

/* One line per call: M1_job_0:1/2/4[50%] joined by tabs.  Trouble with it is not the job's trouble. */
static mcw_status
report_progress(sql_run *run, mcw_error *err)
{
	const char *task = run->sql->task ? run->sql->task : DEFAULT_TASK;
	mcs_odps_call call;
	mcw_arena	doc;
	mcw_buf		line;
	mcw_node   *root;
	mcw_status	status;

	mcw_arena_init(&doc, run->odps->alloc, (size_t) MAX_RESULT);
	mcw_buf_init(&line, run->odps->alloc, 8192);
	mcs_odps_call_init(&call, run->odps, MCS_ODPS_REST, "GET", MAX_RESULT);
	mcs_odps_call_path(&call, "/instances/%.*s", (int) run->result->instance.len, run->result->instance.data);
	mcs_odps_call_param(&call, "instanceprogress", mcw_str(task));
	mcs_odps_call_param(&call, "taskname", mcw_str(task));
	status = mcs_odps_call_run(&call, err);
	if (status == MCW_OK && mcw_xml_parse(mcw_buf_view(&call.req.response), &doc, &root, NULL) == MCW_OK)
	{
		for (const mcw_node *stage = mcw_node_get(root, "Stage"); stage; stage = mcw_node_next(stage, "Stage"))
		{
			mcw_view	id = mcw_node_text(stage, "@ID");
			int64_t		running = 0,
						done = 0,
						total = 0,
						percent = 0;

			(void) mcw_node_int(stage, "RunningWorkers", &running);
			(void) mcw_node_int(stage, "TerminatedWorkers", &done);
			(void) mcw_node_int(stage, "TotalWorkers", &total);
			(void) mcw_node_int(stage, "FinishedPercentage", &percent);
			(void) mcw_buf_printf(&line, "%s%.*s:%lld/%lld/%lld[%lld%%]", line.len ? "\t" : "",
								  (int) (id.len < 200 ? id.len : 200), id.data ? id.data : "",
								  (long long) running, (long long) done, (long long) total, (long long) percent);
		}
		if (line.len > 0 && mcw_buf_cstr(&line))
			run->sql->progress(run->sql->progress_ctx, mcw_buf_cstr(&line));
	}
	mcs_odps_call_free(&call);
	mcw_buf_free(&line);
	mcw_arena_reset(&doc);
	return status == MCW_ERR_INTERRUPTED ? status : MCW_OK;
}

static mcw_status
poll_until_terminated(sql_run *run, mcw_error *err)
{
	int			delay = FIRST_POLL_MS;

	for (bool first = true;; first = false)
	{
		mcw_arena	doc;
		task_answer answer;
		bool		over = false;
		mcw_status	status;

		mcw_arena_init(&doc, run->odps->alloc, (size_t) MAX_RESULT * 8);
		status = instance_get(run, first ? NULL : "instancestatus", &doc, &answer, err);
		if (status == MCW_OK)
			over = mcw_view_ieq(answer.instance_status, MCW_LIT("Terminated"));
		mcw_arena_reset(&doc);
		if (status != MCW_OK || over)
			return status;
		if (run->sql->progress && delay >= 500)
			status = report_progress(run, err);
		if (status == MCW_OK)
			status = mcs_odps_sleep(run->odps, delay, err);
		if (status != MCW_OK)
			return status;
		if (run->odps->deadline_us > 0 && mcn_now_us() > run->odps->deadline_us)
			return mcw_fail(err, MCW_ERR_TIMEOUT, "SQL instance %.*s did not end in time",
							(int) run->result->instance.len, run->result->instance.data);
		delay = delay * 3 / 2 < LAST_POLL_MS ? delay * 3 / 2 : LAST_POLL_MS;
	}
}

static mcw_status
fetch_result(sql_run *run, mcw_error *err)
{
	mcw_arena	doc;
	task_answer state;
	task_answer answer;
	mcw_status	status;

	mcw_arena_init(&doc, run->odps->alloc, (size_t) MAX_RESULT * 16);
	status = instance_get(run, "taskstatus", &doc, &state, err);
	if (status == MCW_OK)
		status = instance_get(run, "result", &doc, &answer, err);
	if (status == MCW_OK)
		status = settle(run, &answer, state.task_status, err);
	mcw_arena_reset(&doc);
	return status;
}

/* Put the request on the wire if a connection is at hand; nobody waits for its answer. */
static void
cancel_instance(sql_run *run)
{
	mcs_odps_call call;

	mcs_odps_call_init(&call, run->odps, MCS_ODPS_REST, "PUT", 64 * 1024);
	mcs_odps_call_path(&call, "/instances/%.*s", (int) run->result->instance.len, run->result->instance.data);
	mcs_odps_call_header(&call, "Content-Type", "application/xml");
	call.req.body = MCW_LIT("<Instance><Status>Terminated</Status></Instance>");
	mcs_odps_call_start(&call);
	for (int i = 0; i < 8 && call.req.active; i++)
		(void) mcn_loop_step(run->odps->loop, 0);
	mcs_odps_call_free(&call);
}

mcw_status
mcs_odps_run_sql(mcs_odps *odps, const mcs_odps_sql *sql, mcw_arena *arena,
				 mcs_odps_sql_result *result, mcw_error *err)
{
	sql_run		run = {odps, sql, arena, result, false};
	mcw_error	local;
	mcw_status	status;

	if (!err)
		err = &local;
	memset(result, 0, sizeof(*result));
	status = submit(&run, err);
	if (status == MCW_OK && !run.finished)
	{
		status = poll_until_terminated(&run, err);
		if (status == MCW_OK)
			status = fetch_result(&run, err);
	}
	if (status == MCW_ERR_INTERRUPTED && result->instance.len > 0)
		cancel_instance(&run);
	return status;
}
