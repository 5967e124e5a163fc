/*
 * channel.c
 *		A channel: endpoint, virtual host, options, counters.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>

#include "mcn_private.h"

#define MCN_MAX_ENDPOINT 2048

const mcn_options mcn_default_options = {
	.connect_timeout_ms = 10000,
	.stall_timeout_ms = 60000,
	.max_retries = 10,
	.retry_max_elapsed_ms = 600000,
};

/* An endpoint taken apart; views into its text */
typedef struct endpoint_parts
{
	bool		tls;
	mcw_view	host;			/* without brackets */
	bool		ipv6;
	bool		literal;		/* an address, not a name */
	int			port;			/* 0 = the scheme's */
	mcw_view	prefix;
} endpoint_parts;

static bool
take_prefix(mcw_view *rest, const char *word)
{
	size_t		len = strlen(word);

	if (rest->len < len || !mcw_view_ieq((mcw_view) {rest->data, len}, mcw_str(word)))
		return false;
	rest->data += len;
	rest->len -= len;
	return true;
}

static bool
is_host_name(mcw_view name)
{
	if (name.len == 0 || name.len > 253 || name.data[0] == '.' || name.data[0] == '-')
		return false;
	for (size_t i = 0; i < name.len; i++)
	{
		unsigned char c = name.data[i];

		if (!isalnum(c) && c != '-' && c != '_' && c != '.')
			return false;
		if (c == '.' && i + 1 < name.len && name.data[i + 1] == '.')
			return false;
	}
	return true;
}

static bool
is_address(mcw_view host, bool ipv6)
{
	char		text[64];
	unsigned char binary[16];

	if (host.len >= sizeof(text))
		return false;
	memcpy(text, host.data, host.len);
	text[host.len] = '\0';
	return inet_pton(ipv6 ? AF_INET6 : AF_INET, text, binary) == 1;
}

/* host[:port]; false with a reason */
static const char *
parse_authority(mcw_view authority, endpoint_parts *parts)
{
	const char *end = authority.data + authority.len;
	const char *colon;
	int64_t		port;

	if (memchr(authority.data, '@', authority.len))
		return "user name or password in it";
	if (authority.len > 0 && authority.data[0] == '[')
	{
		const char *close = memchr(authority.data, ']', authority.len);

		if (close == NULL)
			return "the address is not closed by \"]\"";
		parts->host = (mcw_view) {authority.data + 1, close - authority.data - 1};
		parts->ipv6 = parts->literal = true;
		if (!is_address(parts->host, true))
			return "not an IPv6 address";
		colon = close + 1;
		if (colon < end && *colon != ':')
			return "text after the address";
	}
	else
	{
		colon = memchr(authority.data, ':', authority.len);
		if (colon == NULL)
			colon = end;
		parts->host = (mcw_view) {authority.data, colon - authority.data};
		if (parts->host.len == 0)
			return "no host name in it";
		if (!is_host_name(parts->host))
			return "not a host name";
		parts->literal = is_address(parts->host, false);
	}
	if (colon == end)
		return NULL;
	if (!mcw_view_int64((mcw_view) {colon + 1, end - colon - 1}, &port) || port < 1 || port > 65535)
		return "the port is not a number from 1 to 65535";
	parts->port = (int) port;
	return NULL;
}

static const char *
parse_endpoint(mcw_view endpoint, endpoint_parts *parts)
{
	mcw_view	rest = endpoint;
	const char *slash;

	memset(parts, 0, sizeof(*parts));
	if (endpoint.data == NULL || endpoint.len == 0)
		return "it is empty";
	if (endpoint.len > MCN_MAX_ENDPOINT)
		return "it is too long";
	for (size_t i = 0; i < endpoint.len; i++)
	{
		unsigned char c = endpoint.data[i];

		if (c <= ' ' || c >= 127 || c == '\\')
			return "blank, control or non-ASCII character in it";
		if (c == '?' || c == '#')
			return "query or fragment in it";
	}
	if (take_prefix(&rest, "https://"))
		parts->tls = true;
	else if (!take_prefix(&rest, "http://"))
		return "it must begin with http:// or https://";
	slash = memchr(rest.data, '/', rest.len);
	parts->prefix = slash ? (mcw_view) {slash, rest.data + rest.len - slash} : MCW_LIT("");
	while (parts->prefix.len > 0 && parts->prefix.data[parts->prefix.len - 1] == '/')
		parts->prefix.len--;
	return parse_authority((mcw_view) {rest.data, slash ? (size_t) (slash - rest.data) : rest.len}, parts);
}

