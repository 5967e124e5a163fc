/*
 * ots_table.c
 *		mc-emulator, Tablestore part: instances, tables, partitions and the switch of
 *		streams as data structures.  The calls that change them are in ots_ddl.c.
 */
#include <stdlib.h>

#include "ots_private.h"

ots_instance *ots_instances = NULL;

static uint64_t next_partition = 1;
static uint64_t next_stream = 1;

/* ---- instances ---- */

ots_instance *
ots_instance_find(mcw_view name)
{
	for (ots_instance *i = ots_instances; i; i = i->next)
		if (mcw_view_eq(mcw_str(i->name), name))
			return i;
	return NULL;
}

ots_instance *
ots_instance_create(mcw_view name)
{
	ots_instance *inst = ots_instance_find(name);
	ots_instance **end = &ots_instances;

	if (inst)
		return inst;
	while (*end)
		end = &(*end)->next;
	inst = emu_malloc(sizeof(*inst));
	*inst = (ots_instance) {.name = emu_strdup(name)};
	return *end = inst;
}

/* ---- tables ---- */

static int
table_place(const ots_instance *inst, mcw_view name, bool *found)
{
	int			lo = 0;
	int			hi = inst->ntables;

	while (lo < hi)
	{
		int			mid = (lo + hi) / 2;

		if (mcw_view_cmp(mcw_str(inst->tables[mid]->name), name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*found = lo < inst->ntables && mcw_view_eq(mcw_str(inst->tables[lo]->name), name);
	return lo;
}

ots_table *
ots_table_find(const ots_instance *inst, mcw_view name)
{
	bool		found;
	int			at = table_place(inst, name, &found);

	return found ? inst->tables[at] : NULL;
}

ots_table *
ots_table_new(ots_instance *inst, mcw_view name)
{
	ots_table  *table = emu_malloc(sizeof(*table));

	*table = (ots_table) {.inst = inst, .name = emu_strdup(name), .ttl = -1, .max_versions = 1, .deviation = 86400,
		.allow_update = true};
	return table;
}

void
ots_table_add(ots_table *table)
{
	ots_instance *inst = table->inst;
	bool		found;
	int			at = table_place(inst, mcw_str(table->name), &found);

	inst->tables = emu_realloc(inst->tables, (inst->ntables + 1) * sizeof(ots_table *));
	memmove(inst->tables + at + 1, inst->tables + at, (inst->ntables - at) * sizeof(ots_table *));
	inst->tables[at] = table;
	inst->ntables++;
}

static void
forget_partitions(ots_table *table)
{
	for (int i = 0; i < table->nparts; i++)
	{
		free((char *) table->parts[i].begin.data);
		free(table->parts[i].begin_bytes);
	}
	free(table->parts);
	table->parts = NULL;
	table->nparts = 0;
}

static void
forget_stream_columns(ots_table *table)
{
	for (int i = 0; i < table->stream.ncolumns; i++)
		free(table->stream.columns[i]);
	free(table->stream.columns);
	table->stream.columns = NULL;
	table->stream.ncolumns = 0;
}

/* A table in no list */
void
ots_table_free(ots_table *table)
{
	ots_page_forget();
	ots_store_clear(&table->rows);
	forget_partitions(table);
	forget_stream_columns(table);
	for (int i = 0; i < table->schema.nkeys; i++)
		free((char *) table->schema.keys[i].name.data);
	for (int i = 0; i < table->ndefined; i++)
		free(table->defined[i].name);
	free(table->defined);
	free(table->name);
	free(table);
}

void
ots_table_drop(ots_table *table)
{
	ots_instance *inst = table->inst;
	bool		found;
	int			at = table_place(inst, mcw_str(table->name), &found);

	if (ots_tunnel_table_dropped)
		ots_tunnel_table_dropped(table);
	if (ots_txn_table_dropped)
		ots_txn_table_dropped(table);
	ots_stream_off(table);
	memmove(inst->tables + at, inst->tables + at + 1, (inst->ntables - at - 1) * sizeof(ots_table *));
	inst->ntables--;
	ots_table_free(table);
}

void
ots_schema_add(ots_table *table, mcw_view name, mcw_ots_type type, bool auto_increment)
{
	table->schema.keys[table->schema.nkeys++] = (mcw_ots_key_column) {
		.name = {emu_strdup(name), name.len}, .type = type, .auto_increment = auto_increment
	};
}

/* ---- partitions ---- */

static ots_partition
make_partition(const mcw_ots_value *begin, int32_t epoch, int64_t now_us)
{
	ots_partition p = {.id = next_partition++, .epoch = epoch, .created_us = now_us};
	mcw_buf		sort;

	p.begin_value = mcw_ots_none(MCW_OTS_INF_MIN);
	p.begin = (mcw_view) {emu_malloc(1), 0};
	if (begin == NULL || begin->type == MCW_OTS_INF_MIN)
		return p;
	p.begin_value = *begin;
	if (begin->type != MCW_OTS_INTEGER)
		p.begin_value.s.data = p.begin_bytes = emu_strdup(begin->s);
	mcw_buf_init(&sort, &mcw_malloc, OTS_MAX_SORT);
	ots_sort_key(&sort, begin, 1);
	free((char *) p.begin.data);
	p.begin = (mcw_view) {emu_strdup(mcw_buf_view(&sort)), sort.len};
	mcw_buf_free(&sort);
	return p;
}

void
ots_partition_reset(ots_table *table, int64_t now_us)
{
	forget_partitions(table);
	table->parts = emu_malloc(sizeof(ots_partition));
	table->parts[0] = make_partition(NULL, 0, now_us);
	table->nparts = 1;
}

/* Used by --data too: puts back a partition as it was, in order */
void
ots_partition_restore(ots_table *table, uint64_t id, int32_t epoch, int64_t created_us, const mcw_ots_value *begin)
{
	ots_partition p = make_partition(begin, epoch, created_us);

	next_partition--;
	p.id = id;
	if (id >= next_partition)
		next_partition = id + 1;
	table->parts = emu_realloc(table->parts, (table->nparts + 1) * sizeof(ots_partition));
	table->parts[table->nparts++] = p;
}

ots_partition *
ots_table_partition(ots_table *table, mcw_view sort)
{
	int			lo = 0;
	int			hi = table->nparts;

	while (hi - lo > 1)
	{
		int			mid = (lo + hi) / 2;

		if (mcw_view_cmp(table->parts[mid].begin, sort) <= 0)
			lo = mid;
		else
			hi = mid;
	}
	return &table->parts[lo];
}

static void
free_partition(ots_partition *p)
{
	free((char *) p->begin.data);
	free(p->begin_bytes);
}

bool
ots_partition_split(ots_table *table, int index, const mcw_ots_value *at, int64_t now_us)
{
	ots_partition old = table->parts[index];
	ots_partition left = make_partition(&old.begin_value, old.epoch + 1, now_us);
	ots_partition right = make_partition(at, old.epoch + 1, now_us);

	if (at->type != table->schema.keys[0].type || mcw_view_cmp(left.begin, right.begin) >= 0 ||
		(index + 1 < table->nparts && mcw_view_cmp(right.begin, table->parts[index + 1].begin) >= 0))
	{
		free_partition(&left);
		free_partition(&right);
		return false;
	}
	table->parts = emu_realloc(table->parts, (table->nparts + 1) * sizeof(ots_partition));
	memmove(table->parts + index + 2, table->parts + index + 1, (table->nparts - index - 1) * sizeof(ots_partition));
	table->parts[index] = left;
	table->parts[index + 1] = right;
	table->nparts++;
	table->version++;
	if (table->stream.on && ots_stream_split)
		ots_stream_split(table, &old, &table->parts[index], &table->parts[index + 1]);
	free_partition(&old);
	return true;
}

bool
ots_partition_merge(ots_table *table, int index, int64_t now_us)
{
	ots_partition left;
	ots_partition right;

	if (index < 0 || index + 1 >= table->nparts)
		return false;
	left = table->parts[index];
	right = table->parts[index + 1];
	table->parts[index] = make_partition(&left.begin_value, (left.epoch > right.epoch ? left.epoch : right.epoch) + 1, now_us);
	memmove(table->parts + index + 1, table->parts + index + 2, (table->nparts - index - 2) * sizeof(ots_partition));
	table->nparts--;
	table->version++;
	if (table->stream.on && ots_stream_merged)
		ots_stream_merged(table, &left, &right, &table->parts[index]);
	free_partition(&left);
	free_partition(&right);
	return true;
}

/* ---- streams ---- */

void
ots_stream_on(ots_table *table, int32_t hours, const mcw_view *columns, int ncolumns, int64_t now_us)
{
	ots_stream_spec *s = &table->stream;

	s->on = true;
	s->hours = hours;
	s->enabled_us = now_us;
	snprintf(s->id, sizeof(s->id), "%.60s_%lld_%llu", table->name, (long long) now_us, (unsigned long long) next_stream++);
	s->columns = emu_malloc((ncolumns + 1) * sizeof(char *));
	for (int i = 0; i < ncolumns; i++)
		s->columns[i] = emu_strdup(columns[i]);
	s->ncolumns = ncolumns;
	if (ots_stream_enabled)
		ots_stream_enabled(table);
}

void
ots_stream_off(ots_table *table)
{
	if (!table->stream.on)
		return;
	if (ots_stream_disabled)
		ots_stream_disabled(table);
	forget_stream_columns(table);
	table->stream = (ots_stream_spec) {0};
}
