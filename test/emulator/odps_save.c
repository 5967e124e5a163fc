/*
 * odps_save.c
 *		mc-emulator, MaxCompute part: the state of --data, written at shutdown and read at
 *		start.
 *
 * Projects, schemas, tables, partitions, rows, tunnel sessions and the commit log;
 * instances and counters are not kept.  Segments are written once and referred to by
 * number.  A private format of one machine: integers in its byte order, checked by
 * the magic, rejected when it does not fit.
 */
#include <stdlib.h>

#include "odps.h"
#include "save.h"

#define MAGIC UINT64_C(0x31305350444f434d)	/* "MCODPS01" */

/* ---- segments: numbered in the order of first sight ---- */

static uint64_t next_mark;

/* those of the file that is read */
static odps_segment **segments;
static uint64_t nsegments;

static void
save_segment(FILE *f, odps_segment *seg)
{
	if (!seg || seg->mark)
		return;
	seg->mark = ++next_mark;
	emu_put_int(f, 1);
	emu_put_bytes(f, (mcw_view) {seg->data, seg->len});
	emu_put_int(f, seg->nrecords);
	(void) fwrite(seg->offsets, sizeof(uint32_t), seg->nrecords + 1, f);
	(void) fwrite(seg->crcs, sizeof(uint32_t), seg->nrecords, f);
}

static void
each_segment(FILE *f, void (*fn) (FILE *, odps_segment *))
{
	for (odps_project *p = odps_projects; p; p = p->next)
		for (int n = 0; n < p->nspaces; n++)
			for (int t = 0; t < p->spaces[n]->ntables; t++)
				for (int i = 0; i < p->spaces[n]->tables[t]->nparts; i++)
				{
					odps_content *c = p->spaces[n]->tables[t]->parts[i]->content;

					for (int k = 0; k < c->nsegments; k++)
						fn(f, c->segments[k]);
				}
	for (odps_session *s = odps_sessions; s; s = s->next)
	{
		for (int k = 0; k < s->nblocks; k++)
			fn(f, s->blocks[k].segment);
		for (int k = 0; s->content && k < s->content->nsegments; k++)
			fn(f, s->content->segments[k]);
	}
}

static void
unmark(FILE *f, odps_segment *seg)
{
	(void) f;
	if (seg)
		seg->mark = 0;
}

static void
save_content(FILE *f, const odps_content *c)
{
	emu_put_int(f, c->version);
	emu_put_int(f, c->nsegments);
	for (int i = 0; i < c->nsegments; i++)
		emu_put_int(f, c->segments[i]->mark);
}

static void
load_segments(emu_saved *s)
{
	while (emu_get_int(s) == 1 && !s->bad)
	{
		uint64_t	len;
		char	   *data = emu_get_bytes(s, UINT32_MAX, &len);
		uint32_t	n = (uint32_t) emu_get_count(s, len);
		uint32_t   *offsets = emu_malloc(sizeof(uint32_t) * ((size_t) n + 1));
		uint32_t   *crcs = emu_malloc(sizeof(uint32_t) * ((size_t) n + 1));

		if (fread(offsets, sizeof(uint32_t), (size_t) n + 1, s->f) != (size_t) n + 1 ||
			fread(crcs, sizeof(uint32_t), n, s->f) != n)
			s->bad = true;
		for (uint32_t i = 0; i < n && !s->bad; i++)
			s->bad = offsets[i] > offsets[i + 1] || offsets[i + 1] > len;
		segments = emu_realloc(segments, sizeof(odps_segment *) * (nsegments + 1));
		segments[nsegments++] = odps_segment_take(data, len, n, offsets, crcs);
	}
}

static odps_segment *
get_segment(emu_saved *s)
{
	uint64_t	mark = emu_get_count(s, nsegments);

	return mark ? segments[mark - 1] : NULL;
}

static odps_content *
load_content(emu_saved *s)
{
	uint64_t	version = emu_get_int(s);
	uint64_t	n = emu_get_count(s, 1 << 24);
	odps_segment **segs = emu_malloc(sizeof(*segs) * (n + 1));
	odps_content *c;

	for (uint64_t i = 0; i < n; i++)
		segs[i] = get_segment(s);
	c = odps_content_make(segs, (int) n);
	odps_content_restore(c, version);
	free(segs);
	return c;
}

/* ---- tables ---- */

