/*
 * sls_consumer.c
 *		mc-emulator, Log Service: consumer groups, heartbeats, checkpoints.
 *		loghub.md 3.12.
 */
#include <stdlib.h>

#include "sls.h"

#define MAX_CONSUMER_GROUPS 30

static sls_consumer_group *
find_group(const sls_logstore *store, mcw_view name)
{
	for (sls_consumer_group *g = store->consumer_groups; g; g = g->next)
		if (mcw_view_eq(mcw_str(g->name), name))
			return g;
	return NULL;
}

static sls_consumer *
find_consumer(sls_consumer_group *g, mcw_view name)
{
	for (int i = 0; i < g->nconsumers; i++)
		if (mcw_view_eq(mcw_str(g->consumers[i].name), name))
			return &g->consumers[i];
	return NULL;
}

static sls_checkpoint *
find_point(sls_consumer_group *g, int shard)
{
	for (int i = 0; i < g->npoints; i++)
		if (g->points[i].shard == shard)
			return &g->points[i];
	return NULL;
}

static bool
has_int(const int *list, int n, int v)
{
	for (int i = 0; i < n; i++)
		if (list[i] == v)
			return true;
	return false;
}

static void
add_int(int **list, int *n, int v)
{
	*list = emu_realloc(*list, (*n + 1) * sizeof(int));
	(*list)[(*n)++] = v;
}

static void
remove_int(int *list, int *n, int v)
{
	int			kept = 0;

	for (int i = 0; i < *n; i++)
		if (list[i] != v)
			list[kept++] = list[i];
	*n = kept;
}

static mcw_node *
json_body(sls_call *call, mcw_node_kind kind)
{
	mcw_node   *root = NULL;
	mcw_error	err;

	if (mcw_json_parse(call->req->body, call->req->arena, &root, &err) != MCW_OK || root->kind != kind)
	{
		sls_error(call->resp, 400, "JsonInfoInvalid", "ConsumerGroup or timeout is of error format.");
		return NULL;
	}
	return root;
}

static void
create_group(sls_call *call)
{
	mcw_node   *body = json_body(call, MCW_NODE_OBJECT);
	const mcw_node *order = mcw_node_get(body, "order");
	mcw_view	name;
	int64_t		timeout;
	int			have = 0;
	sls_consumer_group *g;

	if (body == NULL)
		return;
	name = mcw_node_text(body, "consumerGroup");
	if (name.len == 0 || name.len > 128 || !mcw_node_int(body, "timeout", &timeout) || timeout <= 0 ||
		(order && order->kind != MCW_NODE_BOOL))
	{
		sls_error(call->resp, 400, "JsonInfoInvalid", "ConsumerGroup or timeout is of error format.");
		return;
	}
	if (find_group(call->logstore, name))
	{
		sls_error(call->resp, 400, "ConsumerGroupAlreadyExist", "Consumer group already exist.");
		return;
	}
	for (g = call->logstore->consumer_groups; g; g = g->next)
		have++;
	if (have >= MAX_CONSUMER_GROUPS)
	{
		sls_error(call->resp, 400, "ConsumerGroupQuotaExceed", "at most %d consumer groups per logstore", MAX_CONSUMER_GROUPS);
		return;
	}
	g = emu_malloc(sizeof(*g));
	memset(g, 0, sizeof(*g));
	g->name = emu_strdup(name);
	g->timeout = timeout;
	g->order = order && order->boolean;
	g->next = call->logstore->consumer_groups;
	call->logstore->consumer_groups = g;
	sls_json(call->resp);
}

static void
list_groups(sls_call *call)
{
	mcw_buf    *out = &call->resp->body;
	bool		first = true;

	sls_json(call->resp);
	mcw_buf_append_char(out, '[');
	for (sls_consumer_group *g = call->logstore->consumer_groups; g; g = g->next)
	{
		mcw_buf_append_str(out, first ? "{\"name\":" : ",{\"name\":");
		first = false;
		mcw_json_quote(out, mcw_str(g->name));
		mcw_buf_printf(out, ",\"timeout\":%lld,\"order\":%s}", (long long) g->timeout, g->order ? "true" : "false");
	}
	mcw_buf_append_char(out, ']');
}

static void
update_group(sls_call *call, sls_consumer_group *g)
{
	mcw_node   *body = json_body(call, MCW_NODE_OBJECT);
	const mcw_node *order = mcw_node_get(body, "order");
	int64_t		timeout;

	if (body == NULL)
		return;
	if ((mcw_node_get(body, "timeout") && (!mcw_node_int(body, "timeout", &timeout) || timeout <= 0)) ||
		(order && order->kind != MCW_NODE_BOOL))
	{
		sls_error(call->resp, 400, "JsonInfoInvalid", "ConsumerGroup or timeout is of error format.");
		return;
	}
	if (mcw_node_int(body, "timeout", &timeout))
		g->timeout = timeout;
	if (order)
		g->order = order->boolean;
	sls_json(call->resp);
}

