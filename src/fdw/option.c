/*
 * option.c
 *		Every option of every wrapper in one table, and the validators made from it.
 *
 * Addresses are server options, secrets are user mapping options only, objects are
 * foreign table options, fields are column options.  What is legal where, its kind
 * and its bounds stand in the table below; nothing is accepted that the table does
 * not name.  Defaults are in docs/options.md and where the option is used.
 */
#include "postgres.h"

#include "access/reloptions.h"
#include "access/table.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "credential.h"
#include "mc_fdw.h"
#include "mc_private.h"

#define IN_SERVER	1
#define IN_MAPPING	2
#define IN_TABLE	4
#define IN_COLUMN	8
#define IN_BOTH		(IN_SERVER | IN_TABLE)	/* table overrides server */

#define LOGHUB		MC_LOGHUB
#define MAXCOMPUTE	MC_MAXCOMPUTE
#define TABLESTORE	MC_TABLESTORE
#define OSS			MC_OSS
#define ANY			(MC_LOGHUB | MC_MAXCOMPUTE | MC_TABLESTORE | MC_OSS)

#define REQUIRED	1			/* must be given where it is legal */
#define SUPERUSER	2			/* a path on the server: pg_read_server_files */
#define NO_GUC		4			/* the GUC of that name is for other wrappers */

typedef struct McOption
{
	const char *name;
	int			wrappers;
	int			places;
	McOptionKind kind;
	int			flags;
	int64		min;
	int64		max;
	const char *values;			/* ENUM: blank separated */
} McOption;

