/*
 * credential.c
 *		Where the keys of a user mapping come from: the mapping itself, a role that its
 *		keys assume, the role of the ECS instance, the environment of the server.
 *
 * Temporary credentials are kept for the life of the backend, one set for each user
 * mapping, so that the scans and statements of a session share a renewal.  Each use
 * compares all that they were made from, so a changed mapping or server gets others,
 * while a running statement keeps (and renews) those it began with.
 */
#include "postgres.h"

#include "access/xact.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "credential.h"
#include "mc_private.h"
#include "../service/mcs_sts.h"
#include "../wire/mcw_doc.h"

#define DEFAULT_SESSION_NAME "mc_fdw"
#define DEFAULT_DURATION_MS (3600 * 1000)
#define MAX_POLICY 2048
#define MAX_EXTERNAL_ID 1224
/* the metadata service is next door or not there at all */
#define METADATA_CONNECT_MS 2000
#define METADATA_RETRIES 3

typedef enum Source
{
	SOURCE_KEYS, SOURCE_ASSUME_ROLE, SOURCE_ECS_RAM_ROLE, SOURCE_ENV
} Source;

static const char *const source_names[] = {"keys", "assume_role", "ecs_ram_role", "env"};

typedef struct Entry
{
	struct Entry *next;
	Oid			umid;
	McWrapper	wrapper;
	bool		stale;			/* catalogs changed since it was looked at */
	TimestampTz xact;			/* start of the transaction that used it last */
	char	   *server;			/* name, for messages */
	char	   *made_from;		/* everything that decides what the source asks for; holds secrets */
	mcn_credentials *credentials;
} Entry;

static Entry *entries = NULL;

static Source
source_of(List *mapping)
{
	const char *name = mcOptionText(mapping, "credential_source");

	for (int i = 0; name && i < lengthof(source_names); i++)
		if (pg_strcasecmp(name, source_names[i]) == 0)
			return (Source) i;
	return SOURCE_KEYS;
}

/* ---- the validator's part ---- */

typedef struct Rule
{
	const char *option;
	int			needed;			/* bits of sources that require it */
	int			allowed;		/* bits of sources that know it */
} Rule;

#define OF(source) (1 << (source))
#define WITH_KEYS (OF(SOURCE_KEYS) | OF(SOURCE_ASSUME_ROLE))

static const Rule rules[] = {
	{"access_key_id", WITH_KEYS, WITH_KEYS},
	{"access_key_secret", WITH_KEYS, WITH_KEYS},
	{"security_token", 0, WITH_KEYS},
	{"role_arn", OF(SOURCE_ASSUME_ROLE), OF(SOURCE_ASSUME_ROLE)},
	{"role_session_name", 0, OF(SOURCE_ASSUME_ROLE)},
	{"session_duration", 0, OF(SOURCE_ASSUME_ROLE)},
	{"external_id", 0, OF(SOURCE_ASSUME_ROLE)},
	{"policy", 0, OF(SOURCE_ASSUME_ROLE)},
	{"ecs_role_name", 0, OF(SOURCE_ECS_RAM_ROLE)},
};

pg_noreturn static void
refuse_value(const char *option, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\"", option),
			 errdetail("%s", what)));
}

static bool
only_has(const char *value, const char *more)
{
	for (const char *p = value; *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr(more, *p)))
			return false;
	return true;
}

