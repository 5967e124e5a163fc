/*
 * wire_bench.c
 *		Speed of the record codecs: bytes and nanoseconds of the best of several
 *		passes.  Prints; judges nothing.
 *
 * Usage: wire_bench [sls-read|sls-write|odps-read|odps-write|ots-read|ots-sparse|
 * ots-write [passes]]; ots-read wants all ten columns of a row, ots-sparse reads rows
 * that lack columns in turn.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../../src/wire/mcw_odps.h"
#include "../../src/wire/mcw_ots.h"
#include "../../src/wire/mcw_sls.h"

#define CONTENTS 10
#define LOGS_PER_GROUP 100
#define GROUPS_PER_PAGE 10
#define PAGES 190				/* 67 MB: far more than the caches hold */
#define RECORDS 200000

static const char *const keys[CONTENTS] = {
	"request_id", "method", "uri", "status", "latency_ms",
	"user_agent", "client_ip", "region", "user_id", "message"
};

static volatile uint64_t sink;	/* keeps results alive */
static mcw_buf page;			/* one page, repeated in memory by copies */
static char *pages;
static mcw_buf records;

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double) ts.tv_sec * 1e9 + (double) ts.tv_nsec;
}

static void
append_varint(mcw_buf *out, uint64_t v)
{
	char		bytes[10];

	(void) mcw_buf_append(out, bytes, (size_t) (mcw_put_varint(bytes, v) - bytes));
}

static uint64_t
sls_write_group(mcw_buf *out, unsigned seed)
{
	mcw_sls_writer writer;
	mcw_pair	tag = {MCW_LIT("__receive_time__"), MCW_LIT("1700000000")};
	char		text[CONTENTS][24];
	mcw_view	key[CONTENTS];
	mcw_view	value[CONTENTS];
	mcw_view	none = {NULL, 0};

	for (int c = 0; c < CONTENTS; c++)
	{
		(void) snprintf(text[c], sizeof(text[c]), "value-%u-of-%d-%u", seed % 97, c, seed * 7919 % 100000);
		key[c] = mcw_str(keys[c]);
		value[c] = mcw_str(text[c]);
	}
	mcw_sls_writer_init(&writer, out);
	for (int l = 0; l < LOGS_PER_GROUP; l++)
	{
		(void) mcw_sls_begin_log(&writer, 1700000000 + (unsigned) l, false, 0);
		for (int c = 0; c < CONTENTS; c++)
			(void) mcw_sls_content(&writer, key[c], value[c]);
		if (mcw_sls_end_log(&writer) != MCW_OK)
			abort();
	}
	if (mcw_sls_finish_group(&writer, none, MCW_LIT("topic"), MCW_LIT("10.0.0.1"), none, &tag, 1) != MCW_OK)
		abort();
	return writer.nlogs;
}

static void
make_pages(void)
{
	mcw_buf		group;

	mcw_buf_init(&group, &mcw_malloc, 1 << 24);
	mcw_buf_init(&page, &mcw_malloc, 1 << 24);
	for (unsigned g = 0; g < GROUPS_PER_PAGE; g++)
	{
		mcw_buf_reset(&group);
		sls_write_group(&group, g + 1);
		(void) mcw_buf_append_char(&page, 0x0a);
		append_varint(&page, group.len);
		(void) mcw_buf_append_view(&page, mcw_buf_view(&group));
	}
	mcw_buf_free(&group);
	pages = malloc(page.len * PAGES);
	if (pages == NULL)
		abort();
	for (int i = 0; i < PAGES; i++)
		memcpy(pages + (size_t) i * page.len, page.data, page.len);
}