static const McOption options[] = {
	/* where the service is */
	{"endpoint", LOGHUB | MAXCOMPUTE | TABLESTORE, IN_SERVER, MC_OPT_TEXT, REQUIRED},
	{"endpoint", OSS, IN_SERVER, MC_OPT_TEXT, 0},
	{"project", LOGHUB, IN_SERVER, MC_OPT_TEXT, REQUIRED},
	{"project", MAXCOMPUTE, IN_BOTH, MC_OPT_TEXT, 0},
	{"instance", TABLESTORE, IN_SERVER, MC_OPT_TEXT, REQUIRED},
	{"bucket", OSS, IN_SERVER, MC_OPT_TEXT, 0},
	{"base_url", OSS, IN_SERVER, MC_OPT_TEXT, 0},
	{"url_style", OSS, IN_SERVER, MC_OPT_ENUM, 0, 0, 0, "virtual path cname"},
	{"region", ANY, IN_SERVER, MC_OPT_TEXT, 0},
	{"signature_version", OSS, IN_SERVER, MC_OPT_ENUM, 0, 0, 0, "v1 v4"},
	{"tunnel_endpoint", MAXCOMPUTE, IN_SERVER, MC_OPT_TEXT, 0},
	{"schema", MAXCOMPUTE, IN_BOTH, MC_OPT_TEXT, 0},
	{"quota_name", MAXCOMPUTE, IN_BOTH, MC_OPT_TEXT, 0},
	{"ca_file", ANY, IN_SERVER, MC_OPT_TEXT, SUPERUSER},

	/* how patient and how greedy a statement is */
	{"connect_timeout", ANY, IN_BOTH, MC_OPT_TIME, 0, 1, 3600 * 1000},
	{"stall_timeout", ANY, IN_BOTH, MC_OPT_TIME, 0, 1, 3600 * 1000},
	{"max_retries", ANY, IN_BOTH, MC_OPT_INT, 0, 0, 1000},
	{"retry_max_elapsed", ANY, IN_BOTH, MC_OPT_TIME, 0, 0, 24 * 3600 * 1000},
	{"concurrency", ANY, IN_BOTH, MC_OPT_INT, 0, 1, 64},
	{"rate_limit", ANY, IN_BOTH, MC_OPT_SIZE, 0, 0, INT64CONST(1) << 40},

	/* values */
	{"timezone", LOGHUB | MAXCOMPUTE | OSS, IN_BOTH, MC_OPT_TEXT, 0},
	{"on_error", ANY, IN_BOTH, MC_OPT_ENUM, 0, 0, 0, "stop reject set_null"},
	{"reject_limit", ANY, IN_BOTH, MC_OPT_INT, 0, 0, PG_INT64_MAX},
	{"log_verbosity", ANY, IN_BOTH, MC_OPT_ENUM, 0, 0, 0, "default verbose"},
	{"field", ANY, IN_COLUMN, MC_OPT_TEXT, 0},

	/* credentials */
	{"access_key_id", ANY, IN_MAPPING, MC_OPT_TEXT, 0},
	{"access_key_secret", ANY, IN_MAPPING, MC_OPT_TEXT, 0},
	{"security_token", ANY, IN_MAPPING, MC_OPT_TEXT, 0},
	/* which of these are needed depends on the first, see mcCheckMapping */
	{"credential_source", ANY, IN_MAPPING, MC_OPT_ENUM, 0, 0, 0, "keys assume_role ecs_ram_role env"},
	{"role_arn", ANY, IN_MAPPING, MC_OPT_TEXT, 0},
	{"role_session_name", ANY, IN_MAPPING, MC_OPT_TEXT, 0},
	{"session_duration", ANY, IN_MAPPING, MC_OPT_TIME, 0, 900 * 1000, 12 * 3600 * 1000},
	{"external_id", ANY, IN_MAPPING, MC_OPT_TEXT, 0},
	{"policy", ANY, IN_MAPPING, MC_OPT_TEXT, 0},
	{"ecs_role_name", ANY, IN_MAPPING, MC_OPT_TEXT, 0},
	{"sts_endpoint", ANY, IN_SERVER, MC_OPT_TEXT, 0},

	/* LogHub */
	{"logstore", LOGHUB, IN_TABLE, MC_OPT_TEXT, REQUIRED},
	{"consumer_group", LOGHUB, IN_TABLE, MC_OPT_TEXT, 0},
	{"consumer_share", LOGHUB, IN_TABLE, MC_OPT_BOOL, 0},
	{"fetch_size", LOGHUB, IN_BOTH, MC_OPT_INT, 0, 1, 1000},
	{"compression", LOGHUB, IN_BOTH, MC_OPT_ENUM, 0, 0, 0, "lz4 zstd none"},
	{"expired_window", LOGHUB, IN_BOTH, MC_OPT_ENUM, 0, 0, 0, "error clamp"},
	{"max_delay", LOGHUB, IN_BOTH, MC_OPT_TIME, 0, 0, INT64CONST(3650) * 86400 * 1000},
	{"max_clock_skew", LOGHUB, IN_BOTH, MC_OPT_TIME, 0, 0, INT64CONST(3650) * 86400 * 1000},
	/* writing */
	{"updatable", LOGHUB, IN_BOTH, MC_OPT_BOOL, 0},
	{"publish", LOGHUB, IN_BOTH, MC_OPT_ENUM, 0, 0, 0, "immediate outbox"},
	{"batch_size", LOGHUB, IN_BOTH, MC_OPT_INT, NO_GUC, 1, 40960},
	{"request_size", LOGHUB, IN_BOTH, MC_OPT_SIZE, 0, 1024, 10 * 1024 * 1024},
	{"write_buffer", LOGHUB, IN_BOTH, MC_OPT_SIZE, 0, 1024 * 1024, INT64CONST(1) << 40},
	{"outbox_limit", LOGHUB, IN_BOTH, MC_OPT_SIZE, 0, 1024 * 1024, INT64CONST(1) << 40},
	{"dedup_id", LOGHUB, IN_TABLE, MC_OPT_TEXT, 0},

	/* MaxCompute */
	{"table", MAXCOMPUTE, IN_TABLE, MC_OPT_TEXT, 0},
	{"partition", MAXCOMPUTE, IN_TABLE, MC_OPT_TEXT, 0},
	{"write_mode", MAXCOMPUTE, IN_BOTH, MC_OPT_ENUM, 0, 0, 0, "append overwrite"},
	{"truncatable", MAXCOMPUTE, IN_BOTH, MC_OPT_BOOL, 0},
	{"updatable", MAXCOMPUTE, IN_BOTH, MC_OPT_BOOL, 0},
	{"compression", MAXCOMPUTE, IN_BOTH, MC_OPT_ENUM, 0, 0, 0, "auto none deflate zstd lz4 snappy"},
	{"block_size", MAXCOMPUTE, IN_BOTH, MC_OPT_SIZE, 0, 64 * 1024, 512 * 1024 * 1024},
	{"write_buffer", MAXCOMPUTE, IN_BOTH, MC_OPT_SIZE, 0, 1024 * 1024, INT64CONST(1) << 40},
	{"max_open_partitions", MAXCOMPUTE, IN_BOTH, MC_OPT_INT, 0, 1, 1000},
	{"null_partition", MAXCOMPUTE, IN_TABLE, MC_OPT_TEXT, 0},
	{"run_column", MAXCOMPUTE, IN_TABLE, MC_OPT_TEXT, 0},
	{"on_precision_loss", MAXCOMPUTE, IN_BOTH, MC_OPT_ENUM, 0, 0, 0, "error truncate"},

	/* Tablestore: what the table is */
	{"table", TABLESTORE, IN_TABLE, MC_OPT_TEXT, 0},
	{"mode", TABLESTORE, IN_TABLE, MC_OPT_ENUM, 0, 0, 0, "table stream"},
	{"shape", TABLESTORE, IN_TABLE, MC_OPT_ENUM, 0, 0, 0, "row cell"},
	{"key", TABLESTORE, IN_COLUMN, MC_OPT_INT, 0, 1, 4},
	{"type", TABLESTORE, IN_COLUMN, MC_OPT_ENUM, 0, 0, 0, "integer double boolean string binary any"},
	{"unknown_columns", TABLESTORE, IN_BOTH, MC_OPT_ENUM, 0, 0, 0, "ignore error"},
	/* reading */
	{"max_versions", TABLESTORE, IN_TABLE, MC_OPT_INT, 0, 1, PG_INT32_MAX},
	{"split_size", TABLESTORE, IN_BOTH, MC_OPT_SIZE, 0, 0, INT64CONST(1) << 50},
	{"verify_content", TABLESTORE, IN_BOTH, MC_OPT_BOOL, 0},
	{"expired_window", TABLESTORE, IN_BOTH, MC_OPT_ENUM, 0, 0, 0, "error clamp"},
	{"unsettled_window", TABLESTORE, IN_BOTH, MC_OPT_ENUM, 0, 0, 0, "clamp error"},
	/* writing */
	{"write_mode", TABLESTORE, IN_BOTH, MC_OPT_ENUM, 0, 0, 0, "put update insert"},
	{"update_null", TABLESTORE, IN_BOTH, MC_OPT_ENUM, 0, 0, 0, "delete keep"},
	{"cell_timestamp", TABLESTORE, IN_BOTH, MC_OPT_ENUM, 0, 0, 0, "run server"},
	{"guard_column", TABLESTORE, IN_TABLE, MC_OPT_TEXT, 0},
	{"delete_column", TABLESTORE, IN_TABLE, MC_OPT_TEXT, 0},
	{"updatable", TABLESTORE, IN_BOTH, MC_OPT_BOOL, 0},
	{"batch_size", TABLESTORE, IN_BOTH, MC_OPT_INT, 0, 1, 200},
	{"write_buffer", TABLESTORE, IN_BOTH, MC_OPT_SIZE, 0, 1024 * 1024, INT64CONST(1) << 40},

	/* OSS: which objects */
	{"object", OSS, IN_TABLE, MC_OPT_TEXT, 0},
	{"prefix", OSS, IN_TABLE, MC_OPT_TEXT, 0},
	{"pattern", OSS, IN_TABLE, MC_OPT_TEXT, 0},
	{"partition", OSS, IN_COLUMN, MC_OPT_TEXT, 0},
	/* what is in them */
	{"format", OSS, IN_BOTH, MC_OPT_ENUM, 0, 0, 0, "csv text jsonl line"},
	{"compression", OSS, IN_BOTH, MC_OPT_ENUM, NO_GUC, 0, 0, "auto none gzip zstd bzip2 snappy lz4 xz"},
	{"encoding", OSS, IN_BOTH, MC_OPT_TEXT, 0},
	{"header", OSS, IN_BOTH, MC_OPT_ENUM, 0, 0, 0, "true false on off match"},
	{"match_by", OSS, IN_BOTH, MC_OPT_ENUM, 0, 0, 0, "position name"},
	{"delimiter", OSS, IN_BOTH, MC_OPT_TEXT, 0},
	{"quote", OSS, IN_BOTH, MC_OPT_TEXT, 0},
	{"escape", OSS, IN_BOTH, MC_OPT_TEXT, 0},
	{"null", OSS, IN_BOTH, MC_OPT_TEXT, 0},
	{"force_null", OSS, IN_COLUMN, MC_OPT_BOOL, 0},
	{"force_not_null", OSS, IN_COLUMN, MC_OPT_BOOL, 0},
	{"force_quote", OSS, IN_COLUMN, MC_OPT_BOOL, 0},
	{"missing_columns", OSS, IN_BOTH, MC_OPT_ENUM, 0, 0, 0, "error null"},
	{"unknown_columns", OSS, IN_BOTH, MC_OPT_ENUM, 0, 0, 0, "ignore error"},
	{"max_record_size", OSS, IN_BOTH, MC_OPT_SIZE, 0, 1024, INT64CONST(1) << 30},
	/* reading */
	{"block_size", OSS, IN_BOTH, MC_OPT_SIZE, 0, 64 * 1024, 512 * 1024 * 1024},
	{"track", OSS, IN_TABLE, MC_OPT_ENUM, 0, 0, 0, "objects none"},
	{"missing_ok", OSS, IN_BOTH, MC_OPT_BOOL, 0},
	/* writing */
	{"write_mode", OSS, IN_BOTH, MC_OPT_ENUM, 0, 0, 0, "append overwrite error_if_exists"},
	{"truncatable", OSS, IN_BOTH, MC_OPT_BOOL, 0},
	{"updatable", OSS, IN_BOTH, MC_OPT_BOOL, 0},
	{"suffix", OSS, IN_BOTH, MC_OPT_TEXT, 0},
	{"part_size", OSS, IN_BOTH, MC_OPT_SIZE, 0, 100 * 1024, INT64CONST(1) << 30},
	{"max_object_size", OSS, IN_BOTH, MC_OPT_SIZE, 0, 0, INT64CONST(1) << 46},
	{"max_open_partitions", OSS, IN_BOTH, MC_OPT_INT, 0, 1, 1000},
	{"write_buffer", OSS, IN_BOTH, MC_OPT_SIZE, 0, 1024 * 1024, INT64CONST(1) << 40},
	{"empty_object", OSS, IN_BOTH, MC_OPT_BOOL, 0},
	{"manifest", OSS, IN_TABLE, MC_OPT_BOOL, 0},
	{"success_file", OSS, IN_TABLE, MC_OPT_BOOL, 0},
	{"compression_level", OSS, IN_BOTH, MC_OPT_INT, 0, 0, 22},
};

