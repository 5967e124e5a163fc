/*
 * server.c
 *		The configuration one statement works with: GUC over table option over server
 *		option, credentials from the user mapping, address policy.
 */
#include "postgres.h"

#include <ctype.h>

#include "access/htup_details.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "nodes/nodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "credential.h"
#include "mc_fdw.h"
#include "mc_private.h"
#include "../service/mcs_sts.h"

const char *
mcServerOption(const McServer *server, const char *name)
{
	const char *value = mcOverride(name);

	if (value && !mcOptionCheckGuc(name, value, server->wrapper))
		value = NULL;
	if (!value)
		value = mcOptionText(server->table_options, name);
	if (!value)
		value = mcOptionText(server->server_options, name);
	return value;
}

int64
mcServerOptionInt(const McServer *server, const char *name, int64 default_value)
{
	const char *value = mcServerOption(server, name);

	return value ? mcOptionParse(name, value) : default_value;
}

bool
mcServerOptionIs(const McServer *server, const char *name, const char *word)
{
	const char *given = mcServerOption(server, name);

	return given != NULL && pg_strcasecmp(given, word) == 0;
}

bool
mcServerOptionBool(const McServer *server, const char *name, bool default_value)
{
	return mcServerOptionInt(server, name, default_value) != 0;
}

/* '*' matches any text; everything else matches itself, case folded */
static bool
pattern_matches(const char *p, const char *p_end, const char *s, const char *s_end)
{
	while (p < p_end)
	{
		if (*p == '*')
		{
			for (const char *t = s; t <= s_end; t++)
				if (pattern_matches(p + 1, p_end, t, s_end))
					return true;
			return false;
		}
		if (s == s_end || pg_tolower((unsigned char) *p) != pg_tolower((unsigned char) *s))
			return false;
		p++;
		s++;
	}
	return s == s_end;
}

bool
mcEndpointAllowed(const char *endpoint)
{
	const char *host = strstr(endpoint, "://");
	const char *end;
	const char *p = mc_allowed_endpoints;

	if (!host)
		return false;
	host += 3;
	end = host + strcspn(host, "/?#");
	if (*host == '[')
	{
		const char *close = memchr(host, ']', end - host);

		end = close ? close + 1 : end;
	}
	else
	{
		const char *colon = memchr(host, ':', end - host);

		end = colon ? colon : end;
	}

	while (*p)
	{
		const char *stop;

		p += strspn(p, ", \t");
		stop = p + strcspn(p, ", \t");
		if (stop > p && pattern_matches(p, stop, host, end))
			return true;
		p = stop;
	}
	return false;
}

/*
 * GetUserMapping has no missing_ok, and its message does not say what to do.  OSS is
 * read anonymously without a mapping.
 */
static List *
mapping_options(McWrapper wrapper, Oid serverid, Oid userid, const char *server_name, Oid *umid)
{
	Oid			candidates[2] = {userid, InvalidOid};

	for (int i = 0; i < 2; i++)
	{
		HeapTuple	tuple = SearchSysCache2(USERMAPPINGUSERSERVER,
											ObjectIdGetDatum(candidates[i]), ObjectIdGetDatum(serverid));

		if (HeapTupleIsValid(tuple))
		{
			UserMapping *mapping;

			ReleaseSysCache(tuple);
			mapping = GetUserMapping(userid, serverid);
			*umid = mapping->umid;
			return mapping->options;
		}
	}
	if (wrapper == MC_OSS)
		return NIL;
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("no user mapping for user \"%s\" on server \"%s\"",
					GetUserNameFromId(userid, false), server_name),
			 errhint("CREATE USER MAPPING FOR %s SERVER %s OPTIONS (access_key_id '...', access_key_secret '...').",
					 quote_identifier(GetUserNameFromId(userid, false)), quote_identifier(server_name))));
}

static McOnError
parse_on_error(const char *value)
{
	if (!value || pg_strcasecmp(value, "stop") == 0)
		return MC_ON_ERROR_STOP;
	return pg_strcasecmp(value, "reject") == 0 ? MC_ON_ERROR_REJECT : MC_ON_ERROR_SET_NULL;
}

static char *
copy_option(const McServer *server, const char *name)
{
	const char *value = mcServerOption(server, name);

	return value ? pstrdup(value) : NULL;
}

static void
resolve_limits(McServer *server)
{
	const mcn_options *defaults = &mcn_default_options;
	const char *verbosity = mcServerOption(server, "log_verbosity");
	const char *zone = mcServerOption(server, "timezone");

	server->net = *defaults;
	server->net.connect_timeout_ms = mcServerOptionInt(server, "connect_timeout", defaults->connect_timeout_ms);
	server->net.stall_timeout_ms = mcServerOptionInt(server, "stall_timeout", defaults->stall_timeout_ms);
	server->net.max_retries = mcServerOptionInt(server, "max_retries", defaults->max_retries);
	server->net.retry_max_elapsed_ms = mcServerOptionInt(server, "retry_max_elapsed", defaults->retry_max_elapsed_ms);
	server->net.rate_limit = mcServerOptionInt(server, "rate_limit", defaults->rate_limit);
	server->net.ca_file = copy_option(server, "ca_file");
	server->net.proxy = mc_proxy && mc_proxy[0] ? pstrdup(mc_proxy) : NULL;

	server->concurrency = mcServerOptionInt(server, "concurrency", 8);
	server->on_error = parse_on_error(mcServerOption(server, "on_error"));
	server->reject_limit = mcServerOptionInt(server, "reject_limit", -1);
	server->verbose_values = verbosity && pg_strcasecmp(verbosity, "verbose") == 0;
	server->timezone = zone ? pg_tzset(zone) : session_timezone;
}

