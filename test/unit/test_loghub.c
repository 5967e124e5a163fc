/*
 * test_loghub.c
 *		Cursors of Log Service: taken, compared, and translated to and from the integer
 *		inside (loghub.md 5.2).
 */
#include "unit.h"

#include "../../src/service/mcs_loghub.h"
#include "../../src/wire/mcw_text.h"

static void
test_known(void)
{
	mcs_cursor	c;
	uint64_t	n = 0;
	mcw_error	err;

	CHECK_OK(mcs_cursor_set(&c, MCW_LIT("MTQ0NzI5OTYwNjg5NjYzMjM1Ng=="), &err));
	CHECK(mcs_cursor_int(&c, &n));
	CHECK(n == UINT64_C(1447299606896632356));
	mcs_cursor_from_int(&c, n);
	CHECK_STR(c.data, "MTQ0NzI5OTYwNjg5NjYzMjM1Ng==");
}

static void
test_round_trip(void)
{
	unit_random r = {5};
	int			i;

	for (i = 0; i < 20000; i++)
	{
		uint64_t	n = unit_next(&r) >> unit_below(&r, 64);
		uint64_t	back = n + 1;
		char		text[24];
		mcw_buf		buf;
		mcs_cursor	c;

		mcs_cursor_from_int(&c, n);
		mcw_buf_init(&buf, &mcw_malloc, 100);
		(void) snprintf(text, sizeof(text), "%llu", (unsigned long long) n);
		CHECK_OK(mcw_base64_encode(&buf, mcw_str(text)));
		if (!CHECK_VIEW(mcs_cursor_view(&c), mcw_buf_view(&buf)) || !CHECK(mcs_cursor_int(&c, &back)) ||
			!CHECK(back == n))
			i = 20000;
		mcw_buf_free(&buf);
	}
}

/* What is not a number is no number; nothing is read out of bounds */
static void
test_opaque(void)
{
	static const char *const texts[] = {"abc", "====", "!!!!", "LTE=", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MA==",
	"MTg0NDY3NDQwNzM3MDk1NTE2MTY=", "\177\177\177\177"};
	mcs_cursor	c;
	uint64_t	n;
	size_t		i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
	{
		c.len = (uint8_t) strlen(texts[i]);
		memcpy(c.data, texts[i], c.len + 1);
		CHECK(!mcs_cursor_int(&c, &n));
	}
}

static void
test_refused(void)
{
	char		large[MCS_CURSOR_MAX + 2];
	mcs_cursor	c;
	mcw_error	err;
	mcw_view	v = {large, MCS_CURSOR_MAX};

	memset(large, 'A', sizeof(large));
	CHECK_OK(mcs_cursor_set(&c, v, &err));
	CHECK_INT(c.len, MCS_CURSOR_MAX);
	v.len++;
	CHECK_INT(mcs_cursor_set(&c, v, &err), MCW_ERR_PROTOCOL);
	CHECK_INT(mcs_cursor_set(&c, MCW_LIT(""), &err), MCW_ERR_PROTOCOL);
	CHECK_INT(mcs_cursor_set(&c, (mcw_view) {NULL, 0}, &err), MCW_ERR_PROTOCOL);
	CHECK_INT(mcs_cursor_set(&c, MCW_LIT("a b"), &err), MCW_ERR_PROTOCOL);
	CHECK_INT(mcs_cursor_set(&c, MCW_LIT("a\r\nb"), &err), MCW_ERR_PROTOCOL);
}

/* The rules end with one that matches everything, and throttling is not a refusal */
static void
test_rules(void)
{
	const mcn_retry_rule *rule = mcs_loghub_retry_rules;
	bool		read_quota = false;

	for (; rule->code != NULL || rule->http != 0; rule++)
	{
		if (rule->code != NULL && strcmp(rule->code, "ShardReadQuotaExceed") == 0)
			read_quota = rule->retry == MCN_RETRY_SLOW;
		CHECK(rule->code == NULL || strcmp(rule->code, "ProjectForbidden") != 0);
	}
	CHECK(read_quota);
	CHECK_INT(rule->retry, MCN_RETRY_NO);
}

static const unit_case cases[] = {
	{"known", test_known},
	{"round trip", test_round_trip},
	{"opaque", test_opaque},
	{"refused", test_refused},
	{"retry rules", test_rules},
};

UNIT_MAIN(cases)
