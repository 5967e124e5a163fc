/*
 * odps_instance.c
 *		mc-emulator, MaxCompute part: instances, the asynchronous life of SQL.
 *
 * An instance runs for odps_set.instance_us of emulator time; its statement takes
 * effect at the end, so a cancelled one did nothing.  Reference: maxcompute.md 2.6
 * to 2.10, 5.1 (source of the instance tunnel).
 */
#include "odps.h"

#include <stdlib.h>

#define KEEP_US (48 * 3600 * ODPS_SECOND)

typedef enum instance_state
{
	RUNNING, DONE, CANCELLED
} instance_state;

typedef struct instance
{
	char		id[40];
	odps_project *project;
	char	   *task;
	char	   *query;
	char	   *job;			/* the <Job> as submitted, for ?source */
	char	   *schema;			/* odps.default.schema */
	int			zone;			/* seconds east, of odps.sql.timezone */
	bool		namespaces;
	bool		odps2;
	int64_t		start_us;
	int64_t		end_us;			/* when it ends or ended */
	instance_state state;
	odps_result result;
	struct instance *next;		/* newest first */
} instance;

static instance *instances;
static int	nrunning;

static instance *
find_instance(const odps_project *project, mcw_view id)
{
	for (instance *i = instances; i; i = i->next)
		if (i->project == project && mcw_view_eq(mcw_str(i->id), id))
			return i;
	return NULL;
}

static void
finish(instance *i)
{
	odps_sql_env env = {i->project, mcw_str(i->schema), i->namespaces, i->odps2, i->end_us / ODPS_SECOND};
	int			saved = odps_csv_zone;

	odps_csv_zone = i->zone;
	odps_sql_run(&env, mcw_str(i->query), &i->result);
	odps_csv_zone = saved;
	i->state = DONE;
	nrunning--;
}

/* The running instance that ends first, if its time has come */
static instance *
next_due(int64_t now_us)
{
	instance   *due = NULL;

	for (instance *i = instances; i; i = i->next)
		if (i->state == RUNNING && now_us >= i->end_us && (!due || i->end_us <= due->end_us))
			due = i;
	return due;
}

static void
forget_old(int64_t now_us)
{
	instance  **p = &instances;

	while (*p)
	{
		instance   *i = *p;

		if (i->state == RUNNING || now_us - i->end_us < KEEP_US)
		{
			p = &i->next;
			continue;
		}
		*p = i->next;
		odps_result_free(&i->result);
		free(i->task);
		free(i->query);
		free(i->job);
		free(i->schema);
		free(i);
	}
}

void
odps_instance_tick(int64_t now_us)
{
	static int64_t forgot_at;
	instance   *i;

	while (nrunning > 0 && (i = next_due(now_us)) != NULL)
		finish(i);
	if (now_us - forgot_at > 60 * ODPS_SECOND || now_us < forgot_at)
	{
		forget_old(now_us);
		forgot_at = now_us;
	}
}

/* ---- submission ---- */

static bool
zone_of(mcw_view name, int *zone)
{
	static const struct
	{
		const char *name;
		int			seconds;
	}			zones[] = {
		{"Asia/Shanghai", 28800}, {"UTC", 0}, {"GMT", 0}, {"Etc/GMT", 0}, {"Etc/UTC", 0}, {"Europe/London", 0},
	};

	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
		if (mcw_view_ieq(name, mcw_str(zones[i].name)))
		{
			*zone = zones[i].seconds;
			return true;
		}
	return false;
}

static bool
setting_true(const mcw_node *settings, const char *name)
{
	return mcw_view_ieq(mcw_node_text(settings, name), MCW_LIT("true"));
}

