/*
 * test_ots_service.c
 *		Calls of Tablestore: signatures, errors and what is tried again, the clock,
 *		proof of answers, metadata (tablestore.md 1, 4.7).
 */
#include "ots_server.h"

static void
set_schema(ots_model *model)
{
	model->schema.nkeys = 2;
	model->schema.keys[0] = (mcw_ots_key_column) {MCW_LIT("k"), MCW_OTS_INTEGER};
	model->schema.keys[1] = (mcw_ots_key_column) {MCW_LIT("name"), MCW_OTS_STRING};
}

/* ListTable under one script; the client's error in *err */
static mcw_status
list(ots_rig *rig, const mcn_retry_rule *rules, const ots_step *steps, int nsteps, mcw_error *err)
{
	mcw_arena	arena;
	mcw_view   *names;
	int			n = 0;
	mcw_status	status;

	memset(rig, 0, sizeof(*rig));
	memset(err, 0, sizeof(*err));
	rig->model.steps = steps;
	rig->model.nsteps = nsteps;
	ots_rig_init(rig, &mcw_malloc, rules, "", "");
	mcw_arena_init(&arena, &mcw_malloc, 1 << 20);
	status = mcs_ots_list_tables(&rig->ots, &arena, &names, &n, err);
	if (status == MCW_OK)
	{
		CHECK_INT(n, 2);
		CHECK_VIEW(names[1], MCW_LIT("b"));
	}
	mcw_arena_reset(&arena);
	ots_rig_free(rig);
	return status;
}

/* ---- signatures ---- */

static void
test_signatures(void)
{
	static const char *const regions[] = {"", OTS_REGION};
	static const char *const tokens[] = {NULL, "sts+token/="};
	static const char *const prefixes[] = {"", "/api"};

	for (int i = 0; i < 8; i++)
	{
		ots_rig		rig = {0};
		mcw_arena	arena;
		mcw_view   *names;
		mcw_error	err;
		int			n;

		rig.model.sts = tokens[i & 1];
		ots_rig_init(&rig, &mcw_malloc, mcs_ots_retry_rules, regions[i >> 1 & 1], prefixes[i >> 2]);
		mcw_arena_init(&arena, &mcw_malloc, 1 << 20);
		for (int k = 0; k < 2; k++)
			if (!CHECK_OK(mcs_ots_list_tables(&rig.ots, &arena, &names, &n, &err)))
				printf("    %s\n", err.message);
		CHECK_INT(rig.model.requests, 2);
		CHECK((strstr(rig.model.head, "x-ots-signaturev4: ") != NULL) == (i >> 1 & 1));
		CHECK((strstr(rig.model.head, "x-ots-signature: ") != NULL) != (i >> 1 & 1));
		CHECK((strstr(rig.model.head, "x-ots-ststoken: ") != NULL) == (i & 1));
		CHECK(strstr(rig.model.head, i >> 2 ? "POST /api/ListTable HTTP" : "POST /ListTable HTTP") == rig.model.head);
		CHECK(strstr(rig.model.head, OTS_SECRET) == NULL);
		/* the service's clock is known from then on */
		CHECK(llabs(mcs_ots_service_now(&rig.ots) - mcn_unix_us()) < 60000000);
		mcw_arena_reset(&arena);
		ots_rig_free(&rig);
	}
}

static void
test_wrong_secret(void)
{
	ots_rig		rig = {0};
	mcw_arena	arena;
	mcw_view   *names;
	mcw_error	err;
	int			n;

	ots_rig_init(&rig, &mcw_malloc, mcs_ots_retry_rules, "", "");
	rig.ots.cred.access_key_secret = MCW_LIT("other");
	mcw_arena_init(&arena, &mcw_malloc, 1 << 20);
	CHECK_INT(mcs_ots_list_tables(&rig.ots, &arena, &names, &n, &err), MCW_ERR_SERVICE);
	CHECK_STR(err.code, "OTSAuthFailed");
	CHECK_STR(err.text, "Signature mismatch.");
	CHECK_INT(err.http_status, 403);
	CHECK_INT(rig.model.requests, 1);
	CHECK(strstr(err.message, "other") == NULL);
	mcw_arena_reset(&arena);
	ots_rig_free(&rig);
}