/* What the service would refuse, told where it is written.  The values are not shown. */
static void
check_values(List *options)
{
	const char *arn = mcOptionText(options, "role_arn");
	const char *session = mcOptionText(options, "role_session_name");
	const char *external = mcOptionText(options, "external_id");
	const char *policy = mcOptionText(options, "policy");
	const char *ecs_role = mcOptionText(options, "ecs_role_name");

	if (arn && (strncmp(arn, "acs:ram::", 9) != 0 || !strstr(arn, ":role/")))
		refuse_value("role_arn", "It is written as acs:ram::<account>:role/<name>.");
	if (session && (strlen(session) < 2 || strlen(session) > 64 || !only_has(session, ".@-_")))
		refuse_value("role_session_name", "It has 2 to 64 letters, digits and characters of \".@-_\".");
	if (external && (strlen(external) < 2 || strlen(external) > MAX_EXTERNAL_ID || !only_has(external, "+=,.@:/-_")))
		refuse_value("external_id", "It has 2 to 1224 letters, digits and characters of \"+=,.@:/-_\".");
	if (ecs_role && (strlen(ecs_role) > 64 || !only_has(ecs_role, ".-_")))
		refuse_value("ecs_role_name", "It has at most 64 letters, digits and characters of \".-_\".");
	if (policy)
	{
		mcw_arena	arena;
		mcw_node   *root;
		bool		ok = strlen(policy) <= MAX_POLICY;

		mcw_arena_init(&arena, &mcw_malloc, 1 << 20);
		ok = ok && mcw_json_parse(mcw_str(policy), &arena, &root, NULL) == MCW_OK && root->kind == MCW_NODE_OBJECT;
		mcw_arena_reset(&arena);
		if (!ok)
			refuse_value("policy", "It is a JSON object of at most 2048 bytes.");
	}
}

void
mcCheckMapping(List *options)
{
	Source		source = source_of(options);

	if ((source == SOURCE_ECS_RAM_ROLE || source == SOURCE_ENV) && !superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to set option \"credential_source\" to \"%s\"", source_names[source]),
				 errdetail("Only superusers may let a user mapping use credentials of the database server's host.")));
	for (int i = 0; i < lengthof(rules); i++)
	{
		const Rule *rule = &rules[i];
		bool		given = mcOptionText(options, rule->option) != NULL;

		if (given && !(rule->allowed & OF(source)))
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("option \"%s\" has no meaning with credential_source \"%s\"", rule->option, source_names[source])));
		if (!given && (rule->needed & OF(source)))
			ereport(ERROR,
					(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
					 errmsg("option \"%s\" is required for a user mapping%s", rule->option,
							source == SOURCE_KEYS ? "" : psprintf(" with credential_source \"%s\"", source_names[source]))));
	}
	check_values(options);
}

/* ---- what does not end ---- */

static mcw_view
copy_view(const char *value)
{
	return mcw_str(value ? pstrdup(value) : "");
}

static void
take_keys(mcw_credentials *cred, List *mapping)
{
	cred->access_key_id = copy_view(mcOptionText(mapping, "access_key_id"));
	cred->access_key_secret = copy_view(mcOptionText(mapping, "access_key_secret"));
	cred->security_token = copy_view(mcOptionText(mapping, "security_token"));
}

static const char *
environment(const char *name)
{
	const char *value = getenv(name);

	if (!value || !value[0])
		return NULL;
	for (const unsigned char *p = (const unsigned char *) value; *p; p++)
		if (*p <= ' ' || *p >= 127)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
					 errmsg("environment variable %s of the server has a character that no key can have", name)));
	return value;
}

static void
take_environment(McServer *server)
{
	const char *id = environment("ALIBABA_CLOUD_ACCESS_KEY_ID");
	const char *secret = environment("ALIBABA_CLOUD_ACCESS_KEY_SECRET");

	if (!id || !secret)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("the environment of the database server has no %s", id ? "ALIBABA_CLOUD_ACCESS_KEY_SECRET" : "ALIBABA_CLOUD_ACCESS_KEY_ID"),
				 errdetail("The user mapping for server \"%s\" has credential_source \"env\".", server->name),
				 errhint("Set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET where PostgreSQL is started, and start it again.")));
	server->cred.access_key_id = copy_view(id);
	server->cred.access_key_secret = copy_view(secret);
	server->cred.security_token = copy_view(environment("ALIBABA_CLOUD_SECURITY_TOKEN"));
}

/* ---- what is renewed ---- */

static void
on_catalog_change(Datum arg, int cacheid, uint32 hashvalue)
{
	for (Entry *entry = entries; entry; entry = entry->next)
		entry->stale = true;
}