static uint64_t
sls_read(uint64_t *bytes)
{
	mcw_sls_column columns[CONTENTS];
	mcw_view	values[CONTENTS];
	mcw_sls_reader *reader;
	mcw_sls_group group;
	mcw_sls_log log;
	uint64_t	n = 0;
	uint64_t	sum = 0;

	for (int c = 0; c < CONTENTS; c++)
		columns[c] = (mcw_sls_column) {MCW_SLS_FIELD, mcw_str(keys[c])};
	reader = mcw_sls_reader_create(&mcw_malloc, columns, CONTENTS);
	for (int i = 0; i < PAGES; i++)
	{
		mcw_view	v = {pages + (size_t) i * page.len, page.len};

		mcw_sls_reader_page(reader, v);
		while (mcw_sls_next_group(reader, &group, NULL) == MCW_OK)
			while (mcw_sls_next_log(reader, &log, values, NULL) == MCW_OK)
			{
				for (int c = 0; c < CONTENTS; c++)
					sum += values[c].len;
				n++;
			}
	}
	mcw_sls_reader_free(reader);
	sink = sum;
	*bytes = (uint64_t) page.len * PAGES;
	return n;
}

static uint64_t
sls_write(uint64_t *bytes)
{
	static mcw_buf out;
	uint64_t	n = 0;

	if (out.alloc == NULL)
		mcw_buf_init(&out, &mcw_malloc, 1 << 24);
	*bytes = 0;
	for (unsigned i = 0; i < PAGES * GROUPS_PER_PAGE; i++)
	{
		mcw_buf_reset(&out);
		n += sls_write_group(&out, i);
		*bytes += out.len;
	}
	return n;
}

static uint64_t
odps_write(uint64_t *bytes)
{
	mcw_odps_writer writer;
	uint64_t	n = 0;

	mcw_buf_reset(&records);
	mcw_odps_writer_init(&writer, &records);
	for (int i = 0; i < RECORDS; i++)
	{
		mcw_odps_begin_record(&writer);
		for (int c = 1; c <= CONTENTS; c++)
		{
			if (c % 3 == 0)
				mcw_odps_put_int(&writer, c, (int64_t) i * 7919);
			else
				mcw_odps_put_bytes(&writer, c, "a value of 22 bytes...", 22);
		}
		if (mcw_odps_end_record(&writer) != MCW_OK)
			abort();
		n++;
	}
	if (mcw_odps_finish(&writer) != MCW_OK)
		abort();
	*bytes = records.len;
	return n;
}

static uint64_t
odps_read(uint64_t *bytes)
{
	static const mcw_odps_type string = {.kind = MCW_ODPS_STRING};
	static const mcw_odps_type bigint = {.kind = MCW_ODPS_BIGINT};
	const mcw_odps_type *types[CONTENTS];
	mcw_odps_value values[CONTENTS];
	mcw_odps_reader reader;
	uint64_t	n = 0;
	uint64_t	sum = 0;

	for (int c = 0; c < CONTENTS; c++)
		types[c] = (c + 1) % 3 == 0 ? &bigint : &string;
	mcw_odps_reader_init(&reader, types, CONTENTS, mcw_buf_view(&records));
	while (mcw_odps_next(&reader, values, NULL) == MCW_OK)
	{
		sum += values[0].bytes.len;
		n++;
	}
	if (!reader.done)
		abort();
	sink = sum;
	*bytes = records.len;
	return n;
}

/* ---- Tablestore: two key columns, eight attribute columns ---- */

#define OTS_PAGES 16
#define OTS_PAGE_BYTES 4194304

static const char *const ots_columns[CONTENTS] = {
	"device_id", "seq", "amount", "client_ip", "created_at",
	"latency_ms", "price", "region", "status", "user_agent"
};

static mcw_buf ots_pages[2][OTS_PAGES];	/* full rows, sparse rows */

static uint64_t
ots_write_page(mcw_buf *out, unsigned seed, bool sparse)
{
	mcw_ots_name names[CONTENTS];
	uint64_t	n = 0;

	for (int c = 0; c < CONTENTS; c++)
		names[c] = mcw_ots_make_name(mcw_str(ots_columns[c]));
	mcw_buf_reset(out);
	for (int64_t i = 0; out->len < OTS_PAGE_BYTES - 1024; i++, n++)
	{
		mcw_ots_writer w;
		mcw_ots_value number = mcw_ots_int(i * 7919);
		mcw_ots_value text = mcw_ots_bytes(MCW_OTS_STRING, MCW_LIT("a value of 22 bytes..."));
		mcw_ots_value real = {.type = MCW_OTS_DOUBLE, .d = (double) i * 0.25};

		if (i == 0)
			mcw_ots_begin_row(&w, out);
		else
			mcw_ots_begin_next_row(&w, out);
		mcw_ots_put_key(&w, &names[0], &text);
		mcw_ots_put_key(&w, &names[1], &number);
		for (int c = 2; c < CONTENTS; c++)
		{
			if (sparse && ((uint64_t) i * 2654435761u + seed) >> (c + 3) & 1)
				continue;
			mcw_ots_put_cell(&w, &names[c], c % 3 == 0 ? &text : c % 3 == 1 ? &number : &real, MCW_OTS_PUT,
							 INT64_C(1700000000000) + i);
		}
		if (mcw_ots_end_row(&w) != MCW_OK)
			abort();
	}
	return n;
}

