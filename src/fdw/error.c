/*
 * error.c
 *		From (status, HTTP status, service code) to SQLSTATE, DETAIL, HINT, CONTEXT.
 *
 * The table below is the whole policy; codes are those of the services' references.
 * A message never carries a secret: messages come from wire, net and service, which
 * have none, and the service's own words are shown as DETAIL.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "credential.h"
#include "mc_fdw.h"

#define HINT_KEY "Check access_key_id and access_key_secret in the user mapping, and security_token if the key is temporary."
#define HINT_RIGHT "Grant the key the permission that the message names, in RAM or in the project."
#define HINT_CLOCK "The clocks of this server and of the service differ by more than 15 minutes: synchronize this server's clock (NTP)."
#define HINT_QUOTA "Lower concurrency or rate_limit, add shards or buy quota; the statement may be repeated as it is."
#define HINT_PROJECT "Check option \"project\" and that option \"endpoint\" names the region of that project."
#define HINT_LOGSTORE "Check option \"logstore\" of the foreign table."
#define HINT_LOG "With on_error 'reject' the rows that the service refuses are found and left out."
#define HINT_LOG_TIME "Log Service takes logs with a time of the last 7 days, and up to 15 minutes ahead: filter them, or set on_error to 'reject'."
#define HINT_TABLE "Check options \"table\", \"schema\" and \"project\" of the foreign table."
#define HINT_PARTITION "Check the partition specification; every partition key needs a value."
#define HINT_OTS_SECRET "Check access_key_secret in the user mapping, and option \"region\" of the server: it selects signature V4."
#define HINT_OTS_INSTANCE "Check option \"instance\" of the server and that option \"endpoint\" names its region."
#define HINT_OTS_RIGHT "Grant the key the right to this operation in RAM or in the policy of the instance."
#define HINT_OTS_QUOTA "Lower concurrency, raise the reserved throughput of the table or buy quota; the statement may be repeated as it is."
#define HINT_OTS_KEY "The primary key of the table and the declaration of the foreign table differ: compare options \"key\" of its columns."
#define HINT_OTS_TABLE "Check option \"table\" of the foreign table and option \"instance\" of the server."
#define HINT_OTS_BUSY "The service is overloaded or in maintenance: the statement may be repeated as it is."
#define HINT_OTS_ROW "See the limits in docs/tablestore.md."
#define HINT_OSS_SECRET "Check access_key_secret in the user mapping, and options \"region\" and \"signature_version\" of the server."
#define HINT_OSS_RIGHT "Grant the key the right to this operation in RAM or in the policy of the bucket; without a user mapping requests are anonymous."
#define HINT_OSS_BUCKET "Check option \"bucket\" of the server and that option \"endpoint\" names its region."
#define HINT_OSS_OBJECT "Check options \"object\", \"prefix\" and \"pattern\" of the foreign table."
#define HINT_OSS_CHANGED "The object was replaced or deleted while it was read: repeat the statement."
#define HINT_OSS_STYLE "Set option \"url_style\" of the server to 'virtual': the public service takes no bucket in the path."
#define HINT_OSS_EXISTS "Somebody else has written the object meanwhile, and it was left alone: look at it before repeating the statement."
#define HINT_OSS_QUOTA "Lower concurrency or rate_limit or buy quota; the statement may be repeated as it is."
#define HINT_OSS_ARCHIVE "Restore the object (its storage class is an archive) and repeat the statement."
#define HINT_ENDPOINT "Check that option \"endpoint\" is the address of this service and region."
#define HINT_CHANGED "The remote table changed while it was read: repeat the statement."

typedef struct ErrorRule
{
	const char *code;			/* NULL: by HTTP status; "OTS*": any that begins so */
	int			http;			/* 0: any */
	int			sqlstate;
	const char *hint;
	const char *text;			/* if set, the service's text must contain it */
} ErrorRule;