static void
save_columns(FILE *f, const odps_column *cols, int n)
{
	emu_put_int(f, n);
	for (int i = 0; i < n; i++)
	{
		emu_put_text(f, cols[i].name);
		emu_put_text(f, cols[i].type_text);
		emu_put_text(f, cols[i].comment);
		emu_put_int(f, cols[i].not_null);
	}
}

static odps_coldef *
load_columns(emu_saved *s, int *n)
{
	uint64_t	count = emu_get_count(s, MCW_ODPS_MAX_COLUMNS);
	odps_coldef *cols = emu_malloc(sizeof(*cols) * (count + 1));

	for (uint64_t i = 0; i < count; i++)
	{
		cols[i].name = mcw_str(emu_get_text(s));
		cols[i].type = mcw_str(emu_get_text(s));
		cols[i].comment = mcw_str(emu_get_text(s));
		cols[i].not_null = emu_get_int(s) != 0;
	}
	*n = (int) count;
	return cols;
}

static void
free_columns(odps_coldef *cols, int n)
{
	for (int i = 0; i < n; i++)
	{
		free((char *) cols[i].name.data);
		free((char *) cols[i].type.data);
		free((char *) cols[i].comment.data);
	}
	free(cols);
}

static void
save_schema(FILE *f, const odps_schema *schema)
{
	save_columns(f, schema->columns, schema->ncolumns);
	save_columns(f, schema->keys, schema->nkeys);
}

static odps_schema *
load_schema(emu_saved *s)
{
	mcw_error	err = {0};
	int			ncols;
	int			nkeys;
	odps_coldef *cols = load_columns(s, &ncols);
	odps_coldef *keys = load_columns(s, &nkeys);
	odps_schema *schema = s->bad ? NULL : odps_schema_make(cols, ncols, keys, nkeys, &err);

	free_columns(cols, ncols);
	free_columns(keys, nkeys);
	if (!schema)
		s->bad = true;
	return schema;
}

static void
save_table(FILE *f, const odps_table *t)
{
	emu_put_text(f, t->name);
	emu_put_text(f, t->id);
	emu_put_text(f, t->comment);
	emu_put_text(f, t->properties);
	emu_put_text(f, t->primary_key);
	emu_put_text(f, t->ddl_text);
	emu_put_int(f, t->created);
	emu_put_int(f, t->modified);
	emu_put_int(f, t->ddl);
	emu_put_int(f, t->lifecycle);
	emu_put_int(f, t->transactional);
	save_schema(f, t->schema);
	emu_put_int(f, t->nparts);
	for (int i = 0; i < t->nparts; i++)
	{
		for (int k = 0; k < t->schema->nkeys; k++)
			emu_put_text(f, t->parts[i]->values[k]);
		emu_put_int(f, t->parts[i]->created);
		emu_put_int(f, t->parts[i]->modified);
		emu_put_int(f, t->parts[i]->ddl);
		save_content(f, t->parts[i]->content);
	}
}

static void
load_partition(emu_saved *s, odps_table *t)
{
	mcw_view	values[ODPS_MAX_KEYS];
	odps_partition *part;
	int64_t		ddl = t->ddl;

	for (int k = 0; k < t->schema->nkeys; k++)
		values[k] = mcw_str(emu_get_text(s));
	part = odps_partition_add(t, values, 0);
	for (int k = 0; k < t->schema->nkeys; k++)
		free((char *) values[k].data);
	t->ddl = ddl;
	part->created = (int64_t) emu_get_int(s);
	part->modified = (int64_t) emu_get_int(s);
	part->ddl = (int64_t) emu_get_int(s);
	odps_content_unref(part->content);
	part->content = load_content(s);
}

static odps_table *
load_table(emu_saved *s, const odps_project *p, const odps_namespace *ns)
{
	odps_table *t = emu_malloc(sizeof(*t));
	uint64_t	n;
	char	   *id;

	memset(t, 0, sizeof(*t));
	t->refs = 1;
	t->project = emu_strdup(mcw_str(p->name));
	t->ns = emu_strdup(mcw_str(ns->name));
	t->name = emu_get_text(s);
	id = emu_get_text(s);
	snprintf(t->id, sizeof(t->id), "%s", id);
	free(id);
	t->comment = emu_get_text(s);
	t->properties = emu_get_text(s);
	t->primary_key = emu_get_text(s);
	t->ddl_text = emu_get_text(s);
	t->created = (int64_t) emu_get_int(s);
	t->modified = (int64_t) emu_get_int(s);
	t->ddl = (int64_t) emu_get_int(s);
	t->lifecycle = (int64_t) emu_get_int(s);
	t->transactional = emu_get_int(s) != 0;
	t->schema = load_schema(s);
	n = s->bad ? 0 : emu_get_count(s, 1 << 24);
	for (uint64_t i = 0; i < n && !s->bad; i++)
		load_partition(s, t);
	return t;
}

