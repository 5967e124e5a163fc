/*
 * ots_save.c
 *		mc-emulator, Tablestore part: the state of --data, written at shutdown and read at
 *		start.
 *
 * Instances, tables with their options and partitions, rows with all versions; what
 * streams and tunnels keep follows in their own words.  A private format of one
 * machine: integers in its byte order, checked by the magic, rejected when it does
 * not fit.
 */
#include <stdlib.h>

#include "ots_private.h"
#include "save.h"

#define MAGIC UINT64_C(0x31305353544f434d)	/* "MCOTSS01" */
#define MAX_BYTES ((uint64_t) 1 << 28)

static void
put_value(FILE *f, const mcw_ots_value *v)
{
	emu_put_int(f, v->type);
	emu_put_int(f, v->type == MCW_OTS_INTEGER ? v->i : 0);
	emu_put_bytes(f, v->type == MCW_OTS_STRING || v->type == MCW_OTS_BINARY ? v->s : MCW_LIT(""));
}

static void
save_table(FILE *f, const ots_table *t)
{
	ots_cursor	c = {0, 0};
	ots_row    *row;

	emu_put_text(f, t->name);
	emu_put_int(f, t->schema.nkeys);
	for (int i = 0; i < t->schema.nkeys; i++)
	{
		emu_put_bytes(f, t->schema.keys[i].name);
		emu_put_int(f, t->schema.keys[i].type);
		emu_put_int(f, t->schema.keys[i].auto_increment);
	}
	emu_put_int(f, t->ndefined);
	for (int i = 0; i < t->ndefined; i++)
	{
		emu_put_text(f, t->defined[i].name);
		emu_put_int(f, t->defined[i].type);
	}
	emu_put_int(f, t->ttl);
	emu_put_int(f, t->max_versions);
	emu_put_int(f, t->deviation);
	emu_put_int(f, t->allow_update);
	emu_put_int(f, t->update_full_row);
	emu_put_int(f, t->local_txn);
	emu_put_int(f, t->reserved_read);
	emu_put_int(f, t->reserved_write);
	emu_put_int(f, t->increased_s);
	emu_put_int(f, t->decreased_s);
	emu_put_int(f, t->created_us);
	emu_put_int(f, t->ready_us);
	emu_put_int(f, t->auto_last);
	emu_put_int(f, t->nparts);
	for (int i = 0; i < t->nparts; i++)
	{
		emu_put_int(f, t->parts[i].id);
		emu_put_int(f, t->parts[i].epoch);
		emu_put_int(f, t->parts[i].created_us);
		put_value(f, &t->parts[i].begin_value);
	}
	emu_put_int(f, t->stream.on);
	emu_put_text(f, t->stream.id);
	emu_put_int(f, t->stream.hours);
	emu_put_int(f, t->stream.enabled_us);
	emu_put_int(f, t->stream.ncolumns);
	for (int i = 0; i < t->stream.ncolumns; i++)
		emu_put_text(f, t->stream.columns[i]);
	emu_put_int(f, t->rows.nrows);
	for (; (row = ots_store_at(&t->rows, c)) != NULL; ots_store_next(&t->rows, &c))
		emu_put_bytes(f, ots_row_body(row));
}

bool
ots_save(FILE *f)
{
	int64_t		n = 0;

	for (ots_instance *i = ots_instances; i; i = i->next)
		n++;
	emu_put_int(f, MAGIC);
	emu_put_int(f, n);
	for (ots_instance *i = ots_instances; i; i = i->next)
	{
		emu_put_text(f, i->name);
		emu_put_int(f, i->ntables);
		for (int t = 0; t < i->ntables; t++)
			save_table(f, i->tables[t]);
	}
	return !ferror(f) && (!ots_stream_save || ots_stream_save(f));
}

/* ---- reading ---- */

/* Valid until the next one; ots_load frees the last */
static char *last;

static mcw_view
get_bytes(emu_saved *s)
{
	uint64_t	len;

	free(last);
	last = emu_get_bytes(s, MAX_BYTES, &len);
	return (mcw_view) {last, (size_t) len};
}