/* false after answering */
static bool
read_settings(emu_request *req, emu_response *resp, const mcw_node *sql, instance *i)
{
	const mcw_node *config = mcw_node_get(sql, "Config");
	mcw_error	err = {0};
	mcw_node   *settings = NULL;
	mcw_view	v;

	for (const mcw_node *p = mcw_node_get(config, "Property"); p; p = mcw_node_next(p, "Property"))
		if (mcw_view_eq(mcw_node_text(p, "Name"), MCW_LIT("settings")) && mcw_node_text(p, "Value").len > 0 &&
			mcw_json_parse(mcw_node_text(p, "Value"), req->arena, &settings, &err) != MCW_OK)
		{
			odps_error(req, resp, 400, "InvalidParameter", "ODPS-0420061:Invalid parameter - settings: %s", err.message);
			return false;
		}
	v = mcw_node_text(settings, "odps.default.schema");
	if (v.len == 0)
		v = odps_param(req, "curr_schema");
	i->schema = emu_strdup(v.len ? v : MCW_LIT("default"));
	i->namespaces = setting_true(settings, "odps.namespace.schema") || setting_true(settings, "odps.sql.allow.namespace.schema");
	i->odps2 = setting_true(settings, "odps.sql.type.system.odps2");
	v = mcw_node_text(settings, "odps.sql.timezone");
	i->zone = 28800;
	if (v.len > 0 && !zone_of(v, &i->zone))
		emu_log("maxcompute: time zone %.*s is not known, text results show UTC+8", (int) v.len, v.data);
	return true;
}

static void put_result(mcw_buf *b, const instance *i);

/* The <Job> element of the submitted document, for ?source */
static char *
job_text(mcw_view body)
{
	const char *start = memmem(body.data, body.len, "<Job", 4);
	const char *end = NULL;
	const char *p = start;

	while (p && (p = memmem(p, (size_t) (body.data + body.len - p), "</Job>", 6)) != NULL)
		end = p += 6;
	if (!start || !end)
		return emu_strdup(body);
	return emu_strdup((mcw_view) {start, (size_t) (end - start)});
}

static void
submit(emu_request *req, emu_response *resp, odps_target *t)
{
	mcw_node   *root;
	const mcw_node *tasks;
	const mcw_node *sql;
	instance   *i;

	if (!odps_rest_body(req, resp, &root))
		return;
	tasks = mcw_node_get(mcw_node_get(root, "Job"), "Tasks");
	sql = mcw_node_get(tasks, "SQL");
	if (!sql)
	{
		odps_error(req, resp, 400, tasks && tasks->first ? "NotImplemented" : "MalformedXML",
				   "ODPS-0420031:Invalid xml in HTTP request body - only SQL tasks are offered by this emulator");
		return;
	}
	i = emu_malloc(sizeof(*i));
	memset(i, 0, sizeof(*i));
	if (!read_settings(req, resp, sql, i))
	{
		free(i->schema);
		free(i);
		return;
	}
	odps_unique_id(req->now_us, i->id);
	i->project = t->project;
	i->task = emu_strdup(mcw_node_text(sql, "Name").len ? mcw_node_text(sql, "Name") : MCW_LIT("AnonymousSQLTask"));
	i->query = emu_strdup(mcw_node_text(sql, "Query"));
	i->job = job_text(req->body);
	i->start_us = req->now_us;
	i->end_us = req->now_us + odps_set.instance_us;
	i->next = instances;
	instances = i;
	nrunning++;
	odps_count.instances++;
	odps_instance_tick(req->now_us);
	emu_header_add(resp, "Location", "http://%.*s/projects/%s/instances/%s", (int) req->host.len,
				   req->host.data, t->project->name, i->id);
	if (odps_has(req, "tryWait") && i->state == DONE)
	{
		put_result(&resp->body, i);
		odps_reply_xml(resp, 200);
	}
	else
		resp->status = 201;
}

/* ---- documents ---- */

static const char *
task_status(const instance *i)
{
	return i->state == RUNNING ? "Running" : i->state == CANCELLED ? "Cancelled" : i->result.failed ? "Failed" : "Success";
}

static const char *
instance_status(const instance *i)
{
	return i->state == RUNNING ? "Running" : "Terminated";
}

/* Text with control characters or other than UTF-8 travels as base64 */
static bool
fits_xml(mcw_view text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char) text.data[i] < 0x20 && text.data[i] != '\n' && text.data[i] != '\t')
			return false;
	return mcw_utf8_valid(text.data, text.len) == text.len;
}

static void
put_result(mcw_buf *b, const instance *i)
{
	(void) mcw_buf_append_str(b, "<?xml version=\"1.0\"?>\n<Instance><Tasks><Task Type=\"SQL\">");
	odps_xml_text(b, "Name", mcw_str(i->task));
	if (i->state == DONE)
	{
		bool		xml = fits_xml(mcw_buf_view(&i->result.text));

		(void) mcw_buf_printf(b, "<Result Format=\"%s\"%s>", i->result.format, xml ? "" : " Transform=\"Base64\"");
		if (xml)
			(void) mcw_xml_escape(b, mcw_buf_view(&i->result.text));
		else
			(void) mcw_base64_encode(b, mcw_buf_view(&i->result.text));
		(void) mcw_buf_append_str(b, "</Result>");
	}
	else
		(void) mcw_buf_append_str(b, "<Result Format=\"text\"></Result>");
	(void) mcw_buf_printf(b, "<Status>%s</Status></Task></Tasks></Instance>", task_status(i));
}