/* ---- sessions and commits ---- */

static void
save_session(FILE *f, const odps_session *x)
{
	bool		bound = x->table && !x->table->dropped && x->kind != ODPS_UPSERT;

	emu_put_int(f, bound);
	if (!bound)
		return;
	emu_put_text(f, x->table->project);
	emu_put_text(f, x->table->ns);
	emu_put_text(f, x->table->name);
	emu_put_int(f, x->kind);
	emu_put_text(f, x->id);
	emu_put_int(f, x->created_us);
	emu_put_int(f, x->status);
	emu_put_int(f, x->slots);
	emu_put_int(f, x->values != NULL);
	for (int k = 0; x->values && k < x->schema->nkeys; k++)
		emu_put_text(f, x->values[k]);
	emu_put_int(f, x->content != NULL);
	if (x->content)
		save_content(f, x->content);
	emu_put_int(f, x->overwrite);
	emu_put_int(f, x->apply_at);
	emu_put_int(f, x->close_at);
	emu_put_int(f, x->nblocks);
	for (int i = 0; i < x->nblocks; i++)
	{
		emu_put_int(f, x->blocks[i].id);
		emu_put_int(f, x->blocks[i].version);
		emu_put_int(f, x->blocks[i].rows);
		emu_put_int(f, x->blocks[i].created);
		emu_put_int(f, x->blocks[i].segment ? x->blocks[i].segment->mark : 0);
	}
}

static odps_table *
load_table_name(emu_saved *s)
{
	char	   *project = emu_get_text(s);
	char	   *space = emu_get_text(s);
	char	   *name = emu_get_text(s);
	odps_project *p = odps_project_find(mcw_str(project));
	odps_namespace *ns = p ? odps_namespace_find(p, mcw_str(space)) : NULL;
	odps_table *t = ns ? odps_table_find(ns, mcw_str(name)) : NULL;

	free(project);
	free(space);
	free(name);
	if (!t)
		s->bad = true;
	return t;
}

static void
load_blocks(emu_saved *s, odps_session *x)
{
	uint64_t	n = emu_get_count(s, ODPS_MAX_BLOCK_ID + 1);

	x->blocks = emu_malloc(sizeof(odps_block) * (n + 1));
	for (uint64_t i = 0; i < n; i++)
	{
		odps_block *b = &x->blocks[x->nblocks++];

		b->id = (int) emu_get_int(s);
		b->version = (uint32_t) emu_get_int(s);
		b->rows = (uint32_t) emu_get_int(s);
		b->created = (int64_t) emu_get_int(s);
		b->segment = get_segment(s);
		if (b->segment)
			b->segment->refs++;
	}
}

static void
load_session(emu_saved *s)
{
	odps_table *t;
	odps_session *x;
	odps_session_kind kind;
	char	   *id;

	if (!emu_get_int(s))
		return;
	t = load_table_name(s);
	if (s->bad)
		return;
	kind = (odps_session_kind) emu_get_count(s, ODPS_UPSERT);
	id = emu_get_text(s);
	x = odps_session_restore(kind, mcw_str(id));
	free(id);
	x->created_us = (int64_t) emu_get_int(s);
	x->status = (odps_status) emu_get_count(s, ODPS_CRITICAL);
	x->table = odps_table_ref(t);
	x->schema = odps_schema_ref(t->schema);
	x->slots = (int) emu_get_count(s, 1 << 16);
	if (emu_get_int(s))
	{
		x->values = emu_malloc(sizeof(char *) * (t->schema->nkeys + 1));
		for (int k = 0; k < t->schema->nkeys; k++)
			x->values[k] = emu_get_text(s);
		x->values[t->schema->nkeys] = NULL;
	}
	if (emu_get_int(s))
		x->content = load_content(s);
	x->overwrite = emu_get_int(s) != 0;
	x->apply_at = (int64_t) emu_get_int(s);
	x->close_at = (int64_t) emu_get_int(s);
	load_blocks(s, x);
}