static int
place_of_catalog(Oid catalog)
{
	switch (catalog)
	{
		case ForeignServerRelationId:
			return IN_SERVER;
		case UserMappingRelationId:
			return IN_MAPPING;
		case ForeignTableRelationId:
			return IN_TABLE;
		case AttributeRelationId:
			return IN_COLUMN;
		default:
			return 0;			/* the wrapper itself has no options */
	}
}

static const char *
place_name(int place)
{
	switch (place)
	{
		case IN_SERVER:
			return "server";
		case IN_MAPPING:
			return "user mapping";
		case IN_TABLE:
			return "foreign table";
		case IN_COLUMN:
			return "column";
		default:
			return "foreign-data wrapper";
	}
}

static const McOption *
find_option(const char *name, int wrapper, int place)
{
	for (int i = 0; i < lengthof(options); i++)
		if ((options[i].wrappers & wrapper) && (options[i].places & place) &&
			strcmp(options[i].name, name) == 0)
			return &options[i];
	return NULL;
}

pg_noreturn static void
refuse_unknown(const char *name, int wrapper, int place)
{
	StringInfoData valid;
	StringInfoData elsewhere;

	initStringInfo(&valid);
	initStringInfo(&elsewhere);
	for (int i = 0; i < lengthof(options); i++)
	{
		if (!(options[i].wrappers & wrapper))
			continue;
		if (options[i].places & place)
			appendStringInfo(&valid, "%s%s", valid.len ? ", " : "", options[i].name);
		if (strcmp(options[i].name, name) == 0)
			for (int p = IN_SERVER; p <= IN_COLUMN; p <<= 1)
				if (options[i].places & p)
					appendStringInfo(&elsewhere, "%s%s", elsewhere.len ? " or " : "", place_name(p));
	}

	if (elsewhere.len > 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"%s\" is not valid for a %s", name, place_name(place)),
				 errdetail("It is an option of the %s.", elsewhere.data),
				 valid.len ? errhint("Valid options here are: %s.", valid.data) :
				 errhint("There are no valid options here.")));
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("invalid option \"%s\"", name),
			 valid.len ? errhint("Valid options here are: %s.", valid.data) :
			 errhint("There are no valid options here.")));
}