/* Appends one NUL-terminated string, returns its offset */
static size_t
put(mcw_buf *out, const char *fmt,...) MCW_PRINTF(2, 3);

static size_t
put(mcw_buf *out, const char *fmt,...)
{
	char		text[MCN_MAX_ENDPOINT + 1024];
	size_t		at = out->len;
	va_list		args;
	int			n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (n < 0 || (size_t) n >= sizeof(text))
		out->failed = true;
	else
		(void) mcw_buf_append(out, text, (size_t) n + 1);
	return at;
}

/* All strings of the channel in one block */
static mcw_status
compose(mcn_channel *channel, const endpoint_parts *parts, mcw_view virtual_host,
		const mcn_options *options, mcw_error *err)
{
	const char *scheme = parts->tls ? "https" : "http";
	const char *open = parts->ipv6 ? "[" : "";
	const char *close = parts->ipv6 ? "]" : "";
	bool		joined = virtual_host.len > 0 && !parts->literal;
	const char *dot = virtual_host.len > 0 ? "." : "";
	char		port[8] = "";
	char		name[512];
	char		header[512];
	size_t		at[7];
	mcw_buf		text;

	if (parts->port != 0 && parts->port != (parts->tls ? 443 : 80))
		(void) snprintf(port, sizeof(port), ":%d", parts->port);
	(void) snprintf(header, sizeof(header), "%.*s%s%s%.*s%s", (int) virtual_host.len, virtual_host.len ? virtual_host.data : "",
					dot, open, (int) parts->host.len, parts->host.data, close);
	if (joined)
		(void) snprintf(name, sizeof(name), "%s", header);
	else
		(void) snprintf(name, sizeof(name), "%s%.*s%s", open, (int) parts->host.len, parts->host.data, close);

	mcw_buf_init(&text, channel->alloc, 64 * 1024);
	at[0] = put(&text, "%s://%s%s/", scheme, name, port);
	at[1] = put(&text, "%s%s", header, port);
	at[2] = put(&text, "%s://%s%s", scheme, name, port);
	at[3] = put(&text, "%s:%d", name, parts->port ? parts->port : parts->tls ? 443 : 80);
	at[4] = put(&text, "%.*s", (int) parts->prefix.len, parts->prefix.data);
	at[5] = put(&text, "%s", options->ca_file ? options->ca_file : "");
	at[6] = put(&text, "%s", options->proxy ? options->proxy : "");
	if (text.failed)
	{
		bool		nomem = mcw_buf_status(&text) == MCW_ERR_NOMEM;

		mcw_buf_free(&text);
		if (nomem)
			return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
		return mcw_fail(err, MCW_ERR_LIMIT, "endpoint, file name or proxy is too long");
	}
	channel->text = text.data;
	channel->text_size = text.cap;
	channel->url = text.data + at[0];
	channel->host = text.data + at[1];
	channel->shown = text.data + at[2];
	channel->peer = text.data + at[3];
	channel->prefix = mcw_str(text.data + at[4]);
	channel->options.ca_file = options->ca_file ? text.data + at[5] : NULL;
	channel->options.proxy = options->proxy && options->proxy[0] ? text.data + at[6] : NULL;
	channel->tls = parts->tls;
	channel->absolute_target = !parts->tls && channel->options.proxy &&
		!(strlen(channel->options.proxy) >= 5 &&
		  mcw_view_ieq((mcw_view) {channel->options.proxy, 5}, MCW_LIT("socks")));
	return MCW_OK;
}

