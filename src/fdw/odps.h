/*
 * odps.h
 *		What the parts of maxcompute_fdw share: the connection of a statement, cached
 *		metadata, the binding of columns, partition pruning.
 *
 * Scans use it and so do writes; nothing here reads or writes rows.
 */
#ifndef MC_ODPS_H
#define MC_ODPS_H

#include "mc_fdw.h"

#include "../service/mcs_odps.h"
#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"

/* ---- odps_conn.c ---- */

/*
 * Lives in a memory context of its own below the one it was made in; a reset
 * callback frees the channels.  Whoever has requests in flight keeps them in a
 * child of 'cxt' with a reset callback that cancels them: children go first.
 */
typedef struct McOdps
{
	McServer   *server;
	mcs_odps	service;
	MemoryContext cxt;			/* of the connection */
	mcw_alloc	alloc;			/* over 'cxt' */
	char	   *table_name;		/* option "table", NULL for a server-only connection */
	char	   *label;			/* project.[schema.]table, for messages */
	McPlace		place;			/* wrapper, server, object filled */
	struct McOdpsPin *pins;		/* cached metadata in use */
	MemoryContextCallback on_reset;
} McOdps;

/* REST channel only, no request is sent.  Memory is taken from CurrentMemoryContext. */
extern McOdps *mcOdpsOpen(Oid serverid, Oid userid, Oid relid);
/* the same for names that no foreign table tells; 'server' with its project must outlive it */
extern McOdps *mcOdpsOpenNamed(McServer *server, const char *schema, const char *quota, const char *table);
/* opens the tunnel channel if it is not open: option tunnel_endpoint, else discovery (cached in the backend) */
extern void mcOdpsOpenTunnel(McOdps *odps);
/* where it is, without opening it; does not raise.  Valid until the next call. */
extern mcw_status mcOdpsFindTunnel(McOdps *odps, const char **endpoint, mcw_error *err);
/* raise for a failed service call on this connection */
extern void mcOdpsCheck(McOdps *odps, mcw_status status, const mcw_error *err);

/*
 * Table metadata and partition list.  Kept in the backend for half a minute, per
 * server, user and table; what is returned stays valid until the memory context of
 * 'odps' is reset.  'fresh' asks the service in any case: whoever needs today's
 * partitions does, while a tunnel session says itself that the columns changed.
 */
extern const mcs_odps_table *mcOdpsTable(McOdps *odps, bool fresh);
extern const mcs_odps_partitions *mcOdpsPartitions(McOdps *odps, bool fresh);
/* what is cached, without any I/O; NULL if nothing is */
extern const mcs_odps_table *mcOdpsPeek(Oid serverid, Oid userid, Oid relid);
/* forget what is cached about a foreign table (after DDL, drop, publish); InvalidOid = all.  No I/O, cannot fail. */
extern void mcOdpsForget(Oid relid);
/* metadata only: the local definition changed */
extern void mcOdpsForgetTable(Oid relid);

/* ---- odps_map.c: columns of the foreign table and of the remote one ---- */

typedef struct McOdpsColumn
{
	const mcs_odps_column *remote;	/* NULL: dropped attribute */
	int			index;			/* data column number from 0, or key number */
	bool		is_key;
} McOdpsColumn;

typedef struct McOdpsMap
{
	int			natts;
	McOdpsColumn *columns;		/* natts, by attnum - 1 */
	AttrNumber *key_attnum;		/* nkeys: attribute bound to the key, 0 = none */
} McOdpsMap;

/*
 * Binds every attribute to a remote column by option "column" or its own name; a
 * column that is missing remotely is an ERROR that names both tables.  Types are
 * not looked at here.
 */
extern McOdpsMap *mcOdpsMapColumns(Relation rel, const mcs_odps_table *table, const McPlace *place);
/* names of the attributes that the catalog of keys says are partition keys, as "a, b" */
extern char *mcOdpsKeyNames(const mcs_odps_table *table);

/* ---- odps_prune.c ---- */

/*
 * Exact pruning: the original quals, which refer to partition columns (and Params,
 * stable functions) only, are run by the executor over a virtual slot with the
 * partition's values.
 */
typedef struct McPruner McPruner;

/* 'quals' is a list of Expr as in fdw_exprs; 'parent' provides the Params */
extern McPruner *mcPrunerCreate(Relation rel, List *quals, const mcs_odps_table *table, const McOdpsMap *map,
								PlanState *parent, McOdps *odps);
/* would this partition qualify?  econtext->ecxt_per_tuple_memory is used and not reset */
extern bool mcPrunerMatch(McPruner *pruner, ExprContext *econtext, const mcs_odps_partition *partition);
/* value of the key that attribute is bound to, as its type; in CurrentMemoryContext; raises if it does not convert */
extern Datum mcPrunerKeyValue(McPruner *pruner, AttrNumber attnum, mcw_view text, bool *isnull);

/*
 * Does the clause use only partition columns (given by attnum), nothing volatile, no
 * sub-select and no system column?
 */

#endif							/* MC_ODPS_H */
