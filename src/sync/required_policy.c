/*
 * required_policy.c
 *		mc._policy(): the actions that reading, writing or creating what is behind a
 *		foreign table needs; mc.required_policy() makes the document of them.
 *
 * Requests and actions are those of the services' references.  What is optional (splits,
 * cleaning up) is listed too: without it statements are slower or leave more behind.
 * Actions of MaxCompute belong into the policy of a role of the project, not into RAM.
 */
#include "postgres.h"

#include "access/relation.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "../fdw/compat.h"
#include "../fdw/ots.h"
#include "sync.h"
#include "tools.h"

PG_FUNCTION_INFO_V1(mc_policy);

#define READ	1
#define WRITE	2
#define CREATE	4
#define FENCE	8

#define TABLE_MODE	1			/* Tablestore: mode 'table' */
#define STREAM_MODE	2

/* The resource is made by resource_of() */
typedef enum McWhere
{
	LOGSTORE, PROJECT_LOGSTORES, ODPS_TABLE, ODPS_PROJECT, ODPS_INSTANCES, OTS_TABLE, BUCKET, OBJECTS, FENCES
} McWhere;

static const struct
{
	McWrapper	wrapper;
	int			purposes;
	int			modes;			/* 0 = any */
	const char *action;
	McWhere		where;
}			actions[] = {
	{MC_LOGHUB, READ, 0, "log:GetLogStore", LOGSTORE},
	{MC_LOGHUB, READ | WRITE, 0, "log:ListShards", LOGSTORE},
	{MC_LOGHUB, READ, 0, "log:GetCursorOrData", LOGSTORE},	/* cursors, their times, PullLogs */
	{MC_LOGHUB, WRITE, 0, "log:PostLogStoreLogs", LOGSTORE},
	{MC_LOGHUB, CREATE, 0, "log:CreateLogStore", PROJECT_LOGSTORES},

	{MC_MAXCOMPUTE, READ | WRITE, 0, "odps:Describe", ODPS_TABLE},
	{MC_MAXCOMPUTE, READ, 0, "odps:Select", ODPS_TABLE},
	{MC_MAXCOMPUTE, READ, 0, "odps:Download", ODPS_TABLE},
	{MC_MAXCOMPUTE, READ | WRITE, 0, "odps:Read", ODPS_PROJECT},	/* where the tunnel is */
	{MC_MAXCOMPUTE, WRITE, 0, "odps:Update", ODPS_TABLE},
	{MC_MAXCOMPUTE, WRITE, 0, "odps:Alter", ODPS_TABLE},	/* partitions: add, drop */
	{MC_MAXCOMPUTE, WRITE, 0, "odps:CreateInstance", ODPS_PROJECT},	/* they are SQL */
	{MC_MAXCOMPUTE, WRITE | CREATE, 0, "odps:Read", ODPS_INSTANCES},
	{MC_MAXCOMPUTE, CREATE, 0, "odps:CreateTable", ODPS_PROJECT},
	{MC_MAXCOMPUTE, CREATE, 0, "odps:CreateInstance", ODPS_PROJECT},

	{MC_TABLESTORE, READ | WRITE, 0, "ots:DescribeTable", OTS_TABLE},
	{MC_TABLESTORE, READ, TABLE_MODE, "ots:GetRange", OTS_TABLE},
	{MC_TABLESTORE, READ, TABLE_MODE, "ots:GetRow", OTS_TABLE},
	{MC_TABLESTORE, READ, TABLE_MODE, "ots:BatchGetRow", OTS_TABLE},
	{MC_TABLESTORE, READ, TABLE_MODE, "ots:ComputeSplitPointsBySize", OTS_TABLE},
	{MC_TABLESTORE, READ, STREAM_MODE, "ots:ListStream", OTS_TABLE},
	{MC_TABLESTORE, READ, STREAM_MODE, "ots:DescribeStream", OTS_TABLE},
	{MC_TABLESTORE, READ, STREAM_MODE, "ots:GetShardIterator", OTS_TABLE},
	{MC_TABLESTORE, READ, STREAM_MODE, "ots:GetStreamRecord", OTS_TABLE},
	{MC_TABLESTORE, WRITE, TABLE_MODE, "ots:BatchWriteRow", OTS_TABLE},
	{MC_TABLESTORE, WRITE, TABLE_MODE, "ots:GetRow", OTS_TABLE},	/* settles an insert without an answer */
	{MC_TABLESTORE, WRITE, TABLE_MODE, "ots:BatchGetRow", OTS_TABLE},
	{MC_TABLESTORE, WRITE, TABLE_MODE, "ots:GetRange", OTS_TABLE},	/* UPDATE and DELETE read */
	{MC_TABLESTORE, CREATE, 0, "ots:CreateTable", OTS_TABLE},
	{MC_TABLESTORE, FENCE, TABLE_MODE, "ots:GetRow", OTS_TABLE},
	{MC_TABLESTORE, FENCE, TABLE_MODE, "ots:BatchWriteRow", OTS_TABLE},

	{MC_OSS, READ | WRITE, 0, "oss:ListObjects", BUCKET},
	{MC_OSS, READ | WRITE, 0, "oss:GetObject", OBJECTS},	/* and HEAD: what became of an upload */
	{MC_OSS, WRITE, 0, "oss:PutObject", OBJECTS},	/* and parts: begin, upload, complete */
	{MC_OSS, WRITE, 0, "oss:AbortMultipartUpload", OBJECTS},
	{MC_OSS, WRITE, 0, "oss:ListParts", OBJECTS},
	{MC_OSS, WRITE, 0, "oss:ListMultipartUploads", BUCKET},	/* mc.orphaned_uploads() */
	{MC_OSS, WRITE, 0, "oss:DeleteObject", OBJECTS},
	{MC_OSS, FENCE, 0, "oss:GetBucketVersioning", BUCKET},
	{MC_OSS, FENCE, 0, "oss:ListObjects", BUCKET},
	{MC_OSS, FENCE, 0, "oss:GetObject", FENCES},
	{MC_OSS, FENCE, 0, "oss:PutObject", FENCES},
	{MC_OSS, FENCE, 0, "oss:DeleteObject", FENCES}
};