static uint64_t
ots_write(uint64_t *bytes)
{
	uint64_t	n = 0;

	*bytes = 0;
	for (unsigned i = 0; i < OTS_PAGES; i++)
	{
		n += ots_write_page(&ots_pages[0][i], i, false);
		*bytes += ots_pages[0][i].len;
	}
	return n;
}

static uint64_t
ots_read_pages(const mcw_buf *buffers, uint64_t *bytes)
{
	mcw_view	columns[CONTENTS];
	mcw_ots_value values[CONTENTS];
	mcw_ots_reader *reader;
	mcw_ots_row row;
	uint64_t	n = 0;
	uint64_t	sum = 0;

	for (int c = 0; c < CONTENTS; c++)
		columns[c] = mcw_str(ots_columns[c]);
	reader = mcw_ots_reader_create(&mcw_malloc, columns, CONTENTS);
	*bytes = 0;
	for (int i = 0; i < OTS_PAGES; i++)
	{
		if (mcw_ots_reader_page(reader, mcw_buf_view(&buffers[i]), false, NULL) != MCW_OK)
			abort();
		while (mcw_ots_next_row(reader, &row, values, NULL, NULL) == MCW_OK)
		{
			for (int c = 0; c < CONTENTS; c++)
				sum += values[c].type + (uint64_t) values[c].i;
			n++;
		}
		*bytes += buffers[i].len;
	}
	mcw_ots_reader_free(reader);
	sink = sum;
	return n;
}

static uint64_t
ots_read(uint64_t *bytes)
{
	return ots_read_pages(ots_pages[0], bytes);
}

static uint64_t
ots_read_sparse(uint64_t *bytes)
{
	return ots_read_pages(ots_pages[1], bytes);
}

static void
make_ots_pages(void)
{
	for (int sparse = 0; sparse < 2; sparse++)
		for (unsigned i = 0; i < OTS_PAGES; i++)
		{
			mcw_buf_init(&ots_pages[sparse][i], &mcw_malloc, OTS_PAGE_BYTES);
			(void) ots_write_page(&ots_pages[sparse][i], i, sparse);
		}
}

static void
run(const char *name, uint64_t (*work) (uint64_t *), int passes)
{
	double		best = 1e18;
	uint64_t	bytes = 0;
	uint64_t	n = 0;

	for (int i = 0; i < passes; i++)
	{
		double		start = now();

		n = work(&bytes);
		if (now() - start < best)
			best = now() - start;
	}
	printf("%-10s %8.0f MB/s %8.1f ns/record %6.0f bytes/record\n", name,
		   (double) bytes * 1e3 / best, best / (double) n, (double) bytes / (double) n);
}

int
main(int argc, char **argv)
{
	static const struct
	{
		const char *name;
		uint64_t	(*work) (uint64_t *);
	}			works[] = {
		{"sls-read", sls_read}, {"sls-write", sls_write},
		{"odps-write", odps_write}, {"odps-read", odps_read},
		{"ots-read", ots_read}, {"ots-sparse", ots_read_sparse}, {"ots-write", ots_write},
	};
	uint64_t	bytes;

	mcw_buf_init(&records, &mcw_malloc, (size_t) 1 << 30);
	make_pages();
	make_ots_pages();
	odps_write(&bytes);
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++)
		if (argc < 2 || strcmp(argv[1], works[i].name) == 0)
			run(works[i].name, works[i].work, argc > 2 ? atoi(argv[2]) : 9);
	return 0;
}
