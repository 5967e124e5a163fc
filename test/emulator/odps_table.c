/*
 * odps_table.c
 *		mc-emulator, MaxCompute part: projects, schemas, tables and partitions in
 *		memory.
 *
 * Names are stored in lower case and looked up without regard to case.  Nothing
 * here answers a request; the data of a partition is in odps_content.c.
 * Reference: maxcompute.md 2.2 to 2.5.
 */
#include "odps.h"

#include <stdlib.h>

odps_project *odps_projects;

/* ---- projects ---- */

odps_project *
odps_project_find(mcw_view name)
{
	odps_project *p;

	for (p = odps_projects; p; p = p->next)
		if (mcw_view_ieq(mcw_str(p->name), name))
			return p;
	return NULL;
}

odps_project *
odps_project_create(mcw_view name, int64_t now)
{
	odps_project *p = emu_malloc(sizeof(*p));

	memset(p, 0, sizeof(*p));
	p->name = odps_lower(name);
	p->created = now;
	p->next = odps_projects;
	odps_projects = p;
	(void) odps_namespace_create(p, MCW_LIT("default"), MCW_LIT(""), now);
	return p;
}

/* ---- schemas, the third tier ---- */

odps_namespace *
odps_namespace_find(odps_project *project, mcw_view name)
{
	for (int i = 0; i < project->nspaces; i++)
		if (mcw_view_ieq(mcw_str(project->spaces[i]->name), name))
			return project->spaces[i];
	return NULL;
}

odps_namespace *
odps_namespace_create(odps_project *project, mcw_view name, mcw_view comment, int64_t now)
{
	odps_namespace *ns = emu_malloc(sizeof(*ns));

	memset(ns, 0, sizeof(*ns));
	ns->name = odps_lower(name);
	ns->comment = emu_strdup(comment);
	ns->created = now;
	project->spaces = emu_realloc(project->spaces, sizeof(ns) * (project->nspaces + 1));
	project->spaces[project->nspaces++] = ns;
	return ns;
}

bool
odps_namespace_drop(odps_project *project, odps_namespace *ns)
{
	int			i;

	if (ns->ntables > 0)
		return false;
	for (i = 0; project->spaces[i] != ns; i++)
		;
	memmove(&project->spaces[i], &project->spaces[i + 1],
			sizeof(ns) * (project->nspaces - i - 1));
	project->nspaces--;
	free(ns->tables);
	free(ns->name);
	free(ns->comment);
	free(ns);
	return true;
}

/* ---- tables ---- */