/*
 * PostgreSQL's own unit parser, through a 64-bit door: parse_int is limited to 31
 * bits, so sizes are read as kilobytes and times as seconds when they are large.
 */
static bool
parse_units(const char *value, int flags, int64 per_unit, int64 *result, const char **hint)
{
	double		number;

	*hint = NULL;
	if (!parse_real(value, &number, flags, hint))
		return false;
	number *= (double) per_unit;
	if (number < 0 || number > 9.0e18)
		return false;
	*result = (int64) (number + 0.5);
	return true;
}

static bool
parse_number(McOptionKind kind, const char *value, int64 *result, const char **hint)
{
	bool		b;
	char	   *end;

	*hint = NULL;
	switch (kind)
	{
		case MC_OPT_BOOL:
			if (!parse_bool(value, &b))
				return false;
			*result = b;
			return true;
		case MC_OPT_INT:
			errno = 0;
			*result = strtoll(value, &end, 10);
			return errno == 0 && end != value && *end == '\0';
		case MC_OPT_TIME:
			return parse_units(value, GUC_UNIT_MS, 1, result, hint);
		case MC_OPT_SIZE:
			return parse_units(value, GUC_UNIT_BYTE, 1, result, hint);
		default:
			return false;
	}
}

static bool
enum_has(const char *values, const char *value)
{
	size_t		len = strlen(value);

	for (const char *p = values; *p;)
	{
		size_t		n = strcspn(p, " ");

		if (n == len && pg_strncasecmp(p, value, n) == 0)
			return true;
		p += n;
		p += strspn(p, " ");
	}
	return false;
}

