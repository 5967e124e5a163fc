/*
 * module.c
 *		Module start: GUCs and the handler functions.
 *
 * A setting that varies per run is a GUC of the option's own name.  It overrides
 * table and server option, so its default is "not set" (an empty string).
 */
#include "postgres.h"

#include <limits.h>

#include "fmgr.h"
#include "utils/guc.h"

#include "compat.h"
#include "mc_fdw.h"
#include "mc_private.h"
#include "progress.h"
#include "../service/mcs_sts.h"

PG_MODULE_MAGIC;

int			mc_publish_timeout = 600 * 1000;
char	   *mc_allowed_endpoints = NULL;
char	   *mc_proxy = NULL;
char	   *mc_fail_at = NULL;
char	   *mc_metadata_endpoint = NULL;

/* GUCs that override an option of the same name; check hooks cannot raise the option's own error, so use does */
static McOverride overrides[] = {
	{"connect_timeout", "Time allowed for a TCP and TLS connection."},
	{"stall_timeout", "Time without a byte in either direction after which a request is given up."},
	{"max_retries", "How often one request is tried again."},
	{"retry_max_elapsed", "Time from the first attempt of a request to giving up."},
	{"concurrency", "Requests in flight for one statement."},
	{"rate_limit", "Bytes per second one statement may move to or from one service, 0 for no limit."},
	{"timezone", "Time zone of remote values that have none."},
	{"on_error", "What to do with a value that cannot be converted: stop, reject or set_null."},
	{"reject_limit", "How many rejected rows a statement tolerates."},
	{"log_verbosity", "Whether messages may show values: default or verbose."},
	{"fetch_size", "Log groups asked for in one request (1 to 1000)."},
	{"expired_window", "What to do when a window begins before the retention: error or clamp."},
	{"write_mode", "How INSERT treats the rows that are there, see the options of each wrapper."},
	{"block_size", "Size at which an upload block is sent, or of the ranges an OSS object is read in."},
	{"write_buffer", "Memory for what one statement has to write and has not written."},
	{"max_open_partitions", "Partitions that keep an open buffer at the same time."},
	{"compression", "Coding of bodies, see the options of each wrapper."},
	{"split_size", "Size of the parts of a Tablestore table that are read at the same time, 0 for no parts."},
	{"batch_size", "Rows in one BatchWriteRow (1 to 200)."},
	{"update_null", "What NULL does where an INSERT updates rows: delete or keep."},
	{"cell_timestamp", "Version of the cells that are written: run or server."},
	{"unsettled_window", "What to do when a change stream's window ends too late: clamp or error."},
	{"part_size", "Size of the parts an OSS object is uploaded in."},
	{"max_object_size", "Size at which an INSERT begins the next OSS object, 0 for no limit."},
	{"on_precision_loss", "What to do with fractions of a second that do not fit: error or truncate."},
};

const char *
mcOverride(const char *name)
{
	for (int i = 0; i < lengthof(overrides); i++)
		if (strcmp(overrides[i].name, name) == 0)
			return overrides[i].value && overrides[i].value[0] ? overrides[i].value : NULL;
	return NULL;
}

void		_PG_init(void);

void
_PG_init(void)
{
	for (int i = 0; i < lengthof(overrides); i++)
		DefineCustomStringVariable(psprintf("mc_fdw.%s", overrides[i].name),
								   overrides[i].description,
								   "Empty means that the table's or server's option holds.",
								   &overrides[i].value, "", PGC_USERSET, 0, NULL, NULL, NULL);

	DefineCustomStringVariable("mc_fdw.allowed_endpoints",
							   "Host patterns that servers of ordinary users may name.",
							   "Comma separated; * matches any text. Servers owned by a superuser are not restricted.",
							   &mc_allowed_endpoints, "*.aliyuncs.com,*.aliyun.com,*.aliyun-inc.com",
							   PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("mc_fdw.proxy",
							   "HTTP proxy for all requests, empty for none.",
							   NULL, &mc_proxy, "", PGC_SUSET, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomStringVariable("mc_fdw.metadata_endpoint",
							   "Metadata service of the ECS instance, for user mappings with credential_source 'ecs_ram_role'.",
							   NULL, &mc_metadata_endpoint, MCS_METADATA_ENDPOINT,
							   PGC_SUSET, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomIntVariable("mc_fdw.publish_timeout",
							"Time that publishing at commit may take.",
							NULL, &mc_publish_timeout, 600 * 1000, 1000, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("mc_fdw.progress_interval",
							"Time between two NOTICEs that say how far a statement is, 0 for none.",
							NULL, &mc_progress_interval, 0, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomStringVariable("mc_fdw.fail_at",
							   "Step of a job's protocol at which this session fails, for tests of recovery.",
							   "A step's name raises an error there; with \":exit\" the session ends, with \":kill\" it crashes.",
							   &mc_fail_at, "", PGC_SUSET, GUC_SUPERUSER_ONLY | GUC_NOT_IN_SAMPLE, NULL, NULL, NULL);
	MarkGUCPrefixReserved("mc_fdw");
}

PG_FUNCTION_INFO_V1(mc_loghub_handler);
Datum
mc_loghub_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	mcLoghubScanRoutine(routine);
	mcLoghubModifyRoutine(routine);
	PG_RETURN_POINTER(routine);
}

PG_FUNCTION_INFO_V1(mc_maxcompute_handler);
Datum
mc_maxcompute_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	mcOdpsScanRoutine(routine);
	mcOdpsModifyRoutine(routine);
	PG_RETURN_POINTER(routine);
}

PG_FUNCTION_INFO_V1(mc_tablestore_handler);
Datum
mc_tablestore_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	mcOtsRoutine(routine);
	mcOtsModifyRoutine(routine);
	PG_RETURN_POINTER(routine);
}

PG_FUNCTION_INFO_V1(mc_oss_handler);
Datum
mc_oss_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	mcOssRoutine(routine);
	mcOssModifyRoutine(routine);
	PG_RETURN_POINTER(routine);
}