static const ErrorRule service_rules[] = {
	/* who are you */
	{"Unauthorized", 0, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, HINT_KEY},
	{"SignatureNotMatch", 0, ERRCODE_INVALID_PASSWORD, HINT_KEY},
	{"InvalidAccessKeyId", 0, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, HINT_KEY},
	{"ODPS-0410042", 0, ERRCODE_INVALID_PASSWORD, HINT_KEY},
	{"ODPS-0410051", 0, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, HINT_KEY},
	{"RequestTimeExpired", 0, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, HINT_CLOCK},
	{"RequestTimeTooSkewed", 0, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, HINT_CLOCK},
	{"AuthenticationRequestExpired", 0, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, HINT_CLOCK},
	{"ODPS-0410031", 0, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, HINT_CLOCK},
	{"InvalidRequestTime", 0, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, HINT_CLOCK},
	/* what may you */
	{"NoPermission", 0, ERRCODE_INSUFFICIENT_PRIVILEGE, HINT_RIGHT},
	{"AccessDenied", 0, ERRCODE_INSUFFICIENT_PRIVILEGE, HINT_RIGHT},
	{"ProjectForbidden", 0, ERRCODE_INSUFFICIENT_PRIVILEGE, HINT_RIGHT},
	{"ODPS-0130013", 0, ERRCODE_INSUFFICIENT_PRIVILEGE, HINT_RIGHT},
	/* what is not there */
	{"ProjectNotExist", 0, ERRCODE_FDW_SCHEMA_NOT_FOUND, HINT_PROJECT},
	{"ProjectNotExists", 0, ERRCODE_FDW_SCHEMA_NOT_FOUND, HINT_PROJECT},
	{"NoSuchProject", 0, ERRCODE_FDW_SCHEMA_NOT_FOUND, HINT_PROJECT},
	{"NoSuchSchema", 0, ERRCODE_FDW_SCHEMA_NOT_FOUND, HINT_TABLE},
	{"LogStoreAlreadyExist", 0, ERRCODE_DUPLICATE_OBJECT, NULL},
	{"LogStoreNotExist", 0, ERRCODE_FDW_TABLE_NOT_FOUND, HINT_LOGSTORE},
	{"ShardNotExist", 0, ERRCODE_FDW_TABLE_NOT_FOUND, "List the shards with SELECT DISTINCT __shard__ or in the console."},
	{"NoSuchTable", 0, ERRCODE_FDW_TABLE_NOT_FOUND, HINT_TABLE},
	{"NoSuchObject", 0, ERRCODE_FDW_TABLE_NOT_FOUND, HINT_TABLE},
	{"ODPS-0130131", 0, ERRCODE_FDW_TABLE_NOT_FOUND, HINT_TABLE},
	{"NoSuchPartition", 0, ERRCODE_FDW_TABLE_NOT_FOUND, HINT_PARTITION},
	{"InvalidPartitionSpec", 0, ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE, HINT_PARTITION},
	{"MissingPartitionSpec", 0, ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE, HINT_PARTITION},
	{"InvalidColumnSpec", 0, ERRCODE_FDW_COLUMN_NAME_NOT_FOUND, NULL},
	{"MethodNotAllowed", 0, ERRCODE_FEATURE_NOT_SUPPORTED, "Views can be read only through SQL."},
	{"OverwriteModeNotAllowed", 0, ERRCODE_FEATURE_NOT_SUPPORTED, "Use write_mode 'append' for this table."},
	{"InvalidCursor", 0, ERRCODE_FDW_INVALID_DATA_TYPE_DESCRIPTORS, "The position is older than the retention or belongs to another shard: choose a later window."},
	/* what was written */
	{"PostBodyInvalid", 0, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, HINT_LOG_TIME, "time is out of range"},
	{"PostBodyInvalid", 0, ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE, HINT_LOG},
	{"PostBodyTooLarge", 0, ERRCODE_PROGRAM_LIMIT_EXCEEDED, HINT_LOG},
	{"InvalidTimestamp", 0, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, HINT_LOG_TIME},
	{"InvalidEncoding", 0, ERRCODE_CHARACTER_NOT_IN_REPERTOIRE, HINT_LOG},
	{"InvalidKey", 0, ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE, HINT_LOG},
	/* later */
	{"TableModified", 0, ERRCODE_T_R_SERIALIZATION_FAILURE, HINT_CHANGED},
	{"ObjectModified", 0, ERRCODE_T_R_SERIALIZATION_FAILURE, HINT_CHANGED},
	{"SchemaModified", 0, ERRCODE_T_R_SERIALIZATION_FAILURE, HINT_CHANGED},
	{"StatusConflict", 0, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, NULL},
	{"NoSuchUpload", 0, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "An upload session lives 24 hours: repeat the statement."},
	{"NoSuchDownload", 0, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "A download session lives 24 hours: repeat the statement."},
	{"FlowExceeded", 0, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, HINT_QUOTA},
	{"SlotExceeded", 0, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, HINT_QUOTA},
	{"QPSExceeded", 0, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, HINT_QUOTA},
	{"RequestQuotaExceeded", 0, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, HINT_QUOTA},
	{"ReadQuotaExceed", 0, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, HINT_QUOTA},
	{"WriteQuotaExceed", 0, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, HINT_QUOTA},
	{"ShardReadQuotaExceed", 0, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, HINT_QUOTA},
	{"ShardWriteQuotaExceed", 0, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, HINT_QUOTA},
	{"MetaOperationQpsLimitExceeded", 0, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, HINT_QUOTA},
	{"ExceedQuota", 0, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, HINT_QUOTA},
	{"ODPS-0130161", 0, ERRCODE_SYNTAX_ERROR, NULL},
	/* Tablestore */
	{"OTSAuthFailed", 0, ERRCODE_INVALID_PASSWORD, HINT_OTS_SECRET, "Signature mismatch"},
	{"OTSAuthFailed", 0, ERRCODE_FDW_SCHEMA_NOT_FOUND, HINT_OTS_INSTANCE, "instance is not found"},
	{"OTSAuthFailed", 0, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, HINT_CLOCK, "x-ots-date"},
	{"OTSAuthFailed", 0, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, HINT_KEY},
	{"OTSNoPermissionAccess", 0, ERRCODE_INSUFFICIENT_PRIVILEGE, HINT_OTS_RIGHT},
	{"OTSObjectNotExist", 0, ERRCODE_FDW_TABLE_NOT_FOUND, HINT_OTS_TABLE},
	{"OTSObjectAlreadyExist", 0, ERRCODE_DUPLICATE_OBJECT, NULL},
	{"OTSTableNotReady", 0, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "A new table is ready after some seconds: repeat the statement."},
	{"OTSInvalidPK", 0, ERRCODE_FDW_INVALID_COLUMN_NAME, HINT_OTS_KEY},
	{"OTSMetaNotMatch", 0, ERRCODE_FDW_INVALID_COLUMN_NAME, HINT_OTS_KEY},
	{"OTSParameterInvalid", 0, ERRCODE_PROGRAM_LIMIT_EXCEEDED, HINT_OTS_ROW, "exceeds the"},
	{"OTSParameterInvalid", 0, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE,
	"Cell versions must lie near the service's clock and within the table's time to live: see its deviation_cell_version_in_sec.", "Invalid timestamp"},
	{"OTSParameterInvalid", 0, ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE, NULL},
	{"OTSConditionCheckFail", 0, ERRCODE_T_R_SERIALIZATION_FAILURE, NULL},
	{"OTSRowOperationConflict", 0, ERRCODE_T_R_SERIALIZATION_FAILURE, HINT_OTS_BUSY},
	{"OTSOutOfColumnCountLimit", 0, ERRCODE_PROGRAM_LIMIT_EXCEEDED, HINT_OTS_ROW},
	{"OTSOutOfRowSizeLimit", 0, ERRCODE_PROGRAM_LIMIT_EXCEEDED, HINT_OTS_ROW},
	{"OTSRequestBodyTooLarge", 0, ERRCODE_PROGRAM_LIMIT_EXCEEDED, HINT_OTS_ROW},
	{"OTSSessionExpired", 0, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "Repeat the statement."},
	{"OTSTrimmedDataAccess", 0, ERRCODE_FDW_INVALID_DATA_TYPE_DESCRIPTORS, "The position is older than the stream's expiration: choose a later window."},
	{"OTSQuotaExhausted", 0, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, HINT_OTS_QUOTA},
	{"OTSNotEnoughCapacityUnit", 0, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, HINT_OTS_QUOTA},
	{"OTSCapacityUnitExhausted", 0, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, HINT_OTS_QUOTA},
	{"OTSFlowControl", 0, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, HINT_OTS_QUOTA},
	{"OTSServerBusy", 0, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, HINT_OTS_BUSY},
	{"OTSPartitionUnavailable", 0, ERRCODE_FDW_ERROR, HINT_OTS_BUSY},
	{"OTSTimeout", 0, ERRCODE_FDW_ERROR, HINT_OTS_BUSY},
	{"OTSRequestTimeout", 0, ERRCODE_FDW_ERROR, HINT_OTS_BUSY},
	{"OTSServerUnavailable", 0, ERRCODE_FDW_ERROR, HINT_OTS_BUSY},
	{"OTSInternalServerError", 0, ERRCODE_FDW_ERROR, HINT_OTS_BUSY},
	{"OTS*", 403, ERRCODE_INSUFFICIENT_PRIVILEGE, HINT_OTS_RIGHT},
	{"OTS*", 429, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, HINT_OTS_QUOTA},
	{"OTS*", 503, ERRCODE_FDW_ERROR, HINT_OTS_BUSY},
	{"OTS*", 0, ERRCODE_FDW_ERROR, NULL},
	/* without the service's code: something else answers there */
	{"", 400, ERRCODE_FDW_ERROR, HINT_ENDPOINT},
	{"", 401, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, HINT_ENDPOINT},
	{"", 403, ERRCODE_INSUFFICIENT_PRIVILEGE, HINT_ENDPOINT},
	{"", 405, ERRCODE_FDW_ERROR, HINT_ENDPOINT},
	/* by HTTP status, when the code says nothing */
	{NULL, 401, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, HINT_KEY},
	{NULL, 403, ERRCODE_INSUFFICIENT_PRIVILEGE, HINT_RIGHT},
	{NULL, 404, ERRCODE_FDW_TABLE_NOT_FOUND, HINT_ENDPOINT},
	{NULL, 429, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, HINT_QUOTA},
	{NULL, 503, ERRCODE_FDW_ERROR, "The service is overloaded or in maintenance: repeat the statement later."},
	{NULL, 0, ERRCODE_FDW_ERROR, NULL},
};