static const char *
kind_name(McOptionKind kind)
{
	switch (kind)
	{
		case MC_OPT_BOOL:
			return "a boolean";
		case MC_OPT_TIME:
			return "a time such as 30s or 5min";
		case MC_OPT_SIZE:
			return "a size such as 64MB";
		default:
			return "an integer";
	}
}

/*
 * Texts that go into a header or a path: what could never be right is refused here,
 * where it was given.  Values of a user mapping are secrets and never shown.
 */
static void
check_text(const McOption *option, const char *value)
{
	bool		secret = option->places == IN_MAPPING;

	/* a JSON document, encoded before it is sent */
	if (strcmp(option->name, "policy") == 0)
		return;
	if (!secret && strcmp(option->name, "region") != 0 &&
		strcmp(option->name, "logstore") != 0 && strcmp(option->name, "project") != 0 &&
		strcmp(option->name, "instance") != 0 && strcmp(option->name, "bucket") != 0)
		return;
	for (const unsigned char *p = (const unsigned char *) value; *p; p++)
		/* what ends the host of a URL would make another host of what stands in front of it */
		if (*p <= ' ' || *p >= 127 || (!secret && strchr("/#?@:\\%[]", *p)))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("option \"%s\" contains a character that it cannot have", option->name),
					 errdetail("It has a blank, a line break, %sor a character that is not ASCII.",
							   secret ? "" : "a character that is special in a URL ")));
}

