/*
 * mcw_http.c
 *		Collecting an HTTP request's parameters and headers, and writing and reading
 *		its target.  No HTTP message parsing happens here.
 */
#include "mcw_http.h"
#include "mcw_text.h"

mcw_status
mcw_request_param(mcw_request *req, mcw_view name, mcw_view value)
{
	if (req->nparams >= MCW_MAX_PARAMS)
		return MCW_ERR_LIMIT;
	req->params[req->nparams].name = name;
	req->params[req->nparams].value = value;
	req->nparams++;
	return MCW_OK;
}

mcw_status
mcw_request_header(mcw_request *req, mcw_view name, mcw_view value)
{
	for (int i = 0; i < req->nheaders; i++)
	{
		if (mcw_view_ieq(req->headers[i].name, name))
		{
			req->headers[i].value = value;
			return MCW_OK;
		}
	}
	if (req->nheaders >= MCW_MAX_HEADERS)
		return MCW_ERR_LIMIT;
	req->headers[req->nheaders].name = name;
	req->headers[req->nheaders].value = value;
	req->nheaders++;
	return MCW_OK;
}

mcw_view
mcw_request_get_header(const mcw_request *req, mcw_view name)
{
	for (int i = 0; i < req->nheaders; i++)
	{
		if (mcw_view_ieq(req->headers[i].name, name))
			return req->headers[i].value;
	}
	return mcw_str(NULL);
}

mcw_view
mcw_request_get_param(const mcw_request *req, mcw_view name)
{
	for (int i = 0; i < req->nparams; i++)
	{
		if (mcw_view_eq(req->params[i].name, name))
			return req->params[i].value;
	}
	return mcw_str(NULL);
}

mcw_status
mcw_request_target(const mcw_request *req, mcw_buf *out)
{
	mcw_status	status;

	status = mcw_buf_append_view(out, req->path_prefix);
	if (status == MCW_OK)
		status = mcw_percent_encode(out, req->path, true);

	for (int i = 0; status == MCW_OK && i < req->nparams; i++)
	{
		const mcw_pair *param = &req->params[i];

		status = mcw_buf_append_char(out, i == 0 ? '?' : '&');
		if (status == MCW_OK)
			status = mcw_percent_encode(out, param->name, false);
		if (status == MCW_OK && param->value.data)
			status = mcw_buf_append_char(out, '=');
		if (status == MCW_OK)
			status = mcw_percent_encode(out, param->value, false);
	}
	return status;
}

/* ---- reading a target ---- */

/* The part of *rest before the first 'delimiter'; *rest becomes what follows it. */
static mcw_view
split_off(mcw_view *rest, char delimiter)
{
	const char *at = rest->len ? memchr(rest->data, delimiter, rest->len) : NULL;
	mcw_view	head = *rest;

	if (!at)
	{
		rest->data = NULL;
		rest->len = 0;
		return head;
	}
	head.len = (size_t) (at - head.data);
	rest->data = at + 1;
	rest->len -= head.len + 1;
	return head;
}

/* Decoded copy; an absent view stays absent. */
static mcw_status
decode(mcw_arena *arena, mcw_view raw, bool plus_is_space, mcw_view *out)
{
	mcw_buf		buf;
	mcw_status	status;

	*out = raw;
	if (!raw.data)
		return MCW_OK;
	status = mcw_arena_copy(arena, raw, out);
	if (status != MCW_OK)
		return status;

	/* decoding never lengthens: a buffer over the copy has all the room needed */
	mcw_buf_init(&buf, arena->alloc, raw.len);
	buf.data = (char *) out->data;
	buf.cap = raw.len;
	status = mcw_percent_decode(&buf, raw, plus_is_space);
	buf.data[buf.len] = '\0';
	out->len = buf.len;
	return status;
}

static mcw_status
parse_params(mcw_request *req, mcw_view query, mcw_arena *arena)
{
	mcw_status	status = MCW_OK;

	while (status == MCW_OK && query.len > 0)
	{
		mcw_view	value = split_off(&query, '&');
		mcw_view	name;
		mcw_pair	pair;

		if (value.len == 0)
			continue;
		name = split_off(&value, '=');
		status = decode(arena, name, true, &pair.name);
		if (status == MCW_OK)
			status = decode(arena, value, true, &pair.value);
		if (status == MCW_OK)
			status = mcw_request_param(req, pair.name, pair.value);
	}
	return status;
}

static bool
has_prefix(mcw_view path, mcw_view prefix)
{
	return prefix.len > 0 && path.len >= prefix.len &&
		memcmp(path.data, prefix.data, prefix.len) == 0 &&
		(path.len == prefix.len || path.data[prefix.len] == '/');
}

mcw_status
mcw_request_parse_target(mcw_request *req, mcw_view target, mcw_arena *arena, mcw_error *err)
{
	mcw_view	query = target;
	mcw_view	path = split_off(&query, '?');
	mcw_status	status;

	req->nparams = 0;
	if (path.len == 0 || path.data[0] != '/')
		return mcw_fail(err, MCW_ERR_FORMAT, "request target does not begin with a slash");
	for (size_t i = 0; i < target.len; i++)
	{
		unsigned char c = (unsigned char) target.data[i];

		if (c <= ' ' || c == 0x7F)
		{
			status = mcw_fail(err, MCW_ERR_FORMAT, "request target holds byte 0x%02x", c);
			if (err)
				err->offset = i;
			return status;
		}
	}

	if (has_prefix(path, req->path_prefix))
	{
		path.data += req->path_prefix.len;
		path.len -= req->path_prefix.len;
	}
	else
		req->path_prefix = MCW_LIT("");

	status = decode(arena, path, false, &req->path);
	if (status == MCW_OK)
		status = parse_params(req, query, arena);
	if (status == MCW_ERR_LIMIT)
		return mcw_fail(err, status, "request target has too many parameters or is too long (%zu bytes, at most %d parameters)",
						target.len, MCW_MAX_PARAMS);
	if (status != MCW_OK)
		return mcw_fail(err, status, "cannot read request target: %s", mcw_status_name(status));
	return MCW_OK;
}
