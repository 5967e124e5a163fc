/*
 * oss_conn.c
 *		A statement's access to a bucket, or to a plain web server.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "oss.h"

static void
release_conn(void *arg)
{
	McOssConn  *conn = arg;

	if (conn->channel != NULL)
		mcn_channel_free(conn->channel);
	conn->channel = NULL;
}

/*
 * The region signed for: option "region" (an "oss-" in front is taken off, as the SDKs
 * do), or that of a public endpoint oss-<region>[-internal].aliyuncs.com.
 */
static char *
region_of(const McServer *server)
{
	const char *host;
	const char *end;

	if (server->region != NULL)
		return pstrdup(strncmp(server->region, "oss-", 4) == 0 ? server->region + 4 : server->region);
	host = strstr(server->endpoint, "://");
	if (host == NULL || pg_strncasecmp(host + 3, "oss-", 4) != 0)
		return NULL;
	host += 7;
	end = host + strcspn(host, ".:/");
	if (pg_strncasecmp(end, ".aliyuncs.com", 13) != 0 || pg_strncasecmp(host, "accelerate", 10) == 0)
		return NULL;
	if (end - host > 9 && pg_strncasecmp(end - 9, "-internal", 9) == 0)
		end -= 9;
	return pnstrdup(host, end - host);
}

static bool
signs_v4(const McServer *server, const char *region)
{
	const char *version = mcServerOption(server, "signature_version");

	if (version == NULL)
		return region != NULL;
	if (pg_strcasecmp(version, "v1") == 0)
		return false;
	if (region == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("server \"%s\" has no option \"region\", which signature V4 needs", server->name)));
	return true;
}

static mcs_oss_style
style_of(const McServer *server)
{
	if (server->bucket == NULL)
		return MCS_OSS_PLAIN;
	if (mcServerOptionIs(server, "url_style", "path"))
		return MCS_OSS_PATH;
	return mcServerOptionIs(server, "url_style", "cname") ? MCS_OSS_CNAME : MCS_OSS_VIRTUAL;
}

/* The bucket stands in its own option: in front of the host as well it would be there twice */
static void
check_endpoint(const McServer *server)
{
	size_t		len = strlen(server->bucket);
	const char *host = strstr(server->endpoint, "://");

	if (host != NULL && pg_strncasecmp(host + 3, server->bucket, len) == 0 && host[3 + len] == '.')
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_STRING_FORMAT),
				 errmsg("the endpoint of server \"%s\" contains the bucket", server->name),
				 errhint("Give the endpoint of the region, such as https://oss-cn-hangzhou.aliyuncs.com; for a host of the bucket's own set url_style 'cname'.")));
}

McOssConn *
mcOssConnect(McServer *server, MemoryContext cxt)
{
	MemoryContext old = MemoryContextSwitchTo(cxt);
	McOssConn  *conn = palloc0(sizeof(McOssConn));
	mcs_oss_style style = style_of(server);
	char	   *region = region_of(server);

	conn->server = server;
	conn->cxt = cxt;
	conn->alloc = mcContextAlloc(cxt);
	conn->place.wrapper = MC_OSS;
	conn->place.server = server->name;
	conn->place.object = server->bucket;
	if (style == MCS_OSS_VIRTUAL)
		check_endpoint(server);
	conn->callback.func = release_conn;
	conn->callback.arg = conn;
	MemoryContextRegisterResetCallback(cxt, &conn->callback);
	conn->channel = mcOpenChannel(server, &conn->alloc, server->endpoint,
								  style == MCS_OSS_VIRTUAL ? server->bucket : NULL, mcs_oss_retry_rules);
	conn->client.loop = mcLoop();
	conn->client.alloc = &conn->alloc;
	conn->client.channel = conn->channel;
	conn->client.style = style;
	conn->client.bucket = mcw_str(server->bucket != NULL ? server->bucket : "");
	conn->client.cred = server->cred;
	conn->client.v4 = style != MCS_OSS_PLAIN && signs_v4(server, region);
	conn->client.region = mcw_str(region != NULL ? region : "");
	MemoryContextSwitchTo(old);
	return conn;
}
