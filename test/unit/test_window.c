/*
 * test_window.c
 *		Receive-time windows: whatever the bounds, a window holds exactly the whole
 *		seconds for which all comparisons are true; adjacent windows tile.
 */
#include "unit.h"

#include "../../src/fdw/window.c"

static bool
holds(int64_t second, McBound op, McInstant x)
{
	int64_t		t = second * MICROS;

	if (x.infinite)
		return x.infinite > 0 ? op <= MC_BOUND_LE : op >= MC_BOUND_GE;
	switch (op)
	{
		case MC_BOUND_LT:
			return t < x.micros;
		case MC_BOUND_LE:
			return t <= x.micros;
		case MC_BOUND_EQ:
			return t == x.micros;
		case MC_BOUND_GE:
			return t >= x.micros;
		case MC_BOUND_GT:
			return t > x.micros;
	}
	return false;
}

static bool
inside(const McWindow *w, int64_t second)
{
	return !w->empty && (!w->has_begin || second >= w->begin) && (!w->has_end || second < w->end);
}

static McInstant
random_instant(unit_random *r)
{
	McInstant	x = {0, 0};
	static const int64_t fraction[] = {0, 0, 1, 499999, 500000, 999999};

	if (unit_below(r, 20) == 0)
		x.infinite = unit_below(r, 2) ? 1 : -1;
	else
		x.micros = ((int64_t) unit_below(r, 41) - 20) * MICROS + fraction[unit_below(r, 6)];
	return x;
}

static void
test_bounds(void)
{
	unit_random r = {42};
	int			i;

	for (i = 0; i < 20000; i++)
	{
		McWindow	w;
		McBound		op[4];
		McInstant	x[4];
		int			n = (int) unit_below(&r, 5);
		int			k;
		int64_t		s;
		bool		ok = true;

		mcWindowInit(&w);
		for (k = 0; k < n; k++)
		{
			op[k] = (McBound) (1 + unit_below(&r, 5));
			x[k] = random_instant(&r);
			mcWindowBound(&w, op[k], x[k]);
		}
		for (s = -25; s <= 25; s++)
		{
			bool		want = true;

			for (k = 0; k < n; k++)
				want = want && holds(s, op[k], x[k]);
			ok = ok && want == inside(&w, s);
		}
		if (!CHECK(ok))
			return;
	}
}

static void
test_tile(void)
{
	unit_random r = {7};
	int			i;

	for (i = 0; i < 5000; i++)
	{
		McInstant	cut[3];
		McWindow	w[2];
		int			k;
		int64_t		s;
		bool		ok = true;

		for (k = 0; k < 3; k++)
		{
			cut[k].infinite = 0;
			cut[k].micros = (int64_t) unit_below(&r, 40 * MICROS) - 20 * MICROS;
		}
		qsort(cut, 3, sizeof(cut[0]), compare_instants);
		for (k = 0; k < 2; k++)
		{
			mcWindowInit(&w[k]);
			mcWindowBound(&w[k], MC_BOUND_GE, cut[k]);
			mcWindowBound(&w[k], MC_BOUND_LT, cut[k + 1]);
		}
		for (s = -25; s <= 25; s++)
		{
			bool		want = s * MICROS >= cut[0].micros && s * MICROS < cut[2].micros;

			ok = ok && inside(&w[0], s) + inside(&w[1], s) == want;
		}
		if (!CHECK(ok))
			return;
	}
}

