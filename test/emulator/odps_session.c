/*
 * odps_session.c
 *		mc-emulator, MaxCompute part: sessions of the tunnel, and what all tunnel
 *		requests of a table check first.
 *
 * A session keeps references to its table and schema, so that it survives DROP.
 * Reference: maxcompute.md 3.1, 4.1 (states, life of 24 hours).
 */
#include "odps.h"

#include <stdlib.h>

#define BUCKETS 4096

odps_session *odps_sessions;
static odps_session *buckets[BUCKETS];

static unsigned
bucket_of(mcw_view id)
{
	return mcw_crc32c(0, id.data, id.len) % BUCKETS;
}

odps_session *
odps_session_restore(odps_session_kind kind, mcw_view id)
{
	odps_session *s = emu_malloc(sizeof(*s));
	unsigned	b;

	memset(s, 0, sizeof(*s));
	s->kind = kind;
	snprintf(s->id, sizeof(s->id), "%.*s", (int) id.len, id.data);
	b = bucket_of(mcw_str(s->id));
	s->hash_next = buckets[b];
	buckets[b] = s;
	s->next = odps_sessions;
	odps_sessions = s;
	return s;
}

odps_session *
odps_session_new(odps_session_kind kind, int64_t now_us)
{
	odps_session *s;
	char		id[40];

	odps_unique_id(now_us, id);
	s = odps_session_restore(kind, mcw_str(id));
	s->created_us = now_us;
	return s;
}

odps_session *
odps_session_find(odps_session_kind kind, mcw_view id)
{
	odps_session *s;

	if (id.len == 0)
		return NULL;
	for (s = buckets[bucket_of(id)]; s; s = s->hash_next)
		if (s->kind == kind && mcw_view_eq(mcw_str(s->id), id))
			return s;
	return NULL;
}

void
odps_session_release(odps_session *s)
{
	for (int i = 0; i < s->nblocks; i++)
	{
		odps_segment_unref(s->blocks[i].segment);
		s->blocks[i].segment = NULL;
	}
	odps_content_unref(s->content);
	s->content = NULL;
}

void
odps_session_forget(odps_session *session)
{
	odps_session **p;

	for (p = &buckets[bucket_of(mcw_str(session->id))]; *p != session; p = &(*p)->hash_next)
		;
	*p = session->hash_next;
	for (p = &odps_sessions; *p != session; p = &(*p)->next)
		;
	*p = session->next;
	odps_session_release(session);
	if (session->values)
		for (int i = 0; session->values[i]; i++)
			free(session->values[i]);
	free(session->values);
	free(session->blocks);
	free(session->instance);
	odps_schema_unref(session->schema);
	odps_table_unref(session->table);
	free(session);
}

void
odps_session_values(odps_session *session, const mcw_view *values)
{
	int			n = session->schema->nkeys;

	session->values = emu_malloc(sizeof(char *) * (n + 1));
	for (int i = 0; i < n; i++)
		session->values[i] = emu_strdup(values[i]);
	session->values[n] = NULL;
}

odps_partition *
odps_session_partition(const odps_session *session)
{
	mcw_view	values[ODPS_MAX_KEYS];

	if (session->table->dropped)
		return NULL;
	for (int i = 0; i < session->schema->nkeys; i++)
		values[i] = mcw_str(session->values[i]);
	return odps_partition_find(session->table, values);
}

const char *
odps_status_name(odps_status status)
{
	static const char *const names[] = {
		"normal", "closing", "committing", "closed", "canceled", "expired", "critical"
	};

	return names[status];
}

/* Delayed commits, expiry after one life, oblivion after two */
void
odps_session_tick(int64_t now_us)
{
	odps_session *s;
	odps_session *next;

	for (s = odps_sessions; s; s = next)
	{
		next = s->next;
		odps_upload_tick(s, now_us);
		if (s->status == ODPS_NORMAL && now_us - s->created_us >= odps_set.session_us)
		{
			s->status = ODPS_EXPIRED;
			odps_session_release(s);
		}
		if (now_us - s->created_us >= 2 * odps_set.session_us)
			odps_session_forget(s);
	}
}

/* ---- checks every tunnel request of a table makes ---- */

odps_table *
odps_tunnel_table(emu_request *req, emu_response *resp, odps_target *target, mcw_view name)
{
	odps_table *table = odps_table_find(target->ns, name);

	if (!table)
		odps_error(req, resp, 404, "NoSuchTable", "The specified table name does not exist: %.*s",
				   (int) name.len, name.data);
	return table;
}

bool
odps_tunnel_spec(emu_request *req, emu_response *resp, odps_table *table, mcw_view *values)
{
	mcw_view	spec = odps_param(req, "partition");
	mcw_error	err = {0};

	if (table->schema->nkeys == 0)
	{
		if (spec.len == 0)
			return true;
		odps_error(req, resp, 400, "InvalidPartitionSpec", "table %s is not partitioned", table->name);
		return false;
	}
	if (spec.len == 0)
	{
		odps_error(req, resp, 400, "MissingPartitionSpec",
				   "The partition spec is missing: table %s is partitioned", table->name);
		return false;
	}
	if (!odps_spec_parse(table->schema, spec, req->arena, values, &err))
	{
		odps_error(req, resp, 400, "InvalidPartitionSpec", "%s", err.message);
		return false;
	}
	for (int i = 0; i < table->schema->nkeys; i++)
		if (!values[i].data)
		{
			odps_error(req, resp, 400, "InvalidPartitionSpec", "partition column %s is missing in \"%.*s\"",
					   table->schema->keys[i].name, (int) spec.len, spec.data);
			return false;
		}
	return true;
}

/* Does the request name the table and the partition the session was made for? */
bool
odps_session_matches(emu_request *req, emu_response *resp, const odps_session *session, const odps_table *table)
{
	mcw_view	spec = odps_param(req, "partition");
	mcw_view	values[ODPS_MAX_KEYS];
	mcw_error	err = {0};
	bool		same = session->table == table;

	if (same && spec.len > 0)
	{
		same = odps_spec_parse(table->schema, spec, req->arena, values, &err);
		for (int i = 0; same && i < table->schema->nkeys; i++)
			same = values[i].data && session->values && mcw_view_eq(values[i], mcw_str(session->values[i]));
	}
	if (!same)
		odps_error(req, resp, 400, "InvalidResourceSpec",
				   "The table or partition of the request is not that of session %s", session->id);
	return same;
}

void
odps_session_head(mcw_buf *out, const odps_session *s)
{
	char		date[32];

	(void) mcw_buf_printf(out, "\"Initiated\":\"%s\",\"Owner\":\"" ODPS_OWNER "\",\"QuotaName\":\"default\",\"Schema\":",
						  odps_xml_time(s->created_us / ODPS_SECOND, date));
	odps_tunnel_schema(out, s->schema);
	(void) mcw_buf_printf(out, ",\"Status\":\"%s\"", s->initiating ? "initiating" : odps_status_name(s->status));
}