/* Codes of OSS; what is not here is looked up above */
static const ErrorRule oss_rules[] = {
	{"SignatureDoesNotMatch", 0, ERRCODE_INVALID_PASSWORD, HINT_OSS_SECRET},
	{"InvalidSecurityToken", 0, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, HINT_KEY},
	{"SecurityTokenExpired", 0, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, HINT_KEY},
	{"SecurityTokenNotSupported", 0, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, HINT_KEY},
	{"UserDisable", 0, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, HINT_KEY},
	{"SecondLevelDomainForbidden", 0, ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE, HINT_OSS_STYLE},
	{"AccessDenied", 0, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, "The bucket belongs to another region: use the endpoint that the message names.", "specified endpoint"},
	{"AccessDenied", 0, ERRCODE_INSUFFICIENT_PRIVILEGE, HINT_OSS_RIGHT},
	{"InvalidObjectState", 0, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, HINT_OSS_ARCHIVE},
	{"KmsServiceNotEnabled", 0, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, NULL},
	{"InvalidArgument", 0, ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE, "Check option \"region\" of the server.", "region"},
	{"NoSuchBucket", 0, ERRCODE_FDW_TABLE_NOT_FOUND, HINT_OSS_BUCKET},
	{"InvalidBucketName", 0, ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE, HINT_OSS_BUCKET},
	{"NoSuchKey", 0, ERRCODE_UNDEFINED_FILE, "The object does not exist, or was deleted after it was listed: check options \"object\" and \"prefix\" of the foreign table."},
	{"SymlinkTargetNotExist", 0, ERRCODE_UNDEFINED_FILE, HINT_OSS_OBJECT},
	{"InvalidObjectName", 0, ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE, HINT_OSS_OBJECT},
	{"FileAlreadyExists", 0, ERRCODE_DUPLICATE_FILE, HINT_OSS_EXISTS},
	{"ObjectAlreadyExists", 0, ERRCODE_DUPLICATE_FILE, HINT_OSS_EXISTS},
	{"FileImmutable", 0, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "A retention policy of the bucket protects the object."},
	{"PreconditionFailed", 0, ERRCODE_T_R_SERIALIZATION_FAILURE, HINT_OSS_CHANGED},
	{"InvalidRange", 0, ERRCODE_T_R_SERIALIZATION_FAILURE, HINT_OSS_CHANGED},
	{"MethodNotAllowed", 0, ERRCODE_FEATURE_NOT_SUPPORTED, NULL},
	{"NoSuchUpload", 0, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "The upload was aborted by somebody else or by a lifecycle rule of the bucket: repeat the statement."},
	{"EntityTooLarge", 0, ERRCODE_PROGRAM_LIMIT_EXCEEDED, NULL},
	{"EntityTooSmall", 0, ERRCODE_PROGRAM_LIMIT_EXCEEDED, NULL},
	{"QpsLimitExceeded", 0, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, HINT_OSS_QUOTA},
	{"TotalQpsLimitExceeded", 0, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, HINT_OSS_QUOTA},
	{"MetaOperationQpsLimitExceeded", 0, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, HINT_OSS_QUOTA},
	{"ActiveRequestLimitExceeded", 0, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, HINT_OSS_QUOTA},
	{"CpuLimitExceeded", 0, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, HINT_OSS_QUOTA},
	{"DownloadTrafficRateLimitExceeded", 0, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, HINT_OSS_QUOTA},
	{"UploadTrafficRateLimitExceeded", 0, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, HINT_OSS_QUOTA},
	/* a web server, or HEAD without the code */
	{NULL, 403, ERRCODE_INSUFFICIENT_PRIVILEGE, HINT_OSS_RIGHT},
	{NULL, 404, ERRCODE_UNDEFINED_FILE, HINT_OSS_OBJECT},
	{NULL, 412, ERRCODE_T_R_SERIALIZATION_FAILURE, HINT_OSS_CHANGED},
	{NULL, 416, ERRCODE_T_R_SERIALIZATION_FAILURE, HINT_OSS_CHANGED},
};

