/*
 * retry.c
 *		What the end of an attempt means: words for it, whether another attempt can
 *		help, and how long to wait before it.
 *
 * Which answers of a service are worth repeating is the service's table
 * (mcn_retry_rule); this file only looks it up.
 */
#include <string.h>
#include <sys/random.h>

#include "mcn_private.h"

#define BACKOFF_BASE_US INT64_C(100000)
#define BACKOFF_CAP_US INT64_C(5000000)
#define SLOW_BASE_US INT64_C(500000)
#define SLOW_CAP_US INT64_C(15000000)
#define RETRY_AFTER_CAP_S 60

/* Uniform in [0, limit]; a poor clock-based value only if the kernel has no random bytes yet. */
static int64_t
random_upto(int64_t limit)
{
	uint64_t	value;

	if (getrandom(&value, sizeof(value), GRND_NONBLOCK) != sizeof(value))
		value = (uint64_t) mcn_now_us() * UINT64_C(2654435761);
	return (int64_t) (value % (uint64_t) (limit + 1));
}

/* Seconds from a Retry-After header in either form, capped; -1 = none */
static int64_t
retry_after(const mcn_request *req)
{
	mcw_view	value = mcn_response_header(req, "Retry-After");
	int64_t		seconds;

	if (value.data == NULL || (req->http_status != 429 && req->http_status != 503))
		return -1;
	if (!mcw_view_int64(value, &seconds))
	{
		if (!mcw_parse_http_date(value, &seconds))
			return -1;
		seconds -= mcn_unix_us() / 1000000;
	}
	return seconds < 0 ? 0 : seconds > RETRY_AFTER_CAP_S ? RETRY_AFTER_CAP_S : seconds;
}

int64_t
mcn_pause_us(int failures, bool slow)
{
	int64_t		limit = slow ? SLOW_BASE_US : BACKOFF_BASE_US;
	int64_t		cap = slow ? SLOW_CAP_US : BACKOFF_CAP_US;

	for (int i = 1; i < failures && limit < cap; i++)
		limit *= 2;
	return random_upto(limit < cap ? limit : cap);
}

/* What the service asked for comes first, plus a little so that clients spread. */
int64_t
mcn_backoff_us(mcn_request *req, mcn_verdict verdict)
{
	int64_t		asked = -1;

	if (verdict == MCN_STALE || verdict == MCN_ENDED)
		return 0;
	if (verdict != MCN_LOST)
		asked = retry_after(req);
	if (asked >= 0)
		return asked * 1000000 + random_upto(BACKOFF_BASE_US);
	return mcn_pause_us(req->attempts, verdict == MCN_ANSWER_SLOW);
}

static bool
applies(const mcn_retry_rule *rule, const mcn_request *req)
{
	int			http = req->http_status;

	if (rule->code && !mcw_view_ieq(mcw_str(rule->code), mcw_str(req->error.code)))
		return false;
	if (rule->text && !strstr(req->error.text, rule->text))
		return false;
	return rule->http == 0 || rule->http == http || (rule->http == 5 && http / 100 == 5);
}

/* Does it say that the credentials ended, for the first time in this request? */
static bool
credentials_ended(mcn_request *req)
{
	const mcn_retry_rule *rule = req->channel->ended;

	if (req->secret == NULL || req->transfer->renewed)
		return false;
	for (; rule && rule->code; rule++)
	{
		if (applies(rule, req))
		{
			req->transfer->renewed = true;
			mcn_credentials_refused(req);
			return true;
		}
	}
	return false;
}

static mcn_retry
look_up(const mcn_request *req)
{
	int			http = req->http_status;
	const mcn_retry_rule *rule = req->channel->rules;

	for (; rule && (rule->code || rule->http || rule->retry != MCN_RETRY_NO); rule++)
		if (applies(rule, req))
			return rule->retry;
	return http / 100 == 5 || http == 429 ? MCN_RETRY_YES : MCN_RETRY_NO;
}