/* position of a name, or where it belongs */
static int
table_position(odps_namespace *ns, mcw_view name, bool *found)
{
	char	   *key = odps_lower(name);
	int			lo = 0;
	int			hi = ns->ntables;

	*found = false;
	while (lo < hi)
	{
		int			mid = (lo + hi) / 2;
		int			cmp = strcmp(ns->tables[mid]->name, key);

		if (cmp == 0)
		{
			*found = true;
			lo = mid;
			break;
		}
		if (cmp < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	free(key);
	return lo;
}

odps_table *
odps_table_find(odps_namespace *ns, mcw_view name)
{
	bool		found;
	int			at = table_position(ns, name, &found);

	return found ? ns->tables[at] : NULL;
}

void
odps_table_add(odps_namespace *ns, odps_table *table)
{
	bool		found;
	int			at = table_position(ns, mcw_str(table->name), &found);

	ns->tables = emu_realloc(ns->tables, sizeof(table) * (ns->ntables + 1));
	memmove(&ns->tables[at + 1], &ns->tables[at], sizeof(table) * (ns->ntables - at));
	ns->tables[at] = table;
	ns->ntables++;
}

void
odps_table_drop(odps_namespace *ns, odps_table *table, int64_t now)
{
	bool		found;
	int			at = table_position(ns, mcw_str(table->name), &found);

	if (!found)
		return;
	memmove(&ns->tables[at], &ns->tables[at + 1], sizeof(table) * (ns->ntables - at - 1));
	ns->ntables--;
	while (table->nparts > 0)
		odps_partition_drop(table, table->parts[table->nparts - 1], now);
	table->dropped = true;
	odps_table_unref(table);
}

odps_table *
odps_table_ref(odps_table *table)
{
	table->refs++;
	return table;
}

void
odps_table_unref(odps_table *table)
{
	if (!table || --table->refs > 0)
		return;
	while (table->nparts > 0)
		odps_partition_drop(table, table->parts[table->nparts - 1], 0);
	free(table->parts);
	odps_schema_unref(table->schema);
	odps_rate_free(&table->uploads);
	odps_rate_free(&table->downloads);
	odps_rate_free(&table->commits);
	free(table->project);
	free(table->ns);
	free(table->name);
	free(table->comment);
	free(table->properties);
	free(table->primary_key);
	free(table->ddl_text);
	free(table);
}

/* ---- partitions ---- */

static int
partition_compare(const odps_table *table, char *const *a, const mcw_view *b)
{
	for (int i = 0; i < table->schema->nkeys; i++)
	{
		mcw_view	left = mcw_str(a[i]);
		size_t		n = left.len < b[i].len ? left.len : b[i].len;
		int			cmp = n ? memcmp(left.data, b[i].data, n) : 0;

		if (cmp == 0 && left.len != b[i].len)
			cmp = left.len < b[i].len ? -1 : 1;
		if (cmp != 0)
			return cmp;
	}
	return 0;
}

static int
partition_position(odps_table *table, const mcw_view *values, bool *found)
{
	int			lo = 0;
	int			hi = table->nparts;

	*found = false;
	while (lo < hi)
	{
		int			mid = (lo + hi) / 2;
		int			cmp = partition_compare(table, table->parts[mid]->values, values);

		if (cmp == 0)
		{
			*found = true;
			return mid;
		}
		if (cmp < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

odps_partition *
odps_partition_find(odps_table *table, const mcw_view *values)
{
	bool		found;
	int			at = partition_position(table, values, &found);

	return found ? table->parts[at] : NULL;
}

odps_partition *
odps_partition_add(odps_table *table, const mcw_view *values, int64_t now)
{
	bool		found;
	int			at = partition_position(table, values, &found);
	odps_partition *part;

	if (found)
		return table->parts[at];
	part = emu_malloc(sizeof(*part));
	memset(part, 0, sizeof(*part));
	part->values = emu_malloc(sizeof(char *) * (table->schema->nkeys + 1));
	for (int i = 0; i < table->schema->nkeys; i++)
		part->values[i] = emu_strdup(values[i]);
	part->content = odps_content_make(NULL, 0);
	part->created = part->modified = part->ddl = now;
	table->parts = emu_realloc(table->parts, sizeof(part) * (table->nparts + 1));
	memmove(&table->parts[at + 1], &table->parts[at], sizeof(part) * (table->nparts - at));
	table->parts[at] = part;
	table->nparts++;
	if (table->schema->nkeys > 0)
		table->ddl = now;
	return part;
}

void
odps_partition_drop(odps_table *table, odps_partition *part, int64_t now)
{
	int			at;

	for (at = 0; table->parts[at] != part; at++)
		;
	memmove(&table->parts[at], &table->parts[at + 1], sizeof(part) * (table->nparts - at - 1));
	table->nparts--;
	for (int i = 0; i < table->schema->nkeys; i++)
		free(part->values[i]);
	free(part->values);
	odps_content_unref(part->content);
	free(part);
	if (now)
		table->ddl = table->modified = now;
}

void
odps_partition_set(odps_table *table, odps_partition *part, odps_content *content, int64_t now)
{
	odps_content_unref(part->content);
	part->content = content;
	part->modified = now;
	table->modified = now;
}

/* ---- rates ---- */

bool
odps_rate_hit(odps_rate *rate, int limit, int64_t window_us, int64_t now_us)
{
	if (!rate->at)
	{
		rate->at = emu_malloc(sizeof(int64_t) * limit);
		for (int i = 0; i < limit; i++)
			rate->at[i] = INT64_MIN / 2;
		rate->size = limit;
	}
	if (rate->at[rate->next] > now_us - window_us)
		return false;
	rate->at[rate->next] = now_us;
	rate->next = (rate->next + 1) % rate->size;
	return true;
}

void
odps_rate_free(odps_rate *rate)
{
	free(rate->at);
	memset(rate, 0, sizeof(*rate));
}