static bool
rule_applies(const ErrorRule *rule, const mcw_error *err)
{
	if (rule->text && !strstr(err->text, rule->text))
		return false;
	if (rule->code && strcmp(rule->code, "OTS*") == 0)
	{
		if (strncmp(err->code, "OTS", 3) != 0)
			return false;
	}
	else if (rule->code && pg_strcasecmp(rule->code, err->code) != 0)
		return false;
	return rule->http == 0 || rule->http == err->http_status;
}

static int
sql_state(const mcw_error *err, McWrapper wrapper, const char **hint)
{
	*hint = NULL;
	if (err->of_credentials && err->status != MCW_ERR_INTERRUPTED)
		return mcCredentialError(err, hint);
	switch (err->status)
	{
		case MCW_ERR_NOMEM:
			return ERRCODE_FDW_OUT_OF_MEMORY;
		case MCW_ERR_LIMIT:
			return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		case MCW_ERR_FORMAT:
		case MCW_ERR_CHECKSUM:
			return ERRCODE_DATA_CORRUPTED;
		case MCW_ERR_RANGE:
			return ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE;
		case MCW_ERR_UNSUPPORTED:
			return ERRCODE_FEATURE_NOT_SUPPORTED;
		case MCW_ERR_ARGUMENT:
			return ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE;
		case MCW_ERR_INTERRUPTED:
			return ERRCODE_QUERY_CANCELED;
		case MCW_ERR_TIMEOUT:
			*hint = "Check the network; connect_timeout, stall_timeout, retry_max_elapsed and, in COMMIT, mc_fdw.publish_timeout set the limits.";
			return ERRCODE_CONNECTION_FAILURE;
		case MCW_ERR_CONNECT:
			*hint = "Check option \"endpoint\", name resolution, firewall and certificates.";
			return ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION;
		case MCW_ERR_DENIED:
			*hint = "Let a superuser own the server.";
			return ERRCODE_INSUFFICIENT_PRIVILEGE;
		case MCW_ERR_PROTOCOL:
			*hint = "Check that option \"endpoint\" is the address of this service, not of a console or a proxy.";
			return ERRCODE_PROTOCOL_VIOLATION;
		case MCW_OK:
		case MCW_END:
			return ERRCODE_INTERNAL_ERROR;
		case MCW_ERR_SERVICE:
			break;
	}
	for (int i = 0; wrapper == MC_OSS && i < lengthof(oss_rules); i++)
	{
		/* a rule by HTTP status is for an answer whose code says nothing */
		if (!rule_applies(&oss_rules[i], err) || (oss_rules[i].code == NULL && err->code[0] != '\0'))
			continue;
		*hint = oss_rules[i].hint;
		return oss_rules[i].sqlstate;
	}
	for (int i = 0;; i++)
	{
		const ErrorRule *rule = &service_rules[i];

		if (rule_applies(rule, err))
		{
			*hint = rule->hint;
			return rule->sqlstate;
		}
	}
}