/* ---- errors ---- */

typedef struct refusal
{
	ots_step	step;
	bool		again;			/* asked again when nothing can happen twice */
	bool		once;			/* asked again even if something could */
	bool		row;			/* a row of a batch, too */
} refusal;

static const refusal refusals[] = {
	{{OTS_ERROR, 400, "OTSParameterInvalid", "Invalid table name: x."}},
	{{OTS_ERROR, 400, "OTSInvalidPK", "Validate PK size fail. Input: 2, Meta: 3."}},
	{{OTS_ERROR, 400, "OTSTrimmedDataAccess", "Requested stream data is already trimmed or does not exist."}},
	{{OTS_ERROR, 403, "OTSAuthFailed", "The AccessKeyID does not exist."}},
	{{OTS_ERROR, 403, "OTSNoPermissionAccess", "You have no permission"}},
	{{OTS_ERROR, 403, "OTSConditionCheckFail", "Condition check failed."}},
	{{OTS_ERROR, 403, "OTSQuotaExhausted", "Number of tables exceeded the quota."}},
	{{OTS_ERROR, 403, "OTSQuotaExhausted", "Too frequent table operations."}, true, true, true},
	{{OTS_ERROR, 403, "OTSNotEnoughCapacityUnit", "Remaining capacity unit is not enough."}, true, true, true},
	{{OTS_ERROR, 403, "OTSCapacityUnitExhausted", "Capacity unit is not enough."}},
	{{OTS_ERROR, 404, "OTSObjectNotExist", "Requested table does not exist."}},
	{{OTS_ERROR, 404, "OTSTableNotReady", "The table is not ready."}, true, true, true},
	{{OTS_ERROR, 405, "OTSMethodNotAllowed", "Only POST method for requests is supported."}},
	{{OTS_ERROR, 408, "OTSRequestTimeout", "Request timeout."}, true, false, false},
	{{OTS_ERROR, 409, "OTSObjectAlreadyExist", "Requested table already exists."}},
	{{OTS_ERROR, 409, "OTSRowOperationConflict", "Data is being modified by the other request."}, true, true, true},
	{{OTS_ERROR, 413, "OTSRequestBodyTooLarge", "The size of POST data is too large."}},
	{{OTS_ERROR, 429, "OTSFlowControl", "The requests have been throttled."}, true, true, true},
	{{OTS_ERROR, 500, "OTSInternalServerError", "Internal server error."}, true, false, false},
	{{OTS_ERROR, 503, "OTSServerBusy", "Server is busy."}, true, true, true},
	{{OTS_ERROR, 503, "OTSPartitionUnavailable", "The partition is not available."}, true, true, true},
	{{OTS_ERROR, 503, "OTSTimeout", "Operation timeout."}, true, false, false},
	{{OTS_ERROR, 503, "OTSServerUnavailable", "Server is not available."}, true, false, false},
	{{OTS_ERROR, 502, NULL, "bad gateway"}, true, false, false},
	{{OTS_ERROR, 301, NULL, ""}, false, false, false},
};

static void
check_refusal(const refusal *r, bool once)
{
	bool		again = once ? r->once : r->again;
	ots_rig		rig;
	mcw_error	err;
	mcw_status	status = list(&rig, once ? mcs_ots_once_rules : mcs_ots_retry_rules, &r->step, 1, &err);

	CHECK_INT(rig.model.requests, again ? 2 : 1);
	if (again)
	{
		CHECK_OK(status);
		return;
	}
	CHECK_INT(status, MCW_ERR_SERVICE);
	CHECK_INT(err.status, MCW_ERR_SERVICE);
	CHECK_INT(err.http_status, r->step.http);
	CHECK_STR(err.code, r->step.code ? r->step.code : "");
	CHECK_STR(err.text, r->step.message);
	CHECK_STR(err.request_id, "request-1");
	CHECK(strstr(err.message, "ListTable") != NULL);
}

