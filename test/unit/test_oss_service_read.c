/*
 * test_oss_service_read.c
 *		The reader of objects: chunks in order whatever the sizes, memory, ranges in
 *		flight, and every way in which an object or an answer can be another one than was
 *		asked for (oss.md 3.4); plain web servers.
 */
#include "oss_server.h"

typedef struct source
{
	mcs_oss_object objects[OSS_MAX_THINGS];
	char		keys[OSS_MAX_THINGS][40];
	char		etags[OSS_MAX_THINGS][64];
	char	   *data[OSS_MAX_THINGS];
	int			n;
	int			next;
	int			dry;			/* every so many objects are not known without waiting */
	bool		told;
} source;

static mcw_status
next_object(void *ctx, bool wait, bool *pending, mcs_oss_object *object, mcw_error *err)
{
	source	   *s = ctx;

	*pending = false;
	if (s->next == s->n)
		return MCW_END;
	if (s->dry && s->next % s->dry == 0 && !wait && !s->told)
	{
		*pending = true;
		return MCW_END;
	}
	s->told = false;
	*object = s->objects[s->next++];
	return MCW_OK;
}

static void
add(oss_rig *rig, source *s, const char *name, size_t len)
{
	unit_random random = {len * 2 + 77};
	char	   *data = malloc(len + 1);
	oss_thing  *thing;
	mcs_oss_object *object = &s->objects[s->n];

	unit_fill(&random, data, len, 256);
	(void) snprintf(s->keys[s->n], sizeof(s->keys[s->n]), "%s%d", name, s->n);
	thing = oss_put(&rig->model, mcw_str(s->keys[s->n]), data, len);
	s->data[s->n] = data;
	memset(object, 0, sizeof(*object));
	object->key = mcw_str(s->keys[s->n]);
	memcpy(s->etags[s->n], thing->etag, sizeof(s->etags[s->n]));
	object->etag = mcw_str(s->etags[s->n]);
	object->size = len;
	object->last_modified = thing->modified * 1000000;
	object->ranges = true;
	s->n++;
}

static void
end(oss_rig *rig, source *s)
{
	for (int i = 0; i < s->n; i++)
		free(s->data[i]);
	free(s);
	oss_rig_end(rig);
}

typedef struct result
{
	mcw_status	status;
	mcw_error	err;
	int64_t		bytes;
	int			objects;
	int			chunks;
	int64_t		stalls;
	size_t		largest;
} result;

static result
read_all(oss_rig *rig, source *s, size_t block, int concurrency, bool eager, bool wait)
{
	mcs_oss_read_spec spec = {.block_size = block, .concurrency = concurrency, .eager = eager, .next_object = next_object, .ctx = s};
	mcs_oss_reader *reader;
	result		r = {0};
	int			at = 0;
	uint64_t	offset = 0;

	s->next = 0;
	r.status = mcs_oss_read_open(&rig->oss, &spec, &reader, &r.err);
	while (r.status == MCW_OK)
	{
		mcs_oss_chunk chunk;
		bool		pending = false;

		r.status = mcs_oss_read_next(reader, wait, &pending, &chunk, &r.err);
		if (r.status == MCW_END && pending)
		{
			CHECK(!wait);
			r.status = MCW_OK;
			if (!mcs_oss_read_ready(reader))
			{
				s->told = true;
				(void) mcn_loop_step(rig->loop, s->dry ? 5 : 1000);
			}
			continue;
		}
		if (r.status != MCW_OK)
			break;
		CHECK_VIEW(chunk.object->key, s->objects[at].key);
		CHECK_INT(chunk.offset, offset);
		CHECK_INT(chunk.first, offset == 0);
		CHECK(chunk.object->size == UINT64_MAX || chunk.last == (offset + chunk.len == chunk.object->size));
		/* a flipped bit of a range is found at the end of the object */
		if (chunk.len > 0 && (rig->model.nsteps == 0 || rig->model.steps->fault != OSS_FLIP || (s->objects[at].size < block && !s->objects[at].link)))
			CHECK(memcmp(chunk.data, s->data[at] + offset, chunk.len) == 0);
		/* the consumer owns the bytes */
		if (chunk.len > 0)
			memset(chunk.data, 'z', chunk.len);
		offset += chunk.len;
		r.bytes += chunk.len;
		r.chunks++;
		if (chunk.len > r.largest)
			r.largest = chunk.len;
		if (chunk.last)
		{
			if (!rig->model.plain)
				CHECK(chunk.object->has_crc64 || chunk.object->size == 0 || rig->model.no_proof);
			offset = 0;
			at++;
			r.objects++;
		}
	}
	if (reader)
		r.stalls = mcs_oss_read_get_stats(reader)->stalls;
	mcs_oss_read_close(reader);
	return r;
}

