/*
 * rate.c
 *		Rate limit of a channel: a token bucket over the body bytes of both
 *		directions.
 *
 * The bucket is kept as one number, the instant at which everything moved so far
 * would be paid at the agreed rate.  Bytes may flow once that instant has come; a
 * piece may put the channel into debt, which the next piece waits for, so the long
 * run is exact whatever the size of the pieces.  An idle channel earns at most
 * MCN_RATE_CREDIT_US of credit.  The clock is an argument.
 */
#include "mcn_private.h"

#define MCN_RATE_CREDIT_US 100000
#define MCN_RATE_MIN_PIECE 1024

void
mcn_rate_init(mcn_rate *rate, int64_t bytes_per_s, int64_t now)
{
	memset(rate, 0, sizeof(*rate));
	rate->bytes_per_s = bytes_per_s;
	rate->free_at_us = now;
}

int64_t
mcn_rate_ready_at(const mcn_rate *rate, int64_t now)
{
	if (rate->bytes_per_s <= 0 || rate->free_at_us <= now)
		return 0;
	return rate->free_at_us;
}

void
mcn_rate_take(mcn_rate *rate, int64_t bytes, int64_t now)
{
	if (rate->bytes_per_s <= 0 || bytes <= 0)
		return;
	if (rate->free_at_us < now - MCN_RATE_CREDIT_US)
		rate->free_at_us = now - MCN_RATE_CREDIT_US;
	/* double: bytes times a million may leave 64 bits */
	rate->free_at_us += (int64_t) ((double) bytes * 1e6 / (double) rate->bytes_per_s + 0.5);
}

/* A twentieth of a second of the rate, so that the flow is even. */
int64_t
mcn_rate_piece(const mcn_rate *rate, int64_t max)
{
	int64_t		piece;

	if (rate->bytes_per_s <= 0)
		return max;
	piece = rate->bytes_per_s / 20;
	if (piece < MCN_RATE_MIN_PIECE)
		piece = MCN_RATE_MIN_PIECE;
	return piece < max ? piece : max;
}

/*
 * rate_us is the time in which at least one transfer of the channel waited for the
 * bucket, not the sum over transfers.
 */
void
mcn_rate_block(mcn_transfer *transfer, int64_t now)
{
	mcn_rate   *rate = &transfer->req->channel->rate;

	if (transfer->blocked)
		return;
	transfer->blocked = true;
	if (rate->blocked++ == 0)
		rate->blocked_since_us = now;
}

void
mcn_rate_unblock(mcn_transfer *transfer, int64_t now)
{
	mcn_channel *channel = transfer->req->channel;

	if (!transfer->blocked)
		return;
	transfer->blocked = false;
	if (--channel->rate.blocked == 0)
		channel->stats.rate_us += now - channel->rate.blocked_since_us;
}