int
mcErrorState(const mcw_error *err, McWrapper wrapper, const char **hint)
{
	return sql_state(err, wrapper, hint);
}

char *
mcPrintable(const char *text)
{
	char	   *copy = pstrdup(text);

	if (!pg_verifymbstr(copy, strlen(copy), true))
		for (char *p = copy; *p; p++)
			if (IS_HIGHBIT_SET(*p))
				*p = '?';
	return copy;
}

char *
mcErrorDetail(const mcw_error *err)
{
	StringInfoData s;

	if (err->http_status == 0 && err->code[0] == '\0' && err->text[0] == '\0')
		return NULL;
	initStringInfo(&s);
	if (err->code[0])
		appendStringInfoString(&s, mcPrintable(err->code));
	if (err->text[0])
	{
		/* what is not a message of the service may be binary */
		char	   *text = mcPrintable(err->text);

		for (char *p = text; *p; p++)
			if ((unsigned char) *p < ' ')
				*p = ' ';
		text += strspn(text, " ");
		appendStringInfo(&s, "%s%s", s.len ? ": " : "", text);
	}
	appendStringInfoString(&s, s.len ? " (" : "The service answered nothing we can read (");
	appendStringInfo(&s, "HTTP %d", err->http_status);
	if (err->request_id[0])
		appendStringInfo(&s, ", request id %s", mcPrintable(err->request_id));
	appendStringInfoChar(&s, ')');
	return s.data;
}