static void
put_task_status(mcw_buf *b, const instance *i)
{
	(void) mcw_buf_printf(b, "<?xml version=\"1.0\"?>\n<Instance><Status>%s</Status><Tasks><Task Type=\"SQL\">", instance_status(i));
	odps_xml_text(b, "Name", mcw_str(i->task));
	odps_xml_time_element(b, "StartTime", i->start_us / ODPS_SECOND);
	if (i->state != RUNNING)
		odps_xml_time_element(b, "EndTime", i->end_us / ODPS_SECOND);
	(void) mcw_buf_printf(b, "<Status>%s</Status><Histories></Histories></Task></Tasks></Instance>", task_status(i));
}

static void
put_progress(mcw_buf *b, const instance *i)
{
	bool		running = i->state == RUNNING;

	(void) mcw_buf_printf(b, "<?xml version=\"1.0\"?>\n<Progress><Stage ID=\"M1_job_0\"><Status>%s</Status><BackupWorkers>0</BackupWorkers>"
						  "<TerminatedWorkers>%d</TerminatedWorkers><RunningWorkers>%d</RunningWorkers><TotalWorkers>1</TotalWorkers>"
						  "<InputRecords>0</InputRecords><OutputRecords>0</OutputRecords><FinishedPercentage>%d</FinishedPercentage>"
						  "</Stage></Progress>", running ? "RUNNING" : i->state == CANCELLED ? "CANCELLED" : i->result.failed ? "FAILED" : "TERMINATED",
						  running ? 0 : 1, running ? 1 : 0, running ? 0 : 100);
}

static void
get_instance(emu_request *req, emu_response *resp, const instance *i)
{
	mcw_buf    *b = &resp->body;
	char		date[32];

	emu_header_add(resp, "x-odps-owner", "%s", ODPS_OWNER);
	emu_header_add(resp, "x-odps-start-time", "%s", odps_xml_time(i->start_us / ODPS_SECOND, date));
	emu_header_add(resp, "x-odps-end-time", "%s",
				   odps_xml_time((i->state == RUNNING ? i->start_us : i->end_us) / ODPS_SECOND, date));
	if (odps_has(req, "taskstatus"))
		put_task_status(b, i);
	else if (odps_has(req, "result"))
		put_result(b, i);
	else if (odps_has(req, "instanceprogress"))
		put_progress(b, i);
	else if (odps_has(req, "source"))
		(void) mcw_buf_append_str(b, i->job);
	else if (odps_has(req, "instancesummary"))
	{
		emu_header_add(resp, "x-odps-task-finalized", "%s", i->state == RUNNING ? "false" : "true");
		(void) mcw_buf_append_str(b, "{\"Instance\":{\"Summary\":\"\",\"JsonSummary\":\"{\\\"Cost\\\":{\\\"CPU\\\":0,\\\"Memory\\\":0,"
								  "\\\"Input\\\":0},\\\"Inputs\\\":{},\\\"Outputs\\\":{}}\"}}");
		odps_reply_json(resp, 200);
		return;
	}
	else if (odps_has(req, "instancedetail") || odps_has(req, "detail") || odps_has(req, "instancequota") || odps_has(req, "cached"))
	{
		(void) mcw_buf_printf(b, "{\"instanceId\":\"%s\",\"projectName\":\"%s\",\"status\":\"%s\",\"taskType\":\"SQL\"}",
							  i->id, i->project->name, instance_status(i));
		odps_reply_json(resp, 200);
		return;
	}
	else
		(void) mcw_buf_printf(b, "<?xml version=\"1.0\"?>\n<Instance><Status>%s</Status></Instance>", instance_status(i));
	odps_reply_xml(resp, 200);
}

