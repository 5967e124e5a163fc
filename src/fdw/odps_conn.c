/*
 * odps_conn.c
 *		Connection of a statement to a MaxCompute project, and what the backend
 *		remembers between statements: metadata for half a minute, tunnel addresses.
 *
 * Cached entries are counted: an entry that was replaced lives until the last
 * statement that looked at it has ended.
 */
#include "postgres.h"

#include "lib/ilist.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "mc_private.h"
#include "odps.h"

#define METADATA_LIFE_US INT64CONST(30000000)
#define TUNNEL_LIFE_US INT64CONST(300000000)
#define MAX_ENTRIES 200			/* tables remembered */
#define MAX_METADATA ((Size) 1024 * 1024 * 1024)

typedef struct MetaEntry
{
	dlist_node	node;			/* in 'entries', newest first, while it is cached */
	bool		cached;
	int			users;
	Oid			serverid;
	Oid			userid;
	Oid			relid;
	char	   *address;		/* endpoint, project, schema, table: it changes, the entry is stale */
	MemoryContext cxt;
	mcw_alloc	alloc;
	mcw_arena	arena;
	int64		fetched_us;		/* table */
	int64		listed_us;		/* partitions, 0 = never */
	mcs_odps_table *table;
	mcs_odps_partitions partitions;
} MetaEntry;

typedef struct McOdpsPin
{
	MetaEntry  *entry;
	struct McOdpsPin *next;
} McOdpsPin;

static MemoryContext cache_cxt = NULL;
static dlist_head entries = DLIST_STATIC_INIT(entries);
static int	nentries = 0;

typedef struct TunnelEntry
{
	char		key[512];
	char		endpoint[320];
	int64		found_us;
} TunnelEntry;

static TunnelEntry tunnels[8];

/* ---- entries ---- */

static void
entry_free(MetaEntry *entry)
{
	MemoryContextDelete(entry->cxt);	/* the entry and its arena are in there */
}

static void
entry_uncache(MetaEntry *entry)
{
	if (!entry->cached)
		return;
	entry->cached = false;
	dlist_delete(&entry->node);
	nentries--;
	if (entry->users == 0)
		entry_free(entry);
}

void
mcOdpsForgetTable(Oid relid)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &entries)
	{
		MetaEntry  *entry = dlist_container(MetaEntry, node, iter.cur);

		if (!OidIsValid(relid) || entry->relid == relid)
			entry_uncache(entry);
	}
}

/* After a failure: ask where the tunnel is, too */
void
mcOdpsForget(Oid relid)
{
	mcOdpsForgetTable(relid);
	for (int i = 0; i < lengthof(tunnels); i++)
		tunnels[i].found_us = 0;
}

static MetaEntry *
entry_find(Oid serverid, Oid userid, Oid relid)
{
	dlist_iter	iter;

	dlist_foreach(iter, &entries)
	{
		MetaEntry  *entry = dlist_container(MetaEntry, node, iter.cur);

		if (entry->serverid == serverid && entry->userid == userid && entry->relid == relid)
			return entry;
	}
	return NULL;
}

static char *
address_of(const McOdps *odps)
{
	return psprintf("%s %s %s", odps->server->endpoint, odps->label,
					odps->server->region ? odps->server->region : "");
}

static MetaEntry *
entry_create(McOdps *odps)
{
	MemoryContext cxt;
	MetaEntry  *entry;

	if (!cache_cxt)
		cache_cxt = AllocSetContextCreate(TopMemoryContext, "mc_fdw metadata", ALLOCSET_SMALL_SIZES);
	cxt = AllocSetContextCreate(cache_cxt, "mc_fdw table metadata", ALLOCSET_DEFAULT_SIZES);
	entry = MemoryContextAllocZero(cxt, sizeof(MetaEntry));
	entry->cxt = cxt;
	entry->serverid = odps->server->serverid;
	entry->userid = odps->server->userid;
	entry->relid = odps->server->relid;
	entry->address = MemoryContextStrdup(cxt, address_of(odps));
	entry->alloc = mcContextAlloc(cxt);
	mcw_arena_init(&entry->arena, &entry->alloc, MAX_METADATA);
	return entry;
}

static void
entry_pin(McOdps *odps, MetaEntry *entry)
{
	McOdpsPin  *pin;

	for (pin = odps->pins; pin; pin = pin->next)
		if (pin->entry == entry)
			return;
	pin = MemoryContextAlloc(odps->cxt, sizeof(McOdpsPin));
	pin->entry = entry;
	pin->next = odps->pins;
	odps->pins = pin;
	entry->users++;
}