/* kind: "option", or "setting" with its prefix */
static void
check_value(const McOption *option, const char *value, const char *kind, const char *prefix)
{
	int64		number;
	const char *hint;

	if (option->kind == MC_OPT_TEXT)
	{
		if (value[0] == '\0' && strcmp(option->name, "null_partition") != 0 && strcmp(option->name, "null") != 0 &&
			strcmp(option->name, "suffix") != 0)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_STRING_FORMAT),
					 errmsg("option \"%s\" must not be empty", option->name)));
		check_text(option, value);
		if (strcmp(option->name, "timezone") == 0 && pg_tzset(value) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("option \"timezone\": unknown time zone \"%s\"", value),
					 errhint("Use a name of pg_timezone_names, for example Asia/Shanghai.")));
		return;
	}
	if (option->kind == MC_OPT_ENUM)
	{
		if (!enum_has(option->values, value))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid value for %s \"%s%s\": \"%s\"", kind, prefix, option->name, value),
					 errhint("Valid values are: %s.", option->values)));
		return;
	}
	if (!parse_number(option->kind, value, &number, &hint))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for %s \"%s%s\": \"%s\"", kind, prefix, option->name, value),
				 hint ? errhint("%s", _(hint)) : errhint("The value is %s.", kind_name(option->kind))));
	if (option->kind != MC_OPT_BOOL && (number < option->min || number > option->max))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("value \"%s\" is out of range for %s \"%s%s\"", value, kind, prefix, option->name),
				 errdetail("The range is " INT64_FORMAT " to " INT64_FORMAT "%s.", option->min, option->max,
						   option->kind == MC_OPT_TIME ? " ms" :
						   option->kind == MC_OPT_SIZE ? " bytes" : "")));
}

static void
check_endpoint(int wrapper, const char *name, const char *value)
{
	const char *host;

	if (pg_strncasecmp(value, "http://", 7) == 0)
		host = value + 7;
	else if (pg_strncasecmp(value, "https://", 8) == 0)
		host = value + 8;
	else
		host = "";
	if (*host == '\0' || *host == '/' || *host == ':' || strpbrk(host, "@?# \t\r\n"))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%s\"", name,
						strchr(value, '@') ? "(address with a password)" : value),
				 errhint("Give a URL such as %s, without user, query or fragment.",
						 wrapper == TABLESTORE && strcmp(name, "endpoint") == 0 ? "https://myinstance.cn-hangzhou.ots.aliyuncs.com" :
						 strcmp(name, "sts_endpoint") == 0 ? "https://sts.aliyuncs.com" :
						 strcmp(name, "tunnel_endpoint") == 0 ? "https://dt.cn-hangzhou.maxcompute.aliyun.com" :
						 wrapper == MAXCOMPUTE ? "https://service.cn-hangzhou.maxcompute.aliyun.com/api" :
						 strcmp(name, "base_url") == 0 ? "https://www.example.com/files" :
						 wrapper == OSS ? "https://oss-cn-hangzhou.aliyuncs.com" :
						 "https://cn-hangzhou.log.aliyuncs.com")));
	if (wrapper == TABLESTORE && strcmp(name, "endpoint") == 0 && strchr(host, '/') && strchr(host, '/')[1] != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%s\"", name, value),
				 errdetail("The address of a Tablestore instance has no path."),
				 errhint("Give a URL such as https://myinstance.cn-hangzhou.ots.aliyuncs.com.")));
}