static void
delete_group(sls_call *call, sls_consumer_group *g)
{
	sls_consumer_group **at = &call->logstore->consumer_groups;

	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	sls_free_consumer_group(g);
	sls_json(call->resp);
}

/* ---- heartbeat ---- */

static void
drop_dead(sls_consumer_group *g, int64_t now_us)
{
	int			kept = 0;

	for (int i = 0; i < g->nconsumers; i++)
	{
		sls_consumer *c = &g->consumers[i];

		if (c->seen_us + g->timeout * 1000000 >= now_us)
			g->consumers[kept++] = *c;
		else
		{
			free(c->name);
			free(c->holds);
			free(c->assigned);
		}
	}
	g->nconsumers = kept;
}

/* With 'order', a child waits until each of its parents has been read to its end. */
static bool
may_hand_out(const sls_logstore *store, sls_consumer_group *g, const sls_shard *shard)
{
	if (!g->order)
		return true;
	for (int i = 0; i < 2; i++)
	{
		sls_shard  *parent = shard->parents[i] >= 0 ? sls_find_shard(store, shard->parents[i]) : NULL;
		sls_checkpoint *point = parent ? find_point(g, parent->id) : NULL;
		int64_t		cursor = 0;

		if (parent == NULL || sls_begin_cursor(parent) == parent->next_cursor)
			continue;
		if (point == NULL || !sls_parse_cursor(mcw_str(point->cursor), &cursor) || cursor < parent->next_cursor)
			return false;
	}
	return true;
}

static sls_consumer *
owner_of(sls_consumer_group *g, int shard)
{
	for (int i = 0; i < g->nconsumers; i++)
		if (has_int(g->consumers[i].assigned, g->consumers[i].nassigned, shard))
			return &g->consumers[i];
	return NULL;
}

static sls_consumer *
extreme(sls_consumer_group *g, bool most)
{
	sls_consumer *best = NULL;

	for (int i = 0; i < g->nconsumers; i++)
	{
		sls_consumer *c = &g->consumers[i];

		if (best == NULL || (most ? c->nassigned > best->nassigned : c->nassigned < best->nassigned))
			best = c;
	}
	return best;
}

/*
 * Every shard that may be handed out gets an owner; owners keep what they have
 * unless one has two more than another.
 */
static void
assign(const sls_logstore *store, sls_consumer_group *g)
{
	sls_consumer *most;
	sls_consumer *least;

	for (int i = 0; i < g->nconsumers; i++)
		for (int k = g->consumers[i].nassigned - 1; k >= 0; k--)
		{
			sls_consumer *c = &g->consumers[i];
			sls_shard  *s = sls_find_shard(store, c->assigned[k]);

			if (s == NULL || !may_hand_out(store, g, s))
				remove_int(c->assigned, &c->nassigned, c->assigned[k]);
		}
	for (int i = 0; i < store->nshards; i++)
		if (owner_of(g, store->shards[i]->id) == NULL && may_hand_out(store, g, store->shards[i]))
		{
			least = extreme(g, false);
			add_int(&least->assigned, &least->nassigned, store->shards[i]->id);
		}
	while ((most = extreme(g, true))->nassigned - (least = extreme(g, false))->nassigned > 1)
	{
		int			shard = most->assigned[most->nassigned - 1];

		remove_int(most->assigned, &most->nassigned, shard);
		add_int(&least->assigned, &least->nassigned, shard);
	}
}

static bool
held_by_other(sls_consumer_group *g, const sls_consumer *me, int shard)
{
	for (int i = 0; i < g->nconsumers; i++)
		if (&g->consumers[i] != me && has_int(g->consumers[i].holds, g->consumers[i].nholds, shard))
			return true;
	return false;
}

static void
heartbeat(sls_call *call, sls_consumer_group *g)
{
	mcw_node   *body = json_body(call, MCW_NODE_ARRAY);
	mcw_view	name = sls_param(call, "consumer");
	sls_consumer *c;
	bool		first = true;

	if (body == NULL)
		return;
	if (name.len == 0)
	{
		sls_error(call->resp, 400, "MissingParameter", "Missing query key : consumer");
		return;
	}
	drop_dead(g, call->req->now_us);
	c = find_consumer(g, name);
	if (c == NULL && body->nchildren > 0)
	{
		sls_error(call->resp, 400, "NotExistConsumerWithBody", "Non-exist consumer with non-empty body of heartbeat message.");
		return;
	}
	if (c == NULL)
	{
		g->consumers = emu_realloc(g->consumers, (g->nconsumers + 1) * sizeof(*g->consumers));
		c = &g->consumers[g->nconsumers++];
		memset(c, 0, sizeof(*c));
		c->name = emu_strdup(name);
	}
	c->seen_us = call->req->now_us;
	c->nholds = 0;
	for (const mcw_node *n = body->first; n; n = n->next)
	{
		int64_t		id;

		if (mcw_view_int64(n->text, &id) && sls_find_shard(call->logstore, id))
			add_int(&c->holds, &c->nholds, (int) id);
	}
	assign(call->logstore, g);
	sls_json(call->resp);
	mcw_buf_append_char(&call->resp->body, '[');
	for (int i = 0; i < c->nassigned; i++)
		if (!held_by_other(g, c, c->assigned[i]))
		{
			mcw_buf_printf(&call->resp->body, "%s%d", first ? "" : ",", c->assigned[i]);
			first = false;
		}
	mcw_buf_append_char(&call->resp->body, ']');
}