static void
test_errors(void)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
	{
		const refusal *r = &refusals[i];

		check_refusal(r, false);
		check_refusal(r, true);
		if (r->step.code)
			CHECK_INT(mcs_ots_row_retryable(mcw_str(r->step.code), mcw_str(r->step.message)), r->row);
	}
	CHECK(!mcs_ots_row_retryable(MCW_LIT(""), MCW_LIT("")));
	CHECK(!mcs_ots_row_retryable((mcw_view) {NULL, 0}, (mcw_view) {NULL, 0}));
}

/* A long text is cut at a character's end, one that is no message is shown as it is */
static void
test_error_text(void)
{
	static char text[2000];
	ots_step	step = {OTS_ERROR, 400, "OTSParameterInvalid", text};
	ots_rig		rig;
	mcw_error	err;

	for (int i = 0; i < 900; i += 3)
		memcpy(text + i, "\xe4\xbd\xa0", 4);
	CHECK_INT(list(&rig, mcs_ots_retry_rules, &step, 1, &err), MCW_ERR_SERVICE);
	CHECK_INT(strlen(err.text), 765);
	step = (ots_step) {OTS_ERROR, 403, NULL, "Forbidden by the proxy"};
	CHECK_INT(list(&rig, mcs_ots_retry_rules, &step, 1, &err), MCW_ERR_SERVICE);
	CHECK_STR(err.text, "Forbidden by the proxy");
	CHECK_STR(err.code, "");
	step = (ots_step) {OTS_ERROR, 400, NULL, "\xff\xfe\xfd"};
	CHECK_INT(list(&rig, mcs_ots_retry_rules, &step, 1, &err), MCW_ERR_SERVICE);
	CHECK_STR(err.text, "");
}

/* ---- clock ---- */

static void
test_clock(void)
{
	for (int i = 0; i < 4; i++)
	{
		ots_rig		rig = {0};
		mcw_arena	arena;
		mcw_view   *names;
		mcw_error	err;
		int			n;

		rig.model.skew = i & 1 ? -7200 : 86400 * 400;
		ots_rig_init(&rig, &mcw_malloc, i & 2 ? mcs_ots_once_rules : mcs_ots_retry_rules, i & 1 ? OTS_REGION : "", "");
		mcw_arena_init(&arena, &mcw_malloc, 1 << 20);
		CHECK_OK(mcs_ots_list_tables(&rig.ots, &arena, &names, &n, &err));
		CHECK_INT(rig.model.requests, 2);
		CHECK_INT(rig.ots.clock_fixed, 1);
		CHECK_OK(mcs_ots_list_tables(&rig.ots, &arena, &names, &n, &err));
		CHECK_INT(rig.model.requests, 3);
		CHECK(llabs(mcs_ots_service_now(&rig.ots) - mcn_unix_us() - rig.model.skew * 1000000) < 60000000);
		mcw_arena_reset(&arena);
		ots_rig_free(&rig);
	}
}

/* A service that is never content with the clock is not asked for ever */
static void
test_clock_hopeless(void)
{
	ots_rig		rig = {0};
	mcw_arena	arena;
	mcw_view   *names;
	mcw_error	err;
	int			n;

	rig.model.always_skewed = true;
	ots_rig_init(&rig, &mcw_malloc, mcs_ots_retry_rules, "", "");
	mcw_arena_init(&arena, &mcw_malloc, 1 << 20);
	CHECK_INT(mcs_ots_list_tables(&rig.ots, &arena, &names, &n, &err), MCW_ERR_SERVICE);
	CHECK_STR(err.code, "OTSAuthFailed");
	CHECK_INT(rig.model.requests, 2);
	mcw_arena_reset(&arena);
	ots_rig_free(&rig);
}

/* ---- proof of answers ---- */