static void
cancel(emu_request *req, emu_response *resp, instance *i)
{
	mcw_node   *root;

	if (!odps_rest_body(req, resp, &root))
		return;
	if (!mcw_view_eq(mcw_node_text(root, "Status"), MCW_LIT("Terminated")))
		odps_error(req, resp, 400, "InvalidParameter", "ODPS-0420061:Invalid parameter - the only change is to Terminated");
	else if (i->state != RUNNING)
		odps_error(req, resp, 400, "InvalidStateSetting", "ODPS-0410071:The instance has finished already");
	else
	{
		i->state = CANCELLED;
		nrunning--;
		i->end_us = req->now_us;
		resp->status = 200;
	}
}

/* ---- listing ---- */

static void
list_instances(emu_request *req, emu_response *resp, const odps_project *project)
{
	mcw_buf    *b = &resp->body;
	mcw_view	status = odps_param(req, "status");
	mcw_view	marker;
	int			max = odps_page(req, &marker);
	bool		started = marker.len == 0;
	const char *next = NULL;
	mcw_buf		items;
	int			n = 0;

	mcw_buf_init(&items, &mcw_malloc, (size_t) 64 << 20);
	for (const instance *i = instances; i; i = i->next)
	{
		if (!started)
			started = mcw_view_eq(mcw_str(i->id), marker);
		if (!started || i->project != project || (status.len && !mcw_view_ieq(status, mcw_str(instance_status(i)))))
			continue;
		if (n++ == max)
		{
			next = i->id;
			break;
		}
		(void) mcw_buf_append_str(&items, "<Instance>");
		odps_xml_text(&items, "Name", mcw_str(i->id));
		odps_xml_text(&items, "Owner", MCW_LIT(ODPS_OWNER));
		odps_xml_time_element(&items, "StartTime", i->start_us / ODPS_SECOND);
		if (i->state != RUNNING)
			odps_xml_time_element(&items, "EndTime", i->end_us / ODPS_SECOND);
		(void) mcw_buf_printf(&items, "<Status>%s</Status></Instance>", instance_status(i));
	}
	(void) mcw_buf_printf(b, "<?xml version=\"1.0\"?>\n<Instances><Marker>%s</Marker><MaxItems>%d</MaxItems>", next ? next : "", max);
	(void) mcw_buf_append_view(b, mcw_buf_view(&items));
	(void) mcw_buf_append_str(b, "</Instances>");
	mcw_buf_free(&items);
	odps_reply_xml(resp, 200);
}

void
odps_instances(emu_request *req, emu_response *resp, odps_target *t)
{
	bool		get = mcw_view_eq(req->http.method, MCW_LIT("GET"));
	instance   *i;

	if (t->nseg == 3)
	{
		if (get)
			list_instances(req, resp, t->project);
		else
			submit(req, resp, t);
		return;
	}
	i = find_instance(t->project, t->seg[3]);
	if (!i)
		odps_error(req, resp, 404, "NoSuchObject", "ODPS-0420091:Instance not found - %.*s", (int) t->seg[3].len, t->seg[3].data);
	else if (get)
		get_instance(req, resp, i);
	else if (mcw_view_eq(req->http.method, MCW_LIT("PUT")))
		cancel(req, resp, i);
	else
		odps_error(req, resp, 405, "MethodNotAllowed", "method is not allowed here");
}

bool
odps_instance_source(emu_request *req, emu_response *resp, odps_target *t, mcw_view id, odps_schema **schema, odps_content **content)
{
	instance   *i = find_instance(t->project, id);

	if (!i)
		odps_error(req, resp, 404, "NoSuchInstance", "instance %.*s does not exist", (int) id.len, id.data);
	else if (i->state == RUNNING)
		odps_error(req, resp, 409, "InstanceNotTerminate", "instance %s is running", i->id);
	else if (i->state == CANCELLED || i->result.failed)
		odps_error(req, resp, 400, "TaskFailed", "the task of instance %s did not succeed", i->id);
	else if (!i->result.is_select)
		odps_error(req, resp, 400, "InstanceTypeNotSupported", "instance %s is not a SELECT", i->id);
	else
	{
		*schema = i->result.schema;
		*content = i->result.content;
		return true;
	}
	return false;
}

void
odps_instance_state(mcw_buf *out)
{
	int			count[3] = {0};

	for (const instance *i = instances; i; i = i->next)
		count[i->state]++;
	(void) mcw_buf_printf(out, "{\"running\":%d,\"done\":%d,\"cancelled\":%d}", count[RUNNING], count[DONE], count[CANCELLED]);
}