static const size_t sizes[] = {0, 1, 999, 1000, 1001, 0, 0, 5000, 12345, 3, 0, 100000, 1000, 2000, 17, 0};

#define NSIZES ((int) (sizeof(sizes) / sizeof(sizes[0])))

static void
test_sizes(void)
{
	oss_rig    *rig = oss_rig_new();
	source	   *s = calloc(1, sizeof(*s));
	int64_t		total = 0;

	oss_rig_init(rig, &mcw_malloc);
	for (int i = 0; i < NSIZES; i++)
	{
		add(rig, s, "k", sizes[i]);
		total += sizes[i];
	}
	for (int i = 0; i < 32; i++)
	{
		size_t		block = i % 3 == 0 ? 1000 : i % 3 == 1 ? 4096 : 1 << 20;
		int			concurrency = i / 3 % 2 ? 7 : 1;
		result		r;

		s->dry = i & 16 ? 3 : 0;
		r = read_all(rig, s, block, concurrency, i & 8, i & 4);
		if (!CHECK_INT(r.status, MCW_END))
			printf("    %d: %s\n", i, r.err.message);
		CHECK_INT(r.objects, NSIZES);
		CHECK(r.largest <= block);
		CHECK_INT(r.bytes, total);
		CHECK_INT(rig->loop != NULL, 1);
	}
	CHECK_INT(rig->model.bad_signatures, 0);
	CHECK(strstr(rig->model.head, "x-oss-range-behavior: standard") != NULL);
	CHECK(strstr(rig->model.head, "If-Match: \"") != NULL);
	CHECK(strstr(rig->model.head, "Range: bytes=") != NULL);
	end(rig, s);
}

/* A link is listed with a size and an ETag of its own */
static void
test_link(void)
{
	for (int i = 0; i < 4; i++)
	{
		static const oss_step steps[] = {{"GET /k1", OSS_CUT, 0, 2}, {"GET /k1", OSS_FLIP}, {"GET /k1", OSS_DELETE}};
		oss_rig    *rig = oss_rig_new();
		source	   *s = calloc(1, sizeof(*s));
		result		r;

		rig->model.steps = i > 0 ? &steps[i - 1] : NULL;
		rig->model.nsteps = i > 0;
		oss_rig_init(rig, &mcw_malloc);
		add(rig, s, "k", 3000);
		add(rig, s, "k", 500000);
		add(rig, s, "k", 10);
		s->objects[1].link = true;
		s->objects[1].size = 0;
		s->objects[1].etag = MCW_LIT("0123456789ABCDEF0123456789ABCDEF");
		r = read_all(rig, s, 100000, 3, true, true);
		if (!CHECK_INT(r.status, i < 2 ? MCW_END : i == 2 ? MCW_ERR_CHECKSUM : MCW_ERR_SERVICE))
			printf("    %d: %s\n", i, r.err.message);
		if (i < 2)
			CHECK_INT(r.bytes, 503010);
		if (i == 3)
			CHECK_STR(r.err.message, "object \"k1\" does not exist");
		end(rig, s);
	}
}

/* Many in flight, never more than agreed; memory bounded; a reader that is not eager begins with one */
static void
test_flight(void)
{
	unit_heap	heap;
	oss_rig    *rig = oss_rig_new();
	source	   *s = calloc(1, sizeof(*s));
	result		r;
	mcs_oss_read_spec spec = {.block_size = 100000, .concurrency = 6, .next_object = next_object, .ctx = s};
	mcs_oss_reader *reader;
	mcs_oss_chunk chunk;
	mcw_error	err;

	unit_heap_init(&heap, 0);
	rig->model.delay_us = 2000;
	oss_rig_init(rig, &heap.alloc);
	for (int i = 0; i < 300; i++)
		add(rig, s, "small", 100 + i);
	add(rig, s, "large", 5000000);
	for (int i = 0; i < 20; i++)
		add(rig, s, "middle", 90000);
	r = read_all(rig, s, 100000, 6, true, true);
	CHECK_INT(r.status, MCW_END);
	CHECK_INT(r.objects, 321);
	CHECK(rig->model.max_in_flight > 1 && rig->model.max_in_flight <= 6);
	CHECK(heap.peak < 7 * 100000 * 2 + 6 * 4 * (sizeof(mcs_oss_call) + 10000) + 200000);
	CHECK(rig->model.requests == 370);

	/* the first chunk costs one request, however much is there */
	s->next = 300;
	rig->model.requests = 0;
	CHECK_OK(mcs_oss_read_open(&rig->oss, &spec, &reader, &err));
	CHECK_OK(mcs_oss_read_next(reader, true, NULL, &chunk, &err));
	CHECK_INT(rig->model.requests, 1);
	mcs_oss_read_close(reader);
	end(rig, s);
	CHECK_INT(heap.outstanding, 0);
}