static void
save_commits(FILE *f)
{
	emu_put_int(f, odps_ncommits);
	for (int i = 0; i < odps_ncommits; i++)
	{
		const odps_commit *c = &odps_commits[i];

		emu_put_int(f, c->at_us);
		emu_put_int(f, c->request);
		emu_put_text(f, c->session);
		emu_put_text(f, c->table);
		emu_put_text(f, c->spec);
		emu_put_int(f, c->overwrite);
		emu_put_int(f, c->partial);
		emu_put_int(f, c->rows);
	}
}

static void
load_commits(emu_saved *s)
{
	uint64_t	n = emu_get_count(s, 1 << 24);

	for (uint64_t i = 0; i < n && !s->bad; i++)
	{
		odps_commit *c = odps_commit_new();
		char	   *session;

		c->at_us = (int64_t) emu_get_int(s);
		c->request = emu_get_int(s);
		session = emu_get_text(s);
		snprintf(c->session, sizeof(c->session), "%s", session);
		free(session);
		c->table = emu_get_text(s);
		c->spec = emu_get_text(s);
		c->overwrite = emu_get_int(s) != 0;
		c->partial = emu_get_int(s) != 0;
		c->rows = emu_get_int(s);
	}
}

/* ---- the whole ---- */

bool
odps_save(FILE *f)
{
	emu_put_int(f, MAGIC);
	emu_put_int(f, odps_id_serial);
	next_mark = 0;
	each_segment(f, save_segment);
	emu_put_int(f, 0);
	for (odps_project *p = odps_projects; p; p = p->next)
	{
		emu_put_int(f, 1);
		emu_put_text(f, p->name);
		emu_put_int(f, p->created);
		emu_put_int(f, p->three_tier);
		emu_put_int(f, p->nspaces);
		for (int n = 0; n < p->nspaces; n++)
		{
			emu_put_text(f, p->spaces[n]->name);
			emu_put_text(f, p->spaces[n]->comment);
			emu_put_int(f, p->spaces[n]->created);
			emu_put_int(f, p->spaces[n]->ntables);
			for (int t = 0; t < p->spaces[n]->ntables; t++)
				save_table(f, p->spaces[n]->tables[t]);
		}
	}
	emu_put_int(f, 0);
	for (const odps_session *s = odps_sessions; s; s = s->next)
	{
		emu_put_int(f, 1);
		save_session(f, s);
	}
	emu_put_int(f, 0);
	save_commits(f);
	emu_put_int(f, MAGIC);
	each_segment(f, unmark);
	return fflush(f) == 0 && !ferror(f);
}

static void
load_project(emu_saved *s)
{
	char	   *name = emu_get_text(s);
	odps_project *p = odps_project_find(mcw_str(name));
	uint64_t	spaces;

	if (!p)
		p = odps_project_create(mcw_str(name), 0);
	free(name);
	p->created = (int64_t) emu_get_int(s);
	p->three_tier = emu_get_int(s) != 0;
	spaces = emu_get_count(s, 1 << 20);
	for (uint64_t n = 0; n < spaces && !s->bad; n++)
	{
		char	   *space = emu_get_text(s);
		char	   *comment = emu_get_text(s);
		odps_namespace *ns = odps_namespace_find(p, mcw_str(space));
		uint64_t	tables;

		if (!ns)
			ns = odps_namespace_create(p, mcw_str(space), mcw_str(comment), 0);
		free(space);
		free(comment);
		ns->created = (int64_t) emu_get_int(s);
		tables = emu_get_count(s, 1 << 24);
		for (uint64_t t = 0; t < tables && !s->bad; t++)
			odps_table_add(ns, load_table(s, p, ns));
	}
}

bool
odps_load(FILE *f, mcw_error *err)
{
	emu_saved	s = {f};

	s.bad = emu_get_int(&s) != MAGIC;
	odps_id_serial = (uint32_t) emu_get_int(&s);
	load_segments(&s);
	while (emu_get_int(&s) == 1 && !s.bad)
		load_project(&s);
	while (emu_get_int(&s) == 1 && !s.bad)
		load_session(&s);
	load_commits(&s);
	if (emu_get_int(&s) != MAGIC)
		s.bad = true;
	for (uint64_t i = 0; i < nsegments; i++)
		odps_segment_unref(segments[i]);
	free(segments);
	segments = NULL;
	nsegments = 0;
	if (s.bad)
		mcw_fail(err, MCW_ERR_FORMAT, "the saved state of MaxCompute is damaged or of another version");
	return !s.bad;
}