/* A bucket at an endpoint, or the URL of a plain web server */
static void
check_oss_address(McServer *server)
{
	static const char *const of_buckets[] = {"region", "url_style", "signature_version"};
	const char *url = mcServerOption(server, "base_url");

	if (url && (server->endpoint || server->bucket))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("server \"%s\" has both \"base_url\" and \"%s\"", server->name,
						server->endpoint ? "endpoint" : "bucket"),
				 errhint("A bucket has \"endpoint\" and \"bucket\", a plain web server has \"base_url\".")));
	if (!url && (!server->endpoint || !server->bucket))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("server \"%s\" has no option \"%s\"", server->name, server->endpoint ? "bucket" : "endpoint"),
				 errhint("A bucket needs \"endpoint\" and \"bucket\"; a plain web server needs \"base_url\".")));
	for (int i = 0; url && i < lengthof(of_buckets); i++)
		if (mcOptionText(server->server_options, of_buckets[i]))
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("option \"%s\" has no meaning for server \"%s\"", of_buckets[i], server->name),
					 errdetail("Option \"base_url\" makes it a plain web server, which gets no signed requests.")));
	if (url)
		server->endpoint = pstrdup(url);
}

McServer *
mcGetServer(McWrapper wrapper, Oid serverid, Oid userid, Oid relid, bool need_credentials)
{
	McServer   *server = palloc0(sizeof(McServer));
	ForeignServer *fs = GetForeignServer(serverid);

	server->wrapper = wrapper;
	server->serverid = serverid;
	server->userid = userid;
	server->relid = relid;
	server->cxt = CurrentMemoryContext;
	server->name = fs->servername;
	server->server_options = fs->options;
	server->table_options = OidIsValid(relid) ? GetForeignTable(relid)->options : NIL;

	server->endpoint = copy_option(server, "endpoint");
	server->project = copy_option(server, "project");
	server->instance = copy_option(server, "instance");
	server->bucket = copy_option(server, "bucket");
	server->region = copy_option(server, "region");
	if (wrapper == MC_OSS)
		check_oss_address(server);
	else if (!server->endpoint)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("server \"%s\" has no option \"endpoint\"", server->name)));
	/* without a table it may be that of an entry of the outbox; see mcOdpsOpen */
	if (!server->project && (wrapper == MC_LOGHUB || (wrapper == MC_MAXCOMPUTE && OidIsValid(relid))))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("neither the table nor server \"%s\" names a \"project\"", server->name)));

	server->trusted = superuser_arg(fs->owner) || mcEndpointAllowed(server->endpoint);
	if (!server->trusted)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("endpoint of server \"%s\" is not allowed", server->name),
				 errdetail("It is not in mc_fdw.allowed_endpoints and the server's owner is not a superuser."),
				 errhint("Ask a superuser to own the server or to extend mc_fdw.allowed_endpoints.")));
	/* a vendor name may resolve anywhere: only ownership opens private addresses */
	server->trusted = superuser_arg(fs->owner);

	resolve_limits(server);
	if (need_credentials)
	{
		Oid			umid = InvalidOid;
		List	   *mapping = mapping_options(wrapper, serverid, userid, server->name, &umid);

		/* a plain web server gets no signed requests */
		if (OidIsValid(umid) && (wrapper != MC_OSS || server->bucket))
			mcResolveCredentials(server, mapping, umid);
	}
	return server;
}

/* A statement with other network settings or options gets a connection of its own */
bool
mcServerSame(const McServer *a, const McServer *b)
{
	return a->net.connect_timeout_ms == b->net.connect_timeout_ms &&
		a->net.stall_timeout_ms == b->net.stall_timeout_ms &&
		a->net.max_retries == b->net.max_retries &&
		a->net.retry_max_elapsed_ms == b->net.retry_max_elapsed_ms &&
		a->net.rate_limit == b->net.rate_limit &&
		equal(a->server_options, b->server_options) && equal(a->table_options, b->table_options);
}

mcn_channel *
mcOpenChannel(const McServer *server, const mcw_alloc *alloc, const char *endpoint,
			  const char *virtual_host, const mcn_retry_rule *rules)
{
	mcw_error	err;
	mcn_channel *channel = mcn_channel_create(mcLoop(), alloc, mcw_str(endpoint),
											  mcw_str(virtual_host ? virtual_host : ""),
											  &server->net, rules, &err);

	if (!channel)
	{
		McPlace		place = {.wrapper = server->wrapper, .server = server->name};

		mcRaise(&err, &place);
	}
	mcn_channel_set_private(channel, server->trusted ? (void *) server : NULL);
	if (server->credentials)
		mcn_channel_set_credentials(channel, server->credentials, mcs_ended_rules);
	return channel;
}