static void
entry_publish(MetaEntry *entry)
{
	MetaEntry  *old = entry_find(entry->serverid, entry->userid, entry->relid);

	if (old)
		entry_uncache(old);
	while (nentries >= MAX_ENTRIES)
		entry_uncache(dlist_tail_element(MetaEntry, node, &entries));
	dlist_push_head(&entries, &entry->node);
	nentries++;
	entry->cached = true;
}

/* The entry this statement looks at; 'fresh' or too old: a new one, with the table read */
static MetaEntry *
entry_get(McOdps *odps, bool fresh)
{
	MetaEntry  *entry = entry_find(odps->server->serverid, odps->server->userid, odps->server->relid);
	mcw_error	err;
	mcw_status	status;

	if (entry && !fresh && mcn_now_us() - entry->fetched_us < METADATA_LIFE_US &&
		strcmp(entry->address, address_of(odps)) == 0)
	{
		entry_pin(odps, entry);
		return entry;
	}
	entry = entry_create(odps);
	status = mcs_odps_get_table(&odps->service, mcw_str(odps->table_name), &entry->arena, &entry->table, &err);
	if (status != MCW_OK)
	{
		entry_free(entry);
		mcOdpsForget(odps->server->relid);
		mcOdpsCheck(odps, status, &err);
	}
	entry->fetched_us = mcn_now_us();
	entry_publish(entry);
	entry_pin(odps, entry);
	return entry;
}

const mcs_odps_table *
mcOdpsTable(McOdps *odps, bool fresh)
{
	return entry_get(odps, fresh)->table;
}

const mcs_odps_table *
mcOdpsPeek(Oid serverid, Oid userid, Oid relid)
{
	MetaEntry  *entry = entry_find(serverid, userid, relid);

	return entry && mcn_now_us() - entry->fetched_us < METADATA_LIFE_US ? entry->table : NULL;
}

const mcs_odps_partitions *
mcOdpsPartitions(McOdps *odps, bool fresh)
{
	MetaEntry  *entry = entry_get(odps, false);
	mcs_odps_partitions list;
	mcw_error	err;

	if (entry->table->nkeys == 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("MaxCompute table %s is not partitioned", odps->label)));
	if (entry->listed_us == 0 || fresh || mcn_now_us() - entry->listed_us > METADATA_LIFE_US)
	{
		if (entry->listed_us != 0)
			entry = entry_get(odps, true);	/* others may look at the old list */
		mcOdpsCheck(odps, mcs_odps_list_partitions(&odps->service, entry->table, &entry->arena, &list, &err), &err);
		entry->partitions = list;
		entry->listed_us = mcn_now_us();
	}
	return &entry->partitions;
}

/* ---- connection ---- */

static void
odps_reset(void *arg)
{
	McOdps	   *odps = arg;

	if (odps->service.tunnel)
		mcn_channel_free(odps->service.tunnel);
	if (odps->service.rest)
		mcn_channel_free(odps->service.rest);
	odps->service.tunnel = odps->service.rest = NULL;
	for (McOdpsPin *pin = odps->pins; pin; pin = pin->next)
		if (--pin->entry->users == 0 && !pin->entry->cached)
			entry_free(pin->entry);
	odps->pins = NULL;
}

static mcw_view
option_view(const McServer *server, const char *name)
{
	const char *value = mcServerOption(server, name);

	return mcw_str(value ? pstrdup(value) : "");
}

static void
open_in(McOdps *odps, McServer *server, mcw_view schema, mcw_view quota, char *table_name)
{
	mcs_odps   *service = &odps->service;

	odps->server = server;
	service->loop = mcLoop();
	service->alloc = &odps->alloc;
	service->project = mcw_str(server->project);
	service->schema = schema;
	service->region = mcw_str(server->region ? server->region : "");
	service->quota = quota;
	service->cred = server->cred;
	odps->table_name = table_name;
	odps->label = psprintf("%s%s%s%s%s", server->project, service->schema.len ? "." : "",
						   service->schema.data, odps->table_name ? "." : "",
						   odps->table_name ? odps->table_name : "");
	odps->place.wrapper = MC_MAXCOMPUTE;
	odps->place.server = server->name;
	odps->place.object = odps->label;
	service->rest = mcOpenChannel(server, &odps->alloc, server->endpoint, NULL, mcs_odps_retry_rules);
}

static McOdps *
create(void)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "mc_fdw MaxCompute connection",
											  ALLOCSET_DEFAULT_SIZES);
	McOdps	   *odps = MemoryContextAllocZero(cxt, sizeof(McOdps));

	odps->cxt = cxt;
	odps->alloc = mcContextAlloc(cxt);
	odps->on_reset.func = odps_reset;
	odps->on_reset.arg = odps;
	MemoryContextRegisterResetCallback(cxt, &odps->on_reset);
	return odps;
}

