/*
 * window.c
 *		Arithmetic of receive-time windows, see window.h.
 *
 * Receive times are whole seconds.  The set of whole seconds t with t >= x begins at
 * ceil(x), t > x at floor(x) + 1, t < x ends before ceil(x), t <= x before
 * floor(x) + 1; t = x is one second if x is whole, else nothing.  Hence [a, b) and
 * [b, c) tile for every a, b, c.
 */
#include "window.h"

#include <stdlib.h>

#define MICROS INT64_C(1000000)

/* Seconds outside of this cannot be a receive time; clamping keeps sums from overflowing */
#define SECONDS_MAX (INT64_MAX / MICROS)

int64_t
mcFloorSeconds(int64_t micros)
{
	int64_t		s = micros / MICROS;

	return micros % MICROS < 0 ? s - 1 : s;
}

static int64_t
ceil_seconds(int64_t micros)
{
	int64_t		s = mcFloorSeconds(micros);

	return micros % MICROS == 0 ? s : s + 1;
}

void
mcWindowInit(McWindow *window)
{
	window->empty = false;
	window->has_begin = window->has_end = false;
	window->begin = window->end = 0;
}

void
mcWindowNull(McWindow *window)
{
	window->empty = true;
}

static void
from(McWindow *window, int64_t second)
{
	if (!window->has_begin || second > window->begin)
		window->begin = second;
	window->has_begin = true;
}

static void
until(McWindow *window, int64_t second)
{
	if (!window->has_end || second < window->end)
		window->end = second;
	window->has_end = true;
}

static void
settle(McWindow *window)
{
	if (window->has_begin && window->has_end && window->begin >= window->end)
		window->empty = true;
}

void
mcWindowBound(McWindow *window, McBound op, McInstant x)
{
	if (x.infinite != 0)
	{
		/* every instant is above -infinity and below infinity, and equal to neither */
		bool		all = x.infinite > 0 ? op == MC_BOUND_LT || op == MC_BOUND_LE
			: op == MC_BOUND_GT || op == MC_BOUND_GE;

		if (!all)
			window->empty = true;
		return;
	}
	switch (op)
	{
		case MC_BOUND_LT:
			until(window, ceil_seconds(x.micros));
			break;
		case MC_BOUND_LE:
			until(window, mcFloorSeconds(x.micros) + 1);
			break;
		case MC_BOUND_EQ:
			from(window, ceil_seconds(x.micros));
			until(window, mcFloorSeconds(x.micros) + 1);
			break;
		case MC_BOUND_GE:
			from(window, ceil_seconds(x.micros));
			break;
		case MC_BOUND_GT:
			from(window, mcFloorSeconds(x.micros) + 1);
			break;
	}
	settle(window);
}

void
mcWindowDerive(McWindow *window, McBound op, McInstant x, int64_t delay, int64_t skew)
{
	int64_t		s;

	if (x.infinite != 0)
	{
		mcWindowBound(window, op, x);
		return;
	}
	if (op != MC_BOUND_LT && op != MC_BOUND_LE && skew >= 0)
	{
		s = mcFloorSeconds(x.micros);
		from(window, s < -SECONDS_MAX + skew ? -SECONDS_MAX : s - skew);
	}
	/* a second that holds part of the delayed instant counts, hence one more */
	if (op != MC_BOUND_GT && op != MC_BOUND_GE && delay >= 0)
	{
		s = ceil_seconds(x.micros) + 1;
		until(window, s > SECONDS_MAX - delay ? SECONDS_MAX : s + delay);
	}
	settle(window);
}

static int
compare_instants(const void *a, const void *b)
{
	const McInstant *x = a;
	const McInstant *y = b;

	return (x->micros > y->micros) - (x->micros < y->micros);
}

size_t
mcWindowPoints(const McWindow *window, McInstant *points, size_t n, McWindow *out)
{
	size_t		nout = 0;
	size_t		i;

	if (window->empty)
		return 0;
	qsort(points, n, sizeof(*points), compare_instants);
	for (i = 0; i < n; i++)
	{
		McWindow	w = *window;

		if (points[i].infinite != 0)
			continue;
		mcWindowBound(&w, MC_BOUND_EQ, points[i]);
		if (w.empty)
			continue;
		if (nout > 0 && out[nout - 1].end >= w.begin)
			out[nout - 1].end = w.end;
		else
			out[nout++] = w;
	}
	return nout;
}
