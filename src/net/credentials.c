/*
 * credentials.c
 *		Credentials that end and are renewed while requests go on.
 *
 * The owner (mcn_credentials) keeps the newest set; an attempt holds the set it was
 * signed with, so that its answer can be verified and searched for secrets after a
 * newer one has come.  A set nobody holds any more is overwritten and freed.
 *
 * Sets are renewed beside the requests as soon as little of their life is left.  Only
 * when there is none to sign with, or a service said that it ended, requests wait for
 * the new one (phase MCN_CREDENTIALS).
 */
#include <stdio.h>

#include "mcn_private.h"

#define MARGIN_MAX_US INT64_C(900000000)	/* 15 minutes, as the vendor's libraries */
#define AGAIN_US INT64_C(10000000)	/* between renewals that failed while the old set is still good */
#define ABANDONED_US INT64_C(10000000)	/* a renewal that nobody drove for so long is begun anew */

struct mcn_secret
{
	int			refs;
	int64_t		expires_us;		/* mcn_now_us(); 0 = never */
	int64_t		renew_us;		/* from then on it is worth asking for another */
	bool		refused;		/* a service said that it ended */
	mcw_credentials cred;
	size_t		len;
	char		text[];			/* what 'cred' shows */
};

struct mcn_credentials
{
	mcn_loop   *loop;
	int			refs;
	mcn_credential_source source;
	mcn_secret *current;		/* NULL = none yet */
	bool		fetching;
	int64_t		began_us;		/* of the renewal under way */
	int64_t		next_us;		/* no renewal before, as long as 'current' is good */
	mcw_error	error;			/* of the last renewal; MCW_OK = it went well */
};

/* ---- sets ---- */

void
mcn_secret_release(mcn_secret *secret)
{
	if (secret == NULL || --secret->refs > 0)
		return;
	explicit_bzero(secret->text, secret->len);
	mcw_free(&mcw_malloc, secret, sizeof(*secret) + secret->len);
}

static mcw_view
keep(char **at, mcw_view v)
{
	mcw_view	copy = {*at, v.len};

	if (v.len > 0)
		memcpy(*at, v.data, v.len);
	*at += v.len;
	return copy;
}

static bool
is_good(const mcn_secret *secret, int64_t now)
{
	return secret != NULL && !secret->refused && (secret->expires_us == 0 || now < secret->expires_us);
}

/* ---- life ---- */

mcn_credentials *
mcn_credentials_create(mcn_loop *loop, const mcn_credential_source *source)
{
	mcn_credentials *credentials = mcw_new0(&mcw_malloc, sizeof(*credentials));

	if (credentials == NULL)
		return NULL;
	credentials->loop = loop;
	credentials->refs = 1;
	credentials->source = *source;
	return credentials;
}

mcn_credentials *
mcn_credentials_keep(mcn_credentials *credentials)
{
	credentials->refs++;
	return credentials;
}

void
mcn_credentials_release(mcn_credentials *credentials)
{
	if (credentials == NULL || --credentials->refs > 0)
		return;
	if (credentials->fetching)
		credentials->source.cancel(credentials->source.arg);
	credentials->source.destroy(credentials->source.arg);
	mcn_secret_release(credentials->current);
	mcw_free(&mcw_malloc, credentials, sizeof(*credentials));
}

int64_t
mcn_credentials_left_us(const mcn_credentials *credentials)
{
	int64_t		now = mcn_now_us();

	if (!is_good(credentials->current, now))
		return 0;
	return credentials->current->expires_us == 0 ? INT64_MAX : credentials->current->expires_us - now;
}

/* ---- renewal ---- */

/* Everybody who waits goes on with the next turn of the loop, or fails then with the error of the renewal. */
static void
wake(mcn_credentials *credentials)
{
	mcn_loop   *loop = credentials->loop;

	for (mcn_request *req = loop->running.head; req; req = req->next)
	{
		if (req->transfer->phase != MCN_CREDENTIALS || req->channel->credentials != credentials)
			continue;
		req->transfer->phase = MCN_BACKOFF;
		req->transfer->due_us = 1;
	}
	mcn_loop_arm(loop);
}

mcw_status
mcn_credentials_supply(mcn_credentials *credentials, const mcw_credentials *cred, int64_t left_us)
{
	size_t		len = cred->access_key_id.len + cred->access_key_secret.len + cred->security_token.len;
	mcn_secret *secret = mcw_new0(&mcw_malloc, sizeof(*secret) + len);
	int64_t		now = mcn_now_us();
	int64_t		margin;
	char	   *at;

	if (secret == NULL)
		return MCW_ERR_NOMEM;
	at = secret->text;
	secret->refs = 1;
	secret->len = len;
	secret->cred.access_key_id = keep(&at, cred->access_key_id);
	secret->cred.access_key_secret = keep(&at, cred->access_key_secret);
	secret->cred.security_token = keep(&at, cred->security_token);
	if (left_us < 0)
		secret->expires_us = now;
	else if (left_us > 0)
	{
		/* a source may hand out the same set again until it makes another: ask ever later, not ever more */
		margin = left_us / 4 < MARGIN_MAX_US ? left_us / 4 : MARGIN_MAX_US;
		secret->expires_us = now + left_us;
		secret->renew_us = secret->expires_us - margin;
	}
	mcn_secret_release(credentials->current);
	credentials->current = secret;
	credentials->fetching = false;
	credentials->next_us = 0;
	memset(&credentials->error, 0, sizeof(credentials->error));
	wake(credentials);
	return MCW_OK;
}