typedef struct fault_case
{
	oss_step	step;
	mcw_status	status;			/* MCW_END = read all the same */
	int			http;
	const char *message;
	bool		one_block;		/* the object is one range */
} fault_case;

static const fault_case faults[] = {
	{{"GET /k1", OSS_RESET, 1, 2}, MCW_END},
	{{"GET /k1", OSS_CUT, 1, 2}, MCW_END},
	{{"GET /k1", OSS_ERROR, 0, 2, 503, "DownloadTrafficRateLimitExceeded"}, MCW_END},
	{{"GET /k1", OSS_ERROR, 0, 1, 500, "InternalError"}, MCW_END},
	{{"GET /k1", OSS_WRONG_RANGE, 2, 2}, MCW_END},
	{{"GET /k1", OSS_FLIP, 0, 2}, MCW_END, .one_block = true},
	{{"GET /k1", OSS_WRONG_CRC, 0, 1}, MCW_END, .one_block = true},
	{{"GET /k1", OSS_FLIP, 2}, MCW_ERR_CHECKSUM, 0, "as it was read, the service says"},
	{{"GET /k1", OSS_WRONG_CRC, 2, 1}, MCW_ERR_SERVICE, 412, "object \"k1\" was changed while it was read: its CRC-64"},
	{{"GET /k1", OSS_WRONG_CRC, 0, 99}, MCW_ERR_CHECKSUM, 0, "CRC-64"},
	{{"GET /k1", OSS_WRONG_RANGE, 2, 99}, MCW_ERR_PROTOCOL, 0, "range"},
	{{"GET /k1", OSS_WHOLE, 2}, MCW_ERR_UNSUPPORTED, 0, "whole object where a range was asked for"},
	{{"GET /k1", OSS_WHOLE, 0}, MCW_END, .one_block = true},
	{{"GET /k1", OSS_OTHER_ETAG, 2}, MCW_ERR_SERVICE, 412, "object \"k1\" was changed while it was read: its ETag"},
	{{"GET /k1", OSS_REPLACE, 3}, MCW_ERR_SERVICE, 412, "object \"k1\" was changed while it was read"},
	{{"GET /k1", OSS_REPLACE, 0}, MCW_ERR_SERVICE, 412, "object \"k1\" was changed while it was read", true},
	{{"GET /k1", OSS_GROW, 1}, MCW_ERR_SERVICE, 412, "object \"k1\" was changed while it was read: its "},
	{{"GET /k1", OSS_GROW, 0}, MCW_ERR_SERVICE, 412, "object \"k1\" was changed while it was read: its ", true},
	{{"GET /k1", OSS_SHRINK, 1}, MCW_ERR_SERVICE, 0, "object \"k1\" was changed while it was read"},
	{{"GET /k1", OSS_SHRINK, 6}, MCW_ERR_SERVICE, 0, "object \"k1\" was changed while it was read"},
	{{"GET /k1", OSS_DELETE, 3}, MCW_ERR_SERVICE, 404, "object \"k1\" was deleted while it was read"},
	{{"GET /k1", OSS_DELETE, 0}, MCW_ERR_SERVICE, 404, "object \"k1\" was deleted while it was read"},
	{{"GET /k1", OSS_ERROR, 1, 1, 403, "AccessDenied"}, MCW_ERR_SERVICE, 403, "could not read object \"k1\""},
	{{"GET /k1", OSS_ERROR, 1, 1, 403, "InvalidObjectState"}, MCW_ERR_SERVICE, 403, "could not read object \"k1\""},
	{{"GET /k1", OSS_ERROR, 1, 1, 404, "NoSuchBucket"}, MCW_ERR_SERVICE, 404, "could not read object \"k1\""},
	{{"GET /k1", OSS_RESET, 3, 99}, MCW_ERR_CONNECT, 0, "could not read object \"k1\""},
	{{"GET /k1", OSS_ERROR, 2, 99, 503, "QpsLimitExceeded"}, MCW_ERR_SERVICE, 503, "could not read object \"k1\""},
};

