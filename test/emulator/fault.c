/*
 * fault.c
 *		mc-emulator: the fault plan, an array of rules matched against every request.
 *
 * The plan decides; http.c (transport faults) and the services (emu_fault_armed)
 * act.  All matching rules count the request; the first transport action among
 * those that strike wins, delays add up, service kinds are armed side by side.
 */
#include <stdlib.h>

#include "core.h"

#define MAX_RULES 256
#define PLAN_ARENA ((size_t) 16 << 20)

struct emu_fault_rule
{
	mcw_view	service;		/* empty = any */
	mcw_view	api;			/* empty or "*" = any */
	mcw_view	method;
	mcw_view	path;			/* substring of the target; empty = any */
	mcw_view	kind;			/* the action's name */
	emu_action	action;
	int64_t		nth;			/* 0 = not set */
	int64_t		every;
	int64_t		after;			/* the first so many matching requests are spared */
	double		probability;	/* < 0 = not set */
	int64_t		count;			/* at most so often; -1 = no limit */
	int64_t		ms;
	int64_t		at;
	int			http;
	char	   *code;
	char	   *message;
	uint64_t	seed;
	uint64_t	random;
	uint64_t	matched;
	uint64_t	fired;
	uint64_t	failed;			/* commands that did */
	const mcw_node *node;
};

static const struct
{
	const char *name;
	emu_action	action;
}			actions[] = {
	{"status", EMU_ACT_STATUS},
	{"status_after", EMU_ACT_STATUS_AFTER},
	{"reset_before", EMU_ACT_RESET_BEFORE},
	{"reset_after", EMU_ACT_RESET_AFTER},
	{"reset_mid_body", EMU_ACT_RESET_MID_BODY},
	{"stall_before", EMU_ACT_STALL_BEFORE},
	{"stall_after", EMU_ACT_STALL_AFTER},
	{"stall_mid_body", EMU_ACT_STALL_MID_BODY},
	{"truncate_body", EMU_ACT_TRUNCATE_BODY},
	{"corrupt_body", EMU_ACT_CORRUPT_BODY},
	{"delay", EMU_ACT_DELAY},
	{"drop", EMU_ACT_DROP},
	{"close_after", EMU_ACT_CLOSE_AFTER},
	{"command", EMU_ACT_COMMAND}
};

static emu_fault_rule *rules = NULL;
static int	nrules = 0;
static mcw_arena plan_arena;
static bool plan_arena_ready = false;
static uint64_t plan_requests = 0;
static uint64_t generation = 1;

/* Of the request being handled */
static emu_fault_hit *current_hit = NULL;
static uint64_t current_serial = 0;
static const emu_fault_rule *consumed = NULL;

static void
rules_free(emu_fault_rule *r, int n)
{
	for (int i = 0; i < n; i++)
	{
		free(r[i].code);
		free(r[i].message);
	}
	free(r);
}

static uint64_t
next_random(uint64_t *state)
{
	uint64_t	x = *state += UINT64_C(0x9E3779B97F4A7C15);

	x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
	return x ^ (x >> 31);
}

static int64_t
int_or(const mcw_node *node, const char *name, int64_t missing)
{
	int64_t		v;

	return mcw_node_int(node, name, &v) ? v : missing;
}

static mcw_view
text_or_empty(const mcw_node *node, const char *name)
{
	mcw_view	v = mcw_node_text(node, name);

	return v.data ? v : MCW_LIT("");
}