static void
validate(int wrapper, List *list, Oid catalog)
{
	int			place = place_of_catalog(catalog);
	ListCell   *lc;

	foreach(lc, list)
	{
		DefElem    *def = lfirst_node(DefElem, lc);
		const McOption *option = find_option(def->defname, wrapper, place);
		const char *value;

		if (!option)
			refuse_unknown(def->defname, wrapper, place);
		value = defGetString(def);
		if ((option->flags & SUPERUSER) &&
			!has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("permission denied to set option \"%s\"", option->name),
					 errdetail("Only superusers and members of pg_read_server_files may name a file of the server.")));
		check_value(option, value, "option", "");
		if (strcmp(option->name, "endpoint") == 0 || strcmp(option->name, "tunnel_endpoint") == 0 ||
			strcmp(option->name, "base_url") == 0 || strcmp(option->name, "sts_endpoint") == 0)
			check_endpoint(wrapper, option->name, value);
	}

	for (int i = 0; i < lengthof(options); i++)
		if ((options[i].wrappers & wrapper) && (options[i].places & place) &&
			(options[i].flags & REQUIRED) && mcOptionText(list, options[i].name) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
					 errmsg("option \"%s\" is required for a %s", options[i].name, place_name(place))));
	if (place == IN_MAPPING)
		mcCheckMapping(list);
	if (place == IN_TABLE && mcOptionText(list, "consumer_share") != NULL && mcOptionText(list, "consumer_group") == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("option \"consumer_share\" needs \"consumer_group\"")));
}

PG_FUNCTION_INFO_V1(mc_loghub_validator);
Datum
mc_loghub_validator(PG_FUNCTION_ARGS)
{
	validate(MC_LOGHUB, untransformRelOptions(PG_GETARG_DATUM(0)), PG_GETARG_OID(1));
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(mc_maxcompute_validator);
Datum
mc_maxcompute_validator(PG_FUNCTION_ARGS)
{
	validate(MC_MAXCOMPUTE, untransformRelOptions(PG_GETARG_DATUM(0)), PG_GETARG_OID(1));
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(mc_tablestore_validator);
Datum
mc_tablestore_validator(PG_FUNCTION_ARGS)
{
	validate(MC_TABLESTORE, untransformRelOptions(PG_GETARG_DATUM(0)), PG_GETARG_OID(1));
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(mc_oss_validator);
Datum
mc_oss_validator(PG_FUNCTION_ARGS)
{
	List	   *given = untransformRelOptions(PG_GETARG_DATUM(0));

	if (place_of_catalog(PG_GETARG_OID(1)) & IN_BOTH)
		mcOssCheckWords(given);
	validate(MC_OSS, given, PG_GETARG_OID(1));
	PG_RETURN_VOID();
}

const char *
mcOptionText(List *list, const char *name)
{
	ListCell   *lc;

	foreach(lc, list)
	{
		DefElem    *def = lfirst_node(DefElem, lc);

		if (strcmp(def->defname, name) == 0)
			return defGetString(def);
	}
	return NULL;
}

int64
mcOptionParse(const char *name, const char *value)
{
	const McOption *option = NULL;
	int64		number;
	const char *hint;

	for (int i = 0; i < lengthof(options) && !option; i++)
		if (strcmp(options[i].name, name) == 0)
			option = &options[i];
	if (!option || !parse_number(option->kind, value, &number, &hint))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%s\"", name, value)));
	return number;
}

/*
 * Wrappers may give one name different values (compression): what is legal for
 * another one only does not concern this one.
 */
bool
mcOptionCheckGuc(const char *name, const char *value, McWrapper wrapper)
{
	const McOption *ours = NULL;
	bool		others = false;

	for (int i = 0; i < lengthof(options); i++)
	{
		if (strcmp(options[i].name, name) != 0)
			continue;
		if (options[i].wrappers & wrapper)
			ours = &options[i];
		else if (!(options[i].flags & NO_GUC))
			others |= options[i].kind == MC_OPT_ENUM && enum_has(options[i].values, value);
	}
	if (!ours || (ours->flags & NO_GUC) || (others && ours->kind == MC_OPT_ENUM && !enum_has(ours->values, value)))
		return false;
	check_value(ours, value, "setting", "mc_fdw.");
	return true;
}

const char *
mcColumnOption(Oid relid, AttrNumber attnum, const char *name)
{
	return mcOptionText(GetForeignColumnOptions(relid, attnum), name);
}