static void
test_faults(void)
{
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		for (int concurrency = 1; concurrency <= 4; concurrency += 3)
		{
			const fault_case *f = &faults[i];
			oss_rig    *rig = oss_rig_new();
			source	   *s = calloc(1, sizeof(*s));
			result		r;

			rig->model.steps = &f->step;
			rig->model.nsteps = 1;
			oss_rig_init(rig, &mcw_malloc);
			add(rig, s, "k", 3000);
			add(rig, s, "k", f->one_block ? 900 : 10000);
			add(rig, s, "k", 10);
			r = read_all(rig, s, 1000, concurrency, true, true);
			if (!CHECK_INT(r.status, f->status) || (r.status != MCW_END && !CHECK(strstr(r.err.message, f->message) != NULL)))
				printf("    %zu: %s\n", i, r.err.message);
			if (f->http)
				CHECK_INT(r.err.http_status, f->http);
			if (f->status == MCW_END)
				CHECK_INT(r.bytes, f->one_block ? 3910 : 13010);
			else
				CHECK(r.bytes >= 3000 && r.bytes < 13000);
			end(rig, s);
		}
}

static void
test_interrupted(void)
{
	oss_rig    *rig = oss_rig_new();
	source	   *s = calloc(1, sizeof(*s));
	mcs_oss_read_spec spec = {.block_size = 1000, .concurrency = 4, .eager = true, .next_object = next_object, .ctx = s};
	mcs_oss_reader *reader;
	mcs_oss_chunk chunk;
	mcw_error	err;

	rig->model.delay_us = 100000;
	oss_rig_init(rig, &mcw_malloc);
	add(rig, s, "k", 10000);
	CHECK_OK(mcs_oss_read_open(&rig->oss, &spec, &reader, &err));
	CHECK_OK(mcs_oss_read_next(reader, true, NULL, &chunk, &err));
	rig->host.interrupt_at_us = mcn_now_us() + 20000;
	while (mcs_oss_read_next(reader, true, NULL, &chunk, &err) == MCW_OK)
		continue;
	CHECK_INT(err.status, MCW_ERR_INTERRUPTED);
	rig->host.interrupt_at_us = 0;
	CHECK_INT(mcs_oss_read_next(reader, true, NULL, &chunk, &err), MCW_ERR_INTERRUPTED);
	CHECK(mcs_oss_read_ready(reader));
	mcs_oss_read_close(reader);
	end(rig, s);
}

/* ---- plain servers ---- */

enum
{
	NO_RANGES = 1, NO_HEAD = 2, NO_LENGTH = 4, NO_ETAG = 8, WEAK_ETAG = 16, NO_MODIFIED = 32
};

static result
read_plain(oss_rig *rig, source *s, int flags, size_t size, size_t block, const oss_step *step)
{
	mcw_arena	arena;
	result		r = {0};

	rig->model.plain = true;
	rig->model.no_ranges = flags & NO_RANGES;
	rig->model.no_head = flags & NO_HEAD;
	rig->model.no_length = flags & NO_LENGTH;
	rig->model.no_etag = flags & NO_ETAG;
	rig->model.weak_etag = flags & WEAK_ETAG;
	rig->model.no_modified = flags & NO_MODIFIED;
	rig->model.steps = step;
	rig->model.nsteps = step ? 1 : 0;
	oss_rig_init(rig, &mcw_malloc);
	add(rig, s, "file", size);
	mcw_arena_init(&arena, &mcw_malloc, 1 << 20);
	r.status = mcs_oss_head(&rig->oss, mcw_str(s->keys[0]), &arena, &s->objects[0], &r.err);
	if (CHECK_OK(r.status))
		r = read_all(rig, s, block, 3, true, true);
	mcw_arena_reset(&arena);
	return r;
}

static void
test_plain(void)
{
	for (int flags = 0; flags < 64; flags++)
		for (int k = 0; k < 3; k++)
		{
			oss_rig    *rig = oss_rig_new();
			source	   *s = calloc(1, sizeof(*s));
			size_t		size = k == 0 ? 0 : k == 1 ? 700000 : 2500000;
			result		r = read_plain(rig, s, flags, size, 300000, NULL);

			if (!CHECK_INT(r.status, MCW_END))
				printf("    %d %d: %s\n", flags, k, r.err.message);
			CHECK_INT(r.bytes, size);
			CHECK_INT(r.objects, 1);
			CHECK(r.largest <= 300000);
			end(rig, s);
		}
}