static void
free_entry(Entry *entry)
{
	explicit_bzero(entry->made_from, strlen(entry->made_from));
	pfree(entry->made_from);
	pfree(entry->server);
	mcn_credentials_release(entry->credentials);
	pfree(entry);
}

/* Entries of mappings that are gone: nobody would ever ask for them again */
static void
forget_dropped(void)
{
	for (Entry **link = &entries; *link;)
	{
		Entry	   *entry = *link;

		if (entry->stale && !SearchSysCacheExists1(USERMAPPINGOID, ObjectIdGetDatum(entry->umid)))
		{
			*link = entry->next;
			free_entry(entry);
			continue;
		}
		entry->stale = false;
		link = &entry->next;
	}
}

static void
release(void *arg)
{
	mcn_credentials_release(arg);
}

/* server->cxt holds them, too */
static void
hand_out(McServer *server, Entry *entry)
{
	MemoryContextCallback *callback = MemoryContextAllocZero(server->cxt, sizeof(MemoryContextCallback));

	callback->func = release;
	callback->arg = mcn_credentials_keep(entry->credentials);
	MemoryContextRegisterResetCallback(server->cxt, callback);
	server->credentials = entry->credentials;
	entry->xact = GetCurrentTransactionStartTimestamp();
}

static void
add_part(StringInfo s, const char *part)
{
	appendStringInfo(s, "%s\001", part ? part : "");
}

/* A channel that is not the statement's: it lives as long as the backend may renew */
static mcn_channel *
open_channel(const McServer *server, const char *endpoint, const mcn_options *options, bool trusted, const mcn_retry_rule *table)
{
	static char trust;
	mcw_error	err;
	mcn_channel *channel = mcn_channel_create(mcLoop(), &mcw_malloc, mcw_str(endpoint), mcw_str(""), options, table, &err);

	if (!channel)
	{
		McPlace		place = {.wrapper = server->wrapper, .server = server->name};

		err.of_credentials = true;
		mcRaise(&err, &place);
	}
	mcn_channel_set_private(channel, trusted ? &trust : NULL);
	return channel;
}

static const char *
sts_endpoint(const McServer *server)
{
	const char *given = mcOptionText(server->server_options, "sts_endpoint");

	if (given && !server->trusted && !mcEndpointAllowed(given))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("option \"sts_endpoint\" of server \"%s\" is not allowed", server->name),
				 errdetail("It is not in mc_fdw.allowed_endpoints and the server's owner is not a superuser."),
				 errhint("Ask a superuser to own the server or to extend mc_fdw.allowed_endpoints.")));
	return given ? given : MCS_STS_ENDPOINT;
}

static mcn_credentials *
assume_role(const McServer *server, List *mapping, mcw_error *err)
{
	mcn_channel *channel = open_channel(server, sts_endpoint(server), &server->net, server->trusted, mcs_sts_retry_rules);
	const char *session = mcOptionText(mapping, "role_session_name");
	const char *duration = mcOptionText(mapping, "session_duration");
	int64		duration_ms = duration ? mcOptionParse("session_duration", duration) : DEFAULT_DURATION_MS;
	mcn_credentials *credentials;
	mcs_role	role = {
		.arn = copy_view(mcOptionText(mapping, "role_arn")),
		.session_name = copy_view(session ? session : DEFAULT_SESSION_NAME),
		.external_id = copy_view(mcOptionText(mapping, "external_id")),
		.policy = copy_view(mcOptionText(mapping, "policy")),
		.duration_s = (int) (duration_ms / 1000),
	};

	take_keys(&role.keys, mapping);
	credentials = mcs_sts_assume_role(mcLoop(), channel, &role, err);
	if (!credentials)
		mcn_channel_free(channel);
	return credentials;
}