static void
test_damage(void)
{
	static const struct
	{
		ots_fault	fault;
		mcw_status	status;		/* if every answer is like that */
		const char *words;
	}			damages[] = {
		{OTS_NO_AUTH, MCW_ERR_PROTOCOL, "no header Authorization"},
		{OTS_BAD_AUTH, MCW_ERR_PROTOCOL, "Authorization that does not match"},
		{OTS_OTHER_ID, MCW_ERR_PROTOCOL, "Authorization that does not match"},
		{OTS_HEADER_CHANGED, MCW_ERR_PROTOCOL, "Authorization that does not match"},
		{OTS_NO_MD5, MCW_ERR_PROTOCOL, "no header x-ots-contentmd5"},
		{OTS_DAMAGED, MCW_ERR_CHECKSUM, "does not match its MD5"},
		{OTS_HTML, MCW_ERR_PROTOCOL, "no header Authorization"},
	};

	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++)
	{
		ots_step	steps[10];
		ots_rig		rig;
		mcw_error	err;

		for (int k = 0; k < 10; k++)
			steps[k] = (ots_step) {damages[i].fault};
		/* once: the next answer counts */
		CHECK_OK(list(&rig, mcs_ots_retry_rules, steps, 1, &err));
		CHECK_INT(rig.model.requests, 2);
		/* always: an end, soon when the answers do not come from the service at all */
		CHECK_INT(list(&rig, mcs_ots_retry_rules, steps, 10, &err), damages[i].status);
		if (!CHECK(strstr(err.message, damages[i].words) != NULL))
			printf("    %s\n", err.message);
		CHECK_INT(rig.model.requests, strstr(damages[i].words, "Authorization") ? 3 : 6);
	}
}

static void
test_reset(void)
{
	static const ots_step steps[] = {{OTS_RESET}, {OTS_RESET}};
	ots_rig		rig;
	mcw_error	err;

	CHECK_OK(list(&rig, mcs_ots_retry_rules, steps, 2, &err));
	CHECK_INT(rig.model.requests, 3);
}

/* ---- metadata ---- */

static void
test_metadata(void)
{
	ots_rig		rig = {0};
	mcw_ots_key point = {.n = 1, .v = {mcw_ots_int(5)}};
	mcw_ots_key *points;
	mcw_ots_table table;
	mcw_arena	arena;
	mcw_error	err;
	int			n;
	static const ots_step refused[] = {
		{OTS_ERROR, 400, "OTSParameterInvalid", "The split size is too small."},
		{OTS_ERROR, 403, "OTSNoPermissionAccess", "You have no permission"},
		{OTS_ERROR, 404, "OTSObjectNotExist", "Requested table does not exist."}};

	set_schema(&rig.model);
	rig.model.points = &point;
	rig.model.npoints = 1;
	ots_rig_init(&rig, &mcw_malloc, mcs_ots_retry_rules, "", "");
	mcw_arena_init(&arena, &mcw_malloc, 1 << 20);
	if (!CHECK_OK(mcs_ots_describe_table(&rig.ots, MCW_LIT(OTS_TABLE), &arena, &table, &err)))
		printf("    %s\n", err.message);
	CHECK_VIEW(table.name, MCW_LIT(OTS_TABLE));
	CHECK_INT(table.schema.nkeys, 2);
	CHECK_VIEW(table.schema.keys[1].name, MCW_LIT("name"));
	CHECK_INT(table.schema.keys[1].type, MCW_OTS_STRING);
	CHECK_INT(table.max_versions, 2);
	CHECK_INT(table.time_to_live, -1);
	if (!CHECK_OK(mcs_ots_split_points(&rig.ots, MCW_LIT(OTS_TABLE), &rig.model.schema, 1 << 20, &arena, &points, &n, &err)))
		printf("    %s\n", err.message);
	CHECK_INT(n, 1);
	CHECK_INT(points[0].v[0].i, 5);
	CHECK_INT(points[0].v[1].type, MCW_OTS_INF_MIN);
	CHECK_INT(rig.ots.read_units, 1);
	rig.model.steps = refused;
	rig.model.nsteps = 3;
	rig.model.counted = 0;
	for (int i = 0; i < 2; i++)
	{
		CHECK_OK(mcs_ots_split_points(&rig.ots, MCW_LIT(OTS_TABLE), &rig.model.schema, 1000, &arena, &points, &n, &err));
		CHECK_INT(n, 0);
	}
	CHECK_INT(mcs_ots_split_points(&rig.ots, MCW_LIT(OTS_TABLE), &rig.model.schema, 1000, &arena, &points, &n, &err), MCW_ERR_SERVICE);
	mcw_arena_reset(&arena);
	/* an arena that is too small is told */
	mcw_arena_init(&arena, &mcw_malloc, 16);
	CHECK_INT(mcs_ots_describe_table(&rig.ots, MCW_LIT(OTS_TABLE), &arena, &table, &err), MCW_ERR_LIMIT);
	mcw_arena_reset(&arena);
	ots_rig_free(&rig);
}

