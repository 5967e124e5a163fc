/*
 * test_oss_service_write.c
 *		Uploads of OSS: parts and their proof, what the service's list must say,
 *		publishing when answers get lost, deletes, uploads left behind (guarantees 6.3).
 */
#include "oss_server.h"

#define TOKEN "0123456789abcdef"
#define SECONDS(n) (mcn_now_us() + (int64_t) (n) * 1000000)

static char big[3][200000];

static void
fill(void)
{
	unit_random random = {5};

	for (int i = 0; i < 3; i++)
		unit_fill(&random, big[i], sizeof(big[i]), 256);
}

static mcs_oss_upload
new_upload(const char *key, const mcw_alloc *alloc)
{
	return (mcs_oss_upload) {.key = mcw_str(key), .content_type = MCW_LIT("text/csv"), .token = MCW_LIT(TOKEN), .alloc = alloc};
}

static mcw_status
open_upload(oss_rig *rig, mcs_oss_upload *upload, mcw_error *err)
{
	mcs_oss_call call;
	mcw_status	status;

	mcs_oss_upload_open(&call, &rig->oss, upload);
	status = mcs_oss_call_run(&call, err);
	if (status != MCW_ERR_INTERRUPTED)
		status = mcs_oss_upload_opened(&call, upload, err);
	mcs_oss_call_free(&call);
	return status;
}

static mcw_status
put_part(oss_rig *rig, mcs_oss_upload *upload, int number, mcw_view body, mcw_error *err)
{
	mcs_oss_call call;
	mcw_status	status;

	mcs_oss_upload_put_part(&call, &rig->oss, upload, number, body);
	(void) mcs_oss_call_run(&call, err);
	status = mcs_oss_upload_stored(&call, upload, number, err);
	mcs_oss_call_free(&call);
	return status;
}

/* Three parts, acknowledged in another order */
static bool
upload_parts(oss_rig *rig, mcs_oss_upload *upload)
{
	static const int order[] = {2, 3, 1};
	mcw_error	err;
	int			number;
	bool		ok = CHECK_OK(open_upload(rig, upload, &err));

	for (int i = 0; ok && i < 3; i++)
	{
		ok = CHECK_OK(mcs_oss_upload_new_part(upload, &number, &err));
		CHECK_INT(number, i + 1);
	}
	for (int i = 0; ok && i < 3; i++)
	{
		ok = CHECK_OK(put_part(rig, upload, order[i], (mcw_view) {big[order[i] - 1], sizeof(big[0]) - (order[i] == 3) * 1000}, &err));
		if (!ok)
			printf("    %s\n", err.message);
	}
	return ok;
}

static mcw_status
verify(oss_rig *rig, mcs_oss_upload *upload, mcw_error *err)
{
	mcs_oss_call call;

	mcs_oss_upload_verify_begin(&call, &rig->oss, upload);
	return mcs_oss_upload_verify_end(&call, &rig->oss, upload, err);
}

static bool
is_there(oss_rig *rig, const char *key)
{
	oss_thing  *thing = oss_find(&rig->model, mcw_str(key));

	return thing && thing->len == 599000 && memcmp(thing->data, big[0], 200000) == 0 && memcmp(thing->data + 200000, big[1], 200000) == 0 &&
		memcmp(thing->data + 400000, big[2], 199000) == 0 && strcmp(thing->token, TOKEN) == 0;
}

static void
test_upload(void)
{
	for (int i = 0; i < 4; i++)
	{
		oss_rig    *rig = oss_rig_new();
		mcs_oss_upload upload = new_upload("dir/a b+\xe4\xbd\xa0.csv", &mcw_malloc);
		mcw_error	err;
		mcw_buf		etag;

		rig->model.v4 = i & 1;
		rig->model.path_style = i & 2;
		oss_rig_init(rig, &mcw_malloc);
		if (upload_parts(rig, &upload))
		{
			CHECK(oss_find(&rig->model, upload.key) == NULL);
			if (!CHECK_OK(verify(rig, &upload, &err)))
				printf("    %s\n", err.message);
			CHECK_INT(mcs_oss_publish(&rig->oss, rig->once, &upload, MCW_LIT(""), SECONDS(5), &err), MCS_OSS_PUBLISHED);
			CHECK(is_there(rig, "dir/a b+\xe4\xbd\xa0.csv"));
			CHECK_INT(upload.size, 599000);
			CHECK(upload.sent);
			CHECK_INT(rig->model.requests, 7);
			mcw_buf_init(&etag, &mcw_malloc, 100);
			CHECK_OK(mcs_oss_upload_etag(&upload, &etag, &err));
			CHECK(etag.len == 34 && memcmp(etag.data + 32, "-3", 2) == 0);
			mcw_buf_free(&etag);
		}
		mcs_oss_upload_free(&upload);
		CHECK_INT(rig->model.bad_signatures, 0);
		oss_rig_end(rig);
	}
}