/* The superuser who made the mapping allowed this one address, not those of the server */
static mcn_credentials *
instance_role(const McServer *server, List *mapping, mcw_error *err)
{
	mcn_options options = server->net;
	const char *role = mcOptionText(mapping, "ecs_role_name");
	mcn_channel *channel;
	mcn_credentials *credentials;

	options.connect_timeout_ms = Min(options.connect_timeout_ms, METADATA_CONNECT_MS);
	options.max_retries = Min(options.max_retries, METADATA_RETRIES);
	options.proxy = NULL;
	options.ca_file = NULL;
	channel = open_channel(server, mc_metadata_endpoint, &options, true, mcs_metadata_retry_rules);
	credentials = mcs_metadata_role(mcLoop(), channel, mcw_str(role ? role : ""), err);
	if (!credentials)
		mcn_channel_free(channel);
	return credentials;
}

/* All that the source depends on */
static char *
made_from(const McServer *server, List *mapping, Source source)
{
	StringInfoData s;

	initStringInfo(&s);
	add_part(&s, source_names[source]);
	for (int i = 0; i < lengthof(rules); i++)
		add_part(&s, mcOptionText(mapping, rules[i].option));
	add_part(&s, source == SOURCE_ECS_RAM_ROLE ? mc_metadata_endpoint : mcOptionText(server->server_options, "sts_endpoint"));
	add_part(&s, server->net.proxy);
	add_part(&s, server->net.ca_file);
	appendStringInfo(&s, "%d %d %d %d %d", server->trusted, server->net.connect_timeout_ms, server->net.stall_timeout_ms,
					 server->net.max_retries, server->net.retry_max_elapsed_ms);
	return s.data;
}

static Entry *
make_entry(McServer *server, List *mapping, Oid umid, Source source, const char *text)
{
	Entry	   *entry = MemoryContextAllocZero(TopMemoryContext, sizeof(Entry));
	mcw_error	err;

	entry->umid = umid;
	entry->wrapper = server->wrapper;
	entry->server = MemoryContextStrdup(TopMemoryContext, server->name);
	entry->made_from = MemoryContextStrdup(TopMemoryContext, text);
	entry->credentials = source == SOURCE_ASSUME_ROLE ? assume_role(server, mapping, &err) : instance_role(server, mapping, &err);
	if (!entry->credentials)
	{
		McPlace		place = {.wrapper = server->wrapper, .server = server->name};

		free_entry(entry);
		mcRaise(&err, &place);
	}
	entry->next = entries;
	entries = entry;
	return entry;
}

static void
take_renewed(McServer *server, List *mapping, Oid umid, Source source)
{
	static bool registered = false;
	char	   *text = made_from(server, mapping, source);
	Entry	  **link = &entries;

	if (!registered)
	{
		CacheRegisterSyscacheCallback(USERMAPPINGOID, on_catalog_change, (Datum) 0);
		CacheRegisterSyscacheCallback(FOREIGNSERVEROID, on_catalog_change, (Datum) 0);
		registered = true;
	}
	forget_dropped();
	while (*link && (*link)->umid != umid)
		link = &(*link)->next;
	if (*link && strcmp((*link)->made_from, text) != 0)
	{
		Entry	   *old = *link;

		*link = old->next;
		free_entry(old);
		link = NULL;
	}
	hand_out(server, link && *link ? *link : make_entry(server, mapping, umid, source, text));
	explicit_bzero(text, strlen(text));
	pfree(text);
}

void
mcResolveCredentials(McServer *server, List *mapping, Oid umid)
{
	Source		source = source_of(mapping);

	switch (source)
	{
		case SOURCE_KEYS:
			take_keys(&server->cred, mapping);
			server->identity = pstrdup(server->cred.access_key_id.data);
			break;
		case SOURCE_ENV:
			take_environment(server);
			server->identity = pstrdup(server->cred.access_key_id.data);
			break;
		case SOURCE_ASSUME_ROLE:
			server->identity = pstrdup(mcOptionText(mapping, "role_arn"));
			take_renewed(server, mapping, umid, source);
			break;
		case SOURCE_ECS_RAM_ROLE:
			server->identity = psprintf("ecs role %s", mcOptionText(mapping, "ecs_role_name") ? mcOptionText(mapping, "ecs_role_name") : "");
			take_renewed(server, mapping, umid, source);
			break;
	}
}