McOdps *
mcOdpsOpen(Oid serverid, Oid userid, Oid relid)
{
	McOdps	   *odps = create();
	MemoryContext old = MemoryContextSwitchTo(odps->cxt);
	McServer   *server = mcGetServer(MC_MAXCOMPUTE, serverid, userid, relid, true);
	char	   *table_name = NULL;

	if (!server->project)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("server \"%s\" has no option \"project\"", server->name)));
	if (OidIsValid(relid))
	{
		const char *table = mcOptionText(server->table_options, "table");

		table_name = table ? pstrdup(table) : get_rel_name(relid);
	}
	open_in(odps, server, option_view(server, "schema"), option_view(server, "quota_name"), table_name);
	MemoryContextSwitchTo(old);
	return odps;
}

McOdps *
mcOdpsOpenNamed(McServer *server, const char *schema, const char *quota, const char *table)
{
	McOdps	   *odps = create();
	MemoryContext old = MemoryContextSwitchTo(odps->cxt);

	open_in(odps, server, mcw_str(pstrdup(schema)), mcw_str(pstrdup(quota)), pstrdup(table));
	MemoryContextSwitchTo(old);
	return odps;
}

void
mcOdpsCheck(McOdps *odps, mcw_status status, const mcw_error *err)
{
	mcCheck(status, err, &odps->place);
}

/* ---- tunnel ---- */

/* *fresh: the entry to be dated once the address has proved usable */
static mcw_status
discover_tunnel(McOdps *odps, const char **result, TunnelEntry **fresh, mcw_error *err)
{
	char		key[sizeof(tunnels[0].key)];
	TunnelEntry *oldest = &tunnels[0];
	mcw_buf		found;
	mcw_status	status;
	const char *endpoint;

	snprintf(key, sizeof(key), "%s %s %s", odps->server->endpoint, odps->server->project,
			 odps->service.quota.data);
	for (int i = 0; i < lengthof(tunnels); i++)
	{
		if (tunnels[i].found_us && strcmp(tunnels[i].key, key) == 0 &&
			mcn_now_us() - tunnels[i].found_us < TUNNEL_LIFE_US)
		{
			*result = tunnels[i].endpoint;
			return MCW_OK;
		}
		if (tunnels[i].found_us < oldest->found_us)
			oldest = &tunnels[i];
	}
	mcw_buf_init(&found, &odps->alloc, sizeof(oldest->endpoint) - 1);
	status = mcs_odps_discover_tunnel(&odps->service, &found, err);
	if (status != MCW_OK)
		return status;
	endpoint = mcw_buf_cstr(&found);
	if (!endpoint)
		return mcw_fail(err, MCW_ERR_LIMIT, "the tunnel address of server \"%s\" is too long", odps->server->name);
	if (strlen(key) < sizeof(key) - 1)
	{
		strlcpy(oldest->key, key, sizeof(oldest->key));
		strlcpy(oldest->endpoint, endpoint, sizeof(oldest->endpoint));
		oldest->found_us = 0;
		*fresh = oldest;
	}
	*result = endpoint;
	return MCW_OK;
}

mcw_status
mcOdpsFindTunnel(McOdps *odps, const char **endpoint, mcw_error *err)
{
	TunnelEntry *fresh = NULL;

	mcw_status	status = MCW_OK;

	*endpoint = mcServerOption(odps->server, "tunnel_endpoint");
	if (!*endpoint)
		status = discover_tunnel(odps, endpoint, &fresh, err);
	if (fresh && odps->server->trusted)
		fresh->found_us = mcn_now_us();
	return status;
}

void
mcOdpsOpenTunnel(McOdps *odps)
{
	MemoryContext old;
	const char *endpoint;
	TunnelEntry *fresh = NULL;
	mcw_error	err;

	if (odps->service.tunnel)
		return;
	old = MemoryContextSwitchTo(odps->cxt);
	endpoint = mcServerOption(odps->server, "tunnel_endpoint");
	if (!endpoint)
		mcOdpsCheck(odps, discover_tunnel(odps, &endpoint, &fresh, &err), &err);
	if (!odps->server->trusted && !mcEndpointAllowed(endpoint))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("tunnel endpoint \"%s\" of server \"%s\" is not allowed", endpoint, odps->server->name),
				 errdetail("It is not in mc_fdw.allowed_endpoints and the server's owner is not a superuser.")));
	odps->service.tunnel = mcOpenChannel(odps->server, &odps->alloc, endpoint, NULL, mcs_odps_retry_rules);
	if (fresh)
		fresh->found_us = mcn_now_us();
	MemoryContextSwitchTo(old);
}