/* Parts that differ are sent again, lists that differ are errors */
static void
test_damage(void)
{
	static const struct
	{
		oss_step	step;
		mcw_status	part;
		mcw_status	verify;
	}			list[] = {
		{{"partNumber=2", OSS_FLIP, 0, 2}, MCW_OK, MCW_OK},
		{{"partNumber=2", OSS_WRONG_CRC, 0, 2}, MCW_OK, MCW_OK},
		{{"partNumber=2", OSS_DONE_RESET}, MCW_OK, MCW_OK},
		{{"partNumber=2", OSS_ERROR, 0, 1, 503, "UploadTrafficRateLimitExceeded"}, MCW_OK, MCW_OK},
		{{"partNumber=2", OSS_NO_PROOF}, MCW_OK, MCW_OK},	/* by MD5 */
		{{"partNumber=2", OSS_FLIP, 0, 99}, MCW_ERR_CHECKSUM, MCW_OK},
		{{"partNumber=2", OSS_ERROR, 0, 1, 404, "NoSuchUpload"}, MCW_ERR_SERVICE, MCW_OK},
		{{"max-parts", OSS_LOSE_PART, 0, 99}, MCW_OK, MCW_ERR_PROTOCOL},
		{{"max-parts", OSS_CUT}, MCW_OK, MCW_OK},
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
	{
		oss_rig    *rig = oss_rig_new();
		mcs_oss_upload upload = new_upload("k", &mcw_malloc);
		mcw_error	err;
		mcw_status	status = MCW_OK;
		int			number;

		rig->model.steps = &list[i].step;
		rig->model.nsteps = 1;
		oss_rig_init(rig, &mcw_malloc);
		CHECK_OK(open_upload(rig, &upload, &err));
		for (int k = 0; k < 3 && status == MCW_OK; k++)
		{
			CHECK_OK(mcs_oss_upload_new_part(&upload, &number, &err));
			status = put_part(rig, &upload, number, (mcw_view) {big[k], sizeof(big[k])}, &err);
		}
		if (!CHECK_INT(status, list[i].part))
			printf("    %zu: %s\n", i, err.message);
		status = verify(rig, &upload, &err);
		CHECK_INT(status, list[i].part != MCW_OK ? MCW_ERR_ARGUMENT : list[i].verify);
		if (list[i].part == MCW_OK)
		{
			/* a part that is there twice in the record's eyes */
			CHECK_OK(put_part(rig, &upload, 1, (mcw_view) {big[2], 1000}, &err));
			CHECK_INT(upload.size, 401000);
			if (list[i].verify == MCW_OK)
				CHECK_OK(verify(rig, &upload, &err));
			free(rig->model.uploads[0].data[1]);
			rig->model.uploads[0].data[1] = strdup("other");
			rig->model.uploads[0].len[1] = 5;
			CHECK_INT(verify(rig, &upload, &err), MCW_ERR_PROTOCOL);
			CHECK(strstr(err.message, "part 2") != NULL);
		}
		mcs_oss_upload_free(&upload);
		oss_rig_end(rig);
	}
}

typedef struct publish_case
{
	const char *what;
	oss_step	steps[3];
	mcs_oss_outcome multipart;
	mcs_oss_outcome put;
	mcs_oss_outcome replacing;	/* Put that may replace */
	const char *code;			/* of the error where it is not published */
} publish_case;

#define YES MCS_OSS_PUBLISHED
#define NO MCS_OSS_NOT_PUBLISHED
#define DOUBT MCS_OSS_IN_DOUBT

/* Steps match both forms of sending: Complete is a POST, Put a PUT */
static const publish_case publish_cases[] = {
	{"answer lost after it was done", {{"P", OSS_DONE_RESET}}, YES, YES, YES},
	{"500 after it was done", {{"P", OSS_DONE_ERROR, 0, 1, 500, "InternalError"}}, YES, YES, YES},
	{"504 after it was done, HEAD fails at first", {{"P", OSS_DONE_ERROR, 0, 1, 504, "Gateway"}, {"HEAD", OSS_ERROR, 0, 2, 500, "InternalError"}}, YES, YES, YES},
	{"lost before it was done", {{"P", OSS_RESET}}, YES, YES, YES},
	{"500 and nothing done, three times", {{"P", OSS_ERROR, 0, 3, 500, "InternalError"}}, YES, YES, YES},
	{"throttled", {{"P", OSS_ERROR, 0, 3, 503, "QpsLimitExceeded"}}, YES, YES, YES},
	{"clock", {{"P", OSS_ERROR, 0, 1, 403, "RequestTimeTooSkewed"}}, YES, YES, YES},
	{"no proof in the answer", {{"P", OSS_WRONG_CRC}}, YES, YES, YES},
	{"not allowed", {{"P", OSS_ERROR, 0, 9, 403, "AccessDenied"}}, NO, NO, NO, "AccessDenied"},
	{"another object at the key", {{"P", OSS_FOREIGN}}, NO, NO, YES, "FileAlreadyExists"},
	{"another object after a lost request", {{"P", OSS_RESET}, {"HEAD", OSS_FOREIGN}}, NO, NO, YES, "FileAlreadyExists"},
	{"lost, done, then not allowed to look", {{"P", OSS_DONE_RESET}, {"HEAD", OSS_ERROR, 0, 9, 403, "AccessDenied"}}, DOUBT, DOUBT, DOUBT, "AccessDenied"},
	{"upload gone before", {{"POST", OSS_DROP_UPLOAD}}, NO, YES, YES, "NoSuchUpload"},
	{"lost, then upload gone without an object", {{"POST", OSS_RESET}, {"max-parts=1&", OSS_FINE}, {"GET", OSS_DROP_UPLOAD}}, DOUBT, YES, YES},
	{"done, 500, object of another by then", {{"P", OSS_DONE_ERROR, 0, 1, 500, "x"}, {"HEAD", OSS_FOREIGN}}, NO, NO, YES, "FileAlreadyExists"},
	{"never an answer", {{"P", OSS_RESET, 0, 9999}}, DOUBT, DOUBT, DOUBT},
	{"never anything but 500", {{"P", OSS_ERROR, 0, 9999, 500, "InternalError"}}, DOUBT, DOUBT, DOUBT},
	{"never anything but throttled", {{"P", OSS_ERROR, 0, 9999, 503, "QpsLimitExceeded"}}, NO, NO, NO, "QpsLimitExceeded"},
	{"lost, then refused for good", {{"P", OSS_RESET}, {"P", OSS_ERROR, 1, 99, 403, "SecurityTokenExpired"}}, DOUBT, DOUBT, DOUBT, "SecurityTokenExpired"},
};

static void
test_publish(void)
{
	for (size_t i = 0; i < sizeof(publish_cases) / sizeof(publish_cases[0]); i++)
		for (int form = 0; form < 3; form++)
		{
			const publish_case *p = &publish_cases[i];
			mcs_oss_outcome want = form == 0 ? p->multipart : form == 1 ? p->put : p->replacing;
			oss_rig    *rig = oss_rig_new();
			mcs_oss_upload upload = new_upload("k", &mcw_malloc);
			mcw_view	body = MCW_LIT("small,body\n");
			mcw_error	err = {0};
			mcs_oss_outcome got;
			oss_thing  *thing;
			int64_t		began = mcn_now_us();

			oss_rig_init(rig, &mcw_malloc);
			upload.may_replace = form == 2;
			if (form == 0 && !upload_parts(rig, &upload))
				continue;
			rig->model.steps = p->steps;
			rig->model.nsteps = 3;
			for (int k = 0; k < 3; k++)
				if (p->steps[k].match == NULL)
				{
					rig->model.nsteps = k;
					break;
				}
			got = mcs_oss_publish(&rig->oss, rig->once, &upload, body, strstr(p->what, "never") ? mcn_now_us() + 300000 : SECONDS(20), &err);
			if (!CHECK_INT(got, want))
				printf("    %s, form %d: %s %s\n%s\n", p->what, form, err.message, err.code, rig->model.log);
			CHECK(mcn_now_us() - began < 10000000);
			thing = oss_find(&rig->model, MCW_LIT("k"));
			if (got == MCS_OSS_PUBLISHED)
				CHECK(form == 0 ? is_there(rig, "k") : thing && thing->len == body.len && strcmp(thing->token, TOKEN) == 0);
			if (got == MCS_OSS_NOT_PUBLISHED)
				CHECK(thing == NULL || strcmp(thing->token, TOKEN) != 0);
			if (got != MCS_OSS_PUBLISHED)
				CHECK(err.message[0] != '\0');
			if (want != MCS_OSS_PUBLISHED && p->code && !CHECK_STR(err.code, p->code))
				printf("    %s, form %d: %s\n", p->what, form, err.message);
			mcs_oss_upload_free(&upload);
			oss_rig_end(rig);
		}
}

/* Asked again after a publication in doubt: looks before it sends */
static void
test_again(void)
{
	static const oss_step lost[] = {{"P", OSS_DONE_RESET}, {"HEAD", OSS_ERROR, 0, 1, 403, "AccessDenied"}};
	oss_rig    *rig = oss_rig_new();
	mcs_oss_upload upload = new_upload("k", &mcw_malloc);
	mcw_error	err;

	oss_rig_init(rig, &mcw_malloc);
	rig->model.steps = lost;
	rig->model.nsteps = 2;
	CHECK_INT(mcs_oss_publish(&rig->oss, rig->once, &upload, MCW_LIT("x"), SECONDS(5), &err), MCS_OSS_IN_DOUBT);
	CHECK_INT(rig->model.requests, 2);
	CHECK_INT(mcs_oss_publish(&rig->oss, rig->once, &upload, MCW_LIT("x"), SECONDS(5), &err), MCS_OSS_PUBLISHED);
	CHECK_INT(rig->model.requests, 3);
	mcs_oss_upload_free(&upload);

	/* interrupted: before and after it was sent */
	upload = new_upload("other", &mcw_malloc);
	rig->host.interrupt_at_us = 1;
	CHECK_INT(mcs_oss_publish(&rig->oss, rig->once, &upload, MCW_LIT(""), SECONDS(5), &err),
			  upload.sent ? MCS_OSS_IN_DOUBT : MCS_OSS_NOT_PUBLISHED);
	rig->host.interrupt_at_us = 0;
	rig->model.delay_us = 300000;
	rig->host.interrupt_at_us = mcn_now_us() + 100000;
	CHECK_INT(mcs_oss_publish(&rig->oss, rig->once, &upload, MCW_LIT(""), SECONDS(5), &err), MCS_OSS_IN_DOUBT);
	CHECK(upload.sent);
	rig->host.interrupt_at_us = 0;
	CHECK_INT(mcs_oss_publish(&rig->oss, rig->once, &upload, MCW_LIT(""), SECONDS(5), &err), MCS_OSS_PUBLISHED);
	oss_rig_end(rig);
}

/* ---- deletes ---- */

static void
test_delete(void)
{
	oss_rig    *rig = oss_rig_new();
	mcs_oss_object *objects = calloc(2400, sizeof(*objects));
	static char keys[2400][40];
	static char etags[2400][40];
	int			deleted;
	int			changed;
	mcw_error	err;

	oss_rig_init(rig, &mcw_malloc);
	rig->model.delay_us = 200;
	for (int i = 0; i < 2400; i++)
	{
		static const char *const nasty[] = {"p/<&>%d", "p/a b+%d", "p/\x01%d", "p/\xe4\xbd\xa0%d", "p/%d"};

		(void) snprintf(keys[i], sizeof(keys[i]), nasty[i < 40 ? i % 5 : 4], i);
		memcpy(etags[i], oss_put(&rig->model, mcw_str(keys[i]), "x", i % 2)->etag, 33);
		objects[i].key = mcw_str(keys[i]);
		objects[i].etag = mcw_str(etags[i]);
	}
	(void) oss_put(&rig->model, MCW_LIT("p/sibling"), "y", 1);
	/* three were replaced, two are gone */
	for (int i = 0; i < 3; i++)
		(void) oss_put(&rig->model, mcw_str(keys[i * 500 + 2]), "new", 3);
	oss_remove(&rig->model, mcw_str(keys[7]));
	oss_remove(&rig->model, mcw_str(keys[2000]));
	if (!CHECK_OK(mcs_oss_delete(&rig->oss, objects, 2400, 8, &deleted, &changed, &err)))
		printf("    %s %s\n", err.message, err.text);
	CHECK_INT(deleted, 2397);
	CHECK_INT(changed, 3);
	CHECK_INT(rig->model.nthings, 4);
	/* how many overlap is a matter of time */
	CHECK(rig->model.max_in_flight > 1 && rig->model.max_in_flight <= 8);
	CHECK_OK(mcs_oss_delete(&rig->oss, objects, 2400, 8, &deleted, &changed, &err));
	CHECK_INT(deleted, 2397);
	CHECK_INT(changed, 3);
	CHECK_OK(mcs_oss_delete(&rig->oss, objects, 0, 8, &deleted, &changed, &err));
	CHECK_INT(deleted, 0);
	CHECK_INT(rig->model.bad_signatures, 0);
	free(objects);
	oss_rig_end(rig);
}

static void
test_delete_faults(void)
{
	static const struct
	{
		oss_step	step;
		mcw_status	status;
		int			left;
	}			list[] = {
		{{"HEAD", OSS_ERROR, 3, 2, 503, "QpsLimitExceeded"}, MCW_OK, 0},
		{{"HEAD", OSS_ERROR, 3, 1, 403, "AccessDenied"}, MCW_ERR_SERVICE, 10},
		{{"?delete", OSS_RESET}, MCW_OK, 0},
		{{"?delete", OSS_CUT}, MCW_OK, 0},
		{{"?delete", OSS_LOSE_PART}, MCW_ERR_PROTOCOL, 1},
		{{"?delete", OSS_ERROR, 0, 99, 403, "AccessDenied"}, MCW_ERR_SERVICE, 10},
		{{"HEAD /k4", OSS_REPLACE}, MCW_OK, 1},
		{{"HEAD /k4", OSS_DELETE}, MCW_OK, 0},
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
	{
		oss_rig    *rig = oss_rig_new();
		mcs_oss_object objects[10] = {0};
		char		keys[10][8];
		char		etags[10][40];
		int			deleted;
		int			changed;
		mcw_error	err;

		oss_rig_init(rig, &mcw_malloc);
		rig->model.steps = &list[i].step;
		rig->model.nsteps = 1;
		for (int k = 0; k < 10; k++)
		{
			(void) snprintf(keys[k], sizeof(keys[k]), "k%d", k);
			memcpy(etags[k], oss_put(&rig->model, mcw_str(keys[k]), keys[k], 2)->etag, 33);
			objects[k].key = mcw_str(keys[k]);
			objects[k].etag = mcw_str(etags[k]);
		}
		if (!CHECK_INT(mcs_oss_delete(&rig->oss, objects, 10, 3, &deleted, &changed, &err), list[i].status))
			printf("    %zu: %s\n", i, err.message);
		CHECK_INT(rig->model.nthings, list[i].left);
		if (list[i].status == MCW_OK)
			CHECK_INT(deleted + changed, 10);
		oss_rig_end(rig);
	}
}

static void
test_left_behind(void)
{
	oss_rig    *rig = oss_rig_new();
	mcs_oss_upload upload = new_upload("k", &mcw_malloc);
	mcw_arena	arena;
	mcw_oss_uploads uploads;
	mcw_error	err;
	int			number;

	oss_rig_init(rig, &mcw_malloc);
	mcw_arena_init(&arena, &mcw_malloc, 1 << 20);
	CHECK_OK(open_upload(rig, &upload, &err));
	CHECK_OK(mcs_oss_list_uploads(&rig->oss, MCW_LIT("k"), MCW_LIT(""), (mcw_view) {NULL, 0}, &arena, &uploads, &err));
	if (CHECK_INT(uploads.nuploads, 1))
	{
		CHECK_VIEW(uploads.uploads[0].key, MCW_LIT("k"));
		CHECK_VIEW(uploads.uploads[0].upload_id, mcw_str(upload.id));
	}
	CHECK_OK(mcs_oss_upload_abort(&rig->oss, upload.key, mcw_str(upload.id), &err));
	CHECK_OK(mcs_oss_upload_abort(&rig->oss, upload.key, mcw_str(upload.id), &err));
	CHECK_OK(mcs_oss_list_uploads(&rig->oss, MCW_LIT(""), MCW_LIT(""), MCW_LIT(""), &arena, &uploads, &err));
	CHECK_INT(uploads.nuploads, 0);

	/* while the host is about to end, too */
	CHECK_OK(open_upload(rig, &upload, &err));
	rig->host.interrupt_at_us = 1;
	(void) mcs_oss_upload_abort(&rig->oss, upload.key, mcw_str(upload.id), &err);
	rig->host.interrupt_at_us = 0;
	for (int i = 0; i < 100 && rig->model.uploads[1].id[0]; i++)
		usleep(10000);
	CHECK_INT(rig->model.uploads[1].id[0], 0);

	upload.nparts = MCS_OSS_MAX_PARTS;
	CHECK_INT(mcs_oss_upload_new_part(&upload, &number, &err), MCW_ERR_LIMIT);
	mcw_arena_reset(&arena);
	oss_rig_end(rig);
}

static mcw_status
write_once(const mcw_alloc *alloc, void *arg)
{
	oss_rig    *rig = arg;
	mcs_oss		saved = rig->oss;
	mcs_oss_upload upload = new_upload("k", alloc);
	mcs_oss_object object = {.key = MCW_LIT("k")};
	mcw_error	err = {0};
	int			number;
	int			deleted;
	int			changed;
	mcw_status	status;

	rig->oss.alloc = alloc;
	status = open_upload(rig, &upload, &err);
	for (int i = 0; i < 2 && status == MCW_OK; i++)
	{
		status = mcs_oss_upload_new_part(&upload, &number, &err);
		if (status == MCW_OK)
			status = put_part(rig, &upload, number, (mcw_view) {big[i], 1000}, &err);
	}
	if (status == MCW_OK)
		status = verify(rig, &upload, &err);
	if (status == MCW_OK && mcs_oss_publish(&rig->oss, rig->once, &upload, MCW_LIT(""), SECONDS(5), &err) != MCS_OSS_PUBLISHED)
		status = err.status;
	if (status == MCW_OK)
		status = mcs_oss_delete(&rig->oss, &object, 1, 2, &deleted, &changed, &err);
	mcs_oss_upload_free(&upload);
	rig->oss = saved;
	pthread_mutex_lock(&rig->model.lock);
	oss_remove(&rig->model, MCW_LIT("k"));
	pthread_mutex_unlock(&rig->model.lock);
	return status;
}

static void
test_memory(void)
{
	oss_rig    *rig = oss_rig_new();

	oss_rig_init(rig, &mcw_malloc);
	/* an answer that could not be kept is looked for: not every failed allocation is a failure */
	for (unsigned long n = 1;; n++)
	{
		unit_heap	heap;
		mcw_status	status;

		unit_heap_init(&heap, n);
		status = write_once(&heap.alloc, rig);
		CHECK_INT(heap.outstanding, 0);
		CHECK(status == MCW_OK || status == MCW_ERR_NOMEM);
		if (heap.calls < n)
			break;
	}
	oss_rig_end(rig);
}

static void
test_filled(void)
{
	fill();
	CHECK(memcmp(big[0], big[1], 100) != 0);
}

static const unit_case cases[] = {
	{"bytes", test_filled},
	{"upload", test_upload},
	{"damage", test_damage},
	{"publish", test_publish},
	{"publish again", test_again},
	{"delete", test_delete},
	{"delete faults", test_delete_faults},
	{"left behind", test_left_behind},
	{"memory", test_memory},
};

UNIT_MAIN(cases)
