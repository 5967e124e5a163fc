/*
 * head.c
 *		mc-emulator: HTTP/1.1 request heads and chunked bodies (RFC 9112), bytes in,
 *		structures out.  No I/O.
 */
#include "core.h"

#define MAX_TRAILER 16384

static bool
is_token(mcw_view v)
{
	if (v.len == 0)
		return false;
	for (size_t i = 0; i < v.len; i++)
	{
		unsigned char c = (unsigned char) v.data[i];

		if (c <= ' ' || c >= 127 || strchr("()<>@,;:\\\"/[]?={}", c))
			return false;
	}
	return true;
}

static mcw_view
trim(const char *start, const char *end)
{
	mcw_view	v;

	while (start < end && (*start == ' ' || *start == '\t'))
		start++;
	while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	v.data = start;
	v.len = end - start;
	return v;
}

static bool
has_word(mcw_view list, mcw_view word)
{
	const char *p = list.data;
	const char *end = list.data + list.len;

	while (p < end)
	{
		const char *comma = memchr(p, ',', end - p);
		const char *stop = comma ? comma : end;

		if (mcw_view_ieq(trim(p, stop), word))
			return true;
		p = comma ? comma + 1 : end;
	}
	return false;
}

/*
 * "METHOD target HTTP/1.x".  Absolute-form is reduced to origin-form, its authority
 * kept in 'host' (it wins over the header, RFC 9112 3.2.2).
 */
static int
parse_request_line(const char *line, size_t len, emu_request *req, bool *http10, const char **why)
{
	const char *end = line + len;
	const char *sp1 = memchr(line, ' ', len);
	const char *sp2;
	mcw_view	target;
	mcw_view	version;
	mcw_error	err;

	*why = "malformed request line";
	if (sp1 == NULL)
		return 400;
	sp2 = memchr(sp1 + 1, ' ', end - sp1 - 1);
	if (sp2 == NULL)
		return 400;
	req->http.method = (mcw_view) {line, sp1 - line};
	target = (mcw_view) {sp1 + 1, sp2 - sp1 - 1};
	version = (mcw_view) {sp2 + 1, end - sp2 - 1};
	if (!is_token(req->http.method) || target.len == 0)
		return 400;
	if (mcw_view_eq(version, MCW_LIT("HTTP/1.0")))
		*http10 = true;
	else if (!mcw_view_eq(version, MCW_LIT("HTTP/1.1")))
	{
		*why = "only HTTP/1.0 and HTTP/1.1 are spoken here";
		return 505;
	}

	if (target.len > 7 && mcw_view_ieq((mcw_view) {target.data, 7}, MCW_LIT("http://")))
	{
		const char *auth = target.data + 7;
		const char *stop = target.data + target.len;
		const char *slash = auth;

		while (slash < stop && *slash != '/' && *slash != '?')
			slash++;
		req->host = (mcw_view) {auth, slash - auth};
		target = slash < stop ? (mcw_view) {slash, stop - slash} : MCW_LIT("/");
	}
	if (target.data[0] != '/')
	{
		*why = "request target is neither origin-form nor absolute-form";
		return 400;
	}
	req->raw_target = target;
	req->raw_query = MCW_LIT("");
	for (size_t i = 0; i < target.len; i++)
		if (target.data[i] == '?')
		{
			req->raw_query = (mcw_view) {target.data + i + 1, target.len - i - 1};
			break;
		}
	if (mcw_request_parse_target(&req->http, target, req->arena, &err) != MCW_OK)
	{
		*why = "request target cannot be parsed, or has too many parameters";
		return 400;
	}
	return 0;
}

static int
note_header(mcw_pair *h, emu_request *req, emu_head *head, bool http10, const char **why)
{
	uint64_t	n;

	if (mcw_view_ieq(h->name, MCW_LIT("content-length")))
	{
		if (!mcw_view_uint64(h->value, &n) || (head->has_length && n != head->length))
		{
			*why = "bad Content-Length";
			return 400;
		}
		head->has_length = true;
		head->length = n;
	}
	else if (mcw_view_ieq(h->name, MCW_LIT("transfer-encoding")))
	{
		if (!mcw_view_ieq(h->value, MCW_LIT("chunked")))
		{
			*why = "only Transfer-Encoding chunked is known";
			return 501;
		}
		head->chunked = true;
	}
	else if (mcw_view_ieq(h->name, MCW_LIT("expect")))
		head->expect_continue = !http10 && mcw_view_ieq(h->value, MCW_LIT("100-continue"));
	else if (mcw_view_ieq(h->name, MCW_LIT("connection")) || mcw_view_ieq(h->name, MCW_LIT("proxy-connection")))
	{
		if (has_word(h->value, MCW_LIT("close")))
			head->keep_alive = false;
		else if (has_word(h->value, MCW_LIT("keep-alive")))
			head->keep_alive = true;
	}
	else if (mcw_view_ieq(h->name, MCW_LIT("host")) && req->host.data == NULL)
		req->host = h->value;
	return 0;
}