static mcw_status
all_calls(const mcw_alloc *alloc, void *arg)
{
	ots_rig		rig = {0};
	mcw_ots_key point = {.n = 1, .v = {mcw_ots_int(5)}};
	mcw_ots_key *points;
	mcw_ots_table table;
	mcw_view   *names;
	mcw_arena	arena;
	mcw_error	err;
	int			n;
	mcw_status	status;

	(void) arg;
	set_schema(&rig.model);
	rig.model.points = &point;
	rig.model.npoints = 1;
	ots_rig_init(&rig, alloc, mcs_ots_retry_rules, OTS_REGION, "");
	mcw_arena_init(&arena, alloc, 1 << 20);
	status = mcs_ots_describe_table(&rig.ots, MCW_LIT(OTS_TABLE), &arena, &table, &err);
	if (status == MCW_OK)
		status = mcs_ots_list_tables(&rig.ots, &arena, &names, &n, &err);
	if (status == MCW_OK)
		status = mcs_ots_split_points(&rig.ots, MCW_LIT(OTS_TABLE), &rig.model.schema, 1 << 20, &arena, &points, &n, &err);
	mcw_arena_reset(&arena);
	ots_rig_free(&rig);
	return status;
}

static void
test_memory(void)
{
	unit_torture(all_calls, NULL);
}

static void
test_interrupt(void)
{
	ots_rig		rig = {0};
	mcw_arena	arena;
	mcw_view   *names;
	mcw_error	err;
	int			n;

	ots_rig_init(&rig, &mcw_malloc, mcs_ots_retry_rules, "", "");
	mcw_arena_init(&arena, &mcw_malloc, 1 << 20);
	rig.net.host.interrupt_at_us = 1;
	CHECK_INT(mcs_ots_list_tables(&rig.ots, &arena, &names, &n, &err), MCW_ERR_INTERRUPTED);
	CHECK_INT(err.status, MCW_ERR_INTERRUPTED);
	rig.net.host.interrupt_at_us = 0;
	CHECK_OK(mcs_ots_list_tables(&rig.ots, &arena, &names, &n, &err));
	mcw_arena_reset(&arena);
	ots_rig_free(&rig);
}

/* ---- keys as text ---- */

static void
test_key_text(void)
{
	char		buf[MCS_OTS_KEY_TEXT];
	char		small[8];
	char		worst[1024];
	mcw_ots_key key = {.n = 4, .v = {mcw_ots_int(INT64_MIN), mcw_ots_bytes(MCW_OTS_STRING, MCW_LIT("a'\n\xe4\xbd\xa0")),
	mcw_ots_bytes(MCW_OTS_BINARY, MCW_LIT("\x01\xff")), mcw_ots_none(MCW_OTS_INF_MAX)}};

	CHECK_STR(mcs_ots_key_text(&key, buf, sizeof(buf)), "(-9223372036854775808, 'a'\\x0a\xe4\xbd\xa0', \\x01ff, INF_MAX)");
	CHECK(strlen(mcs_ots_key_text(&key, small, sizeof(small))) < sizeof(small));
	memset(worst, 1, sizeof(worst));
	for (int i = 0; i < 4; i++)
		key.v[i] = mcw_ots_bytes(MCW_OTS_STRING, (mcw_view) {worst, sizeof(worst)});
	(void) mcs_ots_key_text(&key, buf, sizeof(buf));
	CHECK(buf[strlen(buf) - 1] == ')');
	CHECK(strstr(buf, "\\x01...'") != NULL);
}

static const unit_case cases[] = {
	{"signatures", test_signatures},
	{"wrong secret", test_wrong_secret},
	{"errors", test_errors},
	{"error text", test_error_text},
	{"clock", test_clock},
	{"clock hopeless", test_clock_hopeless},
	{"damage", test_damage},
	{"reset", test_reset},
	{"metadata", test_metadata},
	{"memory", test_memory},
	{"interrupt", test_interrupt},
	{"key text", test_key_text},
};

UNIT_MAIN(cases)