/* An answer that is not 2xx */
static mcn_verdict
judge_answer(mcn_request *req)
{
	mcn_channel *channel = req->channel;
	int			http = req->http_status;
	mcn_retry	retry;

	(void) mcw_fail(&req->error, MCW_ERR_SERVICE, "%s answered HTTP %d%s", channel->peer, http,
					http / 100 == 3 ? " (redirects are not followed)" : "");
	req->error.http_status = http;
	if (req->explain)
		req->explain(req, &req->error);
	if (req->error.status == MCW_OK)
		req->error.status = MCW_ERR_SERVICE;
	req->error.http_status = http;
	if (credentials_ended(req))
		return MCN_ENDED;
	retry = look_up(req);
	if (retry == MCN_RETRY_SLOW || http == 429)
		channel->stats.throttled++;
	if (retry == MCN_RETRY_NO)
		return MCN_FINAL;
	/* a server error other than "unavailable" may come after the work was done */
	if (req->no_retry_after_send && retry != MCN_RETRY_SLOW && http / 100 == 5 && http != 503)
		return MCN_FINAL;
	return retry == MCN_RETRY_SLOW ? MCN_ANSWER_SLOW : MCN_ANSWER;
}

static mcn_verdict
judge_success(mcn_request *req)
{
	mcw_status	status;

	if (req->accept == NULL)
		return MCN_SUCCESS;
	memset(&req->error, 0, sizeof(req->error));
	status = req->accept(req, &req->error);
	if (status == MCW_OK)
		return MCN_SUCCESS;
	if (req->error.status == MCW_OK)
		req->error.status = status;
	if (req->error.http_status == 0)
		req->error.http_status = req->http_status;
	if (status == MCW_ERR_CHECKSUM || status == MCW_ERR_FORMAT || status == MCW_ERR_PROTOCOL)
		return MCN_LOST;
	return MCN_FINAL;
}

/* No connection came about */
static mcn_verdict
judge_connect(mcn_request *req, CURLcode result)
{
	mcn_transfer *transfer = req->transfer;
	mcn_channel *channel = req->channel;
	long		os_error = 0;

	if (transfer->denied && !transfer->address_tried)
	{
		(void) mcw_fail(&req->error, MCW_ERR_DENIED, "connection to %s is not allowed: %s",
						channel->peer, transfer->denied);
		return MCN_FINAL;
	}
	(void) curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &os_error);
	if (result == CURLE_COULDNT_RESOLVE_HOST)
		(void) mcw_fail(&req->error, MCW_ERR_CONNECT, "could not resolve the host name of %s", channel->peer);
	else if (result == CURLE_COULDNT_RESOLVE_PROXY)
		(void) mcw_fail(&req->error, MCW_ERR_CONNECT, "could not resolve the host name of the proxy for %s", channel->peer);
	else
		(void) mcw_fail(&req->error, MCW_ERR_CONNECT, "could not connect to %s%s%s%s",
						channel->options.proxy ? "the proxy for " : "", channel->peer,
						os_error != 0 ? ": " : "", os_error != 0 ? strerror((int) os_error) : "");
	return MCN_LOST;
}

static mcn_verdict
judge_lost(mcn_request *req)
{
	mcn_transfer *transfer = req->transfer;
	mcn_channel *channel = req->channel;

	if (transfer->headers_ready)
		(void) mcw_fail(&req->error, MCW_ERR_CONNECT, "connection to %s lost after %lld bytes of the answer",
						channel->peer, (long long) transfer->received);
	else
		(void) mcw_fail(&req->error, MCW_ERR_CONNECT, "connection to %s lost before the answer", channel->peer);
	return MCN_LOST;
}