void
mcRenewCredentials(McWrapper wrapper, int64 deadline_us)
{
	for (Entry *entry = entries; entry; entry = entry->next)
	{
		McPlace		place = {.wrapper = wrapper, .server = entry->server};
		mcw_error	err;

		if (entry->wrapper == wrapper && entry->xact == GetCurrentTransactionStartTimestamp())
			mcCheck(mcn_credentials_renew(entry->credentials, (int64) mc_publish_timeout * 1000, deadline_us, &err), &err, &place);
	}
}

/* ---- errors ---- */

#define HINT_KEYS "Check access_key_id and access_key_secret in the user mapping: they call AssumeRole."
#define HINT_ROLE "Check role_arn in the user mapping; the role must trust the account of the key, and the key needs the right sts:AssumeRole."
#define HINT_ADDRESS "Temporary credentials come from option \"sts_endpoint\" of the server, or for an ECS instance from mc_fdw.metadata_endpoint: check the address, name resolution and firewall."
#define HINT_VALUES "Check role_session_name, session_duration, external_id and policy in the user mapping; the role's own maximum may be shorter."
#define HINT_INSTANCE "Attach a RAM role to the ECS instance, and check ecs_role_name in the user mapping."
#define HINT_CLOCK "The clocks of this server and of the service differ by more than 15 minutes: synchronize this server's clock (NTP)."

typedef struct CodeRule
{
	const char *prefix;
	int			sqlstate;
	const char *hint;
} CodeRule;

static const CodeRule code_rules[] = {
	{"SignatureDoesNotMatch", ERRCODE_INVALID_PASSWORD, HINT_KEYS},
	{"IncompleteSignature", ERRCODE_INVALID_PASSWORD, HINT_KEYS},
	{"InvalidAccessKeyId", ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, HINT_KEYS},
	{"InvalidAccessKeySecret", ERRCODE_INVALID_PASSWORD, HINT_KEYS},
	{"InvalidSecurityToken", ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, HINT_KEYS},
	{"InvalidTimeStamp", ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, HINT_CLOCK},
	{"NoPermission", ERRCODE_INSUFFICIENT_PRIVILEGE, HINT_ROLE},
	{"EntityNotExist.Role", ERRCODE_INSUFFICIENT_PRIVILEGE, HINT_ROLE},
	{"AuthenticationFail", ERRCODE_INSUFFICIENT_PRIVILEGE, HINT_ROLE},
	{"InvalidParameter", ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE, HINT_VALUES},
	{"NoSuchRole", ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, HINT_INSTANCE},
	{"NoRole", ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, HINT_INSTANCE},
	{"Throttling", ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, "Repeat the statement later."},
};

int
mcCredentialError(const mcw_error *err, const char **hint)
{
	for (int i = 0; i < lengthof(code_rules); i++)
		if (pg_strncasecmp(err->code, code_rules[i].prefix, strlen(code_rules[i].prefix)) == 0)
		{
			*hint = code_rules[i].hint;
			return code_rules[i].sqlstate;
		}
	*hint = HINT_ADDRESS;
	switch (err->status)
	{
		case MCW_ERR_CONNECT:
			return ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION;
		case MCW_ERR_TIMEOUT:
			return ERRCODE_CONNECTION_FAILURE;
		case MCW_ERR_DENIED:
			*hint = "Let a superuser own the server.";
			return ERRCODE_INSUFFICIENT_PRIVILEGE;
		case MCW_ERR_FORMAT:
		case MCW_ERR_PROTOCOL:
			return ERRCODE_PROTOCOL_VIOLATION;
		case MCW_ERR_NOMEM:
			*hint = NULL;
			return ERRCODE_FDW_OUT_OF_MEMORY;
		case MCW_ERR_SERVICE:
			return err->http_status == 401 || err->http_status == 403 ? ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION : ERRCODE_FDW_ERROR;
		default:
			return ERRCODE_FDW_ERROR;
	}
}