static void
load_parts(emu_saved *s, ots_table *t)
{
	int64_t		n = emu_get_count(s, 1 << 20);

	for (int64_t i = 0; i < n && !s->bad; i++)
	{
		uint64_t	id = emu_get_int(s);
		int32_t		epoch = (int32_t) emu_get_int(s);
		int64_t		created = emu_get_int(s);
		mcw_ots_value v = mcw_ots_none((mcw_ots_type) emu_get_int(s));
		int64_t		number = emu_get_int(s);
		mcw_view	text = get_bytes(s);

		if (v.type == MCW_OTS_INTEGER)
			v.i = number;
		else if (v.type == MCW_OTS_STRING || v.type == MCW_OTS_BINARY)
			v.s = text;
		if (s->bad || (i == 0) != (v.type == MCW_OTS_INF_MIN) || (i > 0 && v.type != t->schema.keys[0].type))
			s->bad = true;
		else
			ots_partition_restore(t, id, epoch, created, &v);
	}
	if (t->nparts == 0)
		s->bad = true;
}

static void
load_stream(emu_saved *s, ots_table *t)
{
	mcw_view	id;
	int64_t		n;

	t->stream.on = emu_get_int(s) != 0;
	id = get_bytes(s);
	snprintf(t->stream.id, sizeof(t->stream.id), "%.*s", (int) id.len, id.data);
	t->stream.hours = (int32_t) emu_get_int(s);
	t->stream.enabled_us = emu_get_int(s);
	n = emu_get_count(s, 64);
	t->stream.columns = n > 0 ? emu_malloc((size_t) n * sizeof(char *)) : NULL;
	for (int64_t i = 0; i < n; i++)
		t->stream.columns[t->stream.ncolumns++] = emu_get_text(s);
}

static void
load_options(emu_saved *s, ots_table *t)
{
	t->ttl = (int32_t) emu_get_int(s);
	t->max_versions = (int32_t) emu_get_int(s);
	t->deviation = emu_get_int(s);
	t->allow_update = emu_get_int(s) != 0;
	t->update_full_row = emu_get_int(s) != 0;
	t->local_txn = emu_get_int(s) != 0;
	t->reserved_read = (int32_t) emu_get_int(s);
	t->reserved_write = (int32_t) emu_get_int(s);
	t->increased_s = emu_get_int(s);
	t->decreased_s = emu_get_int(s);
	t->created_us = emu_get_int(s);
	t->ready_us = emu_get_int(s);
	t->auto_last = emu_get_int(s);
}

static void
load_table(emu_saved *s, ots_instance *inst)
{
	ots_table  *t = ots_table_new(inst, get_bytes(s));
	int64_t		n = emu_get_count(s, MCW_OTS_MAX_KEYS);

	for (int64_t i = 0; i < n; i++)
	{
		char	   *name = emu_get_text(s);
		int64_t		type = emu_get_int(s);
		bool		auto_increment = emu_get_int(s) != 0;

		ots_schema_add(t, mcw_str(name), (mcw_ots_type) type, auto_increment);
		free(name);
	}
	n = n > 0 ? emu_get_count(s, 32) : 0;
	t->defined = n > 0 ? emu_malloc((size_t) n * sizeof(ots_defined)) : NULL;
	for (int64_t i = 0; i < n; i++)
	{
		t->defined[t->ndefined].name = emu_get_text(s);
		t->defined[t->ndefined++].type = (int) emu_get_int(s);
	}
	load_options(s, t);
	if (t->schema.nkeys > 0)
		load_parts(s, t);
	load_stream(s, t);
	n = emu_get_count(s, INT64_MAX);
	for (int64_t i = 0; i < n && !s->bad; i++)
	{
		mcw_view	body = get_bytes(s);
		ots_row    *row = s->bad ? NULL : ots_row_load(t, body);

		if (row)
			ots_store_put(&t->rows, row);
		else
			s->bad = true;
	}
	if (s->bad || t->nparts == 0)
	{
		s->bad = true;
		t->stream.on = false;
		ots_table_free(t);
		return;
	}
	ots_table_add(t);
	if (t->stream.on && ots_stream_enabled)
		ots_stream_enabled(t);
}

bool
ots_load(FILE *f, mcw_error *err)
{
	emu_saved	s = {.f = f};
	int64_t		n;

	if (emu_get_int(&s) != MAGIC)
		s.bad = true;
	n = emu_get_count(&s, 1 << 20);
	for (int64_t i = 0; i < n && !s.bad; i++)
	{
		ots_instance *inst = ots_instance_create(get_bytes(&s));
		int64_t		tables = emu_get_count(&s, 1 << 20);

		for (int64_t t = 0; t < tables && !s.bad; t++)
			load_table(&s, inst);
	}
	free(last);
	last = NULL;
	if (s.bad)
	{
		mcw_fail(err, MCW_ERR_FORMAT, "not a state of this program, or damaged");
		return false;
	}
	return !ots_stream_load || ots_stream_load(f, err);
}