static mcn_verdict
judge_curl(mcn_request *req, CURLcode result)
{
	mcn_transfer *transfer = req->transfer;
	mcn_channel *channel = req->channel;
	const char *detail = transfer->curl_error[0] ? transfer->curl_error : curl_easy_strerror(result);

	switch (result)
	{
		case CURLE_COULDNT_RESOLVE_HOST:
		case CURLE_COULDNT_RESOLVE_PROXY:
		case CURLE_COULDNT_CONNECT:
		case CURLE_INTERFACE_FAILED:
			return judge_connect(req, result);
		case CURLE_OPERATION_TIMEDOUT:
			(void) mcw_fail(&req->error, MCW_ERR_TIMEOUT, "could not connect to %s within %.1f s",
							channel->peer, channel->options.connect_timeout_ms / 1e3);
			return MCN_LOST;
		case CURLE_SSL_CONNECT_ERROR:
			(void) mcw_fail(&req->error, MCW_ERR_CONNECT, "TLS handshake with %s failed: %s", channel->peer, detail);
			return MCN_LOST;
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_SSL_ISSUER_ERROR:
			(void) mcw_fail(&req->error, MCW_ERR_CONNECT, "certificate of %s was not accepted: %s", channel->peer, detail);
			return MCN_FINAL;
		case CURLE_SSL_CACERT_BADFILE:
			(void) mcw_fail(&req->error, MCW_ERR_CONNECT, "could not read the file of trusted certificates \"%s\"",
							channel->options.ca_file ? channel->options.ca_file : "of the system");
			return MCN_FINAL;
		case CURLE_UNSUPPORTED_PROTOCOL:
			if (req->sent)		/* also libcurl's word for an answer without a status line */
			{
				(void) mcw_fail(&req->error, MCW_ERR_PROTOCOL, "answer of %s is not valid HTTP", channel->peer);
				return MCN_LOST;
			}
			(void) mcw_fail(&req->error, MCW_ERR_DENIED, "only http and https can be used for %s", channel->peer);
			return MCN_FINAL;
		case CURLE_URL_MALFORMAT:
		case CURLE_BAD_FUNCTION_ARGUMENT:
		case CURLE_UNKNOWN_OPTION:
		case CURLE_NOT_BUILT_IN:
		case CURLE_SSL_ENGINE_NOTFOUND:
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_CIPHER:
			(void) mcw_fail(&req->error, MCW_ERR_CONNECT, "request to %s could not be sent: %s",
							channel->peer, curl_easy_strerror(result));
			return MCN_FINAL;
		case CURLE_OUT_OF_MEMORY:
			if (req->sent && !transfer->headers_ready && transfer->received == 0)
			{
				(void) mcw_fail(&req->error, MCW_ERR_LIMIT, "answer of %s: header line is too long, or out of memory", channel->peer);
				return MCN_FINAL;
			}
			(void) mcw_fail(&req->error, MCW_ERR_NOMEM, "out of memory in a request to %s", channel->peer);
			return MCN_FINAL;
		case CURLE_WEIRD_SERVER_REPLY:
		case CURLE_HTTP2:
		case CURLE_BAD_CONTENT_ENCODING:
			(void) mcw_fail(&req->error, MCW_ERR_PROTOCOL, "answer of %s is not valid HTTP: %s",
							channel->peer, curl_easy_strerror(result));
			return MCN_LOST;
		case CURLE_PROXY:
			(void) mcw_fail(&req->error, MCW_ERR_CONNECT, "proxy for %s refused: %s", channel->peer, detail);
			return MCN_LOST;
		default:
			return judge_lost(req);
	}
}

mcn_verdict
mcn_judge(mcn_request *req, CURLcode result)
{
	mcn_transfer *transfer = req->transfer;

	if (transfer->broken != MCW_OK)
		return MCN_FINAL;		/* the callback left the words in req->error */
	if (transfer->stale)
	{
		(void) judge_lost(req);
		return MCN_STALE;
	}
	if (result != CURLE_OK)
		return judge_curl(req, result);
	if (req->http_status == 0)
	{
		(void) mcw_fail(&req->error, MCW_ERR_PROTOCOL, "answer of %s is not valid HTTP", req->channel->peer);
		return MCN_LOST;
	}
	if (req->http_status / 100 == 2)
		return judge_success(req);
	return judge_answer(req);
}

/* One of our own timers went off */
mcn_verdict
mcn_judge_timeout(mcn_request *req, int64_t now)
{
	mcn_transfer *transfer = req->transfer;
	mcn_channel *channel = req->channel;
	mcw_error	last = req->error;

	if (req->deadline_us != 0 && req->deadline_us <= now)
	{
		(void) mcw_fail(&req->error, MCW_ERR_TIMEOUT, "no answer of %s by the deadline (attempt %d)%s%.300s",
						channel->peer, req->attempts,
						last.message[0] ? "; before: " : "", last.message);
		return MCN_FINAL;
	}
	if (transfer->unwatched)
		(void) mcw_fail(&req->error, MCW_ERR_CONNECT, "could not wait for %s: %s",
						channel->peer, strerror(transfer->unwatched));
	else if (req->total_timeout_ms > 0 && transfer->attempt_us + (int64_t) req->total_timeout_ms * 1000 <= now)
		(void) mcw_fail(&req->error, MCW_ERR_TIMEOUT, "%s took longer than %.1f s to answer",
						channel->peer, req->total_timeout_ms / 1e3);
	else
		(void) mcw_fail(&req->error, MCW_ERR_TIMEOUT, "no byte to or from %s for %.1f s (%lld bytes of the answer so far)",
						channel->peer, channel->options.stall_timeout_ms / 1e3, (long long) transfer->received);
	return MCN_LOST;
}