static void
append_place(StringInfo s, const char *label, const char *value, bool quote)
{
	if (value && value[0])
		appendStringInfo(s, quote ? "%s%s \"%s\"" : "%s%s%s", s->len ? ", " : "", label, mcPrintable(value));
}

static const char *
object_label(McWrapper wrapper)
{
	switch (wrapper)
	{
		case MC_LOGHUB:
			return "logstore";
		case MC_TABLESTORE:
			return "Tablestore table";
		case MC_OSS:
			return "bucket";
		default:
			return "MaxCompute table";
	}
}

int
mcPlaceContext(const McPlace *place)
{
	StringInfoData s;

	if (!place)
		return 0;
	initStringInfo(&s);
	append_place(&s, "server", place->server, true);
	append_place(&s, object_label(place->wrapper), place->object, true);
	append_place(&s, "", place->part, false);
	append_place(&s, "", place->position, false);
	append_place(&s, "column", place->column, true);
	if (s.len)
		errcontext("%s", s.data);
	pfree(s.data);
	return 0;
}

void
mcRaise(const mcw_error *err, const McPlace *place)
{
	mcRaiseAs(0, NULL, err, place);
}

void
mcRaiseAs(int sqlstate, const char *hint, const mcw_error *err, const McPlace *place)
{
	const char *by_status;
	const char *message;
	char	   *detail;

	if (err->status == MCW_ERR_INTERRUPTED)
		CHECK_FOR_INTERRUPTS();
	if (sqlstate == 0)
	{
		sqlstate = sql_state(err, place ? place->wrapper : 0, &by_status);
		hint = hint ? hint : by_status;
	}
	detail = mcErrorDetail(err);
	/* the code belongs into the first line: a log is often read without the others */
	message = err->message[0] ? mcPrintable(err->message) : mcw_status_name(err->status);
	if (err->status == MCW_ERR_SERVICE && err->code[0] && !strstr(err->message, err->code))
		message = psprintf("%s: %s", message, mcPrintable(err->code));
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("%s", message),
			 detail ? errdetail("%s", detail) : 0,
			 hint ? errhint("%s", hint) : 0,
			 mcPlaceContext(place)));
}