static mcw_status
check_options(const mcn_options *options, mcw_error *err)
{
	if (options->connect_timeout_ms < 0 || options->stall_timeout_ms < 0 ||
		options->max_retries < 0 || options->retry_max_elapsed_ms < 0 || options->rate_limit < 0)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "timeouts, retries and rate limit must not be negative");
	return MCW_OK;
}

mcn_channel *
mcn_channel_create(mcn_loop *loop, const mcw_alloc *alloc, mcw_view endpoint, mcw_view virtual_host,
				   const mcn_options *options, const mcn_retry_rule *rules, mcw_error *err)
{
	endpoint_parts parts;
	const char *reason = parse_endpoint(endpoint, &parts);
	mcn_channel *channel;

	if (options == NULL)
		options = &mcn_default_options;
	if (reason)
	{
		(void) mcw_fail(err, MCW_ERR_ARGUMENT, "endpoint cannot be used: %s", reason);
		return NULL;
	}
	if (virtual_host.len > 0 &&
		(!is_host_name(virtual_host) || virtual_host.len + 1 + parts.host.len > 253))
	{
		(void) mcw_fail(err, MCW_ERR_ARGUMENT, "name in front of the endpoint's host is not part of a host name");
		return NULL;
	}
	if (check_options(options, err) != MCW_OK)
		return NULL;
	channel = mcw_new0(alloc, sizeof(*channel));
	if (channel == NULL)
	{
		(void) mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
		return NULL;
	}
	channel->alloc = alloc;
	channel->options = *options;
	if (compose(channel, &parts, virtual_host, options, err) != MCW_OK)
	{
		mcw_free(alloc, channel, sizeof(*channel));
		return NULL;
	}
	channel->rules = rules;
	channel->loop = loop;
	channel->serial = ++loop->next_serial;
	mcn_rate_init(&channel->rate, options->rate_limit, mcn_now_us());
	channel->next = loop->channels;
	loop->channels = channel;
	return channel;
}

/* Requests that are still there are taken off the loop, but their owner must not use them any more. */
void
mcn_channel_free(mcn_channel *channel)
{
	mcn_loop   *loop;

	if (channel == NULL)
		return;
	loop = channel->loop;
	if (loop)
	{
		mcn_list   *lists[] = {&loop->running, &loop->done};

		for (int i = 0; i < 2; i++)
		{
			for (mcn_request *req = lists[i]->head, *next; req; req = next)
			{
				next = req->next;
				if (req->channel == channel)
					mcn_request_cancel(req);
			}
		}
		for (mcn_channel **link = &loop->channels; *link; link = &(*link)->next)
		{
			if (*link == channel)
			{
				*link = channel->next;
				break;
			}
		}
	}
	mcn_credentials_release(channel->credentials);
	mcw_free(channel->alloc, channel->text, channel->text_size);
	mcw_free(channel->alloc, channel, sizeof(*channel));
}

const mcn_options *
mcn_channel_options(const mcn_channel *channel)
{
	return &channel->options;
}

mcn_stats *
mcn_channel_stats(mcn_channel *channel)
{
	if (channel->rate.blocked > 0)
	{
		/* up to now; it may go on */
		int64_t		now = mcn_now_us();

		channel->stats.rate_us += now - channel->rate.blocked_since_us;
		channel->rate.blocked_since_us = now;
	}
	return &channel->stats;
}

void
mcn_channel_set_private(mcn_channel *channel, void *private_data)
{
	channel->private_data = private_data;
}

void *
mcn_channel_private(const mcn_channel *channel)
{
	return channel->private_data;
}

const char *
mcn_channel_host(const mcn_channel *channel)
{
	return channel->host;
}

const char *
mcn_channel_url(const mcn_channel *channel)
{
	return channel->shown;
}

mcw_view
mcn_channel_prefix(const mcn_channel *channel)
{
	return channel->prefix;
}

bool
mcn_channel_is_tls(const mcn_channel *channel)
{
	return channel->tls;
}

int64_t
mcn_channel_service_now(const mcn_channel *channel)
{
	const mcn_stats *stats = &channel->stats;

	if (stats->last_date == 0)
		return 0;
	return stats->last_date * 1000000 + (mcn_now_us() - stats->last_date_at_us);
}
