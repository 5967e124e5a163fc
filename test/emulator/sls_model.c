/*
 * sls_model.c
 *		mc-emulator, Log Service: projects and logstores, their life and the expiry of
 *		what they hold.
 */
#include <stdlib.h>

#include "sls.h"

sls_config	sls_conf = {
	.check_time = true,
	.require_index = true,
	.enforce_quota = false,
	.show_meta = false,
	.page_bytes = 5 << 20,
	.cache_bytes = (int64_t) 1 << 30,
	.shard_write_bytes = 5 << 20,
	.shard_writes = 500,
	.shard_read_bytes = 20 << 20,
	.shard_reads = 100
};
sls_project *sls_projects = NULL;

/* 3 to 63 of a-z 0-9 - (and _), beginning and ending with a letter or digit */
bool
sls_valid_name(mcw_view name, bool underscore)
{
	if (name.len < 3 || name.len > 63)
		return false;
	for (size_t i = 0; i < name.len; i++)
	{
		char		c = name.data[i];
		bool		alnum = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

		if (!alnum && (i == 0 || i == name.len - 1))
			return false;
		if (!alnum && c != '-' && !(underscore && c == '_'))
			return false;
	}
	return true;
}

void
sls_replace_text(char **slot, mcw_view v)
{
	char	   *copy = v.data ? emu_strdup(v) : NULL;

	free(*slot);
	*slot = copy;
}

sls_project *
sls_find_project(mcw_view name)
{
	for (sls_project *p = sls_projects; p; p = p->next)
		if (mcw_view_eq(mcw_str(p->name), name))
			return p;
	return NULL;
}

sls_project *
sls_new_project(mcw_view name, mcw_view description, int64_t now_us)
{
	sls_project *p = emu_malloc(sizeof(*p));
	sls_project **at = &sls_projects;

	memset(p, 0, sizeof(*p));
	p->name = emu_strdup(name);
	p->description = emu_strdup(description);
	p->status = emu_strdup(MCW_LIT("Normal"));
	p->create_us = p->modify_us = now_us;
	while (*at && strcmp((*at)->name, p->name) < 0)
		at = &(*at)->next;
	p->next = *at;
	*at = p;
	return p;
}

sls_logstore *
sls_find_logstore(const sls_project *project, mcw_view name)
{
	for (sls_logstore *s = project->logstores; s; s = s->next)
		if (mcw_view_eq(mcw_str(s->name), name))
			return s;
	return NULL;
}

sls_logstore *
sls_new_logstore(sls_project *project, mcw_view name, int64_t now_us)
{
	sls_logstore *s = emu_malloc(sizeof(*s));
	sls_logstore **at = &project->logstores;

	memset(s, 0, sizeof(*s));
	s->name = emu_strdup(name);
	s->ttl = 30;
	s->initial_shards = 2;
	s->max_split = 64;
	s->telemetry = emu_strdup(MCW_LIT(""));
	s->mode = emu_strdup(MCW_LIT("standard"));
	s->create_us = s->modify_us = now_us;
	while (*at && strcmp((*at)->name, s->name) < 0)
		at = &(*at)->next;
	s->next = *at;
	*at = s;
	return s;
}

void
sls_free_consumer_group(sls_consumer_group *group)
{
	for (int i = 0; i < group->npoints; i++)
	{
		free(group->points[i].cursor);
		free(group->points[i].consumer);
	}
	for (int i = 0; i < group->nconsumers; i++)
	{
		free(group->consumers[i].name);
		free(group->consumers[i].holds);
		free(group->consumers[i].assigned);
	}
	free(group->points);
	free(group->consumers);
	free(group->name);
	free(group);
}

void
sls_drop_logstore(sls_project *project, sls_logstore *store)
{
	sls_logstore **at = &project->logstores;

	while (*at != store)
		at = &(*at)->next;
	*at = store->next;
	for (int i = 0; i < store->nshards; i++)
		sls_free_shard(store->shards[i]);
	while (store->consumer_groups)
	{
		sls_consumer_group *group = store->consumer_groups;

		store->consumer_groups = group->next;
		sls_free_consumer_group(group);
	}
	free(store->shards);
	free(store->name);
	free(store->telemetry);
	free(store->mode);
	free(store->encrypt_conf);
	free(store->index);
	free(store);
}

void
sls_drop_project(sls_project *project)
{
	sls_project **at = &sls_projects;

	while (*at != project)
		at = &(*at)->next;
	*at = project->next;
	while (project->logstores)
		sls_drop_logstore(project, project->logstores);
	free(project->name);
	free(project->description);
	free(project->status);
	free(project);
}

void
sls_free_all(void)
{
	while (sls_projects)
		sls_drop_project(sls_projects);
	sls_cache_clear();
}

static void
expire_shard(sls_shard *shard, int64_t limit_us)
{
	while (shard->first < shard->ngroups && shard->groups[shard->first].order_us <= limit_us)
	{
		sls_group  *g = &shard->groups[shard->first++];

		shard->bytes -= g->len;
		free(g->data);
		g->data = NULL;
	}
	/* give the dead head of the array back once it is the larger part */
	if (shard->first > 1024 && shard->first > shard->ngroups / 2)
	{
		memmove(shard->groups, shard->groups + shard->first, (shard->ngroups - shard->first) * sizeof(sls_group));
		shard->ngroups -= shard->first;
		shard->first = 0;
	}
}

/*
 * Groups older than the TTL disappear; a read-only shard does when it is empty and
 * became read-only longer than a TTL ago.
 */
void
sls_expire(int64_t now_us)
{
	for (sls_project *p = sls_projects; p; p = p->next)
		for (sls_logstore *s = p->logstores; s; s = s->next)
		{
			int64_t		limit = now_us - s->ttl * SLS_DAY_US;
			int			kept = 0;

			if (s->ttl >= 3650)
				continue;
			for (int i = 0; i < s->nshards; i++)
			{
				sls_shard  *shard = s->shards[i];

				expire_shard(shard, limit);
				if (shard->readonly && shard->first == shard->ngroups && shard->readonly_us <= limit)
					sls_free_shard(shard);
				else
					s->shards[kept++] = shard;
			}
			s->nshards = kept;
		}
}