static bool
load_rule(const mcw_node *node, int index, emu_fault_rule *r, mcw_error *err)
{
	mcw_view	v;

	memset(r, 0, sizeof(*r));
	if (node->kind != MCW_NODE_OBJECT)
	{
		mcw_fail(err, MCW_ERR_FORMAT, "fault rule %d is not an object", index);
		return false;
	}
	r->node = node;
	r->service = text_or_empty(node, "service");
	r->api = text_or_empty(node, "api");
	r->method = text_or_empty(node, "method");
	r->path = text_or_empty(node, "path");
	r->kind = text_or_empty(node, "action");
	if (r->kind.len == 0)
	{
		mcw_fail(err, MCW_ERR_FORMAT, "fault rule %d has no action", index);
		return false;
	}
	r->action = EMU_ACT_SERVICE;
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (mcw_view_eq(r->kind, mcw_str(actions[i].name)))
			r->action = actions[i].action;
	r->nth = int_or(node, "nth", 0);
	r->every = int_or(node, "every", 0);
	r->after = int_or(node, "after", 0);
	r->count = int_or(node, "count", r->nth > 0 ? 1 : -1);
	r->ms = int_or(node, "ms", r->action == EMU_ACT_DELAY ? 0 : -1);
	r->at = int_or(node, "at", -1);
	r->http = (int) int_or(node, "http", 503);
	r->seed = r->random = (uint64_t) int_or(node, "seed", 1);
	r->probability = -1;
	v = mcw_node_text(node, "probability");
	if (v.data)
	{
		char	   *copy = emu_strdup(v);

		r->probability = strtod(copy, NULL);
		free(copy);
	}
	if (r->action == EMU_ACT_COMMAND && mcw_node_get(node, "command") == NULL)
	{
		mcw_fail(err, MCW_ERR_FORMAT, "fault rule %d: action command without a command", index);
		return false;
	}
	if (r->http < 200 || r->http > 599 || r->nth < 0 || r->every < 0 || r->ms < -1 || r->probability > 1)
	{
		mcw_fail(err, MCW_ERR_RANGE, "fault rule %d: nth, every, ms, http or probability out of range", index);
		return false;
	}
	v = text_or_empty(node, "code");
	r->code = emu_strdup(v.len > 0 ? v : MCW_LIT("ServerBusy"));
	v = text_or_empty(node, "message");
	r->message = emu_strdup(v.len > 0 ? v : MCW_LIT("injected by the fault plan"));
	return true;
}

bool
emu_fault_load(mcw_view json, mcw_error *err)
{
	mcw_arena	arena;
	mcw_node   *root = NULL;
	emu_fault_rule *fresh;
	int			n = 0;

	mcw_arena_init(&arena, &mcw_malloc, PLAN_ARENA);
	if (mcw_json_parse(json, &arena, &root, err) != MCW_OK)
	{
		mcw_arena_reset(&arena);
		return false;
	}
	if (root->kind == MCW_NODE_OBJECT && mcw_node_get(root, "rules"))
		root = (mcw_node *) mcw_node_get(root, "rules");
	if (root->kind != MCW_NODE_ARRAY || root->nchildren > MAX_RULES)
	{
		mcw_fail(err, MCW_ERR_FORMAT, "a fault plan is an array of at most %d rules", MAX_RULES);
		mcw_arena_reset(&arena);
		return false;
	}
	fresh = emu_malloc((root->nchildren + 1) * sizeof(*fresh));
	for (const mcw_node *node = root->first; node; node = node->next)
		if (load_rule(node, n, &fresh[n], err))
			n++;
		else
		{
			rules_free(fresh, n);
			mcw_arena_reset(&arena);
			return false;
		}
	emu_fault_free();
	rules = fresh;
	nrules = n;
	plan_arena = arena;
	plan_arena_ready = true;
	plan_requests = 0;
	generation++;
	return true;
}

void
emu_fault_free(void)
{
	rules_free(rules, nrules);
	rules = NULL;
	nrules = 0;
	if (plan_arena_ready)
		mcw_arena_reset(&plan_arena);
	plan_arena_ready = false;
	current_hit = NULL;
	consumed = NULL;
}

static bool
rule_matches(const emu_fault_rule *r, const emu_request *req)
{
	if (r->service.len > 0 && !mcw_view_eq(r->service, MCW_LIT("*")) &&
		!mcw_view_eq(r->service, mcw_str(req->service->name)))
		return false;
	if (r->api.len > 0 && !mcw_view_eq(r->api, MCW_LIT("*")) &&
		!mcw_view_eq(r->api, mcw_str(req->api)))
		return false;
	if (r->method.len > 0 && !mcw_view_ieq(r->method, req->http.method))
		return false;
	return r->path.len == 0 ||
		memmem(req->raw_target.data, req->raw_target.len, r->path.data, r->path.len) != NULL;
}

/* Does the rule strike its matched-th request?  Every condition given must hold. */
static bool
rule_strikes(emu_fault_rule *r)
{
	if (r->count >= 0 && r->fired >= (uint64_t) r->count)
		return false;
	if (r->matched <= (uint64_t) r->after)
		return false;
	if (r->nth > 0 && r->matched != (uint64_t) r->nth)
		return false;
	if (r->every > 0 && r->matched % (uint64_t) r->every != 0)
		return false;
	if (r->probability >= 0 &&
		(double) (next_random(&r->random) >> 11) / 9007199254740992.0 >= r->probability)
		return false;
	return true;
}