static bool
is_on(const McServer *server, const char *option)
{
	const char *value = mcOptionText(server->table_options, option);

	return value != NULL && mcOptionParse(option, value) != 0;
}

/* What every key begins with: up to the first part or wildcard */
static char *
literal_prefix(const McServer *server)
{
	const char *object = mcOptionText(server->table_options, "object");
	const char *prefix = mcOptionText(server->table_options, "prefix");
	const char *pattern = mcOptionText(server->table_options, "pattern");

	if (object != NULL)
		return pstrdup(object);
	if (prefix != NULL)
	{
		char	   *literal = pnstrdup(prefix, strcspn(prefix, "{"));
		char	   *slash = strrchr(literal, '/');

		/* they stand beside the directories of a template */
		if (is_on(server, "manifest") || is_on(server, "success_file"))
			literal[slash ? slash + 1 - literal : 0] = '\0';
		return psprintf("%s*", literal);
	}
	if (pattern != NULL)
		return psprintf("%s*", pnstrdup(pattern, strcspn(pattern, "*?[{")));
	return "*";
}

static char *
resource_of(McWhere where, const McServer *server, Relation rel)
{
	const char *table = mcOptionText(server->table_options, "table");

	if (table == NULL)
		table = RelationGetRelationName(rel);
	switch (where)
	{
		case LOGSTORE:
			return psprintf("acs:log:*:*:project/%s/logstore/%s", server->project, mcServerOption(server, "logstore"));
		case PROJECT_LOGSTORES:
			return psprintf("acs:log:*:*:project/%s/logstore/*", server->project);
		case ODPS_TABLE:
			if (mcServerOption(server, "schema") != NULL)
				return psprintf("acs:odps:*:projects/%s/schemas/%s/tables/%s", server->project, mcServerOption(server, "schema"), table);
			return psprintf("acs:odps:*:projects/%s/tables/%s", server->project, table);
		case ODPS_PROJECT:
			return psprintf("acs:odps:*:projects/%s", server->project);
		case ODPS_INSTANCES:
			return psprintf("acs:odps:*:projects/%s/instances/*", server->project);
		case OTS_TABLE:
			return psprintf("acs:ots:*:*:instance/%s/table/%s", server->instance, table);
		case BUCKET:
			return psprintf("acs:oss:*:*:%s", server->bucket);
		case OBJECTS:
			return psprintf("acs:oss:*:*:%s/%s", server->bucket, literal_prefix(server));
		case FENCES:
			return psprintf("acs:oss:*:*:%s/%s_mc_fence/*", server->bucket, mcOptionText(server->table_options, "prefix"));
	}
	return NULL;
}

static int
purpose_of(const char *text)
{
	if (pg_strcasecmp(text, "read") == 0)
		return READ;
	if (pg_strcasecmp(text, "write") == 0)
		return WRITE;
	if (pg_strcasecmp(text, "create") == 0)
		return CREATE;
	if (pg_strcasecmp(text, "fence") == 0)
		return FENCE;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid action: \"%s\"", text),
			 errhint("Valid actions are: read, write, create, fence.")));
}

Datum
mc_policy(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	int			purpose = purpose_of(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	Relation	rel;
	McWrapper	wrapper;
	McServer   *server;
	int			mode = 0;

	mcInitMaterializedSRF(fcinfo);
	rel = mcOpenForeign(relid, MC_LOGHUB | MC_TABLESTORE | MC_MAXCOMPUTE | MC_OSS, purpose == WRITE || purpose == FENCE ? ACL_INSERT : ACL_SELECT);
	wrapper = mcWrapperOfRelation(relid);
	server = mcGetServer(wrapper, GetForeignTable(relid)->serverid, GetUserId(), relid, false);
	if (wrapper == MC_TABLESTORE)
		mode = mcOtsIsStream(relid) ? STREAM_MODE : TABLE_MODE;
	if (wrapper == MC_OSS && (server->bucket == NULL || purpose == CREATE))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 server->bucket == NULL ?
				 errmsg("\"%s\" belongs to a plain web server, which has no policies", RelationGetRelationName(rel)) :
				 errmsg("objects of \"%s\" need no creation of their own", RelationGetRelationName(rel))));
	if (purpose == FENCE)
		mcFenceCheck(rel);
	if (mode == STREAM_MODE && purpose == WRITE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a change stream, which is not written", RelationGetRelationName(rel))));
	for (int i = 0; i < lengthof(actions); i++)
	{
		char	   *row[2];

		if (actions[i].wrapper != wrapper || (actions[i].purposes & purpose) == 0 ||
			(actions[i].modes != 0 && (actions[i].modes & mode) == 0))
			continue;
		row[0] = (char *) actions[i].action;
		row[1] = resource_of(actions[i].where, server, rel);
		mcPutTexts(fcinfo, 2, row);
	}
	relation_close(rel, AccessShareLock);
	return (Datum) 0;
}