void
mcn_credentials_fail(mcn_credentials *credentials, const mcw_error *err)
{
	credentials->fetching = false;
	credentials->next_us = mcn_now_us() + AGAIN_US;
	credentials->error = *err;
	if (err->status == MCW_OK)
		(void) mcw_fail(&credentials->error, MCW_ERR_PROTOCOL, "no credentials and no reason");
	credentials->error.of_credentials = true;
	wake(credentials);
}

static void
fetch(mcn_credentials *credentials, int64_t now)
{
	credentials->fetching = true;
	credentials->began_us = now;
	memset(&credentials->error, 0, sizeof(credentials->error));
	credentials->source.fetch(credentials->source.arg, credentials);
}

/* Requests that use them, those included that wait */
static int
users(const mcn_credentials *credentials)
{
	int			n = 0;

	for (const mcn_channel *channel = credentials->loop->channels; channel; channel = channel->next)
		if (channel->credentials == credentials)
			n += channel->active;
	return n;
}

static bool
wants_renewal(const mcn_credentials *credentials, int64_t now)
{
	const mcn_secret *current = credentials->current;

	if (!is_good(current, now))
		return true;
	return current->expires_us != 0 && now >= current->renew_us && now >= credentials->next_us;
}

mcn_supply
mcn_credentials_take(mcn_request *req, int64_t now, mcw_error *err)
{
	mcn_credentials *credentials = req->channel->credentials;

	/* a statement that was given up left it behind; its connection is as old */
	if (credentials->fetching && now - credentials->began_us > ABANDONED_US && users(credentials) <= 1)
	{
		credentials->source.cancel(credentials->source.arg);
		credentials->fetching = false;
	}
	if (!credentials->fetching && wants_renewal(credentials, now) && !req->transfer->asked)
	{
		req->transfer->asked = !is_good(credentials->current, now);
		fetch(credentials, now);
		now = mcn_now_us();
	}
	if (is_good(credentials->current, now))
	{
		mcn_secret_release(req->secret);
		req->secret = credentials->current;
		req->secret->refs++;
		req->transfer->asked = false;
		return MCN_SUPPLIED;
	}
	if (credentials->fetching)
	{
		/* the answer it waits for is its own one, whoever asked */
		req->transfer->asked = true;
		return MCN_SUPPLY_LATER;
	}
	*err = credentials->error;
	if (err->status == MCW_OK)
		(void) mcw_fail(err, MCW_ERR_SERVICE, "the credentials that came have ended already");
	err->of_credentials = true;
	return MCN_SUPPLY_FAILED;
}

/* A service said so: no request is signed with that set any more. */
void
mcn_credentials_refused(mcn_request *req)
{
	if (req->secret)
		req->secret->refused = true;
}

mcw_status
mcn_credentials_renew(mcn_credentials *credentials, int64_t last_us, int64_t deadline_us, mcw_error *err)
{
	mcw_status	status;

	if (mcn_credentials_left_us(credentials) >= last_us)
		return MCW_OK;
	if (!credentials->fetching)
		fetch(credentials, mcn_now_us());
	while (credentials->fetching)
	{
		int64_t		left = deadline_us == 0 ? -1 : (deadline_us - mcn_now_us() + 999) / 1000;

		if (deadline_us != 0 && left <= 0)
		{
			(void) mcw_fail(err, MCW_ERR_TIMEOUT, "no new credentials came in time");
			err->of_credentials = true;
			return err->status;
		}
		status = mcn_loop_step(credentials->loop, (int) (left > INT32_MAX ? INT32_MAX : left));
		if (status != MCW_OK)
			return mcw_fail(err, status, "interrupted");
	}
	/* new ones may end sooner than wished: that is all there is */
	if (credentials->error.status == MCW_OK)
		return MCW_OK;
	*err = credentials->error;
	return err->status;
}

/* ---- channels and requests ---- */

void
mcn_channel_set_credentials(mcn_channel *channel, mcn_credentials *credentials, const mcn_retry_rule *ended)
{
	mcn_credentials *old = channel->credentials;

	channel->credentials = credentials ? mcn_credentials_keep(credentials) : NULL;
	channel->ended = ended;
	mcn_credentials_release(old);
}

bool
mcn_channel_has_credentials(const mcn_channel *channel)
{
	return channel->credentials != NULL;
}

const mcw_credentials *
mcn_request_credentials(const mcn_request *req)
{
	return req->secret ? &req->secret->cred : NULL;
}