static void
test_plain_faults(void)
{
	static const struct
	{
		int			flags;
		oss_step	step;
		mcw_status	status;
		const char *message;
	}			list[] = {
		/* ranges and ETag allow to go on */
		{NO_HEAD, {"GET", OSS_CUT}, MCW_END},
		{NO_HEAD | NO_LENGTH, {"GET", OSS_CUT, 0, 3}, MCW_END},
		{NO_HEAD | NO_RANGES, {"GET", OSS_CUT}, MCW_ERR_CONNECT, "its server cannot go on there"},
		{NO_HEAD | NO_ETAG, {"GET", OSS_CUT}, MCW_ERR_CONNECT, "its server cannot go on there"},
		{NO_HEAD | WEAK_ETAG, {"GET", OSS_CUT}, MCW_ERR_CONNECT, "its server cannot go on there"},
		{NO_RANGES, {"GET", OSS_CUT}, MCW_ERR_CONNECT, "its server cannot go on there"},
		{NO_RANGES | NO_LENGTH, {"GET", OSS_CUT}, MCW_ERR_CONNECT, "its server cannot go on there"},
		/* another file */
		{0, {"GET", OSS_REPLACE, 3}, MCW_ERR_SERVICE, "was changed while it was read"},
		{WEAK_ETAG, {"GET", OSS_REPLACE, 3}, MCW_ERR_SERVICE, "was changed while it was read"},
		{WEAK_ETAG | NO_MODIFIED, {"GET", OSS_REPLACE, 3}, MCW_ERR_SERVICE, "was changed while it was read"},
		{NO_ETAG, {"GET", OSS_REPLACE, 3}, MCW_ERR_SERVICE, "was changed while it was read"},
		{NO_ETAG | NO_RANGES, {"GET", OSS_REPLACE}, MCW_ERR_SERVICE, "was changed while it was read"},
		{NO_ETAG | NO_MODIFIED, {"GET", OSS_GROW, 3}, MCW_ERR_SERVICE, "was changed while it was read"},
		{0, {"GET", OSS_DELETE, 3}, MCW_ERR_SERVICE, "was deleted while it was read"},
		{NO_HEAD, {"GET", OSS_DELETE}, MCW_ERR_SERVICE, "object \"file0\" does not exist"},
		{0, {"GET", OSS_WHOLE, 3}, MCW_ERR_UNSUPPORTED, "whole object where a range was asked for"},
		{NO_HEAD, {"GET", OSS_ERROR, 0, 1, 302, "x"}, MCW_ERR_SERVICE, "redirects are not followed"},
		{NO_HEAD, {"GET", OSS_ERROR, 0, 1, 500, "x"}, MCW_END},
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
	{
		oss_rig    *rig = oss_rig_new();
		source	   *s = calloc(1, sizeof(*s));
		result		r = read_plain(rig, s, list[i].flags, 2500000, 300000, &list[i].step);

		if (!CHECK_INT(r.status, list[i].status) || (list[i].message && !CHECK(strstr(r.err.message, list[i].message) != NULL)))
			printf("    %zu: %s\n", i, r.err.message);
		if (r.status == MCW_END)
			CHECK_INT(r.bytes, 2500000);
		end(rig, s);
	}
}

static mcw_status
read_once(const mcw_alloc *alloc, void *arg)
{
	oss_rig    *rig = arg;
	source	   *s = rig->server.handler_ctx == NULL ? NULL : *(source **) (rig + 1);
	mcs_oss		oss = rig->oss;
	mcs_oss_read_spec spec = {.block_size = 1000, .concurrency = 3, .eager = true, .next_object = next_object, .ctx = s};
	mcs_oss_reader *reader;
	mcs_oss_chunk chunk;
	mcw_error	err;
	mcw_status	status;

	oss.alloc = alloc;
	s->next = 0;
	status = mcs_oss_read_open(&oss, &spec, &reader, &err);
	while (status == MCW_OK)
		status = mcs_oss_read_next(reader, true, NULL, &chunk, &err);
	mcs_oss_read_close(reader);
	return status == MCW_END ? MCW_OK : status;
}

static void
test_memory(void)
{
	oss_rig    *rig = calloc(1, sizeof(oss_rig) + sizeof(source *));
	source	   *s = calloc(1, sizeof(*s));

	*(source **) (rig + 1) = s;
	oss_rig_init(rig, &mcw_malloc);
	add(rig, s, "k", 0);
	add(rig, s, "k", 3500);
	add(rig, s, "k", 10);
	unit_torture(read_once, rig);
	end(rig, s);
}

static const unit_case cases[] = {
	{"sizes", test_sizes},
	{"link", test_link},
	{"flight", test_flight},
	{"faults", test_faults},
	{"interrupted", test_interrupted},
	{"plain", test_plain},
	{"plain faults", test_plain_faults},
	{"memory", test_memory},
};

UNIT_MAIN(cases)