/* No log that satisfies the comparison may be received outside of a derived window */
static void
test_derive(void)
{
	unit_random r = {99};
	int			i;

	for (i = 0; i < 20000; i++)
	{
		McWindow	w;
		McBound		op = (McBound) (1 + unit_below(&r, 5));
		McInstant	x = random_instant(&r);
		int64_t		delay = (int64_t) unit_below(&r, 5) - 1;
		int64_t		skew = (int64_t) unit_below(&r, 5) - 1;
		int64_t		s = (int64_t) unit_below(&r, 50) - 25;
		int64_t		low = (s - (delay < 0 ? 100 : delay)) * MICROS;
		int64_t		high = (s + (skew < 0 ? 100 : skew)) * MICROS;
		bool		possible;

		mcWindowInit(&w);
		mcWindowDerive(&w, op, x, delay, skew);
		if (x.infinite)
			possible = holds(0, op, x);
		else if (op <= MC_BOUND_LE)
			possible = low < x.micros || (op == MC_BOUND_LE && low == x.micros);
		else if (op == MC_BOUND_EQ)
			possible = low <= x.micros && x.micros <= high;
		else
			possible = high > x.micros || (op == MC_BOUND_GE && high == x.micros);
		if (possible && !CHECK(inside(&w, s)))
			return;
	}
	CHECK(i == 20000);
}

static void
test_derive_narrows(void)
{
	McWindow	w;
	McInstant	x = {0, 100 * MICROS};

	mcWindowInit(&w);
	mcWindowDerive(&w, MC_BOUND_GE, x, 30, 5);
	mcWindowDerive(&w, MC_BOUND_LT, x, 30, 5);
	CHECK(w.has_begin && w.has_end && !w.empty);
	CHECK_INT(w.begin, 95);
	CHECK_INT(w.end, 131);
	mcWindowInit(&w);
	mcWindowDerive(&w, MC_BOUND_GE, x, 30, -1);
	CHECK(!w.has_begin && !w.has_end);
}

static void
test_points(void)
{
	unit_random r = {1234};
	int			i;

	for (i = 0; i < 5000; i++)
	{
		McWindow	w;
		McWindow	out[8];
		McInstant	x[8];
		McInstant	copy[8];
		size_t		n = unit_below(&r, 9);
		size_t		nout;
		size_t		k;
		int64_t		s;
		bool		ok = true;

		mcWindowInit(&w);
		if (unit_below(&r, 2))
			mcWindowBound(&w, (McBound) (1 + unit_below(&r, 5)), random_instant(&r));
		for (k = 0; k < n; k++)
			copy[k] = x[k] = random_instant(&r);
		nout = mcWindowPoints(&w, x, n, out);
		for (k = 1; k < nout; k++)
			ok = ok && out[k - 1].end < out[k].begin;
		for (s = -25; s <= 25; s++)
		{
			bool		want = false;
			int			hits = 0;

			for (k = 0; k < n; k++)
				want = want || (inside(&w, s) && holds(s, MC_BOUND_EQ, copy[k]));
			for (k = 0; k < nout; k++)
				hits += inside(&out[k], s);
			ok = ok && hits == want;
		}
		if (!CHECK(ok))
			return;
	}
}

static void
test_extremes(void)
{
	McWindow	w;
	McInstant	x = {0, INT64_MAX};

	CHECK_INT(mcFloorSeconds(-1), -1);
	CHECK_INT(mcFloorSeconds(-MICROS), -1);
	CHECK_INT(mcFloorSeconds(MICROS - 1), 0);
	mcWindowInit(&w);
	mcWindowBound(&w, MC_BOUND_LE, x);
	mcWindowDerive(&w, MC_BOUND_LE, x, INT64_C(3650) * 86400, 0);
	x.micros = INT64_MIN;
	mcWindowBound(&w, MC_BOUND_GE, x);
	mcWindowDerive(&w, MC_BOUND_GE, x, 0, INT64_C(3650) * 86400);
	CHECK(!w.empty && inside(&w, 0));
	mcWindowNull(&w);
	CHECK(w.empty);
}

static const unit_case cases[] = {
	{"bounds", test_bounds},
	{"tile", test_tile},
	{"derive", test_derive},
	{"derive narrows", test_derive_narrows},
	{"points", test_points},
	{"extremes", test_extremes},
};

UNIT_MAIN(cases)