/* ---- checkpoints ---- */

static void
update_point(sls_call *call, sls_consumer_group *g)
{
	mcw_node   *body = json_body(call, MCW_NODE_OBJECT);
	mcw_view	consumer = sls_param(call, "consumer");
	mcw_view	cursor;
	int64_t		shard;
	int64_t		number;
	sls_checkpoint *point;

	if (body == NULL)
		return;
	cursor = mcw_node_text(body, "checkpoint");
	if (cursor.data == NULL || !mcw_node_int(body, "shard", &shard))
	{
		sls_error(call->resp, 400, "JsonInfoInvalid", "shard or checkpoint is of error format.");
		return;
	}
	if (!sls_parse_cursor(cursor, &number))
	{
		sls_error(call->resp, 400, "InvalidShardCheckPoint", "Shard checkpoint not encoded by base64.");
		return;
	}
	if (sls_find_shard(call->logstore, shard) == NULL)
	{
		sls_error(call->resp, 404, "ShardNotExist", "Shard not exist.");
		return;
	}
	if (!sls_param_bool(call, "forceSuccess"))
	{
		sls_consumer *c;

		drop_dead(g, call->req->now_us);
		c = consumer.len > 0 ? find_consumer(g, consumer) : NULL;
		if (c == NULL || (!has_int(c->holds, c->nholds, (int) shard) &&
						  (!has_int(c->assigned, c->nassigned, (int) shard) || held_by_other(g, c, (int) shard))))
		{
			sls_error(call->resp, 404, "ConsumerNotExist", "Consumer not exist in the consumer group");
			return;
		}
	}
	point = find_point(g, (int) shard);
	if (point == NULL)
	{
		g->points = emu_realloc(g->points, (g->npoints + 1) * sizeof(*g->points));
		point = &g->points[g->npoints++];
		memset(point, 0, sizeof(*point));
		point->shard = (int) shard;
	}
	sls_replace_text(&point->cursor, cursor);
	sls_replace_text(&point->consumer, consumer.data ? consumer : MCW_LIT(""));
	point->update_us = call->req->now_us;
	sls_json(call->resp);
}

static void
get_points(sls_call *call, sls_consumer_group *g)
{
	mcw_buf    *out = &call->resp->body;
	int64_t		only;
	bool		first = true;

	if (!sls_param_int(call, "shard", -1, &only) || (only >= 0 && sls_find_shard(call->logstore, only) == NULL))
	{
		sls_error(call->resp, 404, "ShardNotExist", "Shard not exist.");
		return;
	}
	sls_json(call->resp);
	mcw_buf_append_char(out, '[');
	for (int i = 0; i < call->logstore->nshards; i++)
	{
		int			id = call->logstore->shards[i]->id;
		sls_checkpoint *p = find_point(g, id);

		if (only >= 0 && id != only)
			continue;
		mcw_buf_printf(out, "%s{\"shard\":%d,\"checkpoint\":\"%s\",\"updateTime\":%lld,\"consumer\":", first ? "" : ",",
					   id, p ? p->cursor : "", (long long) (p ? p->update_us : 0));
		mcw_json_quote(out, mcw_str(p ? p->consumer : ""));
		mcw_buf_append_char(out, '}');
		first = false;
	}
	mcw_buf_append_char(out, ']');
}

void
sls_handle_consumer(sls_call *call)
{
	sls_consumer_group *g = NULL;

	if (call->api == SLS_LIST_CONSUMER_GROUPS)
	{
		list_groups(call);
		return;
	}
	if (call->api == SLS_CREATE_CONSUMER_GROUP)
	{
		create_group(call);
		return;
	}
	g = find_group(call->logstore, call->seg[3]);
	if (g == NULL)
	{
		sls_error(call->resp, 404, "ConsumerGroupNotExist", "Consumer group not exist.");
		return;
	}
	switch (call->api)
	{
		case SLS_UPDATE_CONSUMER_GROUP:
			update_group(call, g);
			break;
		case SLS_DELETE_CONSUMER_GROUP:
			delete_group(call, g);
			break;
		case SLS_HEARTBEAT:
			heartbeat(call, g);
			break;
		case SLS_UPDATE_CHECKPOINT:
			update_point(call, g);
			break;
		default:
			get_points(call, g);
			break;
	}
}