/* 'text' holds the whole head including the empty line and must outlive the request. */
int
emu_parse_head(char *text, size_t len, emu_request *req, emu_head *head, const char **why)
{
	const char *p = text;
	const char *end = text + len;
	bool		first = true;
	bool		http10 = false;

	memset(head, 0, sizeof(*head));
	head->keep_alive = true;
	while (p < end)
	{
		const char *nl = memchr(p, '\n', end - p);
		const char *stop;
		const char *colon;
		mcw_pair   *h;
		int			rc;

		if (nl == NULL)
			break;
		stop = nl > p && nl[-1] == '\r' ? nl - 1 : nl;
		if (stop == p && !first)
			break;
		if (first)
		{
			first = false;
			rc = parse_request_line(p, stop - p, req, &http10, why);
			if (rc != 0)
				return rc;
			head->keep_alive = !http10;
			p = nl + 1;
			continue;
		}
		colon = memchr(p, ':', stop - p);
		*why = "malformed header";
		if (colon == NULL || !is_token((mcw_view) {p, colon - p}))
			return 400;
		*why = "too many headers";
		if (req->http.nheaders == MCW_MAX_HEADERS)
			return 431;
		h = &req->http.headers[req->http.nheaders++];
		h->name = (mcw_view) {p, colon - p};
		h->value = trim(colon + 1, stop);
		rc = note_header(h, req, head, http10, why);
		if (rc != 0)
			return rc;
		p = nl + 1;
	}
	*why = "Content-Length together with Transfer-Encoding";
	if (head->chunked && head->has_length && !(req->service && req->service->both_lengths))
		return 400;
	if (head->chunked)
		head->length = 0;		/* the coding decides, RFC 9112 6.3 */
	if (req->host.data == NULL)
		req->host = MCW_LIT("");
	return 0;
}

enum
{
	CHUNK_SIZE, CHUNK_EXT, CHUNK_DATA, CHUNK_CR, CHUNK_TRAILER, CHUNK_TRAILER_LINE, CHUNK_DONE
};

static int
chunk_size_byte(emu_chunks *st, char c)
{
	int			digit = mcw_hex_value(c);

	if (st->state == CHUNK_SIZE && digit >= 0)
	{
		if (++st->digits > 15)
			return 400;
		st->left = st->left * 16 + digit;
	}
	else if (c == '\n')
	{
		if (st->digits == 0)
			return 400;
		st->digits = 0;
		st->state = st->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
	}
	else
		st->state = CHUNK_EXT;
	return 0;
}

int
emu_parse_chunks(emu_chunks *st, const char *in, size_t len, size_t *pos, mcw_buf *body)
{
	while (*pos < len && st->state != CHUNK_DONE)
	{
		char		c = in[*pos];
		size_t		n;

		switch (st->state)
		{
			case CHUNK_SIZE:
			case CHUNK_EXT:
				if (chunk_size_byte(st, c) != 0)
					return 400;
				if (st->left > body->max - body->len)
					return 413;
				(*pos)++;
				break;
			case CHUNK_DATA:
				n = len - *pos < st->left ? len - *pos : (size_t) st->left;
				if (mcw_buf_append(body, in + *pos, n) != MCW_OK)
					return 413;
				*pos += n;
				st->left -= n;
				if (st->left == 0)
					st->state = CHUNK_CR;
				break;
			case CHUNK_CR:
				if (c != '\r' && c != '\n')
					return 400;
				if (c == '\n')
					st->state = CHUNK_SIZE;
				(*pos)++;
				break;
			default:			/* trailer section: skipped up to the empty line */
				if (++st->trailer > MAX_TRAILER)
					return 431;
				if (c == '\n')
					st->state = st->state == CHUNK_TRAILER ? CHUNK_DONE : CHUNK_TRAILER;
				else if (c != '\r')
					st->state = CHUNK_TRAILER_LINE;
				(*pos)++;
				break;
		}
	}
	return st->state == CHUNK_DONE ? 1 : 0;
}