static void
copy_name(emu_fault_hit *hit, const emu_fault_rule *r)
{
	size_t		n = r->kind.len < sizeof(hit->name) - 1 ? r->kind.len : sizeof(hit->name) - 1;

	memcpy(hit->name, r->kind.data, n);
	hit->name[n] = '\0';
}

void
emu_fault_begin(const emu_request *req, emu_fault_hit *hit)
{
	if (hit->plan != generation)
		hit->narmed = 0;		/* the plan was replaced while the request was held */
	current_hit = hit;
	current_serial = req->serial;
	consumed = NULL;
}

/* A split, a clock step, an appended group in the middle of a test's scan */
static void
run_command(emu_fault_hit *hit, emu_fault_rule *r, const emu_request *req)
{
	mcw_buf		reply;
	mcw_error	err = {0};

	mcw_buf_init(&reply, &mcw_malloc, (size_t) 1 << 24);
	r->fired++;
	if (!emu_command(mcw_node_get(r->node, "command"), req->service, &reply, &err))
	{
		r->failed++;
		fprintf(stderr, "mc-emulator: the command of a fault rule failed: %s\n", err.message);
	}
	mcw_buf_free(&reply);
	if (hit->name[0] == '\0')
		copy_name(hit, r);
}

void
emu_fault_match(const emu_request *req, emu_fault_hit *hit)
{
	plan_requests++;
	hit->at = -1;
	hit->ms = -1;
	hit->plan = generation;
	for (int i = 0; i < nrules; i++)
	{
		emu_fault_rule *r = &rules[i];

		if (!rule_matches(r, req))
			continue;
		r->matched++;
		if (!rule_strikes(r))
			continue;
		if (r->action == EMU_ACT_SERVICE)
		{
			if (hit->narmed < EMU_MAX_ARMED)
				hit->armed[hit->narmed++] = r;
		}
		else if (r->action == EMU_ACT_COMMAND)
			run_command(hit, r, req);
		else if (r->action == EMU_ACT_DELAY)
		{
			r->fired++;
			hit->delay_ms += r->ms;
			if (hit->name[0] == '\0')
				copy_name(hit, r);
		}
		else if (hit->action == EMU_ACT_NONE)
		{
			r->fired++;
			hit->action = r->action;
			hit->name[0] = '\0';
			copy_name(hit, r);
			hit->ms = r->ms;
			hit->at = r->at;
			hit->http = r->http;
			hit->code = r->code;
			hit->message = r->message;
			hit->seed = r->seed + r->fired;
		}
	}
}

bool
emu_fault_armed(const emu_request *req, const char *kind)
{
	if (current_hit == NULL || req->serial != current_serial)
		return false;
	for (int i = 0; i < current_hit->narmed; i++)
	{
		emu_fault_rule *r = (emu_fault_rule *) current_hit->armed[i];

		if (!mcw_view_eq(r->kind, mcw_str(kind)))
			continue;
		r->fired++;
		consumed = r;
		if (current_hit->name[0] == '\0')
			copy_name(current_hit, r);
		current_hit->armed[i] = current_hit->armed[--current_hit->narmed];
		return true;
	}
	return false;
}

int64_t
emu_fault_param(const char *name, int64_t missing)
{
	return consumed ? int_or(consumed->node, name, missing) : missing;
}

mcw_view
emu_fault_text(const char *name)
{
	return consumed ? mcw_node_text(consumed->node, name) : (mcw_view) {NULL, 0};
}

void
emu_fault_forget(void)
{
	current_hit = NULL;
	consumed = NULL;
}

uint64_t
emu_fault_requests(void)
{
	return plan_requests;
}

void
emu_fault_report(mcw_buf *out)
{
	mcw_buf_append_char(out, '[');
	for (int i = 0; i < nrules; i++)
	{
		mcw_buf_printf(out, "%s{\"rule\":%d,\"action\":", i ? "," : "", i);
		mcw_json_quote(out, rules[i].kind);
		mcw_buf_printf(out, ",\"matched\":%llu,\"fired\":%llu", (unsigned long long) rules[i].matched, (unsigned long long) rules[i].fired);
		mcw_buf_append_str(out, ",\"failed\":");
		mcw_buf_printf(out, "%llu}", (unsigned long long) rules[i].failed);
	}
	mcw_buf_append_char(out, ']');
}
